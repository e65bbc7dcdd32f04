#pragma once
#include <string>
#include <string_view>

#include "compiler/source/result.h"

namespace plan::proxy {

/// The control token: the file's text without white space around it. Refused when others than its
/// owner can read the file, or when it is shorter or longer than limits.h says. Errors:
/// proxy-config.
[[nodiscard]] Result<std::string> read_token_file(const std::string& path);
/// In constant time, also over the length.
[[nodiscard]] bool is_same_token(std::string_view shown, std::string_view expected);

}  // namespace plan::proxy
