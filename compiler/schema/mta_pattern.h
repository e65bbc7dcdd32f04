#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/schema/mta_expression.h"

namespace plan::schema {

/// Bytes up to which a text is compared with a regular expression, and of that one.
inline constexpr std::size_t kMatchedBytesMax = 4096;
inline constexpr std::size_t kPatternBytesMax = 1024;

/// What every text that a regular expression is found in has, read from the expression alone. It is
/// a little of what there is: empty where the expression is of a kind that is not looked into.
struct PatternText {
  std::string needed = {};     ///< a part of the text; lower case where the case does not matter
  std::string domain = {};     ///< the text ends in `@` and this
  bool is_from_first = false;  ///< it is found at the first character or nowhere
  bool is_any_case = false;    ///< `(?i)` in front
};
[[nodiscard]] PatternText read_pattern(std::string_view pattern);

/// Begin and end in the text: the whole that was found, then its groups. A group without a part in
/// it is empty.
using Captures = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
struct PatternAnswer {
  bool is_readable = true;  ///< false: only the server can tell, also of what is too large
  std::optional<Captures> found = {};
};
/// Looks for what a pattern describes in a text; both within the bounds above. What is compiled of
/// the pattern is kept for the next text, and the answer for the next time, both within bounds of
/// each thread.
[[nodiscard]] PatternAnswer find_pattern(const std::string& pattern, const std::string& text);

/// What this thread's patterns have cost so far, by their sizes and those of the texts, as if
/// nothing were kept: the same of the same questions, whatever was asked before. A hundred million
/// are about a second.
[[nodiscard]] std::size_t pattern_work();

/// The one domain of which a recipient has to be for this node to be true:
/// `matches('@example[.]org$', rcpt)`. Empty: of any, or the node is something else.
[[nodiscard]] std::string domain_of_pattern(const MtaExpression& expression, const MtaNode& node);

}  // namespace plan::schema
