#include "runtime/engine/explain.h"

#include <fmt/format.h>

#include "compiler/ir/json.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/text.h"
#include "embedded/diagnostic_pages.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/error_catalogue.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"
#include "runtime/engine/journal.h"

namespace plan::command {
namespace {

std::optional<std::string> explain_diagnostic(std::string_view code) {
  for (const KindInfo& kind : all_kinds()) {
    if (kind.name != code) continue;
    for (const EmbeddedFile& page : embedded::diagnostic_pages()) {
      if (page.name == fmt::format("{}.md", code)) return std::string(page.text);
    }
    return fmt::format("{}: {}\n", kind.name, kind.summary);
  }
  return std::nullopt;
}

std::optional<std::string> explain_error(std::string_view code) {
  for (const CatalogueEntry& entry : error_catalogue()) {
    if (entry.code.name == code) {
      return fmt::format("# {}\n\n{}.\n\nWhat to do: {}.\n\nSeen by: {}.\n", code,
                         entry.code.summary, entry.code.remedy, entry.module);
    }
  }
  return std::nullopt;
}

std::string words_of_step(const ir::StepGraph& graph, ir::StepId step, const Project& project) {
  const ir::StepKindInfo& kind = ir::info(graph.kind(step));
  std::string text = fmt::format(
      "{}\n  {}: {}\n  effect: {}; undo: {}; stage: {}\n  caused by {}\n", graph.id(step),
      kind.name, kind.summary, to_string(kind.effect), to_string(kind.undo),
      to_string(graph.stage(step)), place_of(*project.compiled.sources, graph.origin(step)));
  const ir::Value arguments = graph.arguments(step);
  for (const ir::ArgumentSpec& argument : ir::arguments_of(graph.kind(step))) {
    const ir::Value& value = arguments[argument.name];
    if (value.is_null()) continue;
    text += fmt::format("  {} = {}   ({})\n", argument.name,
                        value.is_secret() ? "(secret)" : ir::write_json(value), argument.meaning);
  }
  for (const ir::StepId before : graph.after(step))
    text += fmt::format("  after {}\n", graph.id(before));
  return text;
}

}  // namespace

ExitCode run_explain(const Invocation& invocation) {
  const std::string what = invocation.value("what");
  std::optional<std::string> page = explain_diagnostic(what);
  if (!page) page = explain_error(what);
  if (page) {
    print_result(*page);
    return ExitCode::done;
  }
  auto project = load_project(invocation.value("--plan"));
  if (project && project->compiled.graph) {
    const ir::StepGraph& graph = *project->compiled.graph;
    if (const auto step = graph.find(what)) {
      print_result(words_of_step(graph, *step, *project));
      engine::JournalOptions options;
      options.is_read_only = true;
      auto journal = engine::open_journal(project->folder.journal_file, options);
      if (auto explained = engine::explain_step(graph, journal ? journal->get() : nullptr, what);
          explained && *explained) {
        for (const std::string& line : (*explained)->lines)
          print_result(fmt::format("  {}\n", line));
      }
      return ExitCode::done;
    }
  }
  std::vector<std::string_view> names;
  for (const KindInfo& kind : all_kinds()) names.push_back(kind.name);
  for (const CatalogueEntry& entry : error_catalogue()) names.push_back(entry.code.name);
  const auto near = nearest(what, names);
  return print_error(Error(errors::nothing_of_that_name,
                           fmt::format("`{}` is no code, and no step of {}{}", printable(what),
                                       invocation.value("--plan"),
                                       near ? fmt::format("; did you mean `{}`?", *near) : "")));
}

}  // namespace plan::command
