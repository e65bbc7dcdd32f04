#include "runtime/net/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <thread>

#include "compiler/source/text.h"
#include "runtime/net/connect_once.h"
#include "runtime/net/errors.h"
#include "runtime/net/socket.h"
#include "runtime/net/tls.h"

namespace plan::net {
namespace {

constexpr int kListenBacklog = 512;
constexpr std::size_t kTlsWriteBytesMax = 16384;

Error lost(std::string message) {
  return Error(errors::connection_lost, std::move(message))
      .with_effect(Effect::unknown)
      .with_retry(Retry::safe)
      .with_blame(Blame::network);
}

Error late(std::string_view what) {
  return Error(errors::timed_out, fmt::format("the other side did not {} in time", what))
      .with_effect(Effect::unknown)
      .with_retry(Retry::safe)
      .with_blame(Blame::network);
}

struct Endpoint {
  std::string address = {};
  std::uint16_t port = 0;
};

Endpoint endpoint_of(const sockaddr_storage& bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  if (bytes.ss_family == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, &bytes, sizeof address);
    inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
    return {text, ntohs(address.sin_port)};
  }
  if (bytes.ss_family == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, &bytes, sizeof address);
    inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
    return {text, ntohs(address.sin6_port)};
  }
  return {};
}

std::string hex_of(const unsigned char* bytes, std::size_t size) {
  std::string text;
  for (std::size_t index = 0; index < size; ++index) text += fmt::format("{:02x}", bytes[index]);
  return text;
}

class DescriptorStream final : public SocketStream {
 public:
  explicit DescriptorStream(OwnedDescriptor descriptor) : descriptor_(std::move(descriptor)) {
    sockaddr_storage bytes{};
    socklen_t size = sizeof bytes;
    if (getpeername(descriptor_.get(), reinterpret_cast<sockaddr*>(&bytes), &size) == 0)
      peer_ = endpoint_of(bytes);
    size = sizeof bytes;
    if (getsockname(descriptor_.get(), reinterpret_cast<sockaddr*>(&bytes), &size) == 0)
      local_ = endpoint_of(bytes);
  }
  ~DescriptorStream() override { DescriptorStream::close(); }

  Result<std::size_t> read_some(char* data, std::size_t size, Deadline deadline) override {
    if (!descriptor_.is_open()) return lost("the connection was closed by this side");
    if (size == 0) return std::size_t{0};
    return ssl_ != nullptr ? read_tls(data, size, deadline) : read_clear(data, size, deadline);
  }

  Outcome write_all(std::string_view data, Deadline deadline) override {
    if (!descriptor_.is_open()) return lost("the connection was closed by this side");
    while (!data.empty()) {
      PLAN_TRY(count, ssl_ != nullptr ? write_tls(data, deadline) : write_clear(data, deadline));
      data.remove_prefix(count);
    }
    return {};
  }

  void close() override {
    if (!descriptor_.is_open()) return;
    if (ssl_ != nullptr && !is_broken_) {
      ERR_clear_error();
      SSL_shutdown(ssl_.get());  // says goodbye, does not wait for the answer
    }
    ERR_clear_error();
    ssl_.reset();
    descriptor_.close();
  }

  Outcome start_tls(const TlsClientOptions& options, Deadline deadline) override {
    if (ssl_ != nullptr) return Error(errors::protocol_violation, "TLS is on already");
    if (!descriptor_.is_open()) return lost("the connection was closed by this side");
    auto ssl = tls_connect(descriptor_.get(), options, deadline);
    if (!ssl) {
      close();  // nothing must follow in clear text
      return std::move(ssl).error();
    }
    PLAN_TRY_VOID(adopt(std::move(*ssl)));
    if (!options.pinned_sha256_hex.empty() &&
        lower_ascii(options.pinned_sha256_hex) != certificate_sha256_) {
      Error error =
          Error(errors::certificate_mismatch, "the certificate is not the one in the lock")
              .with_blame(Blame::network)
              .with_detail(fmt::format("pinned {}, shown {}", options.pinned_sha256_hex,
                                       certificate_sha256_));
      close();
      return error;
    }
    return {};
  }

