#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "compiler/syntax/scalar.h"
#include "compiler/syntax/writer.h"

namespace plan::syntax {
namespace {

constexpr std::size_t kIndent = 2;
/// Readers of YAML give up looking for the colon of a longer key that has no question mark.
constexpr std::size_t kShortKeyBytes = 1000;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

/// May `text` stand without quotes and be read as itself?
bool is_plain_safe(std::string_view text, bool is_flow) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || text.back() == ':') return false;
  constexpr std::string_view kIndicators = "-?:,[]{}#&*!|>'\"%@`=<~";
  if (kIndicators.find(text.front()) != std::string_view::npos) return false;
  if (std::any_of(text.begin(), text.end(), is_control)) return false;
  if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos)
    return false;
  if (text.starts_with("---") || text.starts_with("...")) return false;
  // At the beginning of a file it would be a byte-order mark.
  if (text.starts_with("\xEF\xBB\xBF")) return false;
  // yaml-cpp ends a scalar of a flow at each of these. A colon inside a word is no indicator.
  return !is_flow || text.find_first_of(",?[]{}#") == std::string_view::npos;
}

/// A text that other readers of YAML take for a truth value or a number: it has quotes for them.
bool is_other_elsewhere(std::string_view text) {
  static constexpr std::array<std::string_view, 8> kWords = {"yes",  "no",    "on", "off",
                                                             "true", "false", "y",  "n"};
  if (std::any_of(kWords.begin(), kWords.end(),
                  [&](std::string_view word) { return equals_ignoring_case(text, word); }))
    return true;
  std::string_view digits = text;
  if (digits.starts_with('+') || digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.starts_with("0x"))
    return digits.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string_view::npos;
  if (digits.starts_with("0o")) digits.remove_prefix(2);
  if (digits.find_first_of("0123456789") == std::string_view::npos) return false;
  return digits.find_first_not_of("0123456789_.eE+-") == std::string_view::npos &&
         std::count(digits.begin(), digits.end(), '.') <= 1;
}

bool is_null_word(std::string_view text) {
  return text == "null" || text == "Null" || text == "NULL" || text == "~";
}

std::string double_quoted_yaml(std::string_view text) {
  std::string quoted;
  for (const char c : quoted_text(text))
    quoted +=
        is_control(c) ? fmt::format("\\x{:02X}", static_cast<unsigned>(c)) : std::string(1, c);
  return quoted;
}

std::string quoted_yaml(std::string_view text) {
  const bool has_control = std::any_of(text.begin(), text.end(), is_control);
  if (has_control || text.find_first_of("\"\\") == std::string_view::npos)
    return double_quoted_yaml(text);
  std::string quoted = "'";
  for (const char c : text) {
    quoted += c;
    if (c == '\'') quoted += c;
  }
  return quoted + "'";
}

/// Does a scalar in double quotes give characters by name or number: those that cannot be seen?
bool names_characters(std::string_view raw) {
  if (!raw.starts_with('"')) return false;
  for (std::size_t at = raw.find('\\'); at != std::string_view::npos && at + 1 < raw.size();
       at = raw.find('\\', at + 2)) {
    if (std::string_view("xuUNLP_").find(raw[at + 1]) != std::string_view::npos) return true;
  }
  return false;
}

class YamlWriter : public Writer {
 public:
  using Writer::Writer;

  Written write(const Node& tree) {
    const bool is_block = tree.tag.empty() && (!tree.items.empty() || !tree.entries.empty());
    write_lines(layout_.comments.at_head(tree), 0);
    if (!is_block) {
      out_ += tag(tree) + inline_text(tree);
      end_line();
    } else if (tree.is_sequence()) {
      write_items(tree, 0, false, Front::nothing);
    } else {
      write_entries(tree, 0, false, Front::nothing);
    }
    return take_written();
  }

 private:
  static std::string tag(const Node& node) {
    return node.tag.empty() ? std::string() : fmt::format("{} ", node.tag.text());
  }

  [[nodiscard]] std::string scalar(const Node& node, bool is_flow) const {
    if (node.is_null()) return "null";
    if (node.is_expression) {
      const std::string text = on_one_line(node.text);
      return is_plain_safe(text, is_flow) ? text : quoted_yaml(text);
    }
    if (layout_.language == Language::yaml && has_layout() && !node.text.empty()) {
      // The author's own escapes, where they stand on one line.
      const std::string_view raw =
          layout_.text.substr(node.span.begin, node.span.end - node.span.begin);
      const bool is_needed =
          std::any_of(node.text.begin(), node.text.end(), is_control) || names_characters(raw);
      if (is_needed && !raw.empty() && raw.front() != '|' && raw.front() != '>' &&
          raw.find('\n') == std::string_view::npos)
        return std::string(raw);
    }
    if (is_plain_value(node)) return node.text;
    if (node.tag.empty() && node.is_quoted && is_quantity(node.text)) return quoted_yaml(node.text);
    Node plain = node;
    plain.is_quoted = false;
    plain.tag = Tag();
    const bool reads_as_text =
        !node.tag.empty() || (scalar_value(plain).is_string() && !is_null_word(node.text));
    return reads_as_text && is_plain_safe(node.text, is_flow) && !is_other_elsewhere(node.text)
               ? node.text
               : quoted_yaml(node.text);
  }

  [[nodiscard]] std::string key(const Entry& entry, bool is_flow) const {
    Node node;
    node.kind = NodeKind::scalar;
    node.text = entry.key;
    return is_plain_safe(node.text, is_flow) && entry.key.find(':') == std::string::npos &&
                   !is_null_word(entry.key)
               ? node.text
               : double_quoted_yaml(node.text);
  }

