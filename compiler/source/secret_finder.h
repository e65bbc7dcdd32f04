#pragma once
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/command_secrets.h"
#include "compiler/source/secret_places.h"

namespace plan {

/// Of a name, a key or a tag.
[[nodiscard]] constexpr bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '@';
}

/// What secret_places() works with: one walk over the characters of a text, whose parts stand in a
/// file each. secret_places.cpp walks: lines, brackets, keys, the words of commands. When a key
/// stands there that is called like a secret, what is behind it is taken by
/// secret_values_yaml.cpp (YAML and JSON, and the brackets of either language) or
/// secret_values_language.cpp (expressions of the plan language). Which names are those of secrets
/// is a matter of secret_names.h, what is one in a command of command_secrets.h.
class SecretFinder {
 public:
  SecretFinder(std::string_view text, bool is_language) : text_(text), is_language_(is_language) {}

  std::vector<SecretPlace> find();

 private:
  static constexpr std::size_t kNone = std::string_view::npos;
  // Longer names are of no key.
  static constexpr std::size_t kNameMax = 40;

  [[nodiscard]] char peek(std::size_t at) const { return at < text_.size() ? text_[at] : '\n'; }
  [[nodiscard]] std::size_t past_blanks(std::size_t at) const {
    while (at < text_.size() && (text_[at] == ' ' || text_[at] == '\t' || text_[at] == '\r')) ++at;
    return at;
  }
  // Both keep what they found: a line may be as long as the file and full of keys.
  [[nodiscard]] std::size_t line_end(std::size_t at) const;
  [[nodiscard]] std::size_t line_begin(std::size_t at) const;
  [[nodiscard]] std::size_t past_word(std::size_t at) const {
    while (at < text_.size() && is_word(text_[at])) ++at;
    return at;
  }
  /// Where the quote at `at` closes; std::string_view::npos: it does not, before `end`.
  [[nodiscard]] std::size_t closing(std::size_t at, std::size_t end) const;
  /// Does a reference say where a secret is read? Behind its colon nothing may stand: nothing is
  /// secret then either.
  static bool says_where(std::string_view value);
  static bool is_quote(char c) { return c == '"' || c == '\''; }

  /// The first byte that is no blank of the line of `at`.
  [[nodiscard]] std::size_t first_of_line(std::size_t at) const {
    const std::size_t begin = line_begin(at);
    if (first_known_of_ != begin || first_known_ < begin) {
      first_known_of_ = begin;
      first_known_ = past_blanks(begin);
    }
    return first_known_;
  }
  [[nodiscard]] std::size_t indentation(std::size_t at) const {
    return first_of_line(at) - line_begin(at);
  }

  [[nodiscard]] bool begins_line_with(std::size_t at, std::string_view word) const;

  /// Does a key stand at `begin`: in front of it a line, an entry, or the word that makes it one?
  [[nodiscard]] bool is_key_place(std::size_t begin) const;

  void step();

  /// Brackets are not counted over lines: one that is missing would make the rest a part of it.
  void begin_line(std::size_t begin);
  /// Does the line that ends at `end` go on in the next one?
  [[nodiscard]] bool last_of_line(std::size_t end) const;

  /// What may be the next word of a command, behind the `[`, `,` or `-` in front of `at`.
  void command_word(std::size_t at, bool is_line = false);

  /// A command in one text, as a shell would take it.
  void command_line(std::size_t at);

  /// A string that is no value of a secret: a key, or a word of a command.
  void quoted();

  /// What stands behind a word or a quoted word, from `begin` to `end` with its quotes.
  void word(std::string_view name, std::size_t begin, std::size_t end);

  /// `password "..."`, `password ...`: what somebody writes who forgets the sign between the two.
  void without_sign(std::string_view name, std::size_t begin, std::size_t end, std::size_t at);

  struct Shape {
    bool is_scalar_only = false;  // a mapping that stands there has keys of its own
    bool ends_at_comma = false;   // it is a word of a list
  };

