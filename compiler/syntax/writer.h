#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/syntax/comments.h"
#include "compiler/syntax/format.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

/// What a tree was read from: its text, its comments; empty for a tree that was made.
struct Layout {
  std::string_view text = {};
  Language language = Language::yaml;
  CommentPlaces comments = {};
};

/// A text, and the comments for which there was no place in it.
struct Written {
  std::string text = {};
  CommentPlaces::List left_out = {};
};

/// What stands in front of a part in the text that is written.
enum class Front : std::uint8_t {
  nothing,  ///< no line of its own opens what the part is the first of
  opening,  ///< the line that opens its collection: an empty line below that is the part's
  part      ///< another part
};

/// What both writers have in common: lines, indentation, comments and empty lines that were there.
class Writer {
 public:
  Writer(const Layout& layout, Language to, const FormatOptions& options)
      : layout_(layout), to_(to), options_(options), is_written_(layout.comments.size(), false) {}

 protected:
  [[nodiscard]] bool has_layout() const { return !layout_.text.empty(); }
  void begin_line(std::size_t indent) { out_.append(indent, ' '); }
  void end_line() {
    out_ += '\n';
    has_comment_ = false;
  }
  [[nodiscard]] std::size_t column() const;
  /// The comments in front of a part that begins at `place`, and the empty line that was there.
  void write_before(const void* part, std::uint32_t place, std::size_t indent, Front front);
  /// Of an item: its place is that of its tag, and in YAML a dash stands in front.
  void write_before_item(const Node& item, std::size_t indent, Front front);
  /// A comment behind what stands on the line, unless there is one already.
  void write_behind(const CommentPlaces::List& comments);
  /// On lines of their own.
  void write_lines(const CommentPlaces::List& comments, std::size_t indent);
  void write_tail(const Node& node, std::size_t indent, bool is_first);
  [[nodiscard]] Written take_written();
  /// May a collection stand on one line: it did, nothing inside needs more, or it was nowhere.
  [[nodiscard]] bool is_inline(const Node& node) const;
  [[nodiscard]] bool fits(std::string_view text) const;
  /// `${expression}` on one line.
  [[nodiscard]] static std::string on_one_line(std::string_view expression);

  const Layout& layout_;
  Language to_;
  FormatOptions options_;
  std::string out_;

 private:
  /// Where the line of a part begins, if nothing but its sign and words of a statement stand in
  /// front of it.
  [[nodiscard]] std::uint32_t lead_begin(std::uint32_t at) const;
  [[nodiscard]] bool has_empty_line_above(std::uint32_t at) const;
  /// With an empty line above: is that behind what opens the part's collection? In YAML one `sign`
  /// may stand in front of the part, the dash of an item or the question mark of a key.
  [[nodiscard]] bool begins_line(std::uint32_t at, char sign) const;
  void write_before(const void* part, std::uint32_t place, std::size_t indent, Front front,
                    char sign);
  void write_comment(const Comment& comment);
  /// Lines keep their indentation below the first of those that follow one another.
  void write_comment_lines(const CommentPlaces::List& comments, std::size_t from, std::size_t to,
                           std::size_t indent, bool is_first, bool keeps_empty_lines);

  bool has_comment_ = false;  ///< on the line that is being written
  /// Begin of the line below the last empty one that was a part's: not that of its first part too.
  std::uint32_t below_empty_line_ = UINT32_MAX;
  std::vector<bool> is_written_ = {};  ///< by index of the comment
};

/// `"text"` with escapes, as both languages have it.
[[nodiscard]] std::string quoted_text(std::string_view text);
/// An expression with one blank wherever it has blanks or a new line, but in its texts.
[[nodiscard]] std::string with_single_blanks(std::string_view expression);
/// The texts of an expression that have no escapes, in single quotes.
[[nodiscard]] std::string with_plain_quotes(std::string expression);
/// A duration or a size where it has no quotes, a text where it has them: `30s`, `50MiB`.
[[nodiscard]] bool is_quantity(std::string_view text);
/// Is this a scalar without quotes that is no text: a number, true, false?
[[nodiscard]] bool is_plain_value(const Node& scalar);

[[nodiscard]] Written write_yaml(const Node& tree, const Layout& layout,
                                 const FormatOptions& options);
[[nodiscard]] Written write_language(const Node& tree, const Layout& layout,
                                     const FormatOptions& options);
/// In the language `to`. Comments without a place there move outwards, as far as they have to.
[[nodiscard]] std::string write_text(const Node& tree, Layout& layout, Language to,
                                     const FormatOptions& options);

}  // namespace plan::syntax