  [[nodiscard]] std::string inline_text(const Node& node) const {
    if (node.is_null() || node.is_scalar()) return scalar(node, true);
    std::string text;
    for (const Node& item : node.items)
      text += (text.empty() ? "" : ", ") + tag(item) + inline_text(item);
    for (const Entry& entry : node.entries) {
      text += (text.empty() ? "" : ", ") + key(entry, true) + ": " + tag(entry.value) +
              inline_text(entry.value);
    }
    return node.is_sequence() ? "[" + text + "]" : "{" + text + "}";
  }

  /// Behind `key:` or `-`, with the comments `behind` it where they cannot follow it.
  void write_value(const Node& node, std::size_t indent, bool is_item,
                   const CommentPlaces::List& behind) {
    const std::string lead = is_item ? "" : " ";
    if (node.is_null() || node.is_scalar()) {
      if (node.is_scalar() && write_block_scalar(node, indent, lead, behind)) return;
      out_ += lead + tag(node) + scalar(node, false);
      return;
    }
    if (is_inline(node)) {
      const std::string text = lead + tag(node) + inline_text(node);
      if (fits(text) || (node.items.empty() && node.entries.empty())) {
        out_ += text;
        return;
      }
    }
    if (node.items.empty() && node.entries.empty()) {
      // Nothing but comments.
      out_ += lead + tag(node) + (node.is_sequence() ? "[" : "{");
      write_behind(layout_.comments.at_head(node));
      end_line();
      write_tail(node, indent, true);
      begin_line(indent);
      out_ += node.is_sequence() ? "]" : "}";
      return;
    }
    if (!node.tag.empty()) out_ += fmt::format("{}{}", lead, node.tag.text());
    const bool continues_line = is_item && node.tag.empty();
    if (!continues_line) {
      write_behind(layout_.comments.at_head(node));
      end_line();
    }
    if (node.is_sequence()) {
      write_items(node, indent, continues_line);
    } else {
      write_entries(node, indent, continues_line);
    }
    ending_ = Ending::lines;
  }

  /// `|`, for texts of several lines.
  bool write_block_scalar(const Node& node, std::size_t indent, const std::string& lead,
                          const CommentPlaces::List& behind) {
    const std::string& text = node.text;
    if (text.find('\n') == std::string::npos || node.is_expression || !node.tag.empty())
      return false;
    if (text.front() == ' ' || text.front() == '\n' || text.ends_with("\n\n") || text == "\n")
      return false;
    for (const std::string_view line : split(text, '\n')) {
      if (!line.empty() && line.back() == ' ') return false;
      if (std::any_of(line.begin(), line.end(), is_control)) return false;
    }
    const bool has_end = text.back() == '\n';
    out_ += lead + (has_end ? "|" : "|-");
    // A comment in a line below would be text.
    if (behind.size() == 1) write_behind(behind);
    ending_ = Ending::text;
    std::string_view rest = text;
    if (has_end) rest.remove_suffix(1);
    for (const std::string_view line : split(rest, '\n')) {
      end_line();
      if (line.empty()) continue;
      begin_line(indent);
      out_ += line;
    }
    return true;
  }

  void write_entries(const Node& node, std::size_t indent, bool is_line_begun,
                     Front front = Front::opening) {
    for (const Entry& entry : node.entries) {
      if (!is_line_begun) {
        write_before(&entry, entry.key_span.begin, indent, front);
        begin_line(indent);
      }
      is_line_begun = false;
      front = Front::part;
      const std::string word = key(entry, false);
      if (word.size() > kShortKeyBytes) {
        out_ += "? " + word;
        end_line();
        begin_line(indent);
        out_ += ":";
      } else {
        out_ += word + ":";
      }
      // A list in a mapping is indented below its key.
      const CommentPlaces::List& behind = layout_.comments.behind(&entry);
      write_value(entry.value, indent + kIndent, false, behind);
      end_value(behind, indent);
    }
    write_tail(node, indent, front != Front::part);
    ending_ = Ending::lines;
  }

  void write_items(const Node& node, std::size_t indent, bool is_line_begun,
                   Front front = Front::opening) {
    for (const Node& item : node.items) {
      if (!is_line_begun) {
        write_before_item(item, indent, front);
        begin_line(indent);
      }
      is_line_begun = false;
      front = Front::part;
      out_ += "- ";
      const CommentPlaces::List& behind = layout_.comments.behind(&item);
      write_value(item, indent + kIndent, true, behind);
      end_value(behind, indent);
    }
    write_tail(node, indent, front != Front::part);
    ending_ = Ending::lines;
  }

  /// `indent` is that of the part. Behind lines its comments stand among them, where they are read
  /// as the part's: in its own column they would be those of the next one.
  void end_value(const CommentPlaces::List& behind, std::size_t indent) {
    if (ending_ == Ending::lines) {
      write_lines(behind, indent + kIndent);
    } else {
      if (ending_ == Ending::line) write_behind(behind);
      end_line();
    }
    ending_ = Ending::line;
  }

  /// How the last value ended: on the line that it began on, with a line of a text behind which
  /// nothing can stand, or with lines that are written.
  enum class Ending : std::uint8_t { line, text, lines };
  Ending ending_ = Ending::line;
};

}  // namespace

Written write_yaml(const Node& tree, const Layout& layout, const FormatOptions& options) {
  return YamlWriter(layout, Language::yaml, options).write(tree);
}

}  // namespace plan::syntax
