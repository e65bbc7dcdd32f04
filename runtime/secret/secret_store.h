#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/secret/secret.h"

namespace plan::secret {

struct SecretStoreOptions {
  std::string plan_directory = ".";  ///< where `file:` paths start and `command:` runs
  std::string state_directory =
      {};  ///< the plan's `.plan`; seal.key is made there when first needed
};

/// The SecretSource of a real run: environment, files, commands, sealed values, and what wiring
/// registers. Nothing is kept but the answers of commands (which may ask a person).
///
/// Errors of read: secret-missing, secret-unreadable, secret-exposed (a `file:` that group or
/// others can read), secret-too-large, seal-damaged; none of them shows any of the secret.
class SecretStore final : public SecretSource {
 public:
  /// Reads the secret called `name`; called from any thread.
  using Provider = std::function<Result<Secret>(const std::string& name)>;

  explicit SecretStore(SecretStoreOptions options);
  ~SecretStore() override;

  /// Registers a further provider, such as `source`. Before the first read; not thread-safe.
  void add_provider(std::string name, Provider provider);

  [[nodiscard]] Result<Secret> read(const ir::SecretRef& ref) override;
  [[nodiscard]] Result<ir::SecretRef> seal(const Secret& secret) override;

  /// HMAC-SHA-256 under a key derived from seal.key, in hex: to see that a password hash changed
  /// without keeping it.
  [[nodiscard]] Result<std::string> keyed_digest(const Secret& secret);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plan::secret
