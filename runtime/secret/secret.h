#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"

namespace plan::secret {

/// A secret in memory. Cannot be printed, compared or copied by accident; wiped when it goes
/// (OPENSSL_cleanse).
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  /// The text itself, for the one call that needs it: `authenticate(name, secret.reveal_for("IMAP
  /// LOGIN"))`. The reason is documentation and greppable; it is not stored.
  [[nodiscard]] const std::string& reveal_for(std::string_view reason) const;
  [[nodiscard]] Secret clone() const { return Secret(value_); }
  [[nodiscard]] bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

/// Where secrets come from. Thread-safe.
class SecretSource {
 public:
  SecretSource() = default;
  SecretSource(const SecretSource&) = delete;
  SecretSource& operator=(const SecretSource&) = delete;
  virtual ~SecretSource() = default;

  /// Reads `env:NAME`, `file:PATH` (relative to the plan's folder; one trailing newline is cut;
  /// refused when others can read the file), `command:...`, `sealed:...` (prior state), and
  /// providers that wiring registered, such as `source:` (a password hash, read again from the
  /// source). Errors: secret-missing, secret-unreadable.
  [[nodiscard]] virtual Result<Secret> read(const ir::SecretRef& ref) = 0;

  /// Encrypts prior state that holds secrets with the key of this plan (AES-256-GCM, key file
  /// `.plan/seal.key`, mode 0600), for the journal. The result is a SecretRef with provider
  /// `sealed`.
  [[nodiscard]] virtual Result<ir::SecretRef> seal(const Secret& secret) = 0;
};

}  // namespace plan::secret
