#include "runtime/net/tls.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/socket.h"

namespace plan::net {
namespace {

using Context = std::unique_ptr<SSL_CTX, SslFree>;

// OpenSSL's own socket BIO writes with write(2) and so raises SIGPIPE in whoever uses this library.
// Ours uses send(2).
int descriptor_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t count =
      send(descriptor_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t count = recv(descriptor_of(bio), data, static_cast<std::size_t>(size), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (count == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(count);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

BIO_METHOD* bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "plan socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    BIO_meth_set_create(made, bio_create);
    return made;
  }();
  return method;
}

Error failed(std::string_view what) {
  std::string said = tls_error_text();
  return Error(errors::tls_failed,
               said.empty() ? std::string(what) : fmt::format("{}: {}", what, said))
      .with_retry(Retry::safe)
      .with_blame(Blame::network);
}

bool is_address_literal(const std::string& name) {
  unsigned char bytes[16] = {};
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

Result<SslHandle> make_session(SSL_CTX* context, int descriptor) {
  SslHandle ssl(SSL_new(context));
  BIO* bio = ssl == nullptr ? nullptr : BIO_new(bio_method());
  if (bio == nullptr) return failed("cannot make a TLS session");
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(descriptor)));
  SSL_set_bio(ssl.get(), bio, bio);
  return ssl;
}

/// True when done; false when the handshake failed for a reason that OpenSSL's queue knows.
Result<bool> handshake(SSL* ssl, int descriptor, Deadline deadline) {
  while (true) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl);
    if (done == 1) return true;
    const int why = SSL_get_error(ssl, done);
    const bool wants_read = why == SSL_ERROR_WANT_READ;
    if (!wants_read && why != SSL_ERROR_WANT_WRITE) return false;
    if (!wait_ready(descriptor, wants_read ? POLLIN : POLLOUT, deadline)) {
      return Error(errors::timed_out, "the TLS handshake did not end in time")
          .with_retry(Retry::safe)
          .with_blame(Blame::network);
    }
  }
}

Error judge_refused_certificate(SSL* ssl, const TlsClientOptions& options) {
  const long verdict = SSL_get_verify_result(ssl);
  const std::string why = X509_verify_cert_error_string(verdict);
  ERR_clear_error();
  switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Error(errors::certificate_expired,
                   fmt::format("the certificate of `{}` has expired", options.server_name))
          .with_blame(Blame::network);
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Error(errors::certificate_expired,
                   fmt::format(
                       "the certificate of `{}` is not valid yet by the clock of this machine",
                       options.server_name))
          .with_blame(Blame::network);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return Error(errors::certificate_mismatch,
                   fmt::format("the certificate is not for the name `{}`", options.server_name))
          .with_blame(Blame::network);
    default:
      return Error(errors::tls_failed,
                   fmt::format("certificate of `{}` is not trusted: {}", options.server_name, why))
          .with_blame(Blame::network);
  }
}

}  // namespace

std::string tls_error_text() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return {};
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? std::string(reason) : fmt::format("OpenSSL error {}", code);
}

Result<SslHandle> tls_connect(int descriptor, const TlsClientOptions& options, Deadline deadline) {
  // A server is silent until the client has said hello: bytes before that were slipped in by
  // somebody between.
  char early = 0;
  if (recv(descriptor, &early, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
    return Error(errors::protocol_violation, "bytes came in clear text ahead of the TLS handshake")
        .with_blame(Blame::network);
  }
  const Context context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return failed("cannot set up TLS");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_AUTO_RETRY | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  const bool is_judged = options.pinned_sha256_hex.empty() && !options.is_unverified_allowed;
  SSL_CTX_set_verify(context.get(), is_judged ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (is_judged) {
    const int loaded = options.ca_file.empty()
                           ? SSL_CTX_set_default_verify_paths(context.get())
                           : SSL_CTX_load_verify_file(context.get(), options.ca_file.c_str());
    if (loaded != 1)
      return std::move(failed("cannot read the trusted certificates")).with_detail(options.ca_file);
  }
  PLAN_TRY(ssl, make_session(context.get(), descriptor));
  SSL_set_connect_state(ssl.get());
  if (!options.server_name.empty()) {
    const bool is_literal = is_address_literal(options.server_name);
    if (!is_literal) {
      SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(options.server_name.c_str()));  // copied, not changed
    }
    if (is_judged) {
      X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl.get());
      X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      const int set = is_literal
                          ? X509_VERIFY_PARAM_set1_ip_asc(parameters, options.server_name.c_str())
                          : X509_VERIFY_PARAM_set1_host(parameters, options.server_name.c_str(), 0);
      if (set != 1) return failed("cannot check this server name");
    }
  }
  PLAN_TRY(is_done, handshake(ssl.get(), descriptor, deadline));
  if (!is_done) {
    if (is_judged && SSL_get_verify_result(ssl.get()) != X509_V_OK) {
      return judge_refused_certificate(ssl.get(), options);
    }
    return failed("the TLS handshake failed");
  }
  return std::move(ssl);
}

Result<SslHandle> tls_accept(int descriptor, const TlsServerOptions& options, Deadline deadline) {
  const Context context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return failed("cannot set up TLS");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_AUTO_RETRY | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  if (SSL_CTX_use_certificate_chain_file(context.get(), options.certificate_file.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return std::move(failed("cannot use our certificate and key"))
        .with_detail(options.certificate_file)
        .with_blame(Blame::local);
  }
  PLAN_TRY(ssl, make_session(context.get(), descriptor));
  SSL_set_accept_state(ssl.get());
  PLAN_TRY(is_done, handshake(ssl.get(), descriptor, deadline));
  if (!is_done) return failed("the TLS handshake failed");
  return std::move(ssl);
}

}  // namespace plan::net
