#include "runtime/rehearsal/smtp_server.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/rehearsal/delivery.h"
#include "runtime/rehearsal/directory.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/mta_eval.h"
#include "runtime/rehearsal/recipient_rules.h"

namespace plan::rehearsal {
namespace {

using net::Deadline;

constexpr std::size_t kLineBytesMax = 8192;
constexpr std::size_t kDataLineBytesMax = std::size_t{1} << 20U;
constexpr std::size_t kMessageBytesMax = 104'857'600;
constexpr std::chrono::minutes kPatience{5};
constexpr std::chrono::seconds kWritePatience{60};

struct Transaction {
  bool has_sender = false;
  std::string sender = {};
  std::vector<std::string> recipients = {};  ///< as they go into the queue
  std::vector<std::string> named = {};       ///< as the client said them
  std::string chunks = {};                   ///< of BDAT
};

// The address of `MAIL FROM:<x> SIZE=1`; nothing when there is none.
struct PathArgument {
  std::string address = {};
  std::string_view parameters = {};
};
std::optional<PathArgument> path_of(std::string_view text) {
  text = trim(text);
  if (!text.starts_with('<')) return std::nullopt;
  const std::size_t end = text.find('>');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view address = text.substr(1, end - 1);
  if (const std::size_t colon = address.find(':');
      address.starts_with('@') && colon != std::string_view::npos)
    address.remove_prefix(colon + 1);  // a source route (RFC 5321, 4.1.1.3)
  if (address.size() > 320) return std::nullopt;
  return PathArgument{std::string(address), trim(text.substr(end + 1))};
}

class Session {
 public:
  Session(World& world, Service service, net::SocketStream& stream, const net::StopSignal& signal)
      : world_(world),
        service_(service),
        stream_(stream),
        signal_(signal),
        reader_(stream, kDataLineBytesMax),
        port_(well_known_port(service)),
        peer_(stream.peer_address()) {}

  void run() {
    if (!admit()) return;
    say("220 " + hostname() + " Stalwart ESMTP at your service (rehearsal target)");
    while (is_open_) {
      auto line = net::read_line(reader_, kPatience, signal_);
      if (!line) {
        if (line.error().is(net::errors::line_too_long)) say("500 5.5.1 Line too long.");
        return;
      }
      if (line->size() > kLineBytesMax) {
        say("500 5.5.1 Line too long.");
        continue;
      }
      handle(*line);
    }
  }

 private:
  bool say(std::string_view text) {
    const bool is_sent =
        stream_.write_all(std::string(text) + "\r\n", Deadline::after(kWritePatience)).has_value();
    is_open_ = is_open_ && is_sent;
    return is_sent;
  }

  std::string hostname() {
    const std::lock_guard lock(world_.mutex);
    return world_.hostname();
  }

  [[nodiscard]] MtaFacts facts() const {
    MtaFacts out;
    out["remote_ip"] = peer_;
    out["local_port"] = static_cast<int>(port_);
    out["remote_port"] = static_cast<int>(stream_.peer_port());
    out["local_ip"] = stream_.local_address();
    out["listener"] = to_string(service_);
    out["protocol"] = "smtp";
    out["is_tls"] = stream_.is_tls();
    out["helo_domain"] = helo_;
    out["authenticated_as"] = login_ ? login_->name : std::string{};
    out["sender"] = mail_.sender;
    out["sender_domain"] = mail_domain(mail_.sender);
    return out;
  }

  // Throttles whose keys are known at this stage. False: the limit is reached.
  bool within_throttles(bool is_connect, const std::string& recipient) {
    static const std::set<std::string, std::less<>> kConnectKeys = {"listener", "remoteIp",
                                                                    "localIp"};
    MtaFacts now = facts();
    now["rcpt"] = recipient;
    now["rcpt_domain"] = mail_domain(recipient);
    const std::map<std::string, std::string, std::less<>> values = {
        {"listener", to_string(service_)},
        {"remoteIp", peer_},
        {"localIp", stream_.local_address()},
        {"authenticatedAs", login_ ? login_->name : std::string{}},
        {"heloDomain", helo_},
        {"sender", mail_.sender},
        {"senderDomain", mail_domain(mail_.sender)},
        {"rcpt", recipient},
        {"rcptDomain", mail_domain(recipient)}};
    bool fits = true;
    for (const auto& [id, throttle] : world_.live->all("x:MtaInboundThrottle")) {
      if (!throttle["enable"].bool_or(true)) continue;
      const auto& keys = throttle["key"].members();
      const bool is_for_connect = std::all_of(keys.begin(), keys.end(), [](const auto& key) {
        return kConnectKeys.contains(key.first);
      });
      if (is_for_connect != is_connect) continue;
      if (!holds(
              evaluate_expression(world_, throttle["match"], "x:MtaInboundThrottle", "match", now)))
        continue;
      std::string key = "smtp\n" + std::to_string(id);
      for (const auto& [name, is_in] : keys) {
        const auto value = values.find(name);
        key += "\n" + (value == values.end() ? std::string{} : value->second);
      }
      const ir::Value& rate = throttle["rate"];
      if (!world_.throttles.take(key, world_.clock.wall_ms(), rate["count"].integer_or(1),
                                 rate["period"].integer_or(1000)))
        fits = false;
    }
    return fits;
  }

