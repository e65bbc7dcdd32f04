#include "runtime/rehearsal/pop3_server.h"

#include <algorithm>
#include <charconv>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/directory.h"

namespace plan::rehearsal {
namespace {

using net::Deadline;

constexpr std::size_t kLineBytesMax = 8192;
constexpr std::chrono::minutes kPatience{10};
constexpr std::chrono::seconds kWritePatience{60};
constexpr int kFailuresMax = 3;

// A message of the Inbox as it was at login.
struct Listed {
  std::uint32_t uid = 0;
  std::uint32_t document = 0;
  std::string blob = {};
  std::uint64_t size = 0;
  bool is_deleted = false;
};

class Session {
 public:
  Session(World& world, Service service, net::SocketStream& stream, const net::StopSignal& signal)
      : world_(world),
        service_(service),
        stream_(stream),
        signal_(signal),
        reader_(stream, kLineBytesMax),
        peer_(stream.peer_address()) {}

  void run() {
    {
      const std::lock_guard lock(world_.mutex);
      if (is_blocked(world_, peer_)) return;
    }
    if (service_ == Service::pop3s &&
        (!world_.options.tls ||
         !stream_.accept_tls(*world_.options.tls, Deadline::after(kWritePatience))))
      return;
    line("+OK Stalwart POP3 at your service (rehearsal target).");
    while (is_open_) {
      auto text = net::read_line(reader_, kPatience, signal_);
      if (!text) return;
      handle(*text);
    }
  }

 private:
  void line(const std::string& text) {
    is_open_ =
        stream_.write_all(text + "\r\n", Deadline::after(kWritePatience)).has_value() && is_open_;
  }

  void handle(const std::string& text) {
    const std::size_t blank = text.find(' ');
    const std::string verb = lower_ascii(std::string_view(text).substr(0, blank));
    const std::string rest =
        blank == std::string::npos ? std::string{} : std::string(trim(text.substr(blank + 1)));
    if (verb == "capa") return capabilities();
    if (verb == "stls") return start_tls();
    if (verb == "user") return user(rest);
    if (verb == "pass") return pass(rest);
    if (verb == "auth") return authenticate(rest);
    if (verb == "quit") return quit();
    if (verb == "noop") return line("+OK NOOP");
    if (verb == "utf8") return line("+OK UTF8 enabled");
    if (!login_) return line("-ERR Not authenticated.");
    if (verb == "stat") return stat();
    if (verb == "list") return list(rest, false);
    if (verb == "uidl") return list(rest, true);
    if (verb == "retr") return retrieve(rest, std::nullopt);
    if (verb == "top") return top(rest);
    if (verb == "dele") return remove(rest);
    if (verb == "rset") return reset();
    line("-ERR Invalid command.");
  }

  void capabilities() {
    std::string out = "+OK Capability list follows\r\n";
    if (!login_ && may_be_plain()) out += "USER\r\n";
    out += may_be_plain() ? "SASL PLAIN OAUTHBEARER XOAUTH2\r\n" : "SASL OAUTHBEARER XOAUTH2\r\n";
    if (!stream_.is_tls() && world_.options.tls) out += "STLS\r\n";
    for (const char* each : {"TOP", "RESP-CODES", "PIPELINING", "EXPIRE NEVER", "UIDL", "UTF8",
                             "IMPLEMENTATION Stalwart Server (rehearsal target)"})
      out += std::string(each) + "\r\n";
    line(out + ".");
  }

  bool may_be_plain() {
    if (stream_.is_tls()) return true;
    const std::lock_guard lock(world_.mutex);
    return world_.live->singleton("x:Imap")["allowPlainTextAuth"].bool_or(false);
  }

  void start_tls() {
    if (stream_.is_tls() || !world_.options.tls || reader_.buffered() > 0)
      return line("-ERR TLS is not available.");
    line("+OK Begin TLS negotiation now");
    if (!stream_.accept_tls(*world_.options.tls, Deadline::after(kWritePatience))) is_open_ = false;
  }

  void user(const std::string& name) {
    if (login_) return line("-ERR Already authenticated.");
    if (!may_be_plain()) return line("-ERR Cannot authenticate over plain-text.");
    user_ = name;
    // Known or not: no stranger learns it here.
    line("+OK " + name + " is a valid mailbox");
  }

  void pass(const std::string& password) {
    if (!may_be_plain()) return line("-ERR Cannot authenticate over plain-text.");
    if (user_.empty() || login_) return line("-ERR USER is required first.");
    finish_login(user_, password);
  }

  void authenticate(const std::string& rest) {
    const auto words = split(rest, ' ');
    if (words.empty() || !equals_ignoring_case(words[0], "plain") || !may_be_plain())
      return line("-ERR Authentication mechanism not supported.");
    std::string coded(words.size() > 1 ? words[1] : std::string_view{});
    if (words.size() < 2) {
      line("+ ");
      auto text = net::read_line(reader_, kPatience, signal_);
      if (!text) {
        is_open_ = false;
        return;
      }
      coded = *text;
    }
    bool is_valid = false;
    const std::string decoded = ir::from_base64(trim(coded), &is_valid);
    const auto parts = split(decoded, '\0');
    if (!is_valid || parts.size() != 3) return line("-ERR Invalid SASL challenge.");
    const bool is_acting = !parts[0].empty() && parts[0] != parts[1];
    finish_login(
        is_acting ? std::string(parts[0]) + "%" + std::string(parts[1]) : std::string(parts[1]),
        std::string(parts[2]));
  }

