#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "compiler/source/text.h"

namespace plan::flow {

/// The recipient of a message in its two parts: the local part as the sender wrote it.
struct Address {
  std::string local = {};
  std::string domain = {};  ///< lower case
  [[nodiscard]] std::string text() const {
    std::string text;
    text.reserve(local.size() + 1 + domain.size());
    text += local;
    text += '@';
    text += domain;
    return text;
  }
};

[[nodiscard]] inline Address parse_address(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, at)), lower_ascii(text.substr(at + 1))};
}

/// What is behind the last `@`, in lower case; empty without one.
[[nodiscard]] inline std::string domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string() : lower_ascii(address.substr(at + 1));
}

/// The address with a tag: `user@x` -> `user+tag@x`.
[[nodiscard]] inline std::string with_tag(const std::string& address, char delimiter = '+') {
  const std::size_t at = address.rfind('@');
  if (at == std::string::npos) return address;
  return address.substr(0, at) + delimiter + "tag" + address.substr(at);
}

/// The address without its tag, which begins with one of `delimiters`: `user+tag@x` -> `user@x`.
[[nodiscard]] inline std::string without_tag(const Address& address,
                                             std::string_view delimiters = "+") {
  const std::size_t tag = address.local.find_first_of(delimiters);
  if (tag == std::string::npos || tag == 0) return address.text();
  return address.local.substr(0, tag) + "@" + address.domain;
}

}  // namespace plan::flow