  bool admit() {
    {
      const std::lock_guard lock(world_.mutex);
      if (is_blocked(world_, peer_)) return false;
      if (!within_throttles(true, {})) return false;  // closed without a word, as recorded
    }
    if (service_ != Service::submissions) return true;
    return world_.options.tls &&
           stream_.accept_tls(*world_.options.tls, Deadline::after(kWritePatience)).has_value();
  }

  void handle(const std::string& line) {
    const std::size_t blank = line.find(' ');
    std::string verb = lower_ascii(std::string_view(line).substr(0, blank));
    const std::string_view rest = blank == std::string::npos
                                      ? std::string_view{}
                                      : trim(std::string_view(line).substr(blank + 1));
    const bool is_lmtp = service_ == Service::lmtp;
    if (is_lmtp && (verb == "ehlo" || verb == "helo")) return invalid();
    if (is_lmtp && verb == "lhlo") return ehlo(rest, true);
    const std::string lower = lower_ascii(line);
    if (lower.starts_with("mail from:")) return mail_from(std::string_view(line).substr(10));
    if (lower.starts_with("rcpt to:")) return rcpt_to(std::string_view(line).substr(8));
    if (verb == "ehlo" || verb == "helo") return ehlo(rest, verb == "ehlo");
    if (verb == "data" && rest.empty()) return data();
    if (verb == "bdat") return bdat(rest);
    if (verb == "rset") {
      mail_ = {};
      say("250 2.0.0 OK");
      return;
    }
    if (verb == "noop") {
      say("250 2.0.0 OK");
      return;
    }
    if (verb == "quit") {
      say("221 2.0.0 Bye.");
      is_open_ = false;
      return;
    }
    if (verb == "vrfy") {
      say("252 2.5.1 VRFY is disabled.");
      return;
    }
    if (verb == "expn") {
      say("252 2.5.1 EXPN is disabled.");
      return;
    }
    if (verb == "starttls") return starttls();
    if (verb == "auth") return auth(rest);
    invalid();
  }

  void invalid() { say("500 5.5.1 Invalid command."); }

  // What MtaStageAuth.saslMechanisms offers on this port now, in lower case.
  std::vector<std::string> mechanisms() {
    const std::lock_guard lock(world_.mutex);
    std::vector<std::string> out;
    const ir::Value offered = evaluate_live(world_, "x:MtaStageAuth", "saslMechanisms", facts());
    for (const ir::Value& each : offered.items()) out.push_back(lower_ascii(each.string_or("")));
    return out;
  }

