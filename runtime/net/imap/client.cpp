#include "runtime/net/imap/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/imap/errors.h"

namespace plan::net::imap {
namespace {

constexpr std::size_t kReadBytes = 65536;
constexpr std::size_t kQuotedBytesMax = 1000;
/// LITERAL- (RFC 7888): non-synchronizing literals up to this size.
constexpr std::size_t kLiteralMinusBytes = 4096;
/// Responses to a command that does not fetch: no server needs more.

}  // namespace

std::optional<Security> security_by_name(std::string_view name) {
  if (name == "none") return Security::none;
  if (name == "starttls") return Security::starttls;
  if (name == "tls") return Security::tls;
  return {};
}

bool MailboxInfo::has(std::string_view attribute) const {
  return std::any_of(attributes.begin(), attributes.end(),
                     [&](const std::string& one) { return equals_ignoring_case(one, attribute); });
}

Client::Client(std::unique_ptr<Stream> stream, const ClientOptions& options)
    : stream_(std::move(stream)),
      options_(options),
      parser_(options.limits),
      fetches_max_(options.limits.fetches_max) {}

Client::~Client() { stream_->close(); }

Result<std::unique_ptr<Client>> Client::connect(const Endpoint& endpoint,
                                                const ClientOptions& options) {
  const std::string doing =
      fmt::format("connecting to IMAP at {} port {}", endpoint.host, endpoint.port);
  const auto deadline = Deadline::after(options.connect_max);
  auto connected = connect_tcp(endpoint.host, endpoint.port, deadline);
  if (!connected) return std::move(connected.error()).with_blame(options.blame).while_doing(doing);
  SocketStream* socket = connected->get();
  if (endpoint.security == Security::tls)
    if (auto done = socket->start_tls(endpoint.tls, deadline); !done)
      return std::move(done.error()).with_blame(options.blame).while_doing(doing);
  auto client = std::unique_ptr<Client>(new Client(std::move(*connected), options));
  client->socket_ = socket;
  if (auto greeted = client->greet(); !greeted)
    return std::move(greeted.error()).with_retry(Retry::safe).while_doing(doing);
  if (endpoint.security != Security::starttls) return client;
  if (!client->has("STARTTLS"))
    return Error(errors::imap_capability_missing, "the server does not offer STARTTLS")
        .with_blame(options.blame)
        .while_doing(doing);
  if (auto done = client->run({{"STARTTLS"}}, "starting TLS", true); !done)
    return std::move(done.error()).while_doing(doing);
  if (client->parser_.buffered() != 0)
    return violation("bytes came in clear text ahead of the TLS handshake")
        .with_blame(Blame::network)
        .while_doing(doing);
  if (auto done = socket->start_tls(endpoint.tls, Deadline::after(options.connect_max)); !done)
    return std::move(done.error()).with_blame(options.blame).while_doing(doing);
  if (auto done = client->read_capabilities(); !done)
    return std::move(done.error()).while_doing(doing);
  return client;
}

Result<std::unique_ptr<Client>> Client::over(std::unique_ptr<Stream> stream,
                                             const ClientOptions& options) {
  auto client = std::unique_ptr<Client>(new Client(std::move(stream), options));
  PLAN_TRY_VOID(client->greet());
  return client;
}

Outcome Client::greet() {
  PLAN_TRY(greeting, read());
  if (greeting.kind != Response::Kind::untagged || !greeting.is_status() ||
      greeting.name == "BAD" || greeting.name == "NO")
    return broken(violation("the greeting is not that of an IMAP server"));
  if (greeting.name == "BYE")
    return broken(Error(net::errors::refused, "the server says goodbye instead of a greeting")
                      .with_retry(Retry::safe)
                      .with_detail(greeting.text));
  is_preauthenticated_ = greeting.name == "PREAUTH";
  if (greeting.code == "CAPABILITY") {
    note_capabilities(greeting.code_text);
    return {};
  }
  return read_capabilities();
}

Outcome Client::read_capabilities() {
  capabilities_.clear();
  PLAN_TRY(done, run({{"CAPABILITY"}}, "asking for capabilities", true));
  (void)done;
  return {};
}

void Client::note_capabilities(std::string_view words) {
  capabilities_.clear();
  for (const std::string_view word : split(words, ' ')) {
    if (word.empty()) continue;
    std::string name(word);
    for (char& letter : name)
      if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    capabilities_.insert(std::move(name));
  }
}

bool Client::has(std::string_view capability) const {
  return capabilities_.count(std::string(capability)) > 0;
}

std::string Client::peer_certificate_sha256() const {
  return socket_ == nullptr ? std::string() : socket_->peer_certificate_sha256();
}

Error Client::violation(std::string message) {
  return Error(net::errors::protocol_violation, std::move(message)).with_effect(Effect::unknown);
}

Error Client::broken(Error error) {
  is_broken_ = true;
  return std::move(error).with_blame(options_.blame);
}

Result<Response> Client::read() {
  while (true) {
    auto response = parser_.next();
    if (!response) return broken(std::move(response.error()));
    if (*response) return std::move(**response);
    std::array<char, kReadBytes> chunk;
    auto count =
        stream_->read_some(chunk.data(), chunk.size(), Deadline::after(options_.silence_max));
    if (!count) return broken(std::move(count.error()));
    if (*count == 0)
      return broken(Error(net::errors::connection_lost, "the IMAP server closed the connection")
                        .with_effect(Effect::unknown)
                        .with_retry(Retry::safe));
    parser_.feed({chunk.data(), *count});
  }
}

Outcome Client::send(std::string_view bytes) {
  if (is_broken_)
    return Error(net::errors::connection_lost, "this IMAP connection ended before")
        .with_retry(Retry::safe)
        .with_blame(options_.blame);
  auto sent = stream_->write_all(bytes, Deadline::after(options_.silence_max));
  if (!sent) return broken(std::move(sent.error()));
  return {};
}

std::string Client::next_tag() { return fmt::format("p{}", ++tag_count_); }

void Client::add_text(Parts& parts, std::string_view text) {
  if (parts.empty() || parts.back().is_literal) parts.push_back({});
  parts.back().text += text;
}

void Client::add_string(Parts& parts, std::string_view text) {
  const bool is_quotable =
      text.size() <= kQuotedBytesMax && std::all_of(text.begin(), text.end(), [](char letter) {
        return letter >= 0x20 && letter < 0x7F;  // negative for 8-bit bytes
      });
  if (!is_quotable) {
    parts.push_back({.text = std::string(text), .is_literal = true});
    return;
  }
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') quoted += '\\';
    quoted += letter;
  }
  add_text(parts, quoted + '"');
}

