#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/step_kind.h"
#include "compiler/source/text.h"

namespace plan {

/// The place where somebody writes: everything that can be told of it without a whole tree, because
/// the text is half written.
class EditorCursor {
 public:
  EditorCursor(std::string_view file_name, std::string_view text, std::size_t at);

  [[nodiscard]] bool is_language() const { return is_language_; }
  [[nodiscard]] std::string_view word() const;
  [[nodiscard]] std::size_t word_begin() const { return word_begin_; }
  /// An id or a module's name: `account/{}/hold`.
  [[nodiscard]] std::string_view path_word() const;
  /// The line up to the word that is being written.
  [[nodiscard]] std::string_view before() const;
  /// The line up to the id, module or kind of step that is being written.
  [[nodiscard]] std::string_view before_path() const;
  [[nodiscard]] bool is_called() const { return text_.substr(word_end_).starts_with('('); }
  [[nodiscard]] bool is_module() const;

  /// Inside `${...}`, or behind the `=` of the plan language and in no text.
  [[nodiscard]] bool is_in_expression() const;

  /// `addresses.` in front of the word: ["addresses"].
  [[nodiscard]] std::vector<std::string> members_before() const;

  /// The key whose value is being written on this line.
  [[nodiscard]] std::string key_on_line() const { return key_before(before()); }
  /// The same, where the value is an id, a module or a kind of step.
  [[nodiscard]] std::string key_before_path() const { return key_before(before_path()); }

  /// Inside quotes: what is inserted needs none.
  [[nodiscard]] bool is_quoted() const;

  /// The type that the step around the cursor is about: the value of its `object`.
  [[nodiscard]] std::string object_of_step() const { return value_in_step("object"); }
  /// The kind of the step around the cursor.
  [[nodiscard]] std::optional<ir::StepKind> kind_of_step() const;
  /// At the beginning of a line, where the statements and blocks of a file stand.
  [[nodiscard]] bool is_outermost() const { return line_begin(word_begin_) == word_begin_; }

  /// Keys of the blocks around the cursor, from the outside in: by indentation, and by the braces
  /// that are open on the line.
  [[nodiscard]] std::vector<std::string> blocks() const;

 private:
  [[nodiscard]] bool begins_step(std::size_t line) const;
  [[nodiscard]] std::size_t step_begin() const;
  [[nodiscard]] std::string value_in_step(std::string_view key) const;
  static std::string value_in(std::string_view line, std::string_view key);

  /// Is the end of this part of a line in the value of an entry, in no text? A map's braces begin
  /// with keys again, and so does what stands behind a comma in them.
  static bool is_behind_assign(std::string_view line);

  static std::string key_before(std::string_view left);

  [[nodiscard]] bool is_path_char(std::size_t i) const;
  [[nodiscard]] std::size_t line_begin(std::size_t at) const;
  [[nodiscard]] std::size_t indent_of(std::size_t line, std::size_t end) const;
  static std::string key_of(std::string_view line);
  static void add_braces(std::string_view line, std::vector<std::string>& keys);

  bool is_language_;
  std::string_view text_;
  std::size_t at_;
  std::size_t word_begin_ = 0;
  std::size_t word_end_ = 0;
  std::size_t path_begin_ = 0;
  std::size_t path_end_ = 0;
};

}  // namespace plan
