// What may stand at the cursor.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "compiler/check/plan_keys.h"
#include "compiler/editor.h"
#include "compiler/editor_cursor.h"
#include "compiler/editor_schema.h"
#include "compiler/editor_words.h"
#include "compiler/keys_beside.h"
#include "compiler/source/text.h"
#include "compiler/syntax/value_type.h"

namespace plan {
namespace {

using check::PlanKey;

constexpr std::array kStatements = {
    ModuleWord{"about", "what the module does, in a line"},
    ModuleWord{"input",
               "what who uses it gives: `input NAME : TYPE`, with `= VALUE` where it may not"},
    ModuleWord{"let", "a name for a value: `let NAME = EXPRESSION`"},
    ModuleWord{"module", "the module's name"},
    ModuleWord{"step", "a step: `step ID : KIND { ... }`"},
    ModuleWord{"use", "the steps of another module"}};
constexpr std::array kBlocks = {ModuleWord{"about", "what the module does, in a line"},
                                ModuleWord{"inputs", "what who uses it gives, with types"},
                                ModuleWord{"let", "names for values"},
                                ModuleWord{"module", "the module's name"},
                                ModuleWord{"steps", "the list of its steps"},
                                ModuleWord{"use", "other modules, whose steps are added"}};
constexpr std::array kStepHeads = {ModuleWord{"id", "the step's name; `{}` is the name of the row"},
                                   ModuleWord{"kind", "what it does: one of the kinds of steps"},
                                   ModuleWord{"for", "one step for each row: `NAME in LIST`"},
                                   ModuleWord{"args", "the arguments of its kind"}};

void add_keys(const std::vector<PlanKey>& keys, bool is_language, std::vector<Completion>& into) {
  for (const PlanKey& key : keys) {
    const bool is_block = !key.keys.empty() && key.schema.is_null();
    std::string insert = key.name;
    if (!is_language) {
      insert += is_block ? ":" : ": ";
    } else {
      insert += is_block && !key.is_list ? " {" : " = ";
    }
    into.push_back({key.name, key.what, std::move(insert)});
  }
}

void add_functions(std::vector<Completion>& into) {
  for (const syntax::FunctionInfo& function : syntax::all_functions()) {
    into.push_back(
        {std::string(function.name),
         fmt::format("({}) {}: {}", function.parameters, function.result, function.summary),
         fmt::format("{}(", function.name)});
  }
}

void add_kinds(std::vector<Completion>& into) {
  for (const ir::StepKindInfo& kind : ir::all_step_kinds())
    into.push_back({std::string(kind.name), std::string(kind.summary), std::string(kind.name)});
}

/// The statements of a file, or what a step may have: its words and the arguments of its kind.
void add_module_words(const EditorCursor& cursor, const std::vector<std::string>& blocks,
                      std::vector<Completion>& into) {
  const std::string assign = cursor.is_language() ? " = " : ": ";
  const auto add = [&](const auto& words, std::string_view behind) {
    for (const ModuleWord& word : words)
      into.push_back(
          {std::string(word.name), std::string(word.what), std::string(word.name).append(behind)});
  };
  if (cursor.is_outermost()) {
    if (cursor.is_language())
      add(kStatements, " ");
    else
      add(kBlocks, ": ");
    return;
  }
  const bool is_in_arguments = !blocks.empty() && blocks.back() == "args";
  if (cursor.is_language() || is_in_arguments) {
    if (const auto kind = cursor.kind_of_step()) {
      for (const ir::ArgumentSpec& argument : ir::arguments_of(*kind))
        into.push_back({std::string(argument.name), std::string(argument.meaning),
                        std::string(argument.name) + assign});
    }
  }
  if (is_in_arguments) return;
  if (!cursor.is_language()) add(kStepHeads, assign);
  add(kStepWords, assign);
}

}  // namespace

std::vector<Completion> completions_at(std::string_view file_name, std::string_view text,
                                       std::size_t at, const std::vector<std::string>& modules,
                                       const schema::Schema* schema) {
  const EditorCursor cursor(file_name, text, at);
  std::vector<Completion> found;
  if (schema != nullptr && add_from_schema(cursor, *schema, found)) return found;
  const std::string path_key = cursor.key_before_path();
  const std::string_view before_path = trim(cursor.before_path());
  const bool is_use = path_key == "use" || (cursor.is_language() && before_path == "use");
  if (is_use) {
    for (const std::string& module : modules) found.push_back({module, "module", module});
    return found;
  }
  if (path_key == "kind" ||
      (cursor.is_language() && before_path.starts_with("step ") && before_path.ends_with(':'))) {
    add_kinds(found);
    return found;
  }
  const std::vector<std::string> members = cursor.members_before();
  if (!members.empty()) {
    if (const PlanKey* key = check::find_plan_key(members)) {
      for (const PlanKey& inner : key->keys) found.push_back({inner.name, inner.what, inner.name});
    }
    return found;
  }
  const std::string key = cursor.key_on_line();
  std::vector<std::string> path = cursor.blocks();
  if (cursor.is_module() && (key == "stage" || key == "role")) {
    const bool is_stage = key == "stage";
    for (const char* word : is_stage ? std::vector{"prepare", "cutover", "waves", "finalize"}
                                     : std::vector{"held", "commit"})
      found.push_back({word, is_stage ? "stage of a step" : "role of a step", word});
    return found;
  }
  if (!key.empty()) {
    path.push_back(key);
    const PlanKey* wanted = check::find_plan_key(path);
    path.pop_back();
    if (wanted != nullptr) {
      for (const ir::Value& word : wanted->schema["enum"].items()) {
        const std::string shown(word.string_or(""));
        found.push_back({shown, wanted->what, cursor.is_language() ? "\"" + shown + "\"" : shown});
      }
    }
  }
  if (cursor.is_in_expression()) {
    add_functions(found);
    for (const PlanKey& name : check::plan_keys().keys)
      found.push_back({name.name, name.what, name.name});
    return found;
  }
  if (!key.empty()) return found;
  if (cursor.is_module()) {
    add_module_words(cursor, path, found);
    return found;
  }
  if (const PlanKey* block = check::find_plan_key(path))
    add_keys(block->keys, cursor.is_language(), found);
  const std::set<std::string> there = keys_beside(text, cursor.word_begin(), cursor.is_language());
  std::erase_if(found, [&](const Completion& one) { return there.contains(one.label); });
  return found;
}

}  // namespace plan