  Outcome accept_tls(const TlsServerOptions& options, Deadline deadline) override {
    if (ssl_ != nullptr) return Error(errors::protocol_violation, "TLS is on already");
    if (!descriptor_.is_open()) return lost("the connection was closed by this side");
    auto ssl = tls_accept(descriptor_.get(), options, deadline);
    if (!ssl) {
      close();
      return std::move(ssl).error();
    }
    return adopt(std::move(*ssl));
  }

  bool is_tls() const override { return ssl_ != nullptr; }
  std::string peer_certificate_sha256() const override { return certificate_sha256_; }
  std::int64_t peer_certificate_not_after() const override { return certificate_not_after_; }
  std::string peer_address() const override { return peer_.address; }
  std::uint16_t peer_port() const override { return peer_.port; }
  std::string local_address() const override { return local_.address; }
  std::uint16_t local_port() const override { return local_.port; }

 private:
  Outcome adopt(SslHandle ssl) {
    ssl_ = std::move(ssl);
    const std::unique_ptr<X509, SslFree> certificate(SSL_get1_peer_certificate(ssl_.get()));
    if (certificate == nullptr) return {};
    unsigned char digest[EVP_MAX_MD_SIZE] = {};
    unsigned digest_size = 0;
    std::tm when{};
    if (X509_digest(certificate.get(), EVP_sha256(), digest, &digest_size) != 1 ||
        ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &when) != 1) {
      close();
      return Error(errors::tls_failed, "the certificate cannot be read").with_blame(Blame::network);
    }
    certificate_sha256_ = hex_of(digest, digest_size);
    certificate_not_after_ = timegm(&when);
    return {};
  }

  Result<std::size_t> read_clear(char* data, std::size_t size, Deadline deadline) {
    while (true) {
      const ssize_t count = recv(descriptor_.get(), data, size, 0);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return lost(fmt::format("reading: {}", errno_text(errno)));
      if (!wait_ready(descriptor_.get(), POLLIN, deadline)) return late("answer");
    }
  }

  Result<std::size_t> write_clear(std::string_view data, Deadline deadline) {
    while (true) {
      const ssize_t count = send(descriptor_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return lost(fmt::format("writing: {}", errno_text(errno)));
      if (!wait_ready(descriptor_.get(), POLLOUT, deadline)) return late("take what was sent");
    }
  }

  /// What to do after an OpenSSL call that returned `done` <= 0: nothing (call again), or the
  /// error.
  Outcome wait_tls(int done, Deadline deadline) {
    const int why = SSL_get_error(ssl_.get(), done);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
      const bool is_read = why == SSL_ERROR_WANT_READ;
      if (wait_ready(descriptor_.get(), is_read ? POLLIN : POLLOUT, deadline)) return {};
      return late(is_read ? "answer" : "take what was sent");
    }
    is_broken_ = true;
    const std::string said = tls_error_text();
    return lost(said.empty() ? std::string("the connection ended without a TLS goodbye")
                             : "TLS: " + said);
  }

  Result<std::size_t> read_tls(char* data, std::size_t size, Deadline deadline) {
    while (true) {
      ERR_clear_error();
      std::size_t count = 0;
      const int done = SSL_read_ex(ssl_.get(), data, size, &count);
      if (done == 1) return count;
      if (SSL_get_error(ssl_.get(), done) == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
      PLAN_TRY_VOID(wait_tls(done, deadline));
    }
  }

  Result<std::size_t> write_tls(std::string_view data, Deadline deadline) {
    while (true) {
      ERR_clear_error();
      std::size_t count = 0;
      const int done =
          SSL_write_ex(ssl_.get(), data.data(), std::min(data.size(), kTlsWriteBytesMax), &count);
      if (done == 1) return count;
      PLAN_TRY_VOID(wait_tls(done, deadline));
    }
  }

  OwnedDescriptor descriptor_;
  SslHandle ssl_;
  bool is_broken_ = false;  // OpenSSL forbids SSL_shutdown after a fatal error
  Endpoint peer_ = {};
  Endpoint local_ = {};
  std::string certificate_sha256_ = {};
  std::int64_t certificate_not_after_ = 0;
};

class SocketListener final : public Listener {
 public:
  SocketListener(OwnedDescriptor socket, OwnedDescriptor wake, std::uint16_t port)
      : socket_(std::move(socket)), wake_(std::move(wake)), port_(port) {}