  void ehlo(std::string_view name, bool is_extended) {
    if (port_ == 25 && name.find('.') == std::string_view::npos && !name.starts_with('[')) {
      say("550 5.5.0 Invalid EHLO domain.");
      return;
    }
    helo_ = lower_ascii(name);
    mail_ = {};
    if (!is_extended) {
      say("250 " + hostname() + " you had me at HELO");
      return;
    }
    std::vector<std::string> lines = {hostname() + " you had me at EHLO"};
    if (!stream_.is_tls() && world_.options.tls) lines.emplace_back("STARTTLS");
    for (const char* extension : {"SMTPUTF8", "SIZE 104857600", "REQUIRETLS", "PIPELINING",
                                  "NO-SOLICITING", "ENHANCEDSTATUSCODES", "CHUNKING", "BINARYMIME"})
      lines.emplace_back(extension);
    if (const auto offered = mechanisms(); !offered.empty() && !login_) {
      std::string words = "AUTH";
      for (const char* known : {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"})
        if (std::find(offered.begin(), offered.end(), lower_ascii(known)) != offered.end())
          words += " " + std::string(known);
      lines.push_back(std::move(words));
    }
    lines.emplace_back("8BITMIME");
    std::string answer;
    for (std::size_t i = 0; i < lines.size(); ++i)
      answer += "250" + std::string(i + 1 == lines.size() ? " " : "-") + lines[i] +
                (i + 1 == lines.size() ? "" : "\r\n");
    say(answer);
  }

  void starttls() {
    if (stream_.is_tls() || !world_.options.tls) {
      say("504 5.7.4 Already in TLS mode.");
      return;
    }
    if (reader_.buffered() > 0) {  // something was sent in clear behind the command
      is_open_ = false;
      return;
    }
    if (!say("220 2.0.0 Ready to start TLS.")) return;
    if (!stream_.accept_tls(*world_.options.tls, Deadline::after(kWritePatience))) {
      is_open_ = false;
      return;
    }
    helo_.clear();
    mail_ = {};
  }

  std::optional<std::string> decoded_line() {
    auto line = net::read_line(reader_, kPatience, signal_);
    if (!line) {
      is_open_ = false;
      return std::nullopt;
    }
    bool is_valid = false;
    std::string out = ir::from_base64(trim(*line), &is_valid);
    if (is_valid) return out;
    say("501 5.5.2 Invalid parameter.");
    return std::nullopt;
  }

  void auth(std::string_view rest) {
    const std::vector<std::string> offered = mechanisms();
    if (offered.empty() || login_) {
      say("503 5.5.1 AUTH not allowed.");
      return;
    }
    const std::size_t blank = rest.find(' ');
    const std::string mechanism = lower_ascii(rest.substr(0, blank));
    const bool has_initial = blank != std::string_view::npos;
    const bool is_offered = std::find(offered.begin(), offered.end(), mechanism) != offered.end();
    if (!is_offered || (mechanism != "plain" && mechanism != "login")) {
      say("554 5.7.8 Authentication mechanism not supported.");
      return;
    }
    std::string user;
    std::string password;
    if (mechanism == "plain") {
      std::string credentials;
      if (has_initial) {
        bool is_valid = false;
        credentials = ir::from_base64(trim(rest.substr(blank + 1)), &is_valid);
      } else {
        say("334 ");
        const auto line = decoded_line();
        if (!line) return;
        credentials = *line;
      }
      const auto parts = split(credentials, '\0');
      if (parts.size() == 3) {
        user = parts[0].empty() || parts[0] == parts[1]
                   ? std::string(parts[1])
                   : std::string(parts[0]) + "%" + std::string(parts[1]);
        password = parts[2];
      }
    } else {
      if (has_initial) {
        bool is_valid = false;
        user = ir::from_base64(trim(rest.substr(blank + 1)), &is_valid);
      } else {
        say("334 VXNlcm5hbWU6");
        const auto line = decoded_line();
        if (!line) return;
        user = *line;
      }
      say("334 UGFzc3dvcmQ6");
      const auto line = decoded_line();
      if (!line) return;
      password = *line;
    }
    LoginResult result = log_in(world_, user, password, peer_);
    if (result.outcome == LoginOutcome::ok && result.login.may("emailSend")) {
      login_ = std::move(result.login);
      say("235 2.7.0 Authentication succeeded.");
      return;
    }
    if (result.outcome == LoginOutcome::ok || result.outcome == LoginOutcome::forbidden) {
      say("550 5.7.1 Your account is not authorized to use this service.");
      return;
    }
    std::int64_t max = 3;
    {
      const std::lock_guard lock(world_.mutex);
      max = number_or(evaluate_live(world_, "x:MtaStageAuth", "maxFailures", facts()), 3);
    }
    wait_on_fail();
    if (++auth_failures_ > max) {
      say("455 4.3.0 Too many authentication errors, disconnecting.");
      is_open_ = false;
      return;
    }
    say("535 5.7.8 Authentication credentials invalid.");
  }

  // What the server makes a stranger wait after an error, at the rehearsal's speed.
  void wait_on_fail() const {
    const double speed = world_.options.schedule_speed > 0 ? world_.options.schedule_speed : 1.0;
    const auto until = Deadline::after(std::chrono::milliseconds(static_cast<int>(5000 / speed)));
    while (!until.is_over() && !signal_.is_stopping())
      world_.clock.sleep_for(std::chrono::milliseconds(std::min(50, std::max(1, until.left_ms()))));
  }

  void mail_from(std::string_view text) {
    if (helo_.empty()) {
      say("503 5.5.1 Polite people say EHLO first.");
      return;
    }
    const auto path = path_of(text);
    if (!path) {
      say("501 5.5.4 Invalid parameter.");
      return;
    }
    if (mail_.has_sender) {
      say("503 5.5.1 Multiple MAIL commands not allowed.");
      return;
    }
    const std::string refusal = judge_sender(*path);
    if (!refusal.empty()) {
      say(refusal);
      return;
    }
    mail_ = {};
    mail_.has_sender = true;
    mail_.sender = queue_form(path->address);
    say("250 2.1.0 OK");
  }

  // Why a sender is refused, or empty.
  std::string judge_sender(const PathArgument& path) {
    const std::lock_guard lock(world_.mutex);
    MtaFacts now = facts();
    now["sender"] = path.address;
    now["sender_domain"] = mail_domain(path.address);
    if (!login_ && holds(evaluate_live(world_, "x:MtaStageAuth", "require", now)))
      return "503 5.5.1 You must authenticate first.";
    if (login_ && !login_->is_administrator &&
        holds(evaluate_live(world_, "x:MtaStageAuth", "mustMatchSender", now))) {
      const ir::Value* account = world_.registry.find("x:Account", login_->account);
      const auto own =
          account == nullptr ? std::vector<std::string>{} : addresses_of(world_, *account);
      if (std::find(own.begin(), own.end(), lower_ascii(path.address)) == own.end())
        return "501 5.5.4 You are not allowed to send from this address.";
    }
    const std::string parameters = lower_ascii(path.parameters);
    if (const std::size_t at = parameters.find("size="); at != std::string::npos) {
      std::uint64_t size = 0;
      std::from_chars(parameters.data() + at + 5, parameters.data() + parameters.size(), size);
      if (size > kMessageBytesMax) return "552 5.3.4 Message too big for system.";
    }
    return {};
  }

  void rcpt_to(std::string_view text) {
    if (!mail_.has_sender) {
      say("503 5.5.1 MAIL is required first.");
      return;
    }
    const auto path = path_of(text);
    if (!path) {
      say("501 5.5.4 Invalid parameter.");
      return;
    }
    RecipientVerdict verdict;
    std::int64_t max_failures = 5;
    {
      const std::lock_guard lock(world_.mutex);
      const std::int64_t max =
          number_or(evaluate_live(world_, "x:MtaStageRcpt", "maxRecipients", facts()), 100);
      max_failures = number_or(evaluate_live(world_, "x:MtaStageRcpt", "maxFailures", facts()), 5);
      if (static_cast<std::int64_t>(mail_.named.size()) >= max) {
        say("455 4.5.3 Too many recipients.");
        return;
      }
      verdict = judge_recipient(world_, path->address, facts());
      if (verdict.refusal.empty() && !within_throttles(false, lower_ascii(path->address)))
        verdict.refusal = "452 4.4.5 Rate limit exceeded, try again later.";
      if (verdict.refusal.empty() && is_greylisted(path->address))
        verdict.refusal = "452 4.2.2 Greylisted, please try again in a few moments.";
      if (verdict.refusal.starts_with("550") && !login_)
        count_failure(world_, peer_, "abuseBanRate", {});
    }
    if (verdict.refusal.empty()) {
      mail_.named.push_back(path->address);
      for (std::string& each : verdict.recipients)
        if (std::find(mail_.recipients.begin(), mail_.recipients.end(), each) ==
            mail_.recipients.end())
          mail_.recipients.push_back(std::move(each));
      say("250 2.1.5 OK");
      return;
    }
    if (verdict.refusal.starts_with("550")) {
      wait_on_fail();
      if (++rcpt_failures_ >= max_failures) {
        say("451 4.3.0 Too many errors, disconnecting.");
        is_open_ = false;
        return;
      }
    }
    say(verdict.refusal);
  }

  bool is_greylisted(const std::string& recipient) {
    const ir::Value& wait = world_.live->singleton("x:SpamSettings")["greylistFor"];
    if (!wait.is_integer() || login_ || port_ != 25) return false;
    // The first sight of the triple takes the only place; whoever comes again finds it taken and
    // passes.
    return world_.throttles.take("grey\n" + peer_ + "\n" + mail_.sender + "\n" + recipient,
                                 world_.clock.wall_ms(), 1, wait.integer_or(0));
  }

  bool may_send_data() {
    if (mail_.named.empty()) {
      say("503 5.5.1 RCPT is required first.");
      return false;
    }
    if (mail_.recipients.empty()) {
      say("503 5.5.1 RCPT is required first.");  // a list without members
      return false;
    }
    std::int64_t max = 10;
    {
      const std::lock_guard lock(world_.mutex);
      max = number_or(evaluate_live(world_, "x:MtaStageData", "maxMessages", facts()), 10);
    }
    if (messages_ >= max) {
      say("452 4.4.5 Maximum number of messages per session exceeded.");
      return false;
    }
    return true;
  }

  void data() {
    if (!may_send_data()) return;
    if (!say("354 Start mail input; end with <CRLF>.<CRLF>")) return;
    std::string bytes;
    bool is_too_large = false;
    for (;;) {
      auto line = net::read_line(reader_, kPatience, signal_);
      if (!line) {
        is_open_ = false;
        return;
      }
      if (*line == ".") break;
      std::string_view content = *line;
      if (content.starts_with('.')) content.remove_prefix(1);
      if (bytes.size() + content.size() > kMessageBytesMax) {
        is_too_large = true;
        bytes.clear();
      }
      if (is_too_large) continue;
      bytes += content;
      bytes += "\r\n";
    }
    if (is_too_large) {
      mail_ = {};
      say("552 5.3.4 Message too big for system.");
      return;
    }
    accept(std::move(bytes));
  }

  void bdat(std::string_view rest) {
    std::uint64_t size = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
    if (error != std::errc{} || size > kMessageBytesMax) {
      say("501 5.5.4 Invalid parameter.");
      is_open_ = false;
      return;
    }
    const bool is_last =
        lower_ascii(trim(rest.substr(static_cast<std::size_t>(end - rest.data())))) == "last";
    auto chunk = reader_.bytes(static_cast<std::size_t>(size), Deadline::after(kPatience));
    if (!chunk) {
      is_open_ = false;
      return;
    }
    if (!may_send_data()) return;
    if (mail_.chunks.size() + chunk->size() > kMessageBytesMax) {
      mail_ = {};
      say("552 5.3.4 Message too big for system.");
      return;
    }
    mail_.chunks += *chunk;
    if (!is_last) {
      say("250 2.6.0 Chunk accepted.");
      return;
    }
    accept(std::move(mail_.chunks));
  }

  void accept(std::string bytes) {
    const MessageView view = view_message(bytes);
    const auto hops = std::count_if(
        view.fields.begin(), view.fields.end(),
        [](const HeaderField& field) { return equals_ignoring_case(field.name, "received"); });
    AcceptedMessage message;
    bool is_loop = false;
    {
      const std::lock_guard lock(world_.mutex);
      is_loop =
          hops >
          number_or(evaluate_live(world_, "x:MtaStageData", "maxReceivedHeaders", facts()), 50);
      message.bytes = "Received: from " + helo_ + " (" + helo_ + " [" + peer_ + "])\r\n\tby " +
                      world_.hostname() + " (rehearsal target) with ESMTP" +
                      (stream_.is_tls() ? "S" : "") + (login_ ? "A" : "") + ";\r\n\t" +
                      show_mail_date(world_.now_seconds()) + "\r\n";
    }
    if (is_loop) {
      mail_ = {};
      say("450 4.4.6 Too many Received headers. Possible loop detected.");
      return;
    }
    message.bytes += bytes;
    message.return_path = mail_.sender;
    message.recipients = mail_.recipients;
    message.source = login_ ? "authenticated" : "smtp";
    message.received_from_ip = peer_;
    message.received_via_port = port_;
    message.is_authenticated = login_.has_value();
    mail_ = {};
    ++messages_;
    const std::string id = enqueue(world_, std::move(message));
    say("250 2.0.0 Message queued with id " + id + ".");
  }

  World& world_;
  Service service_;
  net::SocketStream& stream_;
  const net::StopSignal& signal_;
  net::LineReader reader_;
  std::uint16_t port_;
  std::string peer_;
  std::string helo_;
  std::optional<Login> login_;
  Transaction mail_;
  std::int64_t messages_ = 0;
  std::int64_t rcpt_failures_ = 0;
  std::int64_t auth_failures_ = 0;
  bool is_open_ = true;
};

}  // namespace

void serve_smtp(World& world, Service service, std::unique_ptr<net::SocketStream> stream,
                const net::StopSignal& signal) {
  Session(world, service, *stream, signal).run();
  stream->close();
}

}  // namespace plan::rehearsal
