#include "runtime/dump/blake3.h"

#include <blake3.h>

namespace plan::dump {

struct Blake3::State {
  blake3_hasher hasher = {};
};

Blake3::Blake3() : state_(std::make_unique<State>()) { blake3_hasher_init(&state_->hasher); }
Blake3::~Blake3() = default;

void Blake3::update(std::string_view bytes) {
  blake3_hasher_update(&state_->hasher, bytes.data(), bytes.size());
}

std::string Blake3::finish() const {
  std::string digest(BLAKE3_OUT_LEN, '\0');
  blake3_hasher_finalize(&state_->hasher, reinterpret_cast<std::uint8_t*>(digest.data()),
                         digest.size());
  return digest;
}

std::string blake3(std::string_view bytes) {
  Blake3 hasher;
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace plan::dump
