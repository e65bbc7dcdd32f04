#pragma once
#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/net/asio.h"
#include "runtime/proxy/config.h"

namespace plan::proxy {

using net::asio::awaitable;

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslContextDeleter>;

/// TLS 1.2+ with this chain and key. Errors: proxy-tls (unreadable, or they do not belong
/// together).
[[nodiscard]] Result<SslContext> make_server_context(const std::string& certificate,
                                                     const std::string& key);
/// For a destination: pin, CA file or the system's store. Errors: proxy-tls.
[[nodiscard]] Result<SslContext> make_client_context(const DestinationConfig& destination);
/// SHA-256 (hex) of the certificate that a server context shows.
[[nodiscard]] std::string certificate_sha256(SSL_CTX* context);

/// One socket of a connection, with TLS on it or without. OpenSSL works on the descriptor itself
/// and frees its buffers when nothing is on its way, so an idle session costs no buffer at all
/// (reference/real-components.md section 8: memory per idle session is what proxies are compared
/// by). Single thread.
class Leg {
 public:
  enum class Want : std::uint8_t { nothing = 0, read = 1, write = 2 };
  struct Io {
    std::size_t bytes = 0;
    Want want = Want::nothing;  ///< wait for this, then try again
    bool is_end = false;        ///< the other side has ended its direction
    bool is_failed = false;
  };

  explicit Leg(net::asio::io_context& io) : descriptor_(io) {}
  ~Leg() { close(); }
  Leg(const Leg&) = delete;
  Leg& operator=(const Leg&) = delete;

  /// Takes over a non-blocking socket.
  void assign(int socket);
  [[nodiscard]] bool is_open() const { return descriptor_.is_open(); }
  [[nodiscard]] int handle() { return descriptor_.native_handle(); }
  [[nodiscard]] net::asio::posix::stream_descriptor& descriptor() { return descriptor_; }

  [[nodiscard]] Io try_read(char* data, std::size_t size);
  [[nodiscard]] Io try_write(const char* data, std::size_t size);
  /// Starts TLS on the socket; then try_handshake until it wants nothing.
  [[nodiscard]] bool begin_tls(SSL_CTX* context, bool is_server, const std::string& name);
  [[nodiscard]] Io try_handshake();
  [[nodiscard]] bool is_tls() const { return ssl_ != nullptr; }
  [[nodiscard]] std::string peer_certificate_sha256() const;
  /// No more bytes from us (close_notify and FIN); reading goes on.
  void end_output();
  void close();
  /// The other side has closed or reset, although nobody reads at the moment.
  [[nodiscard]] bool is_hung_up();

 private:
  struct SslDeleter {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  [[nodiscard]] Io result_of(int code);

  net::asio::posix::stream_descriptor descriptor_;
  std::unique_ptr<SSL, SslDeleter> ssl_;
};

// Waiting versions for the part before login. False: closed, failed or ended.
[[nodiscard]] awaitable<bool> wait_for(Leg& leg, Leg::Want want);
[[nodiscard]] awaitable<bool> write_all(Leg& leg, std::string_view bytes);
/// Appends at least one byte to `bytes`.
[[nodiscard]] awaitable<bool> read_some(Leg& leg, std::string& bytes);
[[nodiscard]] awaitable<bool> handshake(Leg& leg);
/// Connects to an address literal.
[[nodiscard]] awaitable<bool> connect_to(Leg& leg, const net::asio::ip::tcp::endpoint& endpoint);

}  // namespace plan::proxy
