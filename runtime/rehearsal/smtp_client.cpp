#include "runtime/rehearsal/smtp_client.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <charconv>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/stream.h"
#include "runtime/rehearsal/directory.h"

namespace plan::rehearsal {
namespace {

using net::Deadline;

constexpr std::size_t kLineBytesMax = 4096;
constexpr std::size_t kReplyLinesMax = 100;
constexpr std::chrono::seconds kConnectPatience{15};
constexpr std::chrono::seconds kReplyPatience{60};

struct Reply {
  int code = 0;
  std::vector<std::string> lines = {};
  [[nodiscard]] std::string text() const { return lines.empty() ? std::string{} : lines.back(); }
};

RelayResult failure(RelayOutcome outcome, std::string_view kind, std::string_view message,
                    std::string_view host, std::string_view last_error) {
  RelayResult out;
  out.outcome = outcome;
  out.last_error = std::string(last_error);
  out.error = ir::Value::map({{"errorType", kind},
                              {"errorMessage", message},
                              {"errorCommand", {}},
                              {"responseHostname", host},
                              {"responseCode", {}},
                              {"responseEnhanced", {}},
                              {"responseMessage", {}}});
  out.said = std::string(message);
  return out;
}

RelayResult judged(const Reply& reply, std::string_view command, std::string_view host) {
  RelayResult out;
  if (reply.code >= 200 && reply.code < 300) {
    out.outcome = RelayOutcome::delivered;
    return out;
  }
  out.outcome = reply.code >= 500 ? RelayOutcome::permanent : RelayOutcome::temporary;
  out.last_error = "unexpected-response";
  const std::string text = reply.text();
  const auto parts = split(text, ' ');
  const bool has_enhanced = parts.size() > 1 && parts[1].size() >= 5 && parts[1][1] == '.';
  std::string message;
  for (std::size_t i = has_enhanced ? 2 : 1; i < parts.size(); ++i)
    message += (message.empty() ? "" : " ") + std::string(parts[i]);
  out.error =
      ir::Value::map({{"errorType", "unexpectedResponse"},
                      {"errorMessage", {}},
                      {"errorCommand", command},
                      {"responseHostname", host},
                      {"responseCode", reply.code},
                      {"responseEnhanced", has_enhanced ? ir::Value(parts[1]) : ir::Value()},
                      {"responseMessage", message}});
  out.said = text;
  return out;
}

// First address of a name; empty when it has none.
std::string resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0 || found == nullptr) return {};
  std::array<char, NI_MAXHOST> shown{};
  const bool is_shown = getnameinfo(found->ai_addr, found->ai_addrlen, shown.data(), shown.size(),
                                    nullptr, 0, NI_NUMERICHOST) == 0;
  freeaddrinfo(found);
  return is_shown ? std::string(shown.data()) : std::string{};
}

class Client {
 public:
  explicit Client(net::SocketStream& stream) : stream_(stream), reader_(stream, kLineBytesMax) {}

  Result<Reply> read() {
    Reply reply;
    while (reply.lines.size() < kReplyLinesMax) {
      PLAN_TRY(line, reader_.line(Deadline::after(kReplyPatience)));
      if (line.size() < 3)
        return Error(net::errors::protocol_violation, "an SMTP reply without a code");
      std::from_chars(line.data(), line.data() + 3, reply.code);
      const bool is_last = line.size() == 3 || line[3] != '-';
      reply.lines.push_back(std::move(line));
      if (is_last) return reply;
    }
    return Error(net::errors::answer_too_large, "an SMTP reply with too many lines");
  }

  Result<Reply> ask(const std::string& command) {
    PLAN_TRY_VOID(stream_.write_all(command + "\r\n", Deadline::after(kReplyPatience)));
    return read();
  }

  Outcome send_message(std::string_view message) {
    std::string out;
    out.reserve(message.size() + message.size() / 50 + 8);
    std::size_t at = 0;
    while (at < message.size()) {
      std::size_t end = message.find('\n', at);
      std::string_view line =
          message.substr(at, end == std::string_view::npos ? std::string_view::npos : end - at);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.starts_with('.')) out += '.';
      out += line;
      out += "\r\n";
      at = end == std::string_view::npos ? message.size() : end + 1;
    }
    out += ".\r\n";
    return stream_.write_all(out, Deadline::after(kReplyPatience * 5));
  }

  net::SocketStream& stream() { return stream_; }
  [[nodiscard]] std::size_t buffered() const { return reader_.buffered(); }

 private:
  net::SocketStream& stream_;
  net::LineReader reader_;
};

bool offers(const Reply& reply, std::string_view extension) {
  for (const std::string& line : reply.lines)
    if (line.size() > 4 && lower_ascii(line.substr(4)).starts_with(extension)) return true;
  return false;
}

}  // namespace

