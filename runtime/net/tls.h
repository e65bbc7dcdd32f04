#pragma once
// TLS over a connected descriptor; for the .cpp files of this folder, which are the only ones that
// see OpenSSL.
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/net/stream.h"

namespace plan::net {

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using SslHandle = std::unique_ptr<SSL, SslFree>;

/// Handshakes on a non-blocking descriptor, which stays the caller's. Writes never raise SIGPIPE.
[[nodiscard]] Result<SslHandle> tls_connect(int descriptor, const TlsClientOptions& options,
                                            Deadline deadline);
[[nodiscard]] Result<SslHandle> tls_accept(int descriptor, const TlsServerOptions& options,
                                           Deadline deadline);

/// The oldest entry of OpenSSL's queue of this thread in words; empties the queue.
[[nodiscard]] std::string tls_error_text();

}  // namespace plan::net