Outcome Client::note_untagged(Response& response) {
  if (response.name == "CAPABILITY") {
    std::vector<std::string> words;
    for (const Item& item : response.items) words.push_back(item.text);
    note_capabilities(fmt::format("{}", fmt::join(words, " ")));
  } else if (response.name == "OK" && response.code == "CAPABILITY") {
    note_capabilities(response.code_text);
  } else if (response.name == "BYE") {
    return broken(Error(net::errors::connection_lost, "the IMAP server ends the connection")
                      .with_effect(Effect::unknown)
                      .with_retry(Retry::safe)
                      .with_detail(response.text));
  }
  return {};
}

Outcome Client::await_continuation(std::string_view tag, std::string_view doing, const Sink& sink) {
  std::size_t count = 0;
  while (true) {
    PLAN_TRY(response, read());
    if (response.kind == Response::Kind::continuation) return {};
    if (response.kind == Response::Kind::tagged) {
      if (response.tag != tag || response.name == "OK")
        return broken(violation("the answer has the tag of another command"));
      return refusal(response, doing);
    }
    if (++count > options_.limits.responses_max)
      return broken(violation("the server does not come to an end"));
    PLAN_TRY_VOID(note_untagged(response));
    if (sink) PLAN_TRY_VOID(sink(response));
  }
}

Result<Response> Client::await_tag(std::string_view tag, std::string_view doing, const Sink& sink) {
  std::size_t count = 0;
  std::size_t fetches = 0;
  while (true) {
    PLAN_TRY(response, read());
    if (response.kind == Response::Kind::continuation)
      return broken(violation("the server asks for more where nothing is left to say"));
    if (response.kind == Response::Kind::tagged) {
      if (response.tag != tag)
        return broken(violation("the answer has the tag of another command"));
      if (response.code == "CAPABILITY") note_capabilities(response.code_text);
      if (response.name != "OK") return refusal(response, doing);
      return std::move(response);
    }
    if (response.name == "FETCH" ? ++fetches > fetches_max_
                                 : ++count > options_.limits.responses_max)
      return broken(violation("the server does not come to an end"));
    PLAN_TRY_VOID(note_untagged(response));
    if (!sink) continue;
    if (auto taken = sink(response); !taken) return broken(std::move(taken.error()));
  }
}

Error Client::refusal(const Response& response, std::string_view doing) const {
  const std::string said =
      response.code.empty() ? response.text : fmt::format("[{}] {}", response.code, response.text);
  const bool is_missing =
      response.code == "NONEXISTENT" || response.code == "NOPERM" || response.code == "TRYCREATE";
  return Error(is_missing ? errors::mailbox_missing : errors::imap_refused,
               fmt::format("the IMAP server answered {}", response.name))
      .with_blame(options_.blame)
      .with_detail(said)
      .while_doing(std::string(doing));
}

