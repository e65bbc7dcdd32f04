#include <csignal>
#include <cstdio>
#include <exception>

#include "runtime/command/command_table.h"

int main(int argc, char** argv) {
  // A peer that closes is an error value of the write, never a signal.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    plan::command::ExitCode exit_code = plan::command::ExitCode::done;
    const auto invocation = plan::command::parse_arguments(argc, argv, &exit_code);
    if (!invocation) return static_cast<int>(exit_code);
    return static_cast<int>(invocation->command->run(*invocation));
  } catch (const std::exception& bug) {
    std::fprintf(stderr,
                 "this is a bug in plan: %s\nnothing is lost: the journal was written before each "
                 "effect; run the same "
                 "command again\n",
                 bug.what());
    return static_cast<int>(plan::command::ExitCode::bug);
  }
}