  /// The value that begins at `at`, behind its key.
  void value(std::size_t at, Shape shape);

  /// `command:...`: where a secret is read, in which another one may stand.
  void reference(std::size_t begin, std::size_t end);

  /// `|`, `>-`, `|2`, and nothing else in the line.
  [[nodiscard]] bool is_block_header(std::size_t at) const;

  /// Does what stands at `at`, behind a comma, begin another entry, or is nothing there?
  [[nodiscard]] bool is_entry(std::size_t at) const;
  /// Does the bracket at `at` close something, as one that is no part of a value?
  [[nodiscard]] bool is_close(std::size_t at) const;

  /// Where what stands at `at` without quotes ends: generously, for it may have any character.
  [[nodiscard]] std::size_t bare_end(std::size_t at, bool ends_at_comma) const;

  /// The lines that are indented deeper than their key, from the end of its line on.
  void below(std::size_t at, std::size_t indent);

  /// The end of a list or mapping: behind its bracket, or where a line is not of it any more.
  [[nodiscard]] std::size_t bracket_end(std::size_t at, std::size_t indent) const;

  void bracket(std::size_t at, std::size_t indent);

  /// `let NAME`, `input NAME`, `for NAME`: names of the author's own are no secrets.
  void find_declared_names();

  /// May a name be shown where a secret is expected? One that the plan has, not one that may be
  /// the secret itself.
  [[nodiscard]] bool is_known_name(std::string_view path) const;

  /// The end of the name or the number at `at`, with all its parts.
  [[nodiscard]] std::size_t past_name(std::size_t at) const {
    while (at < text_.size() && (is_word(text_[at]) || text_[at] == '.')) ++at;
    return at;
  }
  /// `default(`: the name of a function has small letters only.
  [[nodiscard]] bool is_function(std::size_t begin, std::size_t end) const;
  [[nodiscard]] bool is_shown(std::size_t begin, std::size_t end) const;

  /// The part [begin, end) of an expression: all of it that is no name of the plan is secret.
  void expression(std::size_t begin, std::size_t end);

  /// Behind `input NAME :` a type, and behind it the default: secret by its name or its type.
  void input_value(std::size_t at, bool is_secret);

  /// Where the value at the end of its line begins when it stands in the next one, which is a
  /// mistake; std::string_view::npos: nothing is there.
  [[nodiscard]] std::size_t in_next_line(std::size_t end, std::size_t indent) const;

  /// An expression that begins at `at`: it may be anything but one.
  void language_value(std::size_t at, std::size_t indent, Shape shape);
  /// What stands at `at` is of no expression: with all that follows a secret. Where it ends.
  std::size_t rest(std::size_t at);

  /// `https://user:secret@host`
  void find_urls();

  /// Adds what is in [begin, end); of an interpolation `${...}` what is no name of the plan.
  void add(std::size_t begin, std::size_t end);
  void place(std::size_t begin, std::size_t end);
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
  static bool is_space(char c) { return is_blank(c) || c == '\n'; }

  /// Quotes of one kind that nothing closes before `end`.
  struct Unclosed {
    std::size_t end = 0;
    std::size_t count = 0;
  };

  std::string_view text_;
  bool is_language_ = false;
  std::size_t at_ = 0;
  mutable Unclosed single_ = {};
  mutable Unclosed double_ = {};
  std::string flow_ = {};  // the brackets of the line that are open
  bool is_comment_ = false;
  CommandWords command_ = {};
  std::size_t command_line_end_ = 0;
  std::set<std::string_view> declared_ = {};
  mutable std::size_t end_known_from_ = 1;
  mutable std::size_t end_known_ = 0;
  mutable std::size_t begin_known_at_ = 0;
  mutable std::size_t begin_known_ = 0;
  mutable std::size_t first_known_of_ = kNone;
  mutable std::size_t first_known_ = 0;
  std::vector<SecretPlace> places_ = {};
};

}  // namespace plan
