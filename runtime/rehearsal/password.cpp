#include "runtime/rehearsal/password.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"

namespace plan::rehearsal {
namespace {

constexpr std::string_view kCryptAlphabet =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kBase64Alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool consists_of(std::string_view text, std::string_view alphabet) {
  return text.find_first_not_of(alphabet) == std::string_view::npos;
}

std::optional<unsigned> number_of(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// $1$, $5$, $6$, $sha1$: salt and hash of the lengths the scheme has.
bool is_crypt_of(std::string_view text, std::string_view prefix, std::size_t salt_max,
                 std::size_t hash_size, bool may_have_rounds, bool must_have_rounds) {
  if (!text.starts_with(prefix)) return false;
  auto parts = split(text.substr(prefix.size()), '$');
  if (must_have_rounds) {
    if (parts.empty() || !number_of(parts.front())) return false;
    parts.erase(parts.begin());
  } else if (may_have_rounds && !parts.empty() && parts.front().starts_with("rounds=")) {
    if (!number_of(parts.front().substr(7))) return false;
    parts.erase(parts.begin());
  }
  return parts.size() == 2 && !parts[0].empty() && parts[0].size() <= salt_max &&
         parts[1].size() == hash_size && consists_of(parts[1], kCryptAlphabet);
}

struct Phc {
  std::string_view name = {};
  std::string_view version = {};
  std::vector<std::pair<std::string_view, std::string_view>> parameters = {};
  std::string salt = {};
  std::string hash = {};
  [[nodiscard]] std::optional<unsigned> parameter(std::string_view key) const {
    for (const auto& [name_of, value] : parameters)
      if (name_of == key) return number_of(value);
    return std::nullopt;
  }
};

std::optional<std::string> unpadded_base64(std::string_view text) {
  if (!consists_of(text, kBase64Alphabet) || text.empty()) return std::nullopt;
  std::string padded(text);
  while (padded.size() % 4 != 0) padded += '=';
  bool is_valid = false;
  std::string bytes = ir::from_base64(padded, &is_valid);
  if (!is_valid) return std::nullopt;
  return bytes;
}

// $name[$v=19][$key=value,...]$salt$hash
std::optional<Phc> parse_phc(std::string_view text) {
  if (!text.starts_with('$')) return std::nullopt;
  auto parts = split(text.substr(1), '$');
  if (parts.size() < 3 || parts.size() > 5) return std::nullopt;
  Phc phc;
  phc.name = parts.front();
  std::size_t at = 1;
  if (parts[at].starts_with("v=")) phc.version = parts[at++].substr(2);
  if (at < parts.size() && parts[at].find('=') != std::string_view::npos) {
    for (const std::string_view item : split(parts[at], ',')) {
      const std::size_t equals = item.find('=');
      if (equals == std::string_view::npos) return std::nullopt;
      phc.parameters.emplace_back(item.substr(0, equals), item.substr(equals + 1));
    }
    ++at;
  }
  if (parts.size() - at != 2) return std::nullopt;
  const auto salt = unpadded_base64(parts[at]);
  const auto hash = unpadded_base64(parts[at + 1]);
  if (!salt || !hash) return std::nullopt;
  phc.salt = *salt;
  phc.hash = *hash;
  return phc;
}

bool is_dollar_form(std::string_view text) {
  for (const std::string_view name : {"$argon2i$", "$argon2d$", "$argon2id$", "$scrypt$"})
    if (text.starts_with(name)) return parse_phc(text).has_value();
  if (text.starts_with("$pbkdf2")) {
    const auto phc = parse_phc(text);
    return phc && !phc->parameters.empty();
  }
  if (text.size() == 60 && text.starts_with("$2") &&
      std::string_view("abxy").find(text[2]) != std::string_view::npos && text[3] == '$' &&
      text[6] == '$')
    return number_of(text.substr(4, 2)).has_value() && consists_of(text.substr(7), kCryptAlphabet);
  return is_crypt_of(text, "$1$", 8, 22, false, false) ||
         is_crypt_of(text, "$5$", 16, 43, true, false) ||
         is_crypt_of(text, "$6$", 16, 86, true, false) ||
         is_crypt_of(text, "$sha1$", 64, 28, false, true);
}

struct Scheme {
  std::string name = {};  // lower case
  std::string_view rest = {};
};

std::optional<Scheme> scheme_of(std::string_view text) {
  if (!text.starts_with('{')) return std::nullopt;
  const std::size_t end = text.find('}');
  if (end == std::string_view::npos) return std::nullopt;
  return Scheme{lower_ascii(text.substr(1, end - 1)), text.substr(end + 1)};
}

struct DigestScheme {
  std::string_view name = {};
  std::size_t size = 0;
  bool is_salted = false;
};
constexpr std::array<DigestScheme, 7> kDigests = {{{"sha", 20, false},
                                                   {"sha256", 32, false},
                                                   {"sha512", 64, false},
                                                   {"md5", 16, false},
                                                   {"ssha", 20, true},
                                                   {"ssha256", 32, true},
                                                   {"ssha512", 64, true}}};

std::optional<std::string> loose_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  return unpadded_base64(text);
}

std::string digest_of(const EVP_MD* algorithm, std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  if (EVP_Digest(data.data(), data.size(), out.data(), &size, algorithm, nullptr) != 1) return {};
  return {reinterpret_cast<const char*>(out.data()), size};
}

const EVP_MD* algorithm_of(std::size_t size) {
  switch (size) {
    case 16:
      return EVP_md5();
    case 20:
      return EVP_sha1();
    case 32:
      return EVP_sha256();
    default:
      return EVP_sha512();
  }
}

bool same_bytes(std::string_view left, std::string_view right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

bool verify_crypt(std::string_view stored, std::string_view password) {
  const std::string setting(stored);
  const std::string phrase(password);
  if (phrase.find('\0') != std::string::npos) return false;
  const auto data = std::make_unique<crypt_data>();
  const char* made = crypt_r(phrase.c_str(), setting.c_str(), data.get());
  return made != nullptr && made[0] != '*' && same_bytes(made, stored);
}

bool verify_phc(std::string_view stored, std::string_view password) {
  const auto phc = parse_phc(stored);
  if (!phc || phc->hash.size() > 128) return false;
  std::vector<unsigned char> made(phc->hash.size());
  const auto* salt = reinterpret_cast<const unsigned char*>(phc->salt.data());
  if (phc->name == "scrypt") {
    const auto log_n = phc->parameter("ln");
    const auto r = phc->parameter("r");
    const auto p = phc->parameter("p");
    if (!log_n || !r || !p || *log_n > 20 || *r > 32 || *p > 16) return false;
    if (EVP_PBE_scrypt(password.data(), password.size(), salt, phc->salt.size(),
                       std::uint64_t{1} << *log_n, *r, *p, std::uint64_t{512} << 20U, made.data(),
                       made.size()) != 1)
      return false;
  } else if (phc->name == "pbkdf2-sha256" || phc->name == "pbkdf2-sha512") {
    const auto rounds = phc->parameter("i");
    if (!rounds || *rounds == 0 || *rounds > 5'000'000) return false;
    if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), salt,
                          static_cast<int>(phc->salt.size()), static_cast<int>(*rounds),
                          phc->name == "pbkdf2-sha256" ? EVP_sha256() : EVP_sha512(),
                          static_cast<int>(made.size()), made.data()) != 1)
      return false;
  } else {
    return false;
  }
  return same_bytes(phc->hash, {reinterpret_cast<const char*>(made.data()), made.size()});
}