  void finish_login(const std::string& name, const std::string& password) {
    LoginResult result = log_in(world_, name, password, peer_);
    if (result.outcome == LoginOutcome::ok && !result.login.may("pop3Authenticate"))
      result.outcome = LoginOutcome::forbidden;
    if (result.outcome == LoginOutcome::forbidden) {
      is_open_ = false;  // closed without a word
      return;
    }
    if (result.outcome != LoginOutcome::ok) {
      if (++failures_ > kFailuresMax) {
        line("-ERR Too many authentication attempts");
        is_open_ = false;
        return;
      }
      user_.clear();
      return line("-ERR Authentication failed");
    }
    login_ = std::move(result.login);
    {
      const std::lock_guard lock(world_.mutex);
      MailAccount& account = world_.account(login_->account);
      if (const Mailbox* inbox = account.mailbox_with_role("inbox")) {
        validity_ = inbox->uid_validity;
        for (const auto& [uid, document] : inbox->messages)
          if (const auto email = account.emails.find(document); email != account.emails.end())
            messages_.push_back({uid, document, email->second.blob, email->second.size, false});
      }
    }
    line("+OK Authentication successful");
  }

  Listed* message(std::string_view text) {
    std::size_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    if (number == 0 || number > messages_.size() || messages_[number - 1].is_deleted)
      return nullptr;
    return &messages_[number - 1];
  }

  void stat() {
    std::uint64_t bytes = 0;
    std::size_t count = 0;
    for (const Listed& each : messages_) {
      if (each.is_deleted) continue;
      ++count;
      bytes += each.size;
    }
    line("+OK " + std::to_string(count) + " " + std::to_string(bytes));
  }

  std::string entry(std::size_t number, bool is_uid) const {
    const Listed& each = messages_[number - 1];
    // UIDVALIDITY and UID as one: unique for as long as the mailbox is.
    const std::uint64_t name = (std::uint64_t{validity_} << 32U) | each.uid;
    return std::to_string(number) + " " +
           (is_uid ? std::to_string(name) : std::to_string(each.size));
  }

  void list(const std::string& which, bool is_uid) {
    if (!which.empty()) {
      const Listed* one = message(which);
      if (one == nullptr) return line("-ERR No such message.");
      return line("+OK " + entry(static_cast<std::size_t>(one - messages_.data()) + 1, is_uid));
    }
    std::string out;
    std::size_t count = 0;
    for (std::size_t number = 1; number <= messages_.size(); ++number) {
      if (messages_[number - 1].is_deleted) continue;
      out += entry(number, is_uid) + "\r\n";
      ++count;
    }
    line("+OK " + std::to_string(count) + " messages\r\n" + out + ".");
  }

  void retrieve(const std::string& which, std::optional<std::size_t> body_lines) {
    const Listed* one = message(which);
    if (one == nullptr) return line("-ERR No such message.");
    std::string bytes;
    {
      const std::lock_guard lock(world_.mutex);
      bytes = world_.mail.blob(one->blob).value_or("");
    }
    std::string out = "+OK " + std::to_string(bytes.size()) + " octets\r\n";
    bool is_body = false;
    std::size_t shown = 0;
    std::string_view rest = bytes;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      std::string_view text = rest.substr(0, end);
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
      if (text.ends_with('\r')) text.remove_suffix(1);
      if (is_body && body_lines && shown++ >= *body_lines) break;
      if (text.empty()) is_body = true;
      out += (text.starts_with('.') ? "." : "") + std::string(text) + "\r\n";
    }
    line(out + ".");
  }

  // The real server sends the whole message for `TOP n 0`; so does this one.
  void top(const std::string& rest) {
    const auto words = split(rest, ' ');
    std::size_t lines = 0;
    if (words.size() > 1)
      std::from_chars(words[1].data(), words[1].data() + words[1].size(), lines);
    retrieve(words.empty() ? std::string{} : std::string(words[0]),
             lines == 0 ? std::nullopt : std::optional(lines));
  }

  void remove(const std::string& which) {
    Listed* one = message(which);
    if (one == nullptr) return line("-ERR No such message.");
    one->is_deleted = true;
    line("+OK message " + which + " deleted");
  }

  void reset() {
    std::size_t count = 0;
    for (Listed& each : messages_) {
      count += each.is_deleted ? 1 : 0;
      each.is_deleted = false;
    }
    line("+OK " + std::to_string(count) + " messages undeleted");
  }

  void quit() {
    std::size_t count = 0;
    if (login_) {
      const std::lock_guard lock(world_.mutex);
      MailAccount& account = world_.account(login_->account);
      for (const Listed& each : messages_) {
        if (!each.is_deleted || !account.emails.contains(each.document)) continue;
        world_.mail.open_change(account);
        world_.mail.remove_email(account, each.document);
        ++count;
      }
      world_.commit();
    }
    const std::string words = count == 0   ? "no messages deleted"
                              : count == 1 ? "1 message deleted"
                                           : std::to_string(count) + " messages deleted";
    line("+OK Stalwart POP3 bids you farewell (" + words + ").");
    is_open_ = false;
  }

  World& world_;
  Service service_;
  net::SocketStream& stream_;
  const net::StopSignal& signal_;
  net::LineReader reader_;
  std::string peer_;
  std::string user_;
  std::optional<Login> login_;
  std::vector<Listed> messages_;
  std::uint32_t validity_ = 0;
  int failures_ = 0;
  bool is_open_ = true;
};

}  // namespace

void serve_pop3(World& world, Service service, std::unique_ptr<net::SocketStream> stream,
                const net::StopSignal& signal) {
  Session(world, service, *stream, signal).run();
  stream->close();
}

}  // namespace plan::rehearsal
