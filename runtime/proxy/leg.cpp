#include "runtime/proxy/leg.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "compiler/ir/digest.h"
#include "compiler/source/check.h"
#include "runtime/proxy/errors.h"

namespace plan::proxy {
namespace asio = net::asio;
namespace {

/// Why OpenSSL refused, without its numbers and the names of its functions.
std::string ssl_words() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (ERR_GET_LIB(code) == ERR_LIB_SYS) return std::strerror(ERR_GET_REASON(code));
  const char* const reason = ERR_reason_error_string(code);
  return reason == nullptr ? "no reason given" : reason;
}

SslContext new_context(bool is_server) {
  SslContext context(SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method()));
  PLAN_CHECK(context != nullptr, "OpenSSL makes contexts");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Read ahead would keep the record buffer alive in idle sessions.
  SSL_CTX_set_read_ahead(context.get(), 0);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

std::string digest_of(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  if (certificate == nullptr || X509_digest(certificate, EVP_sha256(), bytes.data(), &size) != 1)
    return "";
  return ir::to_hex(std::string_view(reinterpret_cast<const char*>(bytes.data()), size));
}

}  // namespace

Result<SslContext> make_server_context(const std::string& certificate, const std::string& key) {
  SslContext context = new_context(true);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1) {
    return Error(errors::proxy_tls, fmt::format("certificate {} cannot be read", certificate))
        .with_detail(ssl_words());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Error(errors::proxy_tls,
                 fmt::format("key {} cannot be read or does not belong to {}", key, certificate))
        .with_detail(ssl_words());
  }
  if (SSL_CTX_check_private_key(context.get()) != 1) {
    return Error(errors::proxy_tls,
                 fmt::format("key {} does not belong to certificate {}", key, certificate))
        .with_detail(ssl_words());
  }
  SSL_CTX_set_num_tickets(context.get(), 1);
  return context;
}

Result<SslContext> make_client_context(const DestinationConfig& destination) {
  SslContext context = new_context(false);
  if (!destination.certificate_sha256.empty() || destination.is_unverified_allowed) {
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE,
                       nullptr);  // a pin is compared after the handshake
    return context;
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const int is_loaded =
      destination.ca_file.empty()
          ? SSL_CTX_set_default_verify_paths(context.get())
          : SSL_CTX_load_verify_locations(context.get(), destination.ca_file.c_str(), nullptr);
  if (is_loaded != 1) {
    return Error(errors::proxy_tls, fmt::format("destination {}: CA file {} cannot be read",
                                                destination.name, destination.ca_file))
        .with_detail(ssl_words());
  }
  return context;
}

std::string certificate_sha256(SSL_CTX* context) {
  return digest_of(SSL_CTX_get0_certificate(context));
}

void Leg::assign(int socket) {
  net::AsioError ignored;
  descriptor_.assign(socket, ignored);
  const int on = 1;
  // Not for Unix sockets, which refuse it harmlessly. Without it a literal and its CRLF wait 40 ms
  // for a delayed ACK.
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

Leg::Io Leg::result_of(int code) {
  Io io;
  switch (SSL_get_error(ssl_.get(), code)) {
    case SSL_ERROR_WANT_READ:
      io.want = Want::read;
      return io;
    case SSL_ERROR_WANT_WRITE:
      io.want = Want::write;
      return io;
    case SSL_ERROR_ZERO_RETURN:
      io.is_end = true;
      return io;
    case SSL_ERROR_SYSCALL:
    case SSL_ERROR_SSL: {
      // A FIN without close_notify is how many clients leave; what the other side still says is
      // delivered all the same.
      const unsigned long reason = ERR_peek_error();
      const bool is_plain_end = ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING ||
                                (reason == 0 && errno == 0);
      ERR_clear_error();
      io.is_end = is_plain_end;
      io.is_failed = !is_plain_end;
      return io;
    }
    default:
      io.is_failed = true;
      return io;
  }
}

Leg::Io Leg::try_read(char* data, std::size_t size) {
  Io io;
  if (!is_open()) {
    io.is_failed = true;
    return io;
  }
  if (ssl_ != nullptr) {
    ERR_clear_error();
    errno = 0;
    const int got =
        SSL_read(ssl_.get(), data, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
    if (got <= 0) return result_of(got);
    io.bytes = static_cast<std::size_t>(got);
    return io;
  }
  ssize_t got = 0;
  do got = ::recv(handle(), data, size, 0);
  while (got < 0 && errno == EINTR);
  if (got > 0)
    io.bytes = static_cast<std::size_t>(got);
  else if (got == 0)
    io.is_end = true;
  else if (errno == EAGAIN || errno == EWOULDBLOCK)
    io.want = Want::read;
  else
    io.is_failed = true;
  return io;
}

Leg::Io Leg::try_write(const char* data, std::size_t size) {
  Io io;
  if (!is_open()) {
    io.is_failed = true;
    return io;
  }
  if (ssl_ != nullptr) {
    ERR_clear_error();
    errno = 0;
    const int put =
        SSL_write(ssl_.get(), data, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
    if (put > 0) {
      io.bytes = static_cast<std::size_t>(put);
      return io;
    }
    io = result_of(put);
    if (io.is_end) io.is_failed = true;
    return io;
  }
  ssize_t put = 0;
  do put = ::send(handle(), data, size, MSG_NOSIGNAL);
  while (put < 0 && errno == EINTR);
  if (put >= 0)
    io.bytes = static_cast<std::size_t>(put);
  else if (errno == EAGAIN || errno == EWOULDBLOCK)
    io.want = Want::write;
  else
    io.is_failed = true;
  return io;
}

bool Leg::begin_tls(SSL_CTX* context, bool is_server, const std::string& name) {
  ssl_.reset(SSL_new(context));
  if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), handle()) != 1) return false;
  if (is_server) {
    SSL_set_accept_state(ssl_.get());
    return true;
  }
  SSL_set_connect_state(ssl_.get());
  std::array<unsigned char, 16> address{};
  const bool is_literal = inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
                          inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
  if (is_literal)
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name.c_str()) == 1;
  // SSL_set_tlsext_host_name is a macro with an old-style cast.
  std::string server_name = name;
  return SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  server_name.data()) == 1 &&
         SSL_set1_host(ssl_.get(), name.c_str()) == 1;
}