Relayed relay(const RelayTarget& target, std::string_view sender,
              const std::vector<std::string>& recipients, std::string_view message) {
  const auto all = [&recipients](const RelayResult& result) {
    return Relayed{.results = std::vector<RelayResult>(recipients.size(), result)};
  };
  const std::string address = resolve(target.address);
  const std::string& host = target.address;
  if (address.empty())
    return all(failure(RelayOutcome::temporary, "dnsError", "DNS resolution failed for " + host,
                       host, "dns"));
  if (is_loopback(address) && !target.may_be_loopback)
    return all(failure(RelayOutcome::permanent, "connectionError", "host resolves loopback address",
                       host, "connection"));
  const auto lost = [&](const Error& error) {
    const bool is_refused = error.is(net::errors::connection_refused);
    return failure(RelayOutcome::temporary, "connectionError",
                   is_refused ? "I/O error: Connection refused (os error 111)"
                              : "I/O error: " + error.message(),
                   host, "connection");
  };
  auto connected = net::connect_tcp(address, target.port, Deadline::after(kConnectPatience),
                                    target.bind_address);
  if (!connected) return all(lost(connected.error()));
  Client client(**connected);
  net::TlsClientOptions tls;
  tls.server_name = target.are_invalid_certificates_allowed ? std::string{} : host;
  tls.is_unverified_allowed = target.are_invalid_certificates_allowed;
  const auto handshake = [&]() -> std::optional<RelayResult> {
    auto done = client.stream().start_tls(tls, Deadline::after(kConnectPatience));
    if (done) return std::nullopt;
    return failure(RelayOutcome::temporary, "tlsError",
                   "Handshake failed: " + done.error().message(), host, "tls");
  };
  if (target.is_tls_implicit)
    if (auto failed = handshake()) return all(*failed);
  auto reply = client.read();
  if (!reply) return all(lost(reply.error()));
  if (reply->code >= 300) return all(judged(*reply, "CONNECT", host));
  const std::string hello = (target.is_lmtp ? "LHLO " : "EHLO ") + target.hostname;
  reply = client.ask(hello);
  if (!reply) return all(lost(reply.error()));
  if (reply->code >= 300) return all(judged(*reply, "EHLO", host));
  if (!target.is_tls_implicit && offers(*reply, "starttls")) {
    reply = client.ask("STARTTLS");
    if (!reply) return all(lost(reply.error()));
    if (reply->code < 300) {
      if (auto failed = handshake()) return all(*failed);
      reply = client.ask(hello);
      if (!reply) return all(lost(reply.error()));
    }
  }
  if (!target.user.empty()) {
    const std::string secret =
        std::string(1, '\0') + target.user + std::string(1, '\0') + target.password;
    reply = client.ask("AUTH PLAIN " + ir::to_base64(secret));
    if (!reply) return all(lost(reply.error()));
    if (reply->code >= 300) return all(judged(*reply, "AUTH", host));
  }
  reply = client.ask("MAIL FROM:<" + std::string(sender) + ">");
  if (!reply) return all(lost(reply.error()));
  if (reply->code >= 300) return all(judged(*reply, "MAIL", host));
  Relayed out;
  std::vector<RelayResult>& results = out.results;
  std::size_t accepted = 0;
  for (const std::string& recipient : recipients) {
    reply = client.ask("RCPT TO:<" + recipient + ">");
    if (!reply) return all(lost(reply.error()));
    results.push_back(judged(*reply, "RCPT", host));
    if (results.back().outcome == RelayOutcome::delivered) ++accepted;
  }
  if (accepted > 0) {
    reply = client.ask("DATA");
    if (!reply) return all(lost(reply.error()));
    if (reply->code != 354) {
      for (RelayResult& result : results)
        if (result.outcome == RelayOutcome::delivered) result = judged(*reply, "DATA", host);
    } else {
      if (auto sent = client.send_message(message); !sent) return all(lost(sent.error()));
      RelayResult last;
      bool is_first = true;
      for (RelayResult& result : results) {
        if (result.outcome != RelayOutcome::delivered) continue;
        if (is_first || target.is_lmtp) {
          reply = client.read();
          last = reply ? judged(*reply, "DATA", host) : lost(reply.error());
          is_first = false;
        }
        result = last;
      }
    }
  }
  out.session = std::move(*connected);
  return out;
}

void quit(Relayed& relayed) {
  if (!relayed.session) return;
  static_cast<void>(
      relayed.session->write_all("QUIT\r\n", Deadline::after(std::chrono::seconds(1))).has_value());
  relayed.session->close();
  relayed.session.reset();
}

}  // namespace plan::rehearsal
