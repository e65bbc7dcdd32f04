#include "compiler/lower/missing_steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/lower/given_place.h"
#include "compiler/source/std_place.h"
#include "compiler/source/text.h"
#include "compiler/syntax/language.h"

namespace plan::lower {

using syntax::Node;

bool MissingSteps::tell(const Node& item) {
  if (const ModuleInstance* module = used_as_a_word(item.text)) {
    report_prefix(item, *module);
    return true;
  }
  const auto [known, is_new] = of_std_.try_emplace(item.text);
  if (is_new && input_.std_module_of) known->second = input_.std_module_of(item.text, present());
  if (known->second.name.empty()) return false;
  report_unused(item, known->second);
  return true;
}

/// The module that has this step behind a word of its own; nullptr: none has.
const ModuleInstance* MissingSteps::used_as_a_word(const std::string& id) const {
  const auto found =
      std::find_if(input_.modules.begin(), input_.modules.end(), [&](const ModuleInstance& module) {
        return !module.prefix.empty() && steps_.contains(module.prefix + id);
      });
  return found == input_.modules.end() ? nullptr : &*found;
}

/// Once for each word, whoever names steps behind it.
void MissingSteps::report_prefix(const Node& item, const ModuleInstance& module) {
  if (!words_.insert(module.prefix).second) return;
  const std::string word = printable(module.prefix.substr(0, module.prefix.size() - 1), 60);
  const std::string id = printable(module.prefix + item.text, 80);
  auto report = sink_.report(Kind::procedure_broken, item.span,
                             fmt::format("there is no step `{}`", printable(item.text, 80)));
  report.label(fmt::format("it is `{}`, because its module is used `as {}`", id, word));
  if (module.used_at.is_known()) report.note(module.used_at, "its module is used here");
  report.help(is_of_std(*input_.sources, item.span)
                  ? fmt::format("take `as {}` out of that `use`", word)
                  : fmt::format("write `{}`; or take `as {}` out of that `use`, if the module is "
                                "used once",
                                id, word));
}

Present MissingSteps::present() const {
  Present present;
  for (const ModuleInstance& module : input_.modules) {
    if (!module.tree->span.is_known()) continue;
    const std::string_view name = input_.sources->name(module.tree->span.file);
    if (name.starts_with(kStd)) present.modules.emplace(name.substr(0, name.rfind('.')));
  }
  present.has_step = [this](const std::string& id) { return steps_.contains(id); };
  return present;
}

/// Once for each module that can be used, whoever names steps of it.
void MissingSteps::report_unused(const Node& item, const StdModule& module) {
  if (!unused_.insert(module.can_be_used ? module.name : item.text).second) return;
  const std::string id = printable(item.text, 80);
  auto report =
      sink_.report(Kind::procedure_broken, item.span, fmt::format("there is no step `{}`", id));
  if (!module.can_be_used) {
    report
        .label(
            fmt::format("it is a step of `{}`, of which other parts are here already", module.name))
        .help(fmt::format("write a step `{}` of your own as `{}` has it; `plan explain {}` shows "
                          "it",
                          id, module.name, module.name));
    return;
  }
  report
      .label(module.name == module.has_step
                 ? fmt::format("it is a step of `{}`, which is not used here", module.name)
                 : fmt::format("it is a step of `{}`, which `{}` brings; it is not used here",
                               module.has_step, module.name))
      .help(how_to_use(module.name, item.span));
}

/// A module beside the one that has this place.
std::string MissingSteps::how_to_use(std::string_view name, Span place) const {
  const ModuleInstance* module = module_at(input_.modules, place);
  const Span at = module == nullptr || !is_of_std(*input_.sources, place) ? place : module->used_at;
  const bool is_of_yaml = at.is_known() && !syntax::is_language_file(input_.sources->name(at.file));
  return is_of_yaml ? fmt::format(
                          "name `{}` beside {} in the list `use` of a module of your own; "
                          "docs/modules.md says which modules go together",
                          name, use_of(place))
                    : fmt::format(
                          "write `use {}` beside {}; docs/modules.md says which modules go "
                          "together",
                          name, use_of(place));
}

/// The operator's `use` of the module of std in whose text this place is.
std::string MissingSteps::use_of(Span place) const {
  const ModuleInstance* module = module_at(input_.modules, place);
  if (module == nullptr || !module->used_at.is_known() || !is_of_std(*input_.sources, place))
    return "the module's own steps";
  if (!syntax::is_language_file(input_.sources->name(module->used_at.file)))
    return fmt::format("`{}`", printable(input_.sources->text(module->used_at), 80));
  return fmt::format("`use {}`", printable(input_.sources->text(module->used_at), 80));
}

}  // namespace plan::lower
