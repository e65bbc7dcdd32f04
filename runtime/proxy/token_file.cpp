#include "runtime/proxy/token_file.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include <fstream>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/limits.h"

namespace plan::proxy {

Result<std::string> read_token_file(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0)
    return Error(errors::proxy_config, fmt::format("token file {} cannot be read", path));
  if ((about.st_mode & (S_IRGRP | S_IROTH | S_IWGRP | S_IWOTH)) != 0) {
    return Error(
        errors::proxy_config,
        fmt::format("token file {} can be read by others than its owner (chmod 600)", path));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(kTokenBytesMax + 64, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  const std::string token(trim(text));
  if (token.size() < kTokenBytesMin || token.size() > kTokenBytesMax) {
    return Error(errors::proxy_config,
                 fmt::format("the token in {} has {} bytes, it takes {} to {}", path, token.size(),
                             kTokenBytesMin, kTokenBytesMax));
  }
  return token;
}

bool is_same_token(std::string_view shown, std::string_view expected) {
  const ir::Sha256 left = ir::sha256(shown);
  const ir::Sha256 right = ir::sha256(expected);
  return !expected.empty() &&
         CRYPTO_memcmp(left.bytes.data(), right.bytes.data(), left.bytes.size()) == 0;
}

}  // namespace plan::proxy
