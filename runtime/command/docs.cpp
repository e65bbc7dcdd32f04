#include <fmt/format.h>

#include <filesystem>

#include "compiler/ir/json.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/error_catalogue.h"
#include "runtime/command/project_folder.h"

namespace plan::command {
namespace {

// The versions that the references and recordings were made with.
constexpr std::string_view kVersion = "0.1.0";
constexpr std::string_view kTried =
    "Stalwart 0.16.0 to 0.16.19 as target; Dovecot 2.3 with Postfix 3.7 as source";

ExitCode write_page(const std::string& output, const std::string& text) {
  if (output.empty() || output == "-") {
    print_result(text);
    return ExitCode::done;
  }
  if (auto written = write_text_file(output, text); !written) return print_error(written.error());
  return ExitCode::done;
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
  if (what != "man") {
    print_words(fmt::format(
        "error: there is no page `{}`; there are man, bash, markdown and diagnostics\n", what));
    return ExitCode::error;
  }
  std::error_code failure;
  if (output != "-") std::filesystem::create_directories(output, failure);
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
  if (invocation.value("--format") == "json") {
    print_result(ir::write_json(
                     ir::Value::map({{"format", 1}, {"version", kVersion}, {"tried", kTried}}), 2) +
                 "\n");
  } else {
    print_result(fmt::format("plan {}\ntried with {}\n", kVersion, kTried));
  }
  return ExitCode::done;
}

}  // namespace plan::command
