#include "runtime/server/stalwart/certificates.h"

#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/smtp/client.h"
#include "runtime/net/stream.h"

namespace plan::server::stalwart {
namespace {

constexpr std::size_t kLineBytesMax = 64 << 10U;
constexpr int kLinesMax = 64;

/// Reads lines until one begins with `end` (any case); an error when one begins with `refusal`.
Outcome read_until(net::LineReader& reader, std::string_view end, std::string_view refusal,
                   net::Deadline deadline) {
  for (int i = 0; i < kLinesMax; ++i) {
    PLAN_TRY(line, reader.line(deadline));
    if (equals_ignoring_case(std::string_view(line).substr(0, end.size()), end)) return {};
    if (equals_ignoring_case(std::string_view(line).substr(0, refusal.size()), refusal)) {
      return Error(net::errors::refused, "the service does not turn TLS on")
          .with_blame(Blame::target)
          .with_detail(line);
    }
  }
  return Error(net::errors::protocol_violation, "the service does not come to its point")
      .with_blame(Blame::target);
}

net::HttpCertificate shown_by(const net::SocketStream& stream) {
  return {.sha256_hex = stream.peer_certificate_sha256(),
          .not_after = stream.peer_certificate_not_after()};
}

}  // namespace

Result<net::HttpCertificate> service_certificate(Greeting greeting, const std::string& address,
                                                 std::uint16_t port, std::string_view security,
                                                 net::Deadline deadline) {
  if (security != "tls" && security != "starttls") return net::HttpCertificate();
  net::TlsClientOptions tls;
  tls.is_unverified_allowed = true;  // nothing is sent; what is seen here is pinned
  if (greeting == Greeting::smtp) {
    net::smtp::ConnectOptions options;
    options.host = address;
    options.port = port;
    options.security = security == "tls" ? net::smtp::Security::tls : net::smtp::Security::starttls;
    options.tls = tls;
    PLAN_TRY(client, net::smtp::Client::connect(options, deadline));
    const net::HttpCertificate seen = shown_by(client->stream());
    client->quit(deadline);
    return seen;
  }
  PLAN_TRY(stream, net::connect_tcp(address, port, deadline));
  if (security == "starttls") {
    net::LineReader reader(*stream, kLineBytesMax);
    if (greeting == Greeting::imap) {
      PLAN_TRY_VOID(read_until(reader, "* OK", "* BYE", deadline));
      PLAN_TRY_VOID(stream->write_all("p1 STARTTLS\r\n", deadline));
      PLAN_TRY_VOID(read_until(reader, "p1 OK", "p1 ", deadline));
    } else {
      PLAN_TRY_VOID(read_until(reader, "OK", "BYE", deadline));
      PLAN_TRY_VOID(stream->write_all("STARTTLS\r\n", deadline));
      PLAN_TRY_VOID(read_until(reader, "OK", "NO", deadline));
    }
  }
  PLAN_TRY_VOID(stream->start_tls(tls, deadline));
  const net::HttpCertificate seen = shown_by(*stream);
  stream->close();
  return seen;
}

Outcome check_age(const net::HttpCertificate& certificate, std::string_view agreed,
                  std::string_view whose, Blame blame, net::Clock& clock) {
  if (certificate.not_after == 0 || certificate.not_after * 1000 >= clock.wall_ms()) return {};
  if (!agreed.empty() && agreed == certificate.sha256_hex) return {};
  return Error(net::errors::certificate_expired,
               fmt::format("the certificate of {} ended at {}; its SHA-256 is {}", whose,
                           net::show_utc(certificate.not_after * 1000), certificate.sha256_hex))
      .with_blame(blame);
}

}  // namespace plan::server::stalwart
