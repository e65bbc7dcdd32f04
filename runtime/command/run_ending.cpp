#include "runtime/command/run_ending.h"

#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/command/console.h"

namespace plan::command {
namespace {
constexpr std::size_t kFailuresShown = 20;
}

ExitCode show_ending(const engine::RunResult& result) {
  std::size_t shown = 0;
  for (const report::Failure& failure : result.failures) {
    if (++shown > kFailuresShown) {
      print_words(fmt::format("and {} more failures (plan report)\n",
                              result.failures.size() - kFailuresShown));
      break;
    }
    const std::string code = fmt::format(" [{}]", failure.code);
    print_words(fmt::format(
        "{}{}error: {}: {}{}\n", failure.place, failure.place.empty() ? "" : ": ", failure.step,
        printable(failure.message), failure.message.ends_with(code) ? "" : code));
    if (!failure.remedy.empty()) print_words(fmt::format("  help: {}\n", failure.remedy));
  }
  for (const std::string& account : result.accounts_held) {
    print_words(
        fmt::format("error: {} is still held: run the same command again at once\n", account));
  }
  if (!result.message.empty()) print_words(result.message + "\n");
  switch (result.ending) {
    case report::Ending::finished:
      return ExitCode::done;
    case report::Ending::stopped:
      return ExitCode::stopped;
    case report::Ending::failed:
      return ExitCode::error;
    case report::Ending::needs_approval:
      return ExitCode::differences;
  }
  return ExitCode::error;
}

ExitCode exit_code_of(const report::RunRecord& run) {
  if (run.state == "needs-approval") return ExitCode::differences;
  if (run.state == "stopped" || run.state == "interrupted") return ExitCode::stopped;
  return run.state == "failed" ? ExitCode::error : ExitCode::done;
}

}  // namespace plan::command
