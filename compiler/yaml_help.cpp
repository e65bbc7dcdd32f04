#include "compiler/yaml_help.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <vector>

#include "compiler/ir/step_kind.h"
#include "compiler/lower/argument_type.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

/// Of these the value is a word, or a list of ids, and no expression.
constexpr std::array<std::string_view, 6> kOfWords = {
    "after", "before", "after_previous_wave", "after_members", "stage", "role"};

bool is_of_words(std::string_view key) {
  return std::find(kOfWords.begin(), kOfWords.end(), key) != kOfWords.end();
}

/// A name that a step has. Servers' own files have settings of the same form.
bool is_of_step(std::string_view key) {
  static const std::set<std::string, std::less<>> kNames = [] {
    std::set<std::string, std::less<>> names = {"when", "rules"};
    for (const ir::StepKindInfo& kind : ir::all_step_kinds()) {
      for (const ir::ArgumentSpec* taken : lower::arguments_taken(kind.kind))
        names.emplace(taken->name);
    }
    return names;
  }();
  return is_of_words(key) || kNames.contains(key);
}

/// The parts between the commas that stand in no brackets and no quotes.
std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  bool is_quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') is_quoted = !is_quoted;
    if (is_quoted) continue;
    if (c == '[' || c == '{' || c == '(') ++depth;
    if (c == ']' || c == '}' || c == ')') --depth;
    if (c != ',' || depth != 0) continue;
    parts.push_back(trim(text.substr(begin, i - begin)));
    begin = i + 1;
  }
  if (const std::string_view last = trim(text.substr(begin)); !last.empty()) parts.push_back(last);
  return parts;
}

bool is_in(std::string_view text, char first, char last) {
  return text.size() >= 2 && text.front() == first && text.back() == last;
}

std::string map_in_yaml(std::string_view map);

/// `is_word`: not an expression.
std::string value_in_yaml(std::string_view value, bool is_word) {
  if (is_in(value, '{', '}') && value.find(" = ") != std::string_view::npos)
    return map_in_yaml(value);
  if (is_in(value, '[', ']')) {
    std::string list = "[";
    for (const std::string_view item : parts_of(value.substr(1, value.size() - 2)))
      list += (list.size() == 1 ? "" : ", ") + value_in_yaml(item, is_word);
    return list + "]";
  }
  const bool is_itself = value.empty() || value == "..." || value.front() == '"' ||
                         value == "true" || value == "false" || value == "null" ||
                         (value.front() >= '0' && value.front() <= '9');
  if (is_itself) return std::string(value);
  if (!is_word) return "\"${" + std::string(value) + "}\"";
  const bool is_plain = value.find_first_of("{}[],\"") == std::string_view::npos;
  return is_plain ? std::string(value) : "\"" + std::string(value) + "\"";
}

/// `NAME = VALUE`.
struct Assignment {
  std::string_view name = {};
  std::string_view value = {};
};
std::optional<Assignment> assignment_in(std::string_view text) {
  const std::size_t sign = text.find(" = ");
  if (sign == std::string_view::npos) return std::nullopt;
  const Assignment found = {trim(text.substr(0, sign)), trim(text.substr(sign + 3))};
  if (found.name.empty() || found.name.find_first_of(" {[(") != std::string_view::npos ||
      found.value.empty())
    return std::nullopt;
  return found;
}

std::string map_in_yaml(std::string_view map) {
  std::string text = "{";
  for (const std::string_view part : parts_of(map.substr(1, map.size() - 2))) {
    text += text.size() == 1 ? "" : ", ";
    const auto entry = assignment_in(part);
    text += entry ? std::string(entry->name) + ": " +
                        value_in_yaml(entry->value, is_of_words(entry->name))
                  : std::string(part);
  }
  return text + "}";
}

/// Nothing: it is no part of a module in the plan language.
std::optional<std::string> shown_in_yaml(std::string_view shown) {
  if (shown.starts_with("for ") && shown.find(" in ") != std::string_view::npos)
    return "for: " + std::string(shown.substr(4));
  if (shown.starts_with("use ")) {
    const std::string_view used = trim(shown.substr(4));
    const std::size_t brace = used.find('{');
    if (brace == std::string_view::npos) return "use: " + std::string(used);
    if (used.back() != '}') return std::nullopt;
    return "use: {module: " + std::string(trim(used.substr(0, brace))) +
           ", with: " + map_in_yaml(used.substr(brace)) + "}";
  }
  if (shown.starts_with("let ")) {
    const auto given = assignment_in(shown.substr(4));
    constexpr std::string_view kSecret = "secret \"";
    if (!given || !given->value.starts_with(kSecret) || !given->value.ends_with('"'))
      return std::nullopt;
    const std::string_view from =
        given->value.substr(kSecret.size(), given->value.size() - kSecret.size() - 1);
    return "let: {" + std::string(given->name) + ": !secret " + std::string(from) + "}";
  }
  if (is_in(shown, '{', '}') && shown.starts_with("{ ") &&
      shown.find(" = ") != std::string_view::npos)
    return map_in_yaml(shown);
  const auto assignment = assignment_in(shown);
  if (!assignment || !is_of_step(assignment->name)) return std::nullopt;
  return std::string(assignment->name) + ": " +
         value_in_yaml(assignment->value, is_of_words(assignment->name));
}

}  // namespace

std::string help_in_yaml(std::string_view help) {
  std::string text;
  while (!help.empty()) {
    const std::size_t begin = help.find('`');
    const std::size_t end = begin == std::string_view::npos ? begin : help.find('`', begin + 1);
    if (end == std::string_view::npos) break;
    const std::string_view shown = help.substr(begin + 1, end - begin - 1);
    text += help.substr(0, begin + 1);
    text += shown_in_yaml(shown).value_or(std::string(shown));
    text += '`';
    help.remove_prefix(end + 1);
  }
  return text + std::string(help);
}

}  // namespace plan
