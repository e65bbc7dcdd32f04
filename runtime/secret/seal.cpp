#include "runtime/secret/seal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "compiler/ir/digest.h"
#include "compiler/source/check.h"
#include "runtime/secret/errors.h"
#include "runtime/secret/limits.h"
#include "runtime/secret/private_file.h"

namespace plan::secret {
namespace {

constexpr std::string_view kVersion = "v1.";
constexpr std::string_view kPurpose = "plan sealed value v1";
constexpr std::string_view kDigestPurpose = "plan keyed digest v1";
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

Error damaged(std::string message) { return Error(errors::seal_damaged, std::move(message)); }

/// Writes beside, syncs, links into place: of two makers one wins, and nobody reads half a key.
Outcome make_key_file(const std::string& path) {
  std::array<unsigned char, 32> random = {};
  PLAN_CHECK(RAND_bytes(random.data(), static_cast<int>(random.size())) == 1,
             "the system has randomness");
  std::string text =
      ir::to_hex({reinterpret_cast<const char*>(random.data()), random.size()}) + "\n";
  OPENSSL_cleanse(random.data(), random.size());
  std::string beside = path + ".XXXXXX";
  const int file = ::mkstemp(beside.data());  // mode 0600
  if (file < 0) {
    OPENSSL_cleanse(text.data(), text.size());
    return Error(errors::secret_unreadable,
                 fmt::format("{}: cannot be made: {}", path, std::strerror(errno)));
  }
  const bool is_written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file) == 0;
  ::close(file);
  OPENSSL_cleanse(text.data(), text.size());
  const bool is_linked =
      is_written && (::link(beside.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int reason = errno;
  ::unlink(beside.c_str());
  if (!is_linked) {
    return Error(errors::secret_unreadable,
                 fmt::format("{}: cannot be made: {}", path, std::strerror(reason)));
  }
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
  return {};
}

}  // namespace

SealKey::SealKey(SealKey&& other) noexcept : key_(other.key_) {
  OPENSSL_cleanse(other.key_.data(), other.key_.size());
}

SealKey::~SealKey() { OPENSSL_cleanse(key_.data(), key_.size()); }

Result<SealKey> SealKey::load(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) {
    return damaged(fmt::format("{}: the key of this plan is not there", path));
  }
  PLAN_TRY(text, read_private_file(path));
  const std::string& hex = text.reveal_for("reading the seal key");
  SealKey key;
  if (hex.size() != 2 * key.key_.size()) return damaged(fmt::format("{}: holds no key", path));
  for (std::size_t i = 0; i < key.key_.size(); ++i) {
    const int high = nibble(hex[2 * i]);
    const int low = nibble(hex[2 * i + 1]);
    if (high < 0 || low < 0) return damaged(fmt::format("{}: holds no key", path));
    key.key_[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return key;
}

Result<SealKey> SealKey::load_or_make(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) PLAN_TRY_VOID(make_key_file(path));
  return load(path);
}

Result<std::string> SealKey::seal(const Secret& secret) const {
  const std::string& clear = secret.reveal_for("sealing a prior state");
  if (clear.size() > kSecretBytesMax) {
    return Error(errors::secret_too_large, fmt::format("a value to seal has {} bytes, at most {}",
                                                       clear.size(), kSecretBytesMax));
  }
  std::string out(kNonceBytes + clear.size() + kTagBytes, '\0');
  PLAN_CHECK(RAND_bytes(bytes_of(out), static_cast<int>(kNonceBytes)) == 1,
             "the system has randomness");
  const Context context(EVP_CIPHER_CTX_new());
  int written = 0;
  int ignored = 0;
  const bool is_sealed =
      context != nullptr &&
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), bytes_of(out)) ==
          1 &&
      EVP_EncryptUpdate(context.get(), nullptr, &ignored, bytes_of(kPurpose),
                        static_cast<int>(kPurpose.size())) == 1 &&
      EVP_EncryptUpdate(context.get(), bytes_of(out) + kNonceBytes, &written,
                        bytes_of(std::string_view(clear)), static_cast<int>(clear.size())) == 1 &&
      EVP_EncryptFinal_ex(context.get(), bytes_of(out) + kNonceBytes + written, &ignored) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(kTagBytes),
                          bytes_of(out) + kNonceBytes + clear.size()) == 1;
  PLAN_CHECK(is_sealed, "AES-256-GCM of bounded input does not fail");
  return std::string(kVersion) + ir::to_base64(out, true);
}

Result<Secret> SealKey::open(std::string_view sealed) const {
  if (sealed.substr(0, kVersion.size()) != kVersion) {
    return damaged("a sealed value is of an unknown version");
  }
  bool is_valid = false;
  std::string in = ir::from_base64(sealed.substr(kVersion.size()), &is_valid);
  if (!is_valid || in.size() < kNonceBytes + kTagBytes ||
      in.size() > kNonceBytes + kTagBytes + kSecretBytesMax) {
    return damaged("a sealed value is cut or altered");
  }
  const std::size_t length = in.size() - kNonceBytes - kTagBytes;
  std::string clear(length, '\0');
  const Context context(EVP_CIPHER_CTX_new());
  int written = 0;
  int ignored = 0;
  unsigned char none = 0;
  const bool is_open =
      context != nullptr &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), bytes_of(in)) ==
          1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &ignored, bytes_of(kPurpose),
                        static_cast<int>(kPurpose.size())) == 1 &&
      EVP_DecryptUpdate(context.get(), length == 0 ? &none : bytes_of(clear), &written,
                        bytes_of(in) + kNonceBytes, static_cast<int>(length)) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(kTagBytes),
                          bytes_of(in) + kNonceBytes + length) == 1 &&
      EVP_DecryptFinal_ex(context.get(), length == 0 ? &none : bytes_of(clear) + written,
                          &ignored) == 1;
  if (!is_open) {
    OPENSSL_cleanse(clear.data(), clear.size());
    return damaged("a sealed value does not open with the key of this plan");
  }
  return Secret(std::move(clear));
}

std::string SealKey::keyed_digest(const Secret& secret) const {
  const ir::Sha256 derived =
      ir::hmac_sha256({reinterpret_cast<const char*>(key_.data()), key_.size()}, kDigestPurpose);
  return ir::hmac_sha256(
             {reinterpret_cast<const char*>(derived.bytes.data()), derived.bytes.size()},
             secret.reveal_for("digest under the plan's key"))
      .hex();
}

}  // namespace plan::secret
