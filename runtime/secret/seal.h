#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/secret/secret.h"

namespace plan::secret {

/// The key of one plan folder (`.plan/seal.key`: 64 hex digits and a line end, mode 0600). Prior
/// states with secrets are sealed with it, so that the journal alone shows none.
class SealKey {
 public:
  /// Reads the key, or makes it (random, synced before it is used). Two processes that make it at
  /// once end with the same one. Errors: secret-exposed, secret-unreadable, seal-damaged (not a
  /// key).
  [[nodiscard]] static Result<SealKey> load_or_make(const std::string& path);
  /// The same without making one. Error: seal-damaged when there is none.
  [[nodiscard]] static Result<SealKey> load(const std::string& path);

  SealKey(SealKey&& other) noexcept;
  SealKey& operator=(SealKey&&) = delete;
  SealKey(const SealKey&) = delete;
  SealKey& operator=(const SealKey&) = delete;
  ~SealKey();

  /// AES-256-GCM (NIST SP 800-38D) with a random nonce of 12 bytes:
  /// `v1.` base64url(nonce, ciphertext, tag of 16 bytes).
  [[nodiscard]] Result<std::string> seal(const Secret& secret) const;
  [[nodiscard]] Result<Secret> open(std::string_view sealed) const;
  /// HMAC-SHA-256 under a key that is derived from this one, in hex.
  [[nodiscard]] std::string keyed_digest(const Secret& secret) const;

 private:
  SealKey() = default;
  std::array<std::uint8_t, 32> key_ = {};
};

}  // namespace plan::secret
