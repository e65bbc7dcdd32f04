#pragma once
#include <memory>
#include <string_view>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/jmap/client.h"
#include "runtime/secret/secret.h"

namespace plan::net::jmap {

/// Opens the JMAP clients of a plan once and keeps them, so that all drivers together stay within a
/// server's limit of requests at the same time. Thread-safe. Clients live as long as somebody holds
/// them or the pool.
class ClientPool {
 public:
  explicit ClientPool(Clock& clock = system_clock());
  ~ClientPool();
  ClientPool(const ClientPool&) = delete;
  ClientPool& operator=(const ClientPool&) = delete;

  /// `server` is a resolved block of a plan: {url, login: {user, password: SecretRef},
  /// certificate_sha256}. With `on_behalf_of` the login is `USER%ADMIN`
  /// (reference/stalwart-admin.md 8.1): the session of that user, possible only while the user may
  /// log in; such a client is made anew each time and not kept. Does not connect. The secret is
  /// read at each call; a changed one makes a new client. Errors: argument-like ones as
  /// protocol-violation (no url), those of SecretSource.
  [[nodiscard]] Result<std::shared_ptr<Client>> open(const ir::Value& server,
                                                     secret::SecretSource& secrets,
                                                     std::string_view on_behalf_of = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plan::net::jmap