bool verify_argon2(std::string_view stored, std::string_view password) {
  const argon2_type kind = stored.starts_with("$argon2id$")  ? Argon2_id
                           : stored.starts_with("$argon2i$") ? Argon2_i
                                                             : Argon2_d;
  return argon2_verify(std::string(stored).c_str(), password.data(), password.size(), kind) ==
         ARGON2_OK;
}

bool verify_dollar(std::string_view stored, std::string_view password) {
  if (stored.starts_with("$argon2")) return verify_argon2(stored, password);
  if (stored.starts_with("$scrypt") || stored.starts_with("$pbkdf2"))
    return verify_phc(stored, password);
  if (stored.starts_with("$2x$"))
    return false;  // kept, but nobody can log in (password-hashes.json)
  return verify_crypt(stored, password);
}

}  // namespace

SecretForm classify_secret(std::string_view secret) {
  if (secret.starts_with('$')) return is_dollar_form(secret) ? SecretForm::hash : SecretForm::plain;
  const auto scheme = scheme_of(secret);
  if (!scheme) return SecretForm::plain;
  for (const DigestScheme& digest : kDigests) {
    if (scheme->name != digest.name) continue;
    const auto bytes = loose_base64(scheme->rest);
    const bool fits =
        bytes && (digest.is_salted ? bytes->size() > digest.size : bytes->size() == digest.size);
    return fits ? SecretForm::hash : SecretForm::plain;
  }
  if (scheme->name == "argon2" || scheme->name == "argon2i" || scheme->name == "argon2id" ||
      scheme->name == "pbkdf2")
    return (scheme->rest.starts_with("$argon2") || scheme->rest.starts_with("$pbkdf2")) &&
                   is_dollar_form(scheme->rest)
               ? SecretForm::hash
               : SecretForm::plain;
  if (scheme->name == "crypt") {
    const std::string_view rest = scheme->rest;
    if (rest.starts_with('$')) return is_dollar_form(rest) ? SecretForm::hash : SecretForm::plain;
    if (rest.size() == 13 && consists_of(rest, kCryptAlphabet)) return SecretForm::hash;
    if (rest.size() == 20 && rest.front() == '_') return SecretForm::hash;
  }
  return SecretForm::plain;
}

