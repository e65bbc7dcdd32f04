// docs/modules.md: what the built-in modules do, from their own headers, inputs and steps.
#include <fmt/format.h>

#include "compiler/ir/step_kind.h"
#include "compiler/source/text.h"
#include "compiler/syntax/language.h"
#include "embedded/stdlib_modules.h"
#include "runtime/command/command_table.h"

namespace plan::command {
namespace {

using syntax::Node;

/// The comment that a file begins with, without its `#`.
std::string header_of(std::string_view text) {
  std::string header;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.starts_with('#')) break;
    header += std::string(line.substr(line.starts_with("# ") ? 2 : 1)) + "\n";
  }
  return header;
}

std::string inputs_of(const Node& module) {
  const Node* inputs = module.find("inputs");
  if (inputs == nullptr) return {};
  std::string table = "\n| input | type |\n|---|---|\n";
  for (const syntax::Entry& input : inputs->entries) {
    const Node* type = input.value.is_mapping() ? input.value.find("type") : &input.value;
    table += fmt::format("| `{}` | `{}` |\n", input.key, type == nullptr ? "" : type->text);
  }
  return table;
}

std::string uses_of(const Node& module) {
  const Node* use = module.find("use");
  if (use == nullptr) return {};
  std::string words;
  const auto add = [&](const Node& one) {
    const Node* name = one.is_mapping() ? one.find("module") : &one;
    if (name != nullptr) words += fmt::format("{}`{}`", words.empty() ? "" : ", ", name->text);
  };
  for (const Node& one : use->items) add(one);
  if (!use->is_sequence()) add(*use);
  return fmt::format("\nUses {}.\n", words);
}

std::string steps_of(const Node& module) {
  const Node* steps = module.find("steps");
  if (steps == nullptr) return {};
  std::string table = "\n| step | kind | stage | undone |\n|---|---|---|---|\n";
  for (const Node& step : steps->items) {
    const Node* id = step.find("id");
    const Node* kind = step.find("kind");
    const Node* stage = step.find("stage");
    const auto known = kind == nullptr ? std::nullopt : ir::step_kind_by_name(kind->text);
    table += fmt::format("| `{}` | `{}` | {} | {} |\n", id == nullptr ? "" : id->text,
                         kind == nullptr ? "" : kind->text, stage == nullptr ? "" : stage->text,
                         known ? to_string(ir::info(*known).undo) : "");
  }
  return table;
}

/// The table of step kinds, as the diff shows it before anything runs.
std::string kinds_page() {
  std::string page =
      "\n## How each kind of step is undone\n\n`plan diff` shows the lines of this table for the "
      "kinds of its steps. *Reversible*: the recorded prior state comes back. *Reversible with "
      "carry-back*: so does the account, with the mail that came to the target since. *Lossy*: the "
      "last column does not come back. *Irreversible*: no rollback goes over a step like this once "
      "it is done.\n\n| kind | what it does | undo | lost |\n|---|---|---|---|\n";
  for (const ir::StepKindInfo& kind : ir::all_step_kinds())
    page += fmt::format("| `{}` | {} | {} | {} |\n", kind.name, kind.summary, to_string(kind.undo),
                        kind.lost);
  return page;
}

}  // namespace

std::string modules_page() {
  std::string page =
      "# Modules\n\nGenerated from stdlib/ by `plan docs modules`; a test compares the two. "
      "`use std/NAME` uses one; `plan explain std/NAME` shows it as it is written.\n";
  for (const EmbeddedFile& file : embedded::stdlib_modules()) {
    SourceSet sources;
    Sink sink;
    const auto module = syntax::read_source(
        sources, sources.add(std::string(file.name), std::string(file.text)), sink);
    if (!module) continue;
    page +=
        fmt::format("\n## std/{}\n\n{}{}{}{}", file.name.substr(0, file.name.rfind('.')),
                    header_of(file.text), uses_of(*module), inputs_of(*module), steps_of(*module));
  }
  return page + kinds_page();
}

}  // namespace plan::command
