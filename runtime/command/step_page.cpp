#include "runtime/command/step_page.h"

#include <fmt/format.h>

#include "compiler/ir/step_kind.h"
#include "compiler/lower/argument_type.h"

namespace plan::command {
namespace {

constexpr std::string_view kHead =
    "# Kinds of steps\n\n"
    "Generated from compiler/ir/step_kind.def and step_arguments.def by `plan docs steps`; a test "
    "compares the two. A module names a kind in each of its steps ([language.md](language.md)); "
    "[modules.md](modules.md) shows which ones the built-in modules use.\n\n"
    "An argument of another type, of another name, or that is missing is an error "
    "(`procedure-broken`), also where its value comes from a row. A `duration` is written `500ms`, "
    "`30s`, `5m`, `2h` or `1d`, a `size` `512KiB`, `50MiB` or `2GiB`. An `integer` whose name "
    "ends in `_ms` is a moment: milliseconds since 1970. `any` is not looked at. What is not "
    "required may be left out, or be `null`. *May be* says how much an argument may be, or which "
    "words; a value outside is `procedure-broken` too. Types have the names of the plan "
    "language.\n\n"
    "Every kind takes `account`, `addresses` and `aliases` too, so that all steps of one account "
    "may carry them. The servers that a step needs (`source`, `target`, `proxies`, `addresses`) "
    "plan adds by itself. *Undo* is what `plan rollback` does about a step that was done.\n";

std::string arguments_of_kind(ir::StepKind kind) {
  const auto& specs = ir::arguments_of(kind);
  if (specs.empty()) return "\nIt has no arguments.\n";
  std::string table =
      "\n| argument | type | required | may be | what it is |\n|---|---|---|---|---|\n";
  for (const ir::ArgumentSpec& spec : specs) {
    table += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", spec.name, to_string(spec.type),
                         spec.is_required ? "yes" : "no", lower::bounds_of(spec), spec.meaning);
  }
  return table;
}

std::string outputs_of_kind(ir::StepKind kind) {
  const auto& specs = ir::outputs_of(kind);
  if (specs.empty()) return {};
  std::string table = "\n| gives | type | what it is |\n|---|---|---|\n";
  for (const ir::ArgumentSpec& spec : specs) {
    table += fmt::format("| `{}` | `{}` | {} |\n", spec.name, to_string(spec.type), spec.meaning);
  }
  return table;
}

}  // namespace

std::string step_kind_page(const ir::StepKindInfo& kind) {
  return fmt::format("## `{}`\n\n{}.\n\nTouches: {}. Undo: {}.\n{}{}", kind.name, kind.summary,
                     to_string(kind.host), undo_words(kind), arguments_of_kind(kind.kind),
                     outputs_of_kind(kind.kind));
}

std::string steps_page() {
  std::string page(kHead);
  for (const ir::StepKindInfo& kind : ir::all_step_kinds()) page += "\n" + step_kind_page(kind);
  return page;
}

}  // namespace plan::command
