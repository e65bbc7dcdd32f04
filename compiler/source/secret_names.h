#pragma once
#include <string>
#include <string_view>

namespace plan {

// Words: which names say that a secret stands behind them, and which values say that they are none.
// Nothing here knows where in a text a name or a value stands.

/// Is a key of this name expected to hold a secret? Misspelt names count.
[[nodiscard]] bool is_secret_name(std::string_view name);
/// `login`, `key`: keys whose scalar is a secret and whose mapping has keys of its own.
[[nodiscard]] bool is_scalar_secret_name(std::string_view name);
/// Small letters and digits only: `Auth-Secret` and `auth_secret` are one name.
[[nodiscard]] std::string plain_name(std::string_view name);
/// Is `word` the name, or misspelt by a letter or two?
[[nodiscard]] bool is_near_name(std::string_view word, std::string_view name);
/// Is `plain`, a plain name, or its end that of a secret, well spelt?
[[nodiscard]] bool is_ending_of_secret(std::string_view plain);

/// May a secret stand behind `name`, of an option, a variable, a parameter or a header?
[[nodiscard]] bool is_option_of_secret(std::string_view name);
/// Does `name`, of an option, a variable, a parameter or a header, say that `value` is a secret?
[[nodiscard]] bool says_secret(std::string_view name, std::string_view value);
/// Does `name`, of a member of what is sent, say so? As of an option, `dns_key` is more often the
/// name of a key than the key.
[[nodiscard]] bool member_says_secret(std::string_view name, std::string_view value);

/// `Bearer`, `Digest`: the word in front of what logs in.
[[nodiscard]] bool is_login_scheme(std::string_view word);
/// Does `value`, behind `Authorization:`, log in? `is_header`: it certainly is one, and no sentence
/// about one (`Authorization: approved by Bob`).
[[nodiscard]] bool holds_credentials(std::string_view value, bool is_header);

/// Is `value` generated, and no name of words? `example-org-key-2026` has no part that is.
[[nodiscard]] bool looks_random(std::string_view value);
/// `[^"]*`, `%s`, `{{ token }}`, `YOUR_TOKEN`: what finds a secret or is replaced by one.
[[nodiscard]] bool is_placeholder(std::string_view value);
/// Where a secret is read, its place-holder or nothing: no secret in clear.
[[nodiscard]] bool is_read_elsewhere(std::string_view value);
/// What only a name calls a secret may be a file, `@FILE`, `op://vault/token` or a switch.
[[nodiscard]] bool is_reference(std::string_view value);

}  // namespace plan
