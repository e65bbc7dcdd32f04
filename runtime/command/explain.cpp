#include "runtime/engine/explain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/ir/step_kind.h"
#include "compiler/lower/argument_type.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/text.h"
#include "embedded/diagnostic_pages.h"
#include "embedded/stdlib_modules.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/error_catalogue.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"
#include "runtime/command/step_page.h"
#include "runtime/engine/journal.h"
#include "runtime/engine/subject.h"

namespace plan::command {
namespace {

/// What is known about a code: for programs, and as a page for a person.
struct Page {
  ir::Value document = {};
  std::string text = {};
};

std::optional<Page> explain_diagnostic(std::string_view code) {
  for (const KindInfo& kind : all_kinds()) {
    if (kind.name != code) continue;
    Page page{ir::Value::map({{"format", 1},
                              {"code", kind.name},
                              {"kind", "diagnostic"},
                              {"severity", to_string(kind.severity)},
                              {"summary", kind.summary}}),
              fmt::format("{}: {}\n", kind.name, kind.summary)};
    for (const EmbeddedFile& file : embedded::diagnostic_pages()) {
      if (file.name == fmt::format("{}.md", code)) page.text = file.text;
    }
    page.document.set("page", page.text);
    return page;
  }
  return std::nullopt;
}

std::optional<Page> explain_error(std::string_view code) {
  for (const CatalogueEntry& entry : error_catalogue()) {
    if (entry.code.name != code) continue;
    return Page{ir::Value::map({{"format", 1},
                                {"code", code},
                                {"kind", "error"},
                                {"summary", entry.code.summary},
                                {"remedy", entry.code.remedy},
                                {"seen_by", entry.module}}),
                fmt::format("# {}\n\n{}.\n\nWhat to do: {}.\n\nSeen by: {}.\n", code,
                            entry.code.summary, entry.code.remedy, entry.module)};
  }
  return std::nullopt;
}

/// A procedure as it is compiled in.
std::optional<Page> explain_procedure(std::string_view name) {
  constexpr std::string_view kPrefix = "std/";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  for (const EmbeddedFile& module : embedded::stdlib_modules()) {
    if (module.name.substr(0, module.name.rfind('.')) != name.substr(kPrefix.size())) continue;
    return Page{ir::Value::map({{"format", 1}, {"procedure", name}, {"module", module.text}}),
                std::string(module.text)};
  }
  return std::nullopt;
}

/// A kind of step, as modules name it.
std::optional<Page> explain_kind(std::string_view name) {
  const auto kind = ir::step_kind_by_name(name);
  if (!kind) return std::nullopt;
  const ir::StepKindInfo& known = info(*kind);
  ir::List arguments;
  for (const ir::ArgumentSpec& spec : ir::arguments_of(*kind)) {
    arguments.push_back(ir::Value::map({{"name", spec.name},
                                        {"type", to_string(spec.type)},
                                        {"required", spec.is_required},
                                        {"may_be", lower::bounds_of(spec)},
                                        {"meaning", spec.meaning}}));
  }
  const std::string page = step_kind_page(known);
  return Page{ir::Value::map({{"format", 1},
                              {"step_kind", known.name},
                              {"summary", known.summary},
                              {"touches", to_string(known.host)},
                              {"undo", undo_words(known)},
                              {"arguments", std::move(arguments)},
                              {"page", page}}),
              page};
}

/// The modules as `use` names them.
std::vector<std::string> module_names() {
  std::vector<std::string> names;
  for (const EmbeddedFile& module : embedded::stdlib_modules())
    names.push_back(fmt::format("std/{}", module.name.substr(0, module.name.rfind('.'))));
  std::sort(names.begin(), names.end());
  return names;
}

constexpr std::size_t kNamedMax = 8;

std::string came_after(const ir::StepGraph& graph, ir::StepId step) {
  const auto before = graph.after(step);
  if (before.empty()) return {};
  std::string line;
  for (std::size_t i = 0; i < std::min<std::size_t>(before.size(), kNamedMax); ++i)
    line += (i == 0 ? "" : ", ") + graph.id(before[i]);
  if (before.size() > kNamedMax)
    line += fmt::format(" and {} more", show_count(before.size() - kNamedMax));
  return fmt::format("  it came after {}\n", printable(line, SIZE_MAX));
}

Page explain_step(const ir::StepGraph& graph, ir::StepId step, const Project& project) {
  engine::JournalOptions options;
  options.is_read_only = true;
  auto journal = engine::open_journal(project.folder.journal_file, options);
  const std::string id = graph.id(step);
  const std::string procedure = place_of(*project.compiled.sources, graph.origin(step));
  const std::string place = place_of(*project.compiled.sources, engine::cause_of(graph, step));
  Page page{
      ir::Value::map({{"format", 1}, {"step", id}, {"caused_by", place}, {"procedure", procedure}}),
      printable(id) + "\n"};
  if (auto explained = engine::explain_step(graph, journal ? journal->get() : nullptr, id);
      explained && *explained) {
    ir::List lines;
    page.text += fmt::format("  state: {}\n", (*explained)->state);
    for (const std::string& line : (*explained)->lines) {
      page.text += fmt::format("  {}\n", printable(line, SIZE_MAX));
      lines.emplace_back(line);
    }
    if ((*explained)->state == "done") page.text += came_after(graph, step);
    page.document.set("state", (*explained)->state);
    page.document.set("lines", std::move(lines));
  }
  page.text += place == procedure
                   ? fmt::format("  caused by {}\n", printable(place))
                   : fmt::format("  caused by {}, by {}\n", printable(place), printable(procedure));
  const ir::Value arguments = graph.arguments(step);
  ir::Value shown = ir::Value::map();
  for (const ir::ArgumentSpec& argument : ir::arguments_of(graph.kind(step))) {
    const ir::Value& value = arguments[argument.name];
    if (value.is_null()) continue;
    page.text +=
        fmt::format("  {} = {}   ({})\n", argument.name,
                    value.is_secret() ? "(secret)" : printable(ir::write_json(value), SIZE_MAX),
                    argument.meaning);
    shown.set(std::string(argument.name), value.is_secret() ? ir::Value("(secret)") : value);
  }
  page.document.set("arguments", std::move(shown));
  ir::List after;
  for (const ir::StepId before : graph.after(step)) after.emplace_back(graph.id(before));
  page.document.set("after", std::move(after));
  return page;
}

/// `account/{}/hold`, as `plan graph` draws the steps that are alike; nothing: no step is written
/// so.
std::optional<Page> explain_form(const ir::StepGraph& graph, std::string_view form,
                                 const Project& project) {
  const ir::StepShape* shape = nullptr;
  for (const ir::StepShape& one : graph.shapes()) {
    if (one.id_pattern == form) shape = &one;
  }
  if (shape == nullptr) return std::nullopt;
  std::size_t count = 0;
  ir::List named;
  for (const ir::StepId step : graph.order()) {
    if (graph.shape(step).id_pattern != form) continue;
    if (++count <= kNamedMax) named.emplace_back(graph.id(step));
  }
  const ir::StepKindInfo& kind = info(shape->kind);
  const std::string place = place_of(*project.compiled.sources, shape->origin);
  Page page{ir::Value::map({{"format", 1},
                            {"steps", form},
                            {"kind", kind.name},
                            {"procedure", place},
                            {"count", count}}),
            printable(form) + "\n"};
  page.text += fmt::format("  {}: {}\n  undo: {}\n  by {}\n", kind.name, kind.summary,
                           undo_words(kind), printable(place));
  if (count == 0)
    page.text +=
        "  this plan has no such step: there is nothing for it, or its condition is false\n";
  else
    page.text += fmt::format("  {} {}; `plan explain` tells more of each:\n", show_count(count),
                             count == 1 ? "step" : "steps");
  for (const ir::Value& id : named)
    page.text += fmt::format("    {}\n", printable(id.string_or(""), SIZE_MAX));
  if (count > kNamedMax)
    page.text += fmt::format("    and {} more\n", show_count(count - kNamedMax));
  page.document.set("first", std::move(named));
  return page;
}

void print_page(const Page& page, std::string_view format) {
  print_result(format == "json" ? ir::write_json(page.document, 2) + "\n" : page.text);
}

}  // namespace

ExitCode run_explain(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  const std::string what = invocation.value("what");
  std::optional<Page> page = explain_diagnostic(what);
  if (!page) page = explain_error(what);
  if (!page) page = explain_procedure(what);
  if (!page) page = explain_kind(what);
  if (!page && what.starts_with("std/")) {
    return print_error(Error(errors::nothing_of_that_name,
                             fmt::format("there is no module `{}`; there are {}", printable(what),
                                         fmt::join(module_names(), ", "))),
                       format);
  }
  std::vector<std::string> steps;
  std::string no_steps;  // why the plan's steps are not known
  if (!page) {
    auto project = load_project(invocation.value("--plan"));
    if (!project) {
      no_steps = project.error().message();
    } else if (!project->compiled.graph) {
      no_steps = fmt::format("{} does not compile: see plan check", project->folder.plan_file);
    } else if (const ir::StepGraph& graph = *project->compiled.graph; graph.find(what)) {
      page = explain_step(graph, *graph.find(what), *project);
    } else if (page = explain_form(graph, what, *project); !page) {
      for (const ir::StepId step : graph.order()) steps.push_back(graph.id(step));
      for (const ir::StepShape& shape : graph.shapes()) steps.push_back(shape.id_pattern);
    }
  }
  if (page) {
    print_page(*page, format);
    return ExitCode::done;
  }
  std::vector<std::string_view> names(steps.begin(), steps.end());
  for (const KindInfo& kind : all_kinds()) names.push_back(kind.name);
  for (const CatalogueEntry& entry : error_catalogue()) names.push_back(entry.code.name);
  for (const ir::StepKindInfo& kind : ir::all_step_kinds()) names.push_back(kind.name);
  const auto near = nearest(what, names);
  return print_error(
      Error(errors::nothing_of_that_name,
            fmt::format("`{}` is no code{}{}", printable(what),
                        no_steps.empty()
                            ? fmt::format(", and no step of {}", invocation.value("--plan"))
                            : fmt::format("; the plan's steps are not known: {}", no_steps),
                        near ? fmt::format("; did you mean `{}`?", printable(*near)) : "")),
      format);
}

}  // namespace plan::command
