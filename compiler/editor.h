#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plan {

/// What an editor may offer at a place. Both languages; places are bytes of the text, which may be
/// half written.
struct Completion {
  std::string label = {};
  std::string detail = {};
  std::string insert = {};
};

/// Keys of the block at the cursor, words that its key may have, functions and names inside an
/// expression, kinds of steps, modules. `modules` are the names of those that are compiled in.
[[nodiscard]] std::vector<Completion> completions_at(std::string_view file_name,
                                                     std::string_view text, std::size_t at,
                                                     const std::vector<std::string>& modules);

/// What the word at the cursor means, as Markdown.
[[nodiscard]] std::optional<std::string> hover_at(std::string_view file_name, std::string_view text,
                                                  std::size_t at);

/// Where the word at the cursor is defined: a place of the same text, or another file.
struct Definition {
  std::string path = {};  ///< of a module in the plan's folder; empty: this text
  std::size_t begin = 0;
  std::size_t end = 0;
};
[[nodiscard]] std::optional<Definition> definition_at(std::string_view file_name,
                                                      std::string_view text, std::size_t at);

/// Every place of this text that means the same thing as the word at the cursor: a step of a module
/// (its id, and where others wait for it), a `let`, an input. The first is where it is declared.
/// Empty: nothing there has a name of its own to change.
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};
[[nodiscard]] std::vector<TextRange> places_of_name_at(std::string_view file_name,
                                                       std::string_view text, std::size_t at);

/// Why `name` cannot be the new name of what stands at the cursor; empty: it can.
[[nodiscard]] std::string why_not_renamed(std::string_view file_name, std::string_view text,
                                          std::size_t at, std::string_view name);

}  // namespace plan
