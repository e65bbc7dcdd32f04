#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace plan::proxy {

/// The form in which login names are compared: ASCII letters lower case, blanks around it cut.
[[nodiscard]] std::string normal_login(std::string_view login);
/// The part before the earliest separator (`alice@example.org%master` -> `alice@example.org`); the
/// whole name when there is none or when nothing would be left.
[[nodiscard]] std::string_view user_part(std::string_view login,
                                         const std::vector<std::string>& separators);
/// May this be a login name in the map: not empty, within its bound, valid UTF-8, no control
/// character, no blank.
[[nodiscard]] bool is_login_name(std::string_view name);

}  // namespace plan::proxy
