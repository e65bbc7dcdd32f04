#include <fmt/format.h>

#include <charconv>

#include "compiler/lower/admin_lines.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"

namespace plan::command {
namespace {

constexpr std::size_t kLeftOutMax = 20;  // lines that are shown one by one

}  // namespace

ExitCode run_lower(const Invocation& invocation) {
  ExitCode exit_code = ExitCode::done;
  const auto stage = ir::stage_by_name(invocation.value("--stage"));
  if (!stage)
    return print_error(
        Error(errors::bad_option, "`--stage` is prepare, cutover, waves or finalize"));
  const std::string number = invocation.value("--part");
  std::size_t part = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), part);
  if (error != std::errc() || end != number.data() + number.size() || part == 0)
    return print_error(Error(errors::bad_option, "`--part` is a number from 1"));
  const auto project = load_sound_project(invocation.value("plan"), "text", &exit_code);
  if (!project) return exit_code;
  const lower::AdminLines lines = lower::admin_lines(*project->compiled.graph, *stage);
  for (std::size_t i = 0; i < lines.left_out.size() && i < kLeftOutMax; ++i)
    print_words(fmt::format("left out: {}\n", lines.left_out[i]));
  if (lines.left_out.size() > kLeftOutMax)
    print_words(fmt::format("and {} more\n", show_count(lines.left_out.size() - kLeftOutMax)));
  if (part > std::max<std::size_t>(1, lines.parts.size())) {
    return print_error(
        Error(errors::nothing_of_that_name,
              fmt::format("stage {} has {} part{}, no part {}", invocation.value("--stage"),
                          std::max<std::size_t>(1, lines.parts.size()),
                          lines.parts.size() > 1 ? "s" : "", part)));
  }
  if (lines.parts.empty())
    print_words(fmt::format("stage {} writes nothing to the target by stalwart-cli\n",
                            invocation.value("--stage")));
  if (lines.parts.size() > 1) {
    print_words(
        fmt::format("part {} of {}; apply one after the other\n", part, lines.parts.size()));
  }
  const std::string text = lines.parts.empty() ? std::string() : lines.parts[part - 1];
  const std::string output = invocation.value("--output");
  if (output == "-") {
    print_result(text);
    return ExitCode::done;
  }
  if (auto written = write_text_file(output, text); !written) return print_error(written.error());
  return ExitCode::done;
}

}  // namespace plan::command
