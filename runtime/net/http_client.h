#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/secret/secret.h"

namespace plan::net {

/// Where and as whom an HttpClient speaks, and its bounds.
struct HttpOptions {
  /// Scheme, host and port ("https://203.0.113.10:8443"); what follows the authority is ignored.
  /// Credentials never go anywhere else.
  std::string url = {};
  std::string user = {};  ///< empty: no Authorization header
  secret::Secret password = {};
  /// Instead of user and password: an `Authorization: Bearer` header, when not empty.
  secret::Secret bearer_token = {};
  /// SHA-256 (hex, any case, colons allowed) of the server's certificate (DER); when given it is
  /// the only check.
  std::string pinned_sha256_hex = {};
  std::string ca_file = {};  ///< empty: the system's store
  bool is_unverified_allowed =
      false;  ///< only without credentials: a fetch that looks at the certificate
  bool is_handshake_only = false;  ///< nothing is asked: `send` ends with status 0 behind it
  std::string connect_address =
      {};  ///< connect here instead of to the host of `url`; empty: resolve that
  std::string user_agent = "plan";
  Blame blame = Blame::target;  ///< whose server it is
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds total_timeout{
      120'000};  ///< of one request, when it has no deadline of its own
  std::chrono::milliseconds stall_timeout{60'000};  ///< no byte in either direction for this long
  std::size_t body_bytes_max = std::size_t{64} << 20U;
  std::size_t header_bytes_max = std::size_t{256} << 10U;
  /// Requests at the same time; more wait for their turn. The real server refuses the fifth of one
  /// user (reference/stalwart-admin.md 3.2).
  std::size_t concurrent_max = 4;
};

struct HttpRequest {
  std::string method = "GET";
  /// Path with query ("/jmap/session"), or a whole URL of the same scheme, host and port.
  std::string target = "/";
  std::string_view body = {};  ///< borrowed for the call
  std::string content_type = {};
  std::string accept = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  bool is_repeatable =
      false;  ///< has no effect: a lost connection is tried once more, errors have effect none
  std::size_t body_bytes_max = 0;              ///< of the answer; 0: the client's
  std::chrono::milliseconds stall_timeout{0};  ///< 0: the client's
  Deadline deadline = Deadline::never();
};

/// An answer, whatever its status.
struct HttpResponse {
  int status = 0;
  std::string target = {};  ///< path and query that answered, after redirects
  std::string content_type =
      {};  ///< media type in lower case without parameters; empty when not said
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< names in lower case
  [[nodiscard]] bool is_success() const { return status >= 200 && status < 300; }
  /// Value of a header (name in lower case), or empty.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

struct HttpCertificate {
  std::string sha256_hex = {};  ///< empty for plain HTTP
  std::int64_t not_after = 0;   ///< seconds since 1970
};

/// A client of one server over HTTP/1.1, with connections kept alive. Thread-safe; a call blocks
/// until the answer, the deadline or the stall. Redirects are followed for GET and HEAD, at most
/// five, on the same scheme, host and port only. An environment's proxy variables are not used: a
/// mail server is reached directly.
///
/// Errors: name-not-found, connection-refused, tls-failed, certificate-expired,
/// certificate-mismatch (effect none); connection-lost, timed-out, answer-too-large,
/// protocol-violation: effect `unknown` once a byte of a request that is not repeatable was sent,
/// else none; redirected-elsewhere. Any HTTP status is a value. A request is never sent twice
/// behind the caller's back, unless it is repeatable.
class HttpClient {
 public:
  HttpClient() = default;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  virtual ~HttpClient() = default;

  [[nodiscard]] virtual Result<HttpResponse> send(const HttpRequest& request) = 0;
  /// The certificate that the server showed last; empty before the first request.
  [[nodiscard]] virtual HttpCertificate certificate() const = 0;
  /// "https://203.0.113.10:8443", without a path or a default port.
  [[nodiscard]] virtual const std::string& origin() const = 0;
};

/// Errors: protocol-violation (effect none) when `options.url` is no http or https URL, has
/// credentials in it, or an unverified connection would carry credentials.
[[nodiscard]] Result<std::unique_ptr<HttpClient>> make_http_client(HttpOptions options);

/// Connects without credentials and without judging the certificate, for a `plan fetch` that pins
/// what it sees.
[[nodiscard]] Result<HttpCertificate> look_at_certificate(const std::string& url,
                                                          const std::string& connect_address,
                                                          Deadline deadline);

/// The error that an unwelcome status means: login-refused for 401, http-status otherwise, with the
/// beginning of the body as detail. 429 and 503 may be tried again (`Retry-After` is honoured up to
/// a minute) and have effect none; other 5xx have effect `unknown`, 4xx none.
[[nodiscard]] Error http_error(const HttpResponse& response, Blame blame);

/// `text` as one segment of a URL's path or a value of its query (RFC 3986: everything but
/// unreserved is escaped).
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace plan::net