  Result<std::unique_ptr<SocketStream>> accept() override {
    while (true) {
      pollfd entries[2] = {{socket_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
      if (poll(entries, 2, -1) < 0 && errno != EINTR) return stopped(errno);
      if (entries[1].revents != 0) return stopped(0);
      OwnedDescriptor client(
          accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (client.is_open()) {
        const int on = 1;
        setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return std::unique_ptr<SocketStream>(std::make_unique<DescriptorStream>(std::move(client)));
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // The connection stays in the backlog; it is taken when another one ends.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      } else if (errno == EBADF || errno == EINVAL) {
        return stopped(errno);
      }
    }
  }

  std::uint16_t port() const override { return port_; }

  void close() override {
    // The sockets stay open until the listener goes: a thread in accept() still polls them.
    const std::uint64_t one = 1;
    if (write(wake_.get(), &one, sizeof one) < 0) shutdown(socket_.get(), SHUT_RDWR);
    shutdown(socket_.get(), SHUT_RDWR);
  }

 private:
  static Error stopped(int number) {
    return Error(errors::stopped_listening, number == 0
                                                ? std::string("the listener was closed")
                                                : "the listener ended: " + errno_text(number));
  }

  OwnedDescriptor socket_;
  OwnedDescriptor wake_;
  std::uint16_t port_;
};

Result<std::unique_ptr<SocketStream>> connect_socket_file(const std::string& path,
                                                          Deadline deadline) {
  const auto refused = [&](int number) {
    return Error(errors::connection_refused,
                 fmt::format("cannot connect to {}: {}", path, errno_text(number)))
        .with_retry(Retry::safe);
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return refused(ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  while (true) {
    OwnedDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.is_open()) return refused(errno);
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      return std::unique_ptr<SocketStream>(std::make_unique<DescriptorStream>(std::move(socket)));
    }
    if (errno != EAGAIN && errno != EINTR) return refused(errno);
    // A full backlog of a Unix socket cannot be polled for.
    if (deadline.is_over()) return refused(ETIMEDOUT);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

Result<std::unique_ptr<SocketStream>> connect_tcp(const std::string& host, std::uint16_t port,
                                                  Deadline deadline,
                                                  const std::string& bind_address) {
  PLAN_TRY(socket, connect_socket(host, port, deadline, bind_address));
  return std::unique_ptr<SocketStream>(std::make_unique<DescriptorStream>(std::move(socket)));
}

Result<std::unique_ptr<SocketStream>> connect_unix(const std::string& path, Deadline deadline) {
  ConnectTurn turn("unix " + path);
  if (turn.refusal()) return Error(*turn.refusal());
  auto stream = connect_socket_file(path, deadline);
  if (stream)
    turn.answered();
  else
    turn.not_connected(stream.error());
  return stream;
}

Result<std::unique_ptr<Listener>> listen_tcp(const std::string& address, std::uint16_t port) {
  const auto refused = [&](int number) {
    return Error(number == EADDRINUSE ? errors::address_in_use : errors::refused,
                 fmt::format("cannot listen on {} port {}: {}", address, port, errno_text(number)));
  };
  sockaddr_storage bytes{};
  socklen_t size = 0;
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) {
    sockaddr_in wanted{};
    wanted.sin_family = AF_INET;
    wanted.sin_port = htons(port);
    wanted.sin_addr = v4;
    std::memcpy(&bytes, &wanted, size = sizeof wanted);
  } else if (inet_pton(AF_INET6, address.c_str(), &v6) == 1) {
    sockaddr_in6 wanted{};
    wanted.sin6_family = AF_INET6;
    wanted.sin6_port = htons(port);
    wanted.sin6_addr = v6;
    std::memcpy(&bytes, &wanted, size = sizeof wanted);
  } else {
    return refused(EADDRNOTAVAIL);
  }
  OwnedDescriptor socket(::socket(bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  OwnedDescriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!socket.is_open() || !wake.is_open()) return refused(errno);
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&bytes), size) != 0)
    return refused(errno);
  if (listen(socket.get(), kListenBacklog) != 0) return refused(errno);
  size = sizeof bytes;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bytes), &size) != 0)
    return refused(errno);
  const std::uint16_t chosen = endpoint_of(bytes).port;
  return std::unique_ptr<Listener>(
      std::make_unique<SocketListener>(std::move(socket), std::move(wake), chosen));
}

}  // namespace plan::net
