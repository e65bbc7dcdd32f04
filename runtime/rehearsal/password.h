#pragma once
#include <string>
#include <string_view>

namespace plan::rehearsal {

/// What the server makes of a secret that somebody wrote into `credentials`
/// (reference/stalwart-admin.md 5.3, every form of
/// data/transcripts/stalwart-0.16-admin/password-hashes.json).
enum class SecretForm : unsigned char {
  plain,  ///< taken as a password in clear and hashed: the trap
  hash,   ///< kept as it is
};
[[nodiscard]] SecretForm classify_secret(std::string_view secret);

/// Does `password` open what is stored? Never throws the cost of a hash at hostile parameters:
/// forms whose parameters are beyond sane bounds do not verify.
[[nodiscard]] bool verify_password(std::string_view stored, std::string_view password);

/// A hash for a password in clear. The real server uses argon2id; this one sha512-crypt, which
/// libcrypt has.
[[nodiscard]] std::string hash_password(std::string_view password);

/// Letters and digits that nobody can guess: generated passwords, keys, tokens.
[[nodiscard]] std::string random_text(std::size_t size);

/// 0 to 4, roughly as the strength estimate of the real server rates it: enough to refuse what is
/// plainly weak.
[[nodiscard]] int password_strength(std::string_view password);

}  // namespace plan::rehearsal