bool verify_password(std::string_view stored, std::string_view password) {
  if (password.size() > 1024) return false;
  if (stored.starts_with('$')) return verify_dollar(stored, password);
  const auto scheme = scheme_of(stored);
  if (!scheme) return same_bytes(stored, password);
  for (const DigestScheme& digest : kDigests) {
    if (scheme->name != digest.name) continue;
    const EVP_MD* algorithm = algorithm_of(digest.size);
    if (!digest.is_salted)  // compared as text by the real server, so that only the padded form can
                            // match
      return same_bytes(scheme->rest, ir::to_base64(digest_of(algorithm, password)));
    const auto bytes = loose_base64(scheme->rest);
    if (!bytes || bytes->size() <= digest.size) return false;
    std::string salted(password);
    salted += bytes->substr(digest.size);
    return same_bytes(bytes->substr(0, digest.size), digest_of(algorithm, salted));
  }
  if (scheme->rest.starts_with('$')) return verify_dollar(scheme->rest, password);
  if (scheme->name == "crypt" && scheme->rest.size() == 13)
    return verify_crypt(scheme->rest, password);
  return false;
}

std::string hash_password(std::string_view password) {
  std::array<unsigned char, 16> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) return "$6$!";
  std::string setting = "$6$rounds=1000$";
  for (const unsigned char byte : random) setting += kCryptAlphabet[byte & 63U];
  const auto data = std::make_unique<crypt_data>();
  const char* made = crypt_r(std::string(password).c_str(), setting.c_str(), data.get());
  return made == nullptr ? "$6$!" : made;
}

int password_strength(std::string_view password) {
  static const std::set<std::string, std::less<>> kCommon = {
      "password", "password1", "12345678", "123456789", "1234567890",
      "qwertyui", "qwerty123", "letmein",  "iloveyou",  "admin",
      "welcome",  "secret",    "abc123",   "changeme",  "passw0rd"};
  const std::string lower = lower_ascii(password);
  if (kCommon.contains(lower)) return 0;
  const std::set<char> distinct(password.begin(), password.end());
  bool has_lower = false;
  bool has_upper = false;
  bool has_digit = false;
  bool has_other = false;
  for (const char c : password) {
    if (c >= 'a' && c <= 'z')
      has_lower = true;
    else if (c >= 'A' && c <= 'Z')
      has_upper = true;
    else if (c >= '0' && c <= '9')
      has_digit = true;
    else
      has_other = true;
  }
  const int classes = int{has_lower} + int{has_upper} + int{has_digit} + int{has_other};
  double bits = static_cast<double>(distinct.size()) * (1.0 + classes);
  for (const std::string& word : kCommon)
    if (lower.find(word) != std::string::npos) bits -= 2.5 * static_cast<double>(word.size());
  if (bits < 12) return 0;
  if (bits < 20) return 1;
  if (bits < 26) return 2;
  return bits < 40 ? 3 : 4;
}

std::string random_text(std::size_t size) {
  // 64 letters, so that no one of them is likelier than by a part in 64.
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ab";
  std::string bytes(size, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) != 1)
    return {};
  for (char& c : bytes) c = kAlphabet[static_cast<unsigned char>(c) % kAlphabet.size()];
  return bytes;
}

}  // namespace plan::rehearsal