Outcome Client::send_parts(std::string_view tag, const Parts& parts, std::string_view doing,
                           const Sink& sink) {
  std::string bytes = fmt::format("{} ", tag);
  for (const Part& part : parts) {
    if (!part.is_literal) {
      bytes += part.text;
      continue;
    }
    const bool is_plus = has("LITERAL+") || ((has("LITERAL-") || has("IMAP4REV2")) &&
                                             part.text.size() <= kLiteralMinusBytes);
    bytes += fmt::format("{{{}{}}}\r\n", part.text.size(), is_plus ? "+" : "");
    if (!is_plus) {
      PLAN_TRY_VOID(send(bytes));
      bytes.clear();
      PLAN_TRY_VOID(await_continuation(tag, doing, sink));
    }
    bytes += part.text;
  }
  bytes += "\r\n";
  return send(bytes);
}

Result<Response> Client::run(const Parts& parts, std::string_view doing, bool is_read_only,
                             const Sink& sink) {
  const std::string tag = next_tag();
  const auto judge = [&](Error error) {
    if (is_read_only) return std::move(error).with_effect(Effect::none);
    return error;
  };
  if (auto sent = send_parts(tag, parts, doing, sink); !sent) return judge(std::move(sent.error()));
  auto answer = await_tag(tag, doing, sink);
  if (!answer) return judge(std::move(answer.error()));
  return answer;
}

Outcome Client::login(std::string_view user, const secret::Secret& password) {
  if (is_preauthenticated_) return {};
  if (has("LOGINDISABLED"))
    return Error(errors::imap_capability_missing, "the server takes no password without TLS")
        .with_blame(options_.blame);
  Parts parts{{"LOGIN "}};
  add_string(parts, user);
  add_text(parts, " ");
  add_string(parts, password.reveal_for("IMAP LOGIN"));
  auto answer = run(parts, fmt::format("logging in as {}", printable(user, 200)), true);
  if (!answer) {
    if (!answer.error().is(errors::imap_refused) && !answer.error().is(errors::mailbox_missing))
      return std::move(answer.error());
    return Error(net::errors::login_refused, "the IMAP server refused the login")
        .with_blame(options_.blame)
        .with_detail(answer.error().detail())
        .while_doing(fmt::format("logging in as {}", printable(user, 200)));
  }
  if (answer->code != "CAPABILITY") return read_capabilities();
  return {};
}

Outcome Client::authenticate_plain(std::string_view authorization, std::string_view user,
                                   const secret::Secret& password) {
  if (is_preauthenticated_) return {};
  const std::string doing =
      fmt::format("logging in as {}{}{}", printable(user, 200),
                  authorization.empty() ? "" : " for ", printable(authorization, 200));
  std::string message(authorization);
  message += '\0';
  message += user;
  message += '\0';
  message += password.reveal_for("IMAP AUTHENTICATE PLAIN");
  const std::string encoded = ir::to_base64(message);
  const std::string tag = next_tag();
  const bool is_immediate = has("SASL-IR");
  PLAN_TRY_VOID(send(
      tag + (is_immediate ? " AUTHENTICATE PLAIN " + encoded : " AUTHENTICATE PLAIN") + "\r\n"));
  const auto judge = [&](Error error) {
    if (!error.is(errors::imap_refused) && !error.is(errors::mailbox_missing))
      return std::move(error).with_effect(Effect::none);
    return Error(net::errors::login_refused, "the IMAP server refused the login")
        .with_blame(options_.blame)
        .with_detail(error.detail())
        .while_doing(doing);
  };
  if (!is_immediate) {
    if (auto asked = await_continuation(tag, doing, {}); !asked)
      return judge(std::move(asked.error()));
    PLAN_TRY_VOID(send(encoded + "\r\n"));
  }
  auto answer = await_tag(tag, doing, {});
  if (!answer) return judge(std::move(answer.error()));
  if (answer->code != "CAPABILITY") return read_capabilities();
  return {};
}

Result<bool> Client::enable_qresync() {
  if (!has("QRESYNC") || !has("ENABLE")) return false;
  PLAN_TRY(done,
           run({{"ENABLE QRESYNC"}}, "enabling QRESYNC", true, [&](Response& response) -> Outcome {
             if (response.name != "ENABLED") return {};
             for (const Item& item : response.items)
               if (equals_ignoring_case(item.text, "QRESYNC")) is_qresync_enabled_ = true;
             return {};
           }));
  (void)done;
  return is_qresync_enabled_;
}

void Client::logout() {
  if (is_broken_) return;
  (void)stream_->write_all(next_tag() + " LOGOUT\r\n", Deadline::after(std::chrono::seconds(2)));
  is_broken_ = true;
  stream_->close();
}

}  // namespace plan::net::imap
