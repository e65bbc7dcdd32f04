#include "runtime/secret/secret.h"

#include <openssl/crypto.h>

#include <utility>

namespace plan::secret {
namespace {

void wipe(std::string& text) {
  // All of the buffer: a string that was shortened keeps its old end behind the new one.
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

}  // namespace

Secret::Secret(Secret&& other) noexcept : value_(other.value_) { wipe(other.value_); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe(value_);
    value_ = other.value_;
    wipe(other.value_);
  }
  return *this;
}

Secret::~Secret() { wipe(value_); }

const std::string& Secret::reveal_for(std::string_view reason) const {
  static_cast<void>(reason);
  return value_;
}

}  // namespace plan::secret
