#pragma once
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/secret/secret.h"

namespace plan::server::stalwart {

/// What Stalwart 0.16 does with a text given as an account's secret
/// (reference/stalwart-admin.md 5.3; seen for 105 forms).
enum class SecretForm : std::uint8_t {
  usable,          ///< kept as a hash, and the password logs in
  never_verifies,  ///< kept as a hash, but nobody can log in
  plain_text,      ///< not recognised: the text itself becomes the password
};

[[nodiscard]] SecretForm secret_form(std::string_view secret);

/// Is `stored` (`{SCHEME}text`) of a form that is carried over, and yet nothing of it can be sent:
/// cut, with blanks around it, a salt or digest of a length that there is not? False for whole ones
/// and for forms that are never carried.
[[nodiscard]] bool is_damaged(const secret::Secret& stored);

/// The hash of a source, `{SCHEME}text` or `text` under `default_scheme` (Dovecot's spelling:
/// "SHA512-CRYPT", "PLAIN", "SSHA.HEX"; empty: CRYPT), in the form that the target recognises and
/// verifies. A clear text is hashed here (PBKDF2-HMAC-SHA-512; the salt is derived from the account
/// and the text, so that the same text gives the same hash and a repeated call changes nothing).
/// Errors: password-not-portable, naming the scheme, never the text.
[[nodiscard]] Result<secret::Secret> secret_for_target(const secret::Secret& stored,
                                                       std::string_view default_scheme,
                                                       std::string_view account);

}  // namespace plan::server::stalwart
