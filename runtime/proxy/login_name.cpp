#include "runtime/proxy/login_name.h"

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/proxy/limits.h"

namespace plan::proxy {

std::string normal_login(std::string_view login) { return lower_ascii(trim(login)); }

std::string_view user_part(std::string_view login, const std::vector<std::string>& separators) {
  std::size_t cut = std::string_view::npos;
  for (const std::string& separator : separators) {
    if (!separator.empty()) cut = std::min(cut, login.find(separator));
  }
  return cut == std::string_view::npos || cut == 0 ? login : login.substr(0, cut);
}

bool is_login_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax || first_invalid_utf8(name)) return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7f;
  });
}

}  // namespace plan::proxy
