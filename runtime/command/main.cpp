#include <fcntl.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>

#include "runtime/command/command_table.h"
#include "runtime/command/console.h"

namespace {

// Started without one of the three (`2>&-`), the first socket or file that is opened would get its
// number, and words for people would be written into it. What stands there instead refuses to be
// used.
void hold_the_places_of_standard_streams() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    if (open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY) != descriptor) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  hold_the_places_of_standard_streams();
  // A peer that closes is an error value of the write, never a signal.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    plan::command::ExitCode exit_code = plan::command::ExitCode::done;
    const auto invocation = plan::command::parse_arguments(argc, argv, &exit_code);
    if (!invocation) return static_cast<int>(plan::command::after_results(exit_code));
    return static_cast<int>(plan::command::after_results(invocation->command->run(*invocation)));
  } catch (const std::exception& bug) {
    std::fprintf(stderr,
                 "this is a bug in plan: %s\nnothing is lost: the journal was written before each "
                 "effect; run the same "
                 "command again\n",
                 bug.what());
    return static_cast<int>(plan::command::ExitCode::bug);
  }
}
