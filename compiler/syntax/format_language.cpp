#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "compiler/syntax/language_builder.h"
#include "compiler/syntax/scalar.h"
#include "compiler/syntax/words.h"
#include "compiler/syntax/writer.h"

namespace plan::syntax {
namespace {

constexpr std::size_t kIndent = 2;

class NoPlaces : public TextPlaces {
 public:
  [[nodiscard]] Span span(std::size_t begin, std::size_t end) const override {
    return {FileId::none, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  }
};

/// What stands inside `${...}` when that is all of the text and may stand bare; else nothing.
std::optional<std::string_view> bare_expression(std::string_view text) {
  if (!text.starts_with("${") || !text.ends_with("}") || text.size() > kExpressionBytesMax)
    return std::nullopt;
  const NoPlaces places;
  Sink unheard;
  LanguageBuilder builder(text, places, Kind::expression_syntax, unheard, {});
  std::size_t at = 2;
  if (!parse_one_expression(text, &at, builder)) return std::nullopt;
  if (!trim(text.substr(at, text.size() - 1 - at)).empty() || at >= text.size())
    return std::nullopt;
  const std::string_view inner = trim(text.substr(2, text.size() - 3));
  const Expression expression = builder.take_expression();
  // A literal by itself would be a value without `${}`.
  if (expression.kind == Expression::Kind::literal && inner.front() != '(') return std::nullopt;
  // These begin other values where an expression could stand.
  if (inner.front() == '[' || inner.front() == '"') return std::nullopt;
  // A template of YAML may have a new line in one of its expression's texts; the plan language has
  // none there.
  if (inner.find('\n') != std::string_view::npos &&
      with_single_blanks(inner).find('\n') != std::string::npos)
    return std::nullopt;
  return inner;
}

bool is_scalar_text(const Node* node) {
  return node != nullptr && node->is_scalar() && node->tag.empty() && !is_plain_value(*node);
}

/// Reads as a path or can be written in quotes, and is no expression.
bool is_id(const Node* node) { return is_scalar_text(node) && !node->text.empty(); }
/// Behind the word of a statement a brace would make it an entry.
bool is_bare_path(std::string_view text) { return is_path(text) && !text.starts_with('{'); }
bool is_path_node(const Node* node) { return is_scalar_text(node) && is_bare_path(node->text); }

bool is_kind(const Node* node) {
  return is_scalar_text(node) && !node->text.empty() &&
         std::all_of(node->text.begin(), node->text.end(),
                     [](char c) { return is_word_part(c) || c == '.'; });
}

bool is_loop(const Node& node) {
  const auto words = split(node.text, ' ');
  return is_scalar_text(&node) && words.size() == 3 && words[1] == "in" && is_name(words[0]) &&
         is_name(words[2]);
}

bool is_references(const Node& node) {
  return node.is_sequence() && node.tag.empty() &&
         std::all_of(node.items.begin(), node.items.end(),
                     [](const Node& item) { return is_id(&item); });
}

constexpr std::array<std::string_view, 4> kReferences = {"after", "before", "after_previous_wave",
                                                         "after_members"};
constexpr std::array<std::string_view, 2> kWords = {"stage", "role"};
constexpr std::array<std::string_view, 3> kValues = {"when", "about", "args"};

template <std::size_t size>
bool is_in(const std::array<std::string_view, size>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_step(const Node& node) {
  if (!node.is_mapping() || !node.tag.empty()) return false;
  if (!is_id(node.find("id")) || !is_kind(node.find("kind"))) return false;
  return std::all_of(node.entries.begin(), node.entries.end(), [](const Entry& entry) {
    if (entry.key == "id" || entry.key == "kind") return true;
    if (entry.key == "for") return is_loop(entry.value);
    if (is_in(kReferences, entry.key)) return is_references(entry.value);
    if (is_in(kWords, entry.key)) return is_scalar_text(&entry.value) && is_word(entry.value.text);
    return is_in(kValues, entry.key);
  });
}

/// Can the arguments stand among the step's own entries?
bool are_arguments(const Node& node) {
  return node.is_mapping() && node.tag.empty() && !node.entries.empty() &&
         std::none_of(node.entries.begin(), node.entries.end(), [](const Entry& entry) {
           return is_in(kReferences, entry.key) || is_in(kWords, entry.key) ||
                  is_in(kValues, entry.key);
         });
}

bool is_type(const Node& node) {
  if (!is_scalar_text(&node) || node.text.empty()) return false;
  std::size_t depth = 0;
  bool has_word = false;
  for (const char c : node.text) {
    if (is_word_part(c) && c != '-') {
      has_word = true;
    } else if (c == '(' && has_word) {
      ++depth;
      has_word = false;
    } else if (c == ')' && depth > 0 && has_word) {
      --depth;
    } else if (c == ',' && depth > 0 && has_word) {
      has_word = false;
    } else if (c != '?' || !has_word) {
      return false;
    }
  }
  return depth == 0 && has_word && is_word_begin(node.text.front());
}

bool is_input(const Node& node) {
  if (node.is_scalar()) return is_type(node);
  return node.is_mapping() && node.tag.empty() && node.entries.size() == 2 &&
         node.entries[0].key == "type" && is_type(node.entries[0].value) &&
         node.entries[1].key == "default";
}

bool is_use(const Node& node) {
  if (node.is_scalar()) return is_path_node(&node);
  if (!node.is_mapping() || !node.tag.empty() || node.entries.size() < 2) return false;
  constexpr std::array<std::string_view, 4> kOrder = {"module", "as", "digest", "with"};
  std::size_t next = 0;
  for (const Entry& entry : node.entries) {
    while (next < kOrder.size() && kOrder[next] != entry.key) ++next;
    if (next == kOrder.size()) return false;
    const Node& value = entry.value;
    const bool fits = entry.key == "module"   ? is_path_node(&value)
                      : entry.key == "as"     ? is_scalar_text(&value) && is_word(value.text)
                      : entry.key == "digest" ? is_scalar_text(&value)
                                              : value.is_mapping() && value.tag.empty();
    if (!fits) return false;
  }
  return node.entries.front().key == "module";
}

class LanguageWriter : public Writer {
 public:
  using Writer::Writer;

  Written write(const Node& tree) {
    write_lines(layout_.comments.at_head(tree), 0);
    Front front = Front::nothing;
    for (const Entry& entry : tree.entries) {
      if (!write_statements(entry, front)) write_entry(entry, 0, front);
      front = Front::part;
    }
    write_tail(tree, 0, front != Front::part);
    return take_written();
  }

 private:
  // --- values
  // --------------------------------------------------------------------------------------

  static std::string key(std::string_view word) {
    return is_word(word) ? std::string(word) : quoted_text(word);
  }
  static std::string tag(const Node& node, bool has_for = false) {
    if (node.tag.empty() || has_for) return {};
    if (node.tag.is("!numbered") && node.is_sequence()) return "numbered ";
    if (node.is_scalar() && (node.tag.is("!secret") || node.tag.is("!lock")))
      return fmt::format("{} ", node.tag.text().substr(1));
    return fmt::format("tagged {} ", quoted_text(node.tag.text()));
  }
  static bool is_for(const Node& node) {
    return node.tag.is("!for") && node.is_mapping() && node.entries.size() == 3 &&
           node.entries[0].key == "each" && is_scalar_text(&node.entries[0].value) &&
           is_name(node.entries[0].value.text) && node.entries[1].key == "in" &&
           node.entries[2].key == "give" && node.entries[2].value.is_sequence() &&
           node.entries[2].value.tag.empty();
  }

  static std::string scalar(const Node& node) {
    if (node.is_null()) return "null";
    if (!node.tag.empty()) return quoted_text(node.text);
    if (is_plain_value(node)) return node.text;
    if (!node.is_quoted && is_quantity(node.text)) return node.text;
    // A text in double quotes in front would be the value.
    const std::string text = node.text.starts_with("${") ? with_plain_quotes(node.text) : node.text;
    if (const auto bare = bare_expression(text)) return on_one_line(*bare);
    return quoted_text(node.text);
  }

  static std::string inline_text(const Node& node) {
    if (node.is_null() || node.is_scalar()) return tag(node) + scalar(node);
    if (is_for(node)) {
      return fmt::format("for {} in {} {}", node.entries[0].value.text,
                         inline_text(node.entries[1].value), inline_text(node.entries[2].value));
    }
    std::string text;
    for (const Node& item : node.items) text += (text.empty() ? "" : ", ") + inline_text(item);
    for (const Entry& entry : node.entries) {
      text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", key(entry.key),
                          inline_text(entry.value));
    }
    if (node.is_sequence()) return tag(node) + "[" + text + "]";
    return tag(node) + (text.empty() ? "{}" : "{ " + text + " }");
  }

  [[nodiscard]] bool is_one_line(const Node& node, std::string_view text) const {
    const bool is_small = node.is_null() || node.is_scalar() || is_inline(node);
    return is_small && (fits(text) || node.is_null() || node.is_scalar() ||
                        (node.items.empty() && node.entries.empty()));
  }

  void write_value(const Node& node, std::size_t indent) {
    const std::string text = inline_text(node);
    if (is_one_line(node, text)) {
      out_ += text;
      return;
    }
    if (is_for(node)) {
      out_ += fmt::format("for {} in {} ", node.entries[0].value.text,
                          inline_text(node.entries[1].value));
      write_value(node.entries[2].value, indent);
      return;
    }
    out_ += tag(node);
    write_block(node, indent);
  }

  void write_block(const Node& node, std::size_t indent) {
    out_ += node.is_sequence() ? '[' : '{';
    const CommentPlaces::List& head = layout_.comments.at_head(node);
    write_behind(head);
    end_line();
    // Lines of a comment may stand in front of the first part.
    Front front = head.size() < 2 ? Front::opening : Front::part;
    for (const Node& item : node.items) {
      write_before_item(item, indent + kIndent, front);
      front = Front::part;
      begin_line(indent + kIndent);
      write_value(item, indent + kIndent);
      out_ += ',';
      write_behind(layout_.comments.behind(&item));
      end_line();
    }
    for (const Entry& entry : node.entries) {
      write_entry(entry, indent + kIndent, front);
      front = Front::part;
    }
    write_tail(node, indent + kIndent, front != Front::part);
    begin_line(indent);
    out_ += node.is_sequence() ? ']' : '}';
  }

  void write_entry(const Entry& entry, std::size_t indent, Front front) {
    write_before(&entry, entry.key_span.begin, indent, front);
    begin_line(indent);
    out_ += key(entry.key);
    const Node& node = entry.value;
    if (node.is_mapping() && node.tag.empty() && !is_one_line(node, " = " + inline_text(node))) {
      out_ += ' ';
      write_block(node, indent);
    } else {
      out_ += " = ";
      write_value(node, indent);
    }
    write_behind(layout_.comments.behind(&entry));
    end_line();
  }

  // --- statements
  // ----------------------------------------------------------------------------------

  /// False when the entry is no statement of the language.
  bool write_statements(const Entry& entry, Front front) {
    const Node& node = entry.value;
    if (entry.key == "module" && is_path_node(&node)) {
      write_line(entry, entry.key_span.begin, "module " + node.text, front);
      return true;
    }
    if (entry.key == "use") return write_uses(entry, front);
    const bool are_named = node.is_mapping() && node.tag.empty() && !node.entries.empty() &&
                           std::all_of(node.entries.begin(), node.entries.end(),
                                       [](const Entry& inner) { return is_name(inner.key); });
    if (entry.key == "inputs" && are_named &&
        std::all_of(node.entries.begin(), node.entries.end(),
                    [](const Entry& inner) { return is_input(inner.value); })) {
      write_group(entry, front, [&](const Entry& input) { write_input(input); });
      return true;
    }
    if (entry.key == "let" && are_named) {
      write_group(entry, front, [&](const Entry& let) {
        out_ += fmt::format("let {} = ", let.key);
        write_value(let.value, 0);
      });
      return true;
    }
    if (entry.key == "steps" && node.is_sequence() && node.tag.empty() && !node.items.empty() &&
        std::all_of(node.items.begin(), node.items.end(), is_step)) {
      write_before(&entry, entry.key_span.begin, 0, front);
      write_lines(layout_.comments.at_head(node), 0);
      Front front_of_step = Front::nothing;
      for (const Node& step : node.items) {
        write_step(step, front_of_step);
        front_of_step = Front::part;
      }
      write_tail(node, 0, false);
      write_lines(layout_.comments.behind(&entry), 0);
      return true;
    }
    return false;
  }

  void write_line(const Entry& entry, std::uint32_t place, const std::string& text, Front front) {
    write_before(&entry, place, 0, front);
    out_ += text;
    write_behind(layout_.comments.behind(&entry));
    end_line();
  }

  template <class Write>
  void write_group(const Entry& entry, Front front, Write write_one) {
    write_before(&entry, entry.key_span.begin, 0, front);
    write_lines(layout_.comments.at_head(entry.value), 0);
    Front front_of_inner = Front::nothing;
    for (const Entry& inner : entry.value.entries) {
      write_before(&inner, inner.key_span.begin, 0, front_of_inner);
      front_of_inner = Front::part;
      write_one(inner);
      write_behind(layout_.comments.behind(&inner));
      end_line();
    }
    write_tail(entry.value, 0, false);
    write_lines(layout_.comments.behind(&entry), 0);
  }

  void write_input(const Entry& input) {
    const Node& value = input.value;
    const Node& type = value.is_scalar() ? value : value.entries[0].value;
    out_ += fmt::format("input {} : {}", input.key, type.text);
    if (value.is_scalar()) return;
    out_ += " = ";
    write_value(value.entries[1].value, 0);
    write_behind(layout_.comments.behind(&value.entries[0]));
    write_behind(layout_.comments.behind(&value.entries[1]));
    write_around(value);
  }

  /// The comments at the head and at the tail of a mapping that is a statement here. Several lines
  /// stand better in front of it.
  void write_around(const Node& mapping) {
    write_behind(layout_.comments.at_head(mapping));
    const CommentPlaces::List& tail = layout_.comments.at_tail(mapping);
    if (tail.size() == 1) write_behind(tail);
  }

  bool write_uses(const Entry& entry, Front front) {
    const Node& node = entry.value;
    const bool is_list = node.is_sequence() && node.tag.empty() && node.items.size() > 1;
    if (!(is_list ? std::all_of(node.items.begin(), node.items.end(), is_use) : is_use(node)))
      return false;
    write_before(&entry, entry.key_span.begin, 0, front);
    if (!is_list) {
      write_use(node);
      write_behind(layout_.comments.behind(&entry));
      end_line();
      return true;
    }
    write_lines(layout_.comments.at_head(node), 0);
    Front front_of_use = Front::nothing;
    for (const Node& use : node.items) {
      write_before(&use, use.span.begin, 0, front_of_use);
      front_of_use = Front::part;
      write_use(use);
      write_behind(layout_.comments.behind(&use));
      end_line();
    }
    write_tail(node, 0, false);
    write_lines(layout_.comments.behind(&entry), 0);
    return true;
  }

  void write_use(const Node& use) {
    out_ += "use ";
    if (use.is_scalar()) {
      out_ += use.text;
      return;
    }
    for (const Entry& part : use.entries) {
      if (part.key == "module") out_ += part.value.text;
      if (part.key == "as") out_ += " as " + part.value.text;
      if (part.key == "digest") out_ += " digest " + quoted_text(part.value.text);
      if (part.key == "with") {
        out_ += ' ';
        write_value(part.value, 0);
      }
    }
    for (const Entry& part : use.entries) write_behind(layout_.comments.behind(&part));
    write_around(use);
  }

  void write_step(const Node& step, Front front) {
    const Node* loop = step.find("for");
    const Node& id = *step.find("id");
    write_before(&step, step.span.begin, 0, front);
    for (const Entry& entry : step.entries) {
      if (entry.key != "id" && entry.key != "kind" && entry.key != "for") continue;
      write_before(&entry, entry.key_span.begin, 0, Front::nothing);
    }
    out_ += "step " + (is_bare_path(id.text) ? id.text : quoted_text(id.text));
    if (loop != nullptr) out_ += " for " + loop->text;
    out_ += fmt::format(" : {} {{", step.find("kind")->text);
    write_behind(layout_.comments.at_head(step));
    for (const Entry& entry : step.entries) {
      if (entry.key == "id" || entry.key == "kind" || entry.key == "for")
        write_behind(layout_.comments.behind(&entry));
    }
    end_line();
    Front inner = Front::opening;
    for (const Entry& entry : step.entries) {
      if (entry.key == "id" || entry.key == "kind" || entry.key == "for") continue;
      if (entry.key == "args" && are_arguments(entry.value)) continue;
      if (is_in(kReferences, entry.key)) {
        write_references(entry, inner);
      } else if (is_in(kWords, entry.key)) {
        write_before(&entry, entry.key_span.begin, kIndent, inner);
        begin_line(kIndent);
        out_ += fmt::format("{} = {}", entry.key, entry.value.text);
        write_behind(layout_.comments.behind(&entry));
        end_line();
      } else {
        write_before(&entry, entry.key_span.begin, kIndent, inner);
        begin_line(kIndent);
        out_ += entry.key + " = ";
        write_value(entry.value, kIndent);
        write_behind(layout_.comments.behind(&entry));
        end_line();
      }
      inner = Front::part;
    }
    // Reading puts the arguments behind everything else, so that is their place.
    const Entry* arguments = step.find_entry("args");
    if (arguments != nullptr && are_arguments(arguments->value)) {
      write_arguments(*arguments, inner);
      inner = Front::part;
    }
    write_tail(step, kIndent, inner != Front::part);
    out_ += "}";
    write_behind(layout_.comments.behind(&step));
    end_line();
  }

  void write_arguments(const Entry& arguments, Front front) {
    write_before(&arguments, arguments.key_span.begin, kIndent, front);
    write_lines(layout_.comments.at_head(arguments.value), kIndent);
    // The empty line in front of the first is the one in front of all of them.
    Front inner = Front::nothing;
    for (const Entry& entry : arguments.value.entries) {
      write_entry(entry, kIndent, inner);
      inner = Front::part;
    }
    write_tail(arguments.value, kIndent, inner != Front::part);
    write_lines(layout_.comments.behind(&arguments), kIndent);
  }

  void write_references(const Entry& entry, Front front) {
    write_before(&entry, entry.key_span.begin, kIndent, front);
    begin_line(kIndent);
    out_ += entry.key + " = ";
    const Node& node = entry.value;
    const auto word = [](const Node& item) {
      return is_path(item.text) ? item.text : quoted_text(item.text);
    };
    std::string text;
    for (const Node& item : node.items) text += (text.empty() ? "" : ", ") + word(item);
    text = "[" + text + "]";
    if (is_inline(node) && (fits(text) || node.items.empty())) {
      out_ += text;
    } else {
      out_ += '[';
      write_behind(layout_.comments.at_head(node));
      end_line();
      Front inner = Front::opening;
      for (const Node& item : node.items) {
        write_before_item(item, kIndent + kIndent, inner);
        inner = Front::part;
        begin_line(kIndent + kIndent);
        out_ += word(item) + ",";
        write_behind(layout_.comments.behind(&item));
        end_line();
      }
      write_tail(node, kIndent + kIndent, inner != Front::part);
      begin_line(kIndent);
      out_ += ']';
    }
    write_behind(layout_.comments.behind(&entry));
    end_line();
  }
};

}  // namespace

Written write_language(const Node& tree, const Layout& layout, const FormatOptions& options) {
  return LanguageWriter(layout, Language::plan, options).write(tree);
}

}  // namespace plan::syntax
