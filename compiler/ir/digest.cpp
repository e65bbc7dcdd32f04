#include "compiler/ir/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "compiler/source/check.h"

namespace plan::ir {

struct Sha256Stream::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {
  PLAN_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1,
             "SHA-256 is always available");
}
Sha256Stream::~Sha256Stream() { EVP_MD_CTX_free(state_->context); }

void Sha256Stream::update(std::string_view data) {
  PLAN_CHECK(EVP_DigestUpdate(state_->context, data.data(), data.size()) == 1,
             "hashing does not fail");
}

Sha256 Sha256Stream::finish() {
  Sha256 digest;
  PLAN_CHECK(EVP_DigestFinal_ex(state_->context, digest.bytes.data(), nullptr) == 1,
             "hashing does not fail");
  return digest;
}

Sha256 sha256(std::string_view data) {
  Sha256Stream stream;
  stream.update(data);
  return stream.finish();
}

Sha256 hmac_sha256(std::string_view key, std::string_view data) {
  Sha256 digest;
  unsigned length = 0;
  PLAN_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                  reinterpret_cast<const unsigned char*>(data.data()), data.size(),
                  digest.bytes.data(), &length) != nullptr,
             "HMAC does not fail");
  return digest;
}

std::string Sha256::hex() const {
  return to_hex(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += kDigits[static_cast<std::uint8_t>(c) >> 4U];
    out += kDigits[static_cast<std::uint8_t>(c) & 15U];
  }
  return out;
}

std::string to_base64(std::string_view bytes, bool is_url_safe) {
  const std::string_view alphabet =
      is_url_safe ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                  : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    buffer = (buffer << 8U) | static_cast<std::uint8_t>(c);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out += alphabet[(buffer >> bits) & 63U];
    }
  }
  if (bits != 0) out += alphabet[(buffer << (6 - bits)) & 63U];
  if (!is_url_safe) {
    while (out.size() % 4 != 0) out += '=';
  }
  return out;
}

std::string from_base64(std::string_view text, bool* is_valid) {
  *is_valid = false;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string out;
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char c : text) {
    std::uint32_t digit = 0;
    if (c >= 'A' && c <= 'Z')
      digit = static_cast<std::uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      digit = static_cast<std::uint32_t>(c - 'a') + 26;
    else if (c >= '0' && c <= '9')
      digit = static_cast<std::uint32_t>(c - '0') + 52;
    else if (c == '+' || c == '-')
      digit = 62;
    else if (c == '/' || c == '_')
      digit = 63;
    else
      return {};
    buffer = (buffer << 6U) | digit;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((buffer >> bits) & 0xFFU);
    }
  }
  if (bits >= 6) return {};
  *is_valid = true;
  return out;
}

}  // namespace plan::ir
