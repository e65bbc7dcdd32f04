#pragma once
#include <string>
#include <string_view>

namespace plan::syntax {

// The words of the plan language, for its reader and its writer.

[[nodiscard]] bool is_word_begin(char c);
[[nodiscard]] bool is_word_part(char c);  ///< with `-`
[[nodiscard]] bool is_path_part(char c);  ///< of ids and modules; `{}` beside it
/// `hold-mail`: may stand as a key without quotes.
[[nodiscard]] bool is_word(std::string_view text);
/// `holds_mail`: may stand in an expression.
[[nodiscard]] bool is_name(std::string_view text);
/// `account/{}/hold-mail`, `std/stalwart-0.15`, `./mine.plan`.
[[nodiscard]] bool is_path(std::string_view text);
/// `!secret`: what YAML calls a tag.
[[nodiscard]] bool is_tag(std::string_view text);
/// Words that begin a statement unless `=` or `{` follows.
[[nodiscard]] bool is_statement_word(std::string_view text);
/// The text as a template that says it: `${` becomes `$${`.
[[nodiscard]] std::string escape_template(std::string_view text);

}  // namespace plan::syntax
