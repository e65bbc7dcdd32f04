#include "runtime/archive/digest.h"

#include <blake3.h>

#include "compiler/ir/digest.h"

namespace plan::archive {

std::string blake3(std::string_view bytes) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  std::string digest(BLAKE3_OUT_LEN, '\0');
  blake3_hasher_finalize(&hasher, reinterpret_cast<std::uint8_t*>(digest.data()), digest.size());
  return digest;
}

std::string sha256_raw(std::string_view bytes) {
  const ir::Sha256 digest = ir::sha256(bytes);
  return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
}

}  // namespace plan::archive
