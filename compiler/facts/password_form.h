#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace plan::facts {

/// What becomes of a hash on the way to the target.
enum class PasswordVerdict : std::uint8_t {
  keep = 0,     ///< sent as it is
  rewrite = 1,  ///< the same hash in the target's spelling
  hash = 2,     ///< a clear text: hashed by plan, never sent in clear
  refuse = 3,   ///< would lock the user out
  unknown = 4,  ///< a scheme that is in no table
};

struct PasswordForm {
  std::string_view scheme = {};  ///< as in the lock: "SHA512-CRYPT", "CRYPT:$y$"
  PasswordVerdict verdict = PasswordVerdict::unknown;
  std::string_view words = {};  ///< what is sent instead, or why it cannot be
};

/// What the source's driver writes behind the form of a hash that no password fits: cut, with
/// blanks around it, of a wrong length. The target would take its text for the password.
constexpr std::string_view kDamaged = ":damaged";

/// The table of password_form.def.
[[nodiscard]] std::span<const PasswordForm> password_forms();
/// The row of `scheme` (letter case of the scheme's name does not matter); `unknown` when there is
/// none.
[[nodiscard]] PasswordForm password_form(std::string_view scheme);
/// The name of the scheme without the form: "CRYPT" of "CRYPT:$6$". This is what drivers get as
/// `password_scheme`.
[[nodiscard]] std::string_view scheme_name(std::string_view scheme);

}  // namespace plan::facts
