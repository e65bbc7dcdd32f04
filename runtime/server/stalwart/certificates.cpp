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

}  // namespace

Result<std::string> service_certificate(Greeting greeting, const std::string& address,
                                        std::uint16_t port, std::string_view security,
                                        net::Deadline deadline) {
  if (security != "tls" && security != "starttls") return std::string();
  net::TlsClientOptions tls;
  tls.is_unverified_allowed = true;  // nothing is sent; what is seen here is pinned
  if (greeting == Greeting::smtp) {
    net::smtp::ConnectOptions options;
    options.host = address;
    options.port = port;
    options.security = security == "tls" ? net::smtp::Security::tls : net::smtp::Security::starttls;
    options.tls = tls;
    PLAN_TRY(client, net::smtp::Client::connect(options, deadline));
    std::string seen = client->stream().peer_certificate_sha256();
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
  std::string seen = stream->peer_certificate_sha256();
  stream->close();
  return seen;
}

}  // namespace plan::server::stalwart