Leg::Io Leg::try_handshake() {
  Io io;
  if (!is_open() || ssl_ == nullptr) {
    io.is_failed = true;
    return io;
  }
  ERR_clear_error();
  errno = 0;
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) return io;
  io = result_of(done);
  if (io.is_end) io.is_failed = true;
  return io;
}

std::string Leg::peer_certificate_sha256() const {
  if (ssl_ == nullptr) return "";
  return digest_of(SSL_get0_peer_certificate(ssl_.get()));
}

void Leg::end_output() {
  if (!is_open()) return;
  if (ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) == 1) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  ::shutdown(handle(), SHUT_WR);
}

void Leg::close() {
  if (!is_open()) return;
  if (ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) == 1 &&
      (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) == 0) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  net::AsioError ignored;
  descriptor_.close(ignored);
  ssl_.reset();
}

bool Leg::is_hung_up() {
  if (!is_open()) return true;
  pollfd entry{};
  entry.fd = handle();
  entry.events = POLLRDHUP;
  return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

awaitable<bool> wait_for(Leg& leg, Leg::Want want) {
  net::AsioError failure;
  const auto kind = want == Leg::Want::write ? asio::posix::stream_descriptor::wait_write
                                             : asio::posix::stream_descriptor::wait_read;
  if (!leg.is_open()) co_return false;
  co_await leg.descriptor().async_wait(kind, asio::redirect_error(asio::use_awaitable, failure));
  co_return !failure && leg.is_open();
}

awaitable<bool> write_all(Leg& leg, std::string_view bytes) {
  while (!bytes.empty()) {
    const Leg::Io io = leg.try_write(bytes.data(), bytes.size());
    if (io.is_failed) co_return false;
    bytes.remove_prefix(io.bytes);
    if (io.want == Leg::Want::nothing) continue;
    const bool is_ready = co_await wait_for(leg, io.want);
    if (!is_ready) co_return false;
  }
  co_return true;
}

awaitable<bool> read_some(Leg& leg, std::string& bytes) {
  for (;;) {
    std::array<char, 4096> chunk;  // NOLINT: filled by the read
    const Leg::Io io = leg.try_read(chunk.data(), chunk.size());
    if (io.is_failed || io.is_end) co_return false;
    if (io.bytes > 0) {
      bytes.append(chunk.data(), io.bytes);
      co_return true;
    }
    const bool is_ready = co_await wait_for(leg, io.want);
    if (!is_ready) co_return false;
  }
}

awaitable<bool> handshake(Leg& leg) {
  for (;;) {
    const Leg::Io io = leg.try_handshake();
    if (io.is_failed) co_return false;
    if (io.want == Leg::Want::nothing) co_return true;
    const bool is_ready = co_await wait_for(leg, io.want);
    if (!is_ready) co_return false;
  }
}

awaitable<bool> connect_to(Leg& leg, const asio::ip::tcp::endpoint& endpoint) {
  const int socket = ::socket(endpoint.protocol().family(),
                              SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (socket < 0) co_return false;
  leg.assign(socket);
  if (::connect(socket, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0)
    co_return true;
  if (errno != EINPROGRESS) co_return false;
  const bool is_ready = co_await wait_for(leg, Leg::Want::write);
  if (!is_ready) co_return false;
  int failure = 0;
  socklen_t size = sizeof failure;
  co_return ::getsockopt(leg.handle(), SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure == 0;
}

}  // namespace plan::proxy
