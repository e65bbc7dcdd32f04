#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/stream.h"

namespace plan::net {

class StopSignal;

/// A request as a server got it (RFC 9112). Header names are in lower case; repeated headers are
/// joined with ", ".
struct HttpServerRequest {
  std::string method = {};
  std::string path = {};   ///< as sent, without the query
  std::string query = {};  ///< without '?'
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  bool is_body_too_large =
      false;  ///< the body was over its bound: it is not here and the connection will close
  std::string peer_address = {};
  std::uint16_t local_port = 0;
  bool is_tls = false;
  /// Value of a header (name in lower case), or empty.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  [[nodiscard]] bool has_header(std::string_view name) const;
};

struct HttpServerResponse {
  int status = 200;
  std::string content_type = {};  ///< empty: no such header
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  bool is_connection_dropped = false;  ///< close without answering at all
  /// What goes on after the head instead of a body: an event stream, another protocol. No length is
  /// sent, and the connection ends with it. Returns soon once the signal says so.
  std::function<void(SocketStream&, LineReader&, const StopSignal&)> goes_on = {};
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::optional<TlsServerOptions> tls = {};  ///< implicit TLS when given
  std::size_t connections_max = 256;
  /// Connections of these addresses end before a word; null: of none.
  std::function<bool(const std::string& peer_address)> is_turned_away = {};
  std::size_t header_bytes_max = std::size_t{64} << 10U;
  /// Bound of a request's body by its path; null: 16 MiB for all.
  std::function<std::size_t(const HttpServerRequest& head)> body_bytes_max = {};
  std::chrono::milliseconds idle_timeout{60'000};
  std::chrono::milliseconds request_timeout{
      120'000};  ///< from the first byte of a request to its last
};

/// A bounded HTTP/1.1 server: keep-alive, Content-Length and chunked bodies, `Expect:
/// 100-continue`, TLS. No compression, no upgrades, no HTTP/2. The handler is called from many
/// threads at the same time. What no client of ours sends (both lengths at once, obsolete folding,
/// bare CR, two different lengths) is answered 400 and the connection closed, so that nobody in
/// between can read another message than we do (RFC 9112, 11.2).
class HttpServer {
 public:
  using Handler = std::function<HttpServerResponse(const HttpServerRequest&)>;

  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(HttpServerOptions options,
                                                                 Handler handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  [[nodiscard]] std::uint16_t port() const;
  void stop();

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The head of a request, up to and including its empty line, parsed; nothing when it is not one.
/// Fuzzed.
[[nodiscard]] std::optional<HttpServerRequest> parse_request_head(std::string_view head);

/// `%41` to `A`; nothing when an escape is broken.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

}  // namespace plan::net
