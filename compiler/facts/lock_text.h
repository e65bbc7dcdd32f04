#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"

namespace plan::facts {

/// A word of a lock line: blanks, control characters, `%` and `,` percent-escaped, UTF-8 as it is.
/// Bytes that are not UTF-8 are escaped too. The empty word is `%`.
[[nodiscard]] std::string escape_word(std::string_view text);
/// The way back; nothing when `word` is not the one spelling that escape_word gives.
[[nodiscard]] std::optional<std::string> unescape_word(std::string_view word);
/// Words joined by `,`; an empty list is the empty text.
[[nodiscard]] std::string escape_list(const std::vector<std::string>& words);
[[nodiscard]] std::optional<std::vector<std::string>> unescape_list(std::string_view text);

/// Is a number below 0 in it? What a survey sees are counts, ports and durations; a lock with such
/// a one was not written by a survey.
[[nodiscard]] bool has_negative(const ir::Value& value);

}  // namespace plan::facts
