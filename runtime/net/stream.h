#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"

namespace plan::net {

/// A bidirectional byte stream: TCP, Unix socket, TLS over either, or a fake in tests. Blocking
/// with deadlines; one thread at a time. TCP_NODELAY is always set (reference/real-components.md
/// section 8).
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  /// Reads at least one byte, at most `size`; 0 is the end of the stream. Errors: timed-out,
  /// connection-lost.
  [[nodiscard]] virtual Result<std::size_t> read_some(char* data, std::size_t size,
                                                      Deadline deadline) = 0;
  /// Writes all of it. Errors: timed-out, connection-lost, both with effect `unknown`.
  [[nodiscard]] virtual Outcome write_all(std::string_view data, Deadline deadline) = 0;
  virtual void close() = 0;
};

/// How the certificate of the other side is judged.
struct TlsClientOptions {
  std::string server_name = {};  ///< for SNI and the name check; empty: no name check
  std::string pinned_sha256_hex =
      {};                    ///< SHA-256 of the certificate (DER); when given it is the only check
  std::string ca_file = {};  ///< empty: the system's store
  bool is_unverified_allowed =
      false;  ///< only where nothing secret crosses, such as a fetch that pins afterwards
};

struct TlsServerOptions {
  std::string certificate_file = {};  ///< PEM chain
  std::string key_file = {};
};

/// A stream that can be upgraded in place.
class SocketStream : public Stream {
 public:
  /// Starts TLS 1.2+ as a client (implicit TLS, or after STARTTLS). Bytes that arrived in clear
  /// text before the handshake are an error (STARTTLS injection). Errors: tls-failed,
  /// certificate-expired, certificate-mismatch.
  [[nodiscard]] virtual Outcome start_tls(const TlsClientOptions& options, Deadline deadline) = 0;
  [[nodiscard]] virtual Outcome accept_tls(const TlsServerOptions& options, Deadline deadline) = 0;
  [[nodiscard]] virtual bool is_tls() const = 0;
  /// SHA-256 (hex) of the peer's certificate; empty without TLS.
  [[nodiscard]] virtual std::string peer_certificate_sha256() const = 0;
  /// Seconds since 1970 when the peer's certificate ends; 0 without TLS.
  [[nodiscard]] virtual std::int64_t peer_certificate_not_after() const = 0;
  /// "203.0.113.9" and port; empty for Unix sockets.
  [[nodiscard]] virtual std::string peer_address() const = 0;
  [[nodiscard]] virtual std::uint16_t peer_port() const = 0;
  [[nodiscard]] virtual std::string local_address() const = 0;
  [[nodiscard]] virtual std::uint16_t local_port() const = 0;
};

/// Connects over TCP; `host` is a name or an address literal. `bind_address` chooses the local
/// address when not empty. Errors: name-not-found, connection-refused, timed-out; all effect none.
[[nodiscard]] Result<std::unique_ptr<SocketStream>> connect_tcp(
    const std::string& host, std::uint16_t port, Deadline deadline,
    const std::string& bind_address = {});
[[nodiscard]] Result<std::unique_ptr<SocketStream>> connect_unix(const std::string& path,
                                                                 Deadline deadline);

/// A listening TCP socket (port 0: the kernel chooses), for servers that use a thread per
/// connection.
class Listener {
 public:
  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  virtual ~Listener() = default;
  /// Next connection; an error `stopped-listening` after close().
  [[nodiscard]] virtual Result<std::unique_ptr<SocketStream>> accept() = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  virtual void close() = 0;  ///< from any thread; wakes accept()
};

[[nodiscard]] Result<std::unique_ptr<Listener>> listen_tcp(const std::string& address,
                                                           std::uint16_t port);

/// Reads lines and counted literals from a stream with a bound on both. Keeps what it read ahead.
class LineReader {
 public:
  LineReader(Stream& stream, std::size_t line_bytes_max)
      : stream_(&stream), line_bytes_max_(line_bytes_max) {}

  /// Next line without its CRLF (a bare LF ends a line too). Errors: line-too-long, connection-lost
  /// (end of stream in the middle or before a line), timed-out.
  [[nodiscard]] Result<std::string> line(Deadline deadline);
  /// Exactly `size` bytes. The caller has compared `size` with its bound.
  [[nodiscard]] Result<std::string> bytes(std::size_t size, Deadline deadline);
  /// Bytes that were read ahead and not asked for yet.
  [[nodiscard]] std::size_t buffered() const { return buffer_.size() - begin_; }
  /// To be called between the answer to STARTTLS and start_tls: bytes that came with that answer
  /// were slipped in (or sent by a client that did not wait) and would be taken for protected ones.
  /// Error: protocol-violation.
  [[nodiscard]] Outcome check_nothing_ahead() const;

 private:
  [[nodiscard]] Result<bool> fill(Deadline deadline);

  Stream* stream_;
  std::size_t line_bytes_max_;
  std::string buffer_;
  std::size_t begin_ = 0;
};

}  // namespace plan::net
