#pragma once
#include <string>

namespace plan {

/// Appends one code point in UTF-8 (RFC 3629 section 3). `point` is at most 10FFFF and no
/// surrogate.
void append_utf8(std::string& text, char32_t point);

}  // namespace plan
