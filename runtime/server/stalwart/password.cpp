// Which password hashes the target keeps, and which it takes for a plain text, locking the user
// out: the most expensive mistake of a migration. So everything is recognised here exactly as the
// server does, and what is not recognised is never sent. The forms and their verdicts are those of
// data/transcripts/stalwart-0.16-admin/password-hashes.json.
#include "runtime/server/stalwart/password.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <vector>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/server/stalwart/errors.h"

namespace plan::server::stalwart {
namespace {

constexpr std::string_view kCryptAlphabet =
    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kBase64Alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr int kPbkdf2Rounds = 100'000;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kPbkdf2Bytes = 64;

bool is_made_of(std::string_view text, std::string_view alphabet) {
  return text.find_first_not_of(alphabet) == std::string_view::npos;
}

bool is_digits(std::string_view text) { return !text.empty() && is_made_of(text, "0123456789"); }

/// Base64 of the standard alphabet; padding may be there, right, or missing.
std::optional<std::string> decode_base64(std::string_view text) {
  std::string padded(text);
  while (padded.size() % 4 != 0) padded.push_back('=');
  if (padded.find_first_of("-_") != std::string::npos) return std::nullopt;
  bool is_valid = false;
  std::string bytes = ir::from_base64(padded, &is_valid);
  if (!is_valid) return std::nullopt;
  return bytes;
}

std::string unpadded_base64(std::string_view bytes) {
  std::string text = ir::to_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::optional<std::string> decode_hex(std::string_view text) {
  if (text.size() % 2 != 0 || !is_made_of(text, "0123456789abcdefABCDEF")) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto nibble = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    bytes.push_back(static_cast<char>(nibble(text[i]) * 16 + nibble(text[i + 1])));
  }
  return bytes;
}

/// Dollar-separated fields after the first `$`.
std::vector<std::string_view> fields_of(std::string_view text) {
  return split(text.substr(1), '$');
}

bool is_crypt(std::string_view text, std::size_t salt_max, std::size_t hash_size,
              bool may_have_rounds) {
  std::vector<std::string_view> fields = fields_of(text);
  if (may_have_rounds && fields.size() == 4 && fields[1].starts_with("rounds=") &&
      is_digits(fields[1].substr(7))) {
    fields.erase(fields.begin() + 1);
  }
  return fields.size() == 3 && !fields[1].empty() && fields[1].size() <= salt_max &&
         is_made_of(fields[1], kCryptAlphabet) && fields[2].size() == hash_size &&
         is_made_of(fields[2], kCryptAlphabet);
}

bool is_sha1_crypt(std::string_view text) {
  const std::vector<std::string_view> fields = fields_of(text);
  return fields.size() == 4 && is_digits(fields[1]) && !fields[2].empty() &&
         fields[2].size() <= 64 && is_made_of(fields[2], kCryptAlphabet) &&
         fields[3].size() == 28 && is_made_of(fields[3], kCryptAlphabet);
}

bool is_bcrypt(std::string_view text) {
  return text.size() == 60 && is_digits(text.substr(4, 2)) && text[6] == '$' &&
         is_made_of(text.substr(7), kCryptAlphabet);
}

bool is_parameter_list(std::string_view text) {
  for (const std::string_view parameter : split(text, ',')) {
    const std::size_t equals = parameter.find('=');
    if (equals == 0 || equals == std::string_view::npos || equals + 1 == parameter.size())
      return false;
  }
  return true;
}

/// `$id[$v=19][$a=1,b=2]$salt$hash` (the PHC string format), with salt and hash.
bool is_phc(std::string_view text) {
  std::vector<std::string_view> fields = fields_of(text);
  if (fields.size() < 4 || fields.size() > 5) return false;
  std::size_t next = 1;
  if (fields[next].starts_with("v=")) {
    if (!is_digits(fields[next].substr(2))) return false;
    ++next;
  }
  if (fields.size() - next != 3 || !is_parameter_list(fields[next])) return false;
  const std::string_view salt = fields[next + 1];
  const std::string_view hash = fields[next + 2];
  const auto is_b64 = [](std::string_view b64) {
    return !b64.empty() && is_made_of(b64, kBase64Alphabet) && b64.size() % 4 != 1;
  };
  return salt.size() >= 4 && salt.size() <= 64 && is_b64(salt) && hash.size() >= 14 && is_b64(hash);
}

SecretForm dollar_form(std::string_view text) {
  const auto usable_if = [](bool condition) {
    return condition ? SecretForm::usable : SecretForm::plain_text;
  };
  const std::string_view id = fields_of(text).front();
  if (id == "argon2i" || id == "argon2d" || id == "argon2id" || id == "scrypt")
    return usable_if(is_phc(text));
  if (id == "pbkdf2-sha256" || id == "pbkdf2-sha512") return usable_if(is_phc(text));
  if (id == "pbkdf2") return is_phc(text) ? SecretForm::never_verifies : SecretForm::plain_text;
  if (id == "2a" || id == "2b" || id == "2y") return usable_if(is_bcrypt(text));
  if (id == "2x") return is_bcrypt(text) ? SecretForm::never_verifies : SecretForm::plain_text;
  if (id == "1") return usable_if(is_crypt(text, 8, 22, false));
  if (id == "5") return usable_if(is_crypt(text, 16, 43, true));
  if (id == "6") return usable_if(is_crypt(text, 16, 86, true));
  if (id == "sha1") return usable_if(is_sha1_crypt(text));
  return SecretForm::plain_text;
}

SecretForm digest_form(std::string_view text, std::size_t bytes) {
  const std::optional<std::string> digest = decode_base64(text);
  if (!digest || digest->size() != bytes) return SecretForm::plain_text;
  // Compared as text by the server: only the padded standard form can match.
  return ir::to_base64(*digest) == text ? SecretForm::usable : SecretForm::never_verifies;
}

SecretForm salted_form(std::string_view text, std::size_t bytes) {
  const std::optional<std::string> digest = decode_base64(text);
  return digest && digest->size() > bytes ? SecretForm::usable : SecretForm::plain_text;
}

SecretForm scheme_form(std::string_view scheme, std::string_view text) {
  const std::string name = lower_ascii(scheme);
  if (name == "ssha") return salted_form(text, 20);
  if (name == "ssha256") return salted_form(text, 32);
  if (name == "ssha512") return salted_form(text, 64);
  if (name == "sha") return digest_form(text, 20);
  if (name == "sha256") return digest_form(text, 32);
  if (name == "sha512") return digest_form(text, 64);
  if (name == "md5") return digest_form(text, 16);
  if (name == "argon2" || name == "argon2i" || name == "argon2id" || name == "pbkdf2") {
    if (!text.starts_with('$')) return SecretForm::plain_text;
    const std::string_view id = fields_of(text).front();
    const bool is_same_family =
        name == "pbkdf2" ? id.starts_with("pbkdf2") : id.starts_with("argon2");
    return is_same_family ? dollar_form(text) : SecretForm::plain_text;
  }
  if (name == "crypt") {
    if (text.starts_with('$')) return dollar_form(text);
    if (text.size() == 13 && is_made_of(text, kCryptAlphabet)) return SecretForm::usable;
    if (text.size() == 20 && text.front() == '_' && is_made_of(text.substr(1), kCryptAlphabet))
      return SecretForm::never_verifies;
  }
  return SecretForm::plain_text;
}

struct Scheme {
  std::string name = {};      // upper case, without an encoding suffix
  std::string encoding = {};  // "HEX", "B64" or empty
  std::string_view text = {};
};

Scheme split_scheme(std::string_view stored, std::string_view default_scheme) {
  Scheme scheme;
  std::string_view name = default_scheme.empty() ? std::string_view("CRYPT") : default_scheme;
  scheme.text = stored;
  if (stored.starts_with('{')) {
    const std::size_t end = stored.find('}');
    if (end != std::string_view::npos) {
      name = stored.substr(1, end - 1);
      scheme.text = stored.substr(end + 1);
    }
  }
  for (const char c : name)
    scheme.name.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  const std::size_t dot = scheme.name.rfind('.');
  if (dot != std::string::npos) {
    scheme.encoding = scheme.name.substr(dot + 1);
    if (scheme.encoding == "BASE64") scheme.encoding = "B64";
    scheme.name.resize(dot);
  }
  return scheme;
}

/// `{SHA}`, `{SSHA}`, ... with the digest as hex or base64 (Dovecot takes either where no suffix
/// says which: hex when the length is that of hex).
std::optional<std::string> rewritten_digest(std::string_view target_scheme, const Scheme& scheme,
                                            std::size_t bytes, bool is_salted) {
  std::optional<std::string> digest;
  const bool may_be_hex =
      scheme.encoding != "B64" &&
      (scheme.encoding == "HEX" || (!is_salted && scheme.text.size() == bytes * 2));
  if (may_be_hex) digest = decode_hex(scheme.text);
  if (!digest && scheme.encoding != "HEX") digest = decode_base64(scheme.text);
  if (!digest || (is_salted ? digest->size() <= bytes : digest->size() != bytes))
    return std::nullopt;
  return fmt::format("{{{}}}{}", target_scheme, ir::to_base64(*digest));
}

/// passlib's `$pbkdf2-sha256$29000$salt$hash` (its base64 has `.` for `+`) and FreeIPA's
/// `{PBKDF2-SHA512}rounds$salt$hash`.
std::optional<std::string> rewritten_pbkdf2(std::string_view digest_name, std::string_view rounds,
                                            std::string_view salt, std::string_view hash) {
  if (!is_digits(rounds)) return std::nullopt;
  const auto standard = [](std::string_view text) {
    std::string copy(text);
    std::replace(copy.begin(), copy.end(), '.', '+');
    while (copy.ends_with('=')) copy.pop_back();
    return copy;
  };
  const std::string salt_text = standard(salt);
  const std::string hash_text = standard(hash);
  const std::optional<std::string> bytes = decode_base64(hash_text);
  if (!bytes || bytes->empty()) return std::nullopt;
  return fmt::format("$pbkdf2-{}$i={},l={}${}${}", digest_name, rounds, bytes->size(), salt_text,
                     hash_text);
}

std::string hash_clear_text(std::string_view text, std::string_view account) {
  const ir::Sha256 seed = ir::hmac_sha256(fmt::format("plan password salt\n{}", account), text);
  const std::string_view salt(reinterpret_cast<const char*>(seed.bytes.data()), kSaltBytes);
  std::array<unsigned char, kPbkdf2Bytes> hash = {};
  const int is_done =
      PKCS5_PBKDF2_HMAC(text.data(), static_cast<int>(text.size()), seed.bytes.data(), kSaltBytes,
                        kPbkdf2Rounds, EVP_sha512(), static_cast<int>(hash.size()), hash.data());
  PLAN_CHECK(is_done == 1, "PBKDF2 with fixed parameters cannot be refused");
  const std::string_view bytes(reinterpret_cast<const char*>(hash.data()), hash.size());
  return fmt::format("$pbkdf2-sha512$i={},l={}${}${}", kPbkdf2Rounds, kPbkdf2Bytes,
                     unpadded_base64(salt), unpadded_base64(bytes));
}

/// Schemes whose text is one of crypt's forms, or another that begins with `$`.
constexpr std::array<std::string_view, 10> kNamesOfCrypt = {
    "CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "BLF-CRYPT", "MD5-CRYPT",
    "MD5",   "ARGON2",       "ARGON2I",      "ARGON2ID",  "SCRYPT"};

std::optional<std::string> rewrite(const Scheme& scheme, std::string_view account) {
  const std::string& name = scheme.name;
  const std::string_view text = scheme.text;
  if (name == "PLAIN" || name == "CLEAR" || name == "CLEARTEXT") {
    std::string clear(text);
    if (scheme.encoding == "HEX") clear = decode_hex(text).value_or(std::string());
    if (scheme.encoding == "B64") clear = decode_base64(text).value_or(std::string());
    if (clear.empty()) return std::nullopt;
    return hash_clear_text(clear, account);
  }
  if (name == "SHA" || name == "SHA1") return rewritten_digest("SHA", scheme, 20, false);
  if (name == "SHA256") return rewritten_digest("SHA256", scheme, 32, false);
  if (name == "SHA512") return rewritten_digest("SHA512", scheme, 64, false);
  if (name == "SSHA") return rewritten_digest("SSHA", scheme, 20, true);
  if (name == "SSHA256") return rewritten_digest("SSHA256", scheme, 32, true);
  if (name == "SSHA512") return rewritten_digest("SSHA512", scheme, 64, true);
  if (name == "LDAP-MD5" || name == "PLAIN-MD5") return rewritten_digest("MD5", scheme, 16, false);
  if (name == "MD5" && !text.starts_with('$')) return rewritten_digest("MD5", scheme, 16, false);
  if (name == "DES-CRYPT") return fmt::format("{{CRYPT}}{}", text);
  if (name == "PBKDF2-SHA256" || name == "PBKDF2-SHA512") {
    const std::vector<std::string_view> fields = split(text, '$');
    if (fields.size() != 3) return std::nullopt;
    return rewritten_pbkdf2(name == "PBKDF2-SHA256" ? "sha256" : "sha512", fields[0], fields[1],
                            fields[2]);
  }
  if (std::find(kNamesOfCrypt.begin(), kNamesOfCrypt.end(), name) == kNamesOfCrypt.end())
    return std::nullopt;
  if (text.starts_with("$pbkdf2-sha256$") || text.starts_with("$pbkdf2-sha512$")) {
    const std::vector<std::string_view> fields = fields_of(text);
    if (fields.size() == 4 && is_digits(fields[1]))
      return rewritten_pbkdf2(fields[0].substr(7), fields[1], fields[2], fields[3]);
  }
  if (text.starts_with("$2x$")) return std::nullopt;
  if (text.starts_with('$')) return std::string(text);
  return name == "CRYPT" ? fmt::format("{{CRYPT}}{}", text) : std::optional<std::string>();
}

}  // namespace

SecretForm secret_form(std::string_view secret) {
  if (secret.starts_with('$')) return dollar_form(secret);
  if (secret.starts_with('{')) {
    const std::size_t end = secret.find('}');
    if (end != std::string_view::npos)
      return scheme_form(secret.substr(1, end - 1), secret.substr(end + 1));
  }
  return SecretForm::plain_text;
}

bool is_damaged(const secret::Secret& stored) {
  constexpr std::array<std::string_view, 11> kDigests = {
      "SHA",     "SHA1",     "SHA256",    "SHA512",        "SSHA",         "SSHA256",
      "SSHA512", "LDAP-MD5", "PLAIN-MD5", "PBKDF2-SHA256", "PBKDF2-SHA512"};
  constexpr std::array<std::string_view, 12> kIds = {
      "1",    "2a",       "2b",      "2y",      "5",      "6",
      "sha1", "argon2id", "argon2i", "argon2d", "scrypt", "pbkdf2-sha256"};
  const auto holds = [](const auto& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const std::string& text = stored.reveal_for("looking whether a password hash is whole");
  const Scheme scheme = split_scheme(text, {});
  const std::optional<std::string> sent = rewrite(scheme, {});
  if ((sent && secret_form(*sent) == SecretForm::usable) || secret_form(text) == SecretForm::usable)
    return false;
  if (holds(kDigests, scheme.name) || scheme.name == "DES-CRYPT") return true;
  if (!holds(kNamesOfCrypt, scheme.name) && scheme.name != "PBKDF2") return false;
  // Of crypt's forms only those of these ids are carried at all.
  if (scheme.text.starts_with('$')) {
    const std::vector<std::string_view> fields = fields_of(scheme.text);
    return fields.size() < 2 || holds(kIds, fields.front()) || fields.front() == "pbkdf2-sha512";
  }
  return scheme.name != "SCRYPT" && scheme.name != "PBKDF2" && !scheme.text.starts_with('_');
}

Result<secret::Secret> secret_for_target(const secret::Secret& stored,
                                         std::string_view default_scheme,
                                         std::string_view account) {
  const std::string& text = stored.reveal_for("rewriting a password hash for the target");
  const Scheme scheme = split_scheme(text, default_scheme);
  std::optional<std::string> rewritten = rewrite(scheme, account);
  if (rewritten && secret_form(*rewritten) == SecretForm::usable)
    return secret::Secret(std::move(*rewritten));
  // A form that the target keeps as it is, under a scheme name that is not Dovecot's.
  if (secret_form(text) == SecretForm::usable) return stored.clone();
  const std::string shown = scheme.name.size() <= 32 ? printable(scheme.name, 32)
                                                     : std::string("a scheme without a known name");
  return Error(errors::password_not_portable,
               fmt::format("the password of {} is kept as {}{}{}, which the target cannot verify",
                           printable(account, 320), shown, scheme.encoding.empty() ? "" : ".",
                           printable(scheme.encoding, 8)))
      .with_blame(Blame::source)
      .with_argument("password");
}

}  // namespace plan::server::stalwart
