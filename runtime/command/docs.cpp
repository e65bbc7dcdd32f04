#include <fmt/format.h>

#include <filesystem>

#include "compiler/check/tried_versions.h"
#include "compiler/ir/json.h"
#include "compiler/syntax/language.h"
#include "compiler/syntax/value_type.h"
#include "embedded/evidence_page.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/error_catalogue.h"
#include "runtime/command/project_folder.h"
#include "runtime/command/step_page.h"

namespace plan::command {
namespace {

ExitCode write_page(const std::string& output, const std::string& text) {
  if (output.empty() || output == "-") {
    print_result(text);
    return ExitCode::done;
  }
  if (auto written = write_text_file(output, text); !written) return print_error(written.error());
  return ExitCode::done;
}

/// The parts of docs/language.md that come from the code, for a writer to put there.
std::string language_parts() {
  return fmt::format("```\n{}```\n\n{}\n{}", syntax::grammar_text(), syntax::type_table_text(),
                     syntax::function_table_text());
}

std::string man_file_name(std::string_view command) {
  std::string name = fmt::format("plan-{}.1", command);
  for (char& c : name) {
    if (c == ' ') c = '-';
  }
  return name;
}

}  // namespace

ExitCode run_docs(const Invocation& invocation) {
  const std::string what = invocation.value("what");
  const std::string output = invocation.value("--output");
  if (what == "bash") return write_page(output, bash_completion());
  if (what == "markdown") return write_page(output, command_reference());
  if (what == "diagnostics") return write_page(output, diagnostics_page());
  if (what == "modules") return write_page(output, modules_page());
  if (what == "steps") return write_page(output, steps_page());
  if (what == "language") return write_page(output, language_parts());
  if (what != "man") {
    print_words(
        fmt::format("error: there is no page `{}`; there are man, bash, markdown, diagnostics, "
                    "language, modules and steps\n",
                    what));
    return ExitCode::error;
  }
  std::error_code failure;
  if (output != "-") std::filesystem::create_directories(output, failure);
  if (const ExitCode code = write_page(output == "-" ? output : output + "/plan.1", man_overview());
      code != ExitCode::done) {
    return code;
  }
  for (const CommandSpec& command : all_commands()) {
    if (command.is_hidden) continue;
    if (const ExitCode code = write_page(
            output == "-" ? output : output + "/" + man_file_name(command.name), man_page(command));
        code != ExitCode::done) {
      return code;
    }
  }
  return ExitCode::done;
}

ExitCode run_version(const Invocation& invocation) {
  const bool is_json = invocation.value("--format") == "json";
  if (invocation.has("--evidence")) {
    std::string_view page;
    for (const EmbeddedFile& file : embedded::evidence_page()) page = file.text;
    print_result(is_json ? ir::write_json(ir::Value::map({{"format", 1},
                                                          {"version", kVersion},
                                                          {"evidence", std::string(page)}}),
                                          2) +
                               "\n"
                         : std::string(page));
    return ExitCode::done;
  }
  std::string text = fmt::format("plan {}\n", kVersion);
  ir::List list;
  for (const check::TriedVersions& tried : check::tried_versions()) {
    const bool is_source = tried.name.starts_with("source");
    text += fmt::format("tried with {} {} as {}\n", tried.program, tried.words,
                        is_source ? "source" : "target");
    list.push_back(ir::Value::map(
        {{"server", tried.name}, {"program", tried.program}, {"versions", tried.words}}));
  }
  print_result(
      is_json
          ? ir::write_json(
                ir::Value::map({{"format", 1}, {"version", kVersion}, {"tried", std::move(list)}}),
                2) +
                "\n"
          : text);
  return ExitCode::done;
}

}  // namespace plan::command
