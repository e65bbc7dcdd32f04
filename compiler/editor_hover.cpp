// What the word at the cursor means.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/plan_keys.h"
#include "compiler/editor.h"
#include "compiler/editor_cursor.h"
#include "compiler/editor_schema.h"
#include "compiler/editor_words.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/embedded_file.h"
#include "compiler/source/text.h"
#include "compiler/syntax/value_type.h"
#include "embedded/stdlib_modules.h"

namespace plan {
namespace {

using check::PlanKey;

/// What a module of the program says about itself above its first statement.
std::optional<std::string> page_of_module(std::string_view name) {
  for (const EmbeddedFile& file : embedded::stdlib_modules()) {
    const std::string_view module = file.name.substr(0, file.name.rfind('.'));
    if (!name.starts_with("std/") || name.substr(4) != module) continue;
    std::string page = fmt::format("`{}`\n\n", name);
    for (const std::string_view line : split(file.text, '\n')) {
      if (!line.starts_with('#')) break;
      page += line.substr(std::min<std::size_t>(line.size(), 2));
      page += '\n';
    }
    return page;
  }
  return std::nullopt;
}

/// What a word of a step, or an argument of its kind, says.
std::optional<std::string> hover_in_step(const EditorCursor& cursor) {
  if (!cursor.is_module() || cursor.is_outermost()) return std::nullopt;
  const std::string_view word = cursor.word();
  if (const auto kind = cursor.kind_of_step()) {
    for (const ir::ArgumentSpec& argument : ir::arguments_of(*kind)) {
      if (argument.name == word)
        return fmt::format("`{}` of `{}`: {}", word, ir::info(*kind).name, argument.meaning);
    }
  }
  for (const ModuleWord& known : kStepWords) {
    if (known.name == word) return fmt::format("`{}`: {}", word, known.what);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> hover_at(std::string_view file_name, std::string_view text,
                                    std::size_t at, const schema::Schema* schema) {
  const EditorCursor cursor(file_name, text, at);
  const std::string_view word = cursor.word();
  if (schema != nullptr) {
    if (auto page = hover_from_schema(cursor, *schema)) return page;
  }
  if (auto page = page_of_module(cursor.path_word())) return page;
  for (const KindInfo& kind : all_kinds()) {
    if (kind.name == cursor.path_word())
      return fmt::format("`{}`, {}: {}\n\n`plan explain {}` says more", kind.name,
                         to_string(kind.severity), kind.summary, kind.name);
  }
  if (const auto kind = ir::step_kind_by_name(cursor.path_word())) {
    const ir::StepKindInfo& info = ir::info(*kind);
    std::string page =
        fmt::format("`{}`: {}\n\nundo: {}\n", info.name, info.summary, ir::undo_words(info));
    for (const ir::ArgumentSpec& argument : ir::arguments_of(*kind)) {
      page += fmt::format("\n- `{}`{}: {}", argument.name,
                          argument.is_required ? "" : " (may be left out)", argument.meaning);
    }
    return page;
  }
  if (word.empty()) return std::nullopt;
  if (const syntax::FunctionInfo* function = syntax::find_function(word);
      function != nullptr && cursor.is_in_expression() && cursor.is_called()) {
    return fmt::format("`{}({})` gives `{}`: {}\n\n`{}` is `{}`", function->name,
                       function->parameters, function->result, function->summary, function->example,
                       function->example_gives);
  }
  std::vector<std::string> path = cursor.members_before();
  if (path.empty() && !cursor.is_in_expression()) {
    if (auto page = hover_in_step(cursor)) return page;
  }
  if (path.empty()) path = cursor.is_in_expression() ? path : cursor.blocks();
  path.emplace_back(word);
  const PlanKey* key = check::find_plan_key(path);
  if (key == nullptr) return std::nullopt;
  return fmt::format("`{}`: {}", word, key->what);
}

}  // namespace plan
