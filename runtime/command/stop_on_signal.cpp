#include "runtime/command/stop_on_signal.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

#include "compiler/source/check.h"

namespace plan::command {
namespace {

// A signal handler can reach nothing but a global; it is set while a StopOnSignal lives.
step::StopSignal* current_stop = nullptr;

void on_signal(int number) {
  if (current_stop == nullptr) return;
  const bool is_again = current_stop->is_requested();
  current_stop->request();
  if (number == SIGINT) {
    constexpr std::string_view kFirst =
        "\nstopping: accounts that are held are finished or undone first\n";
    constexpr std::string_view kAgain =
        "\nstill stopping: held accounts come first; users would wait for nothing otherwise\n";
    const std::string_view text = is_again ? kAgain : kFirst;
    [[maybe_unused]] const auto written = write(STDERR_FILENO, text.data(), text.size());
  }
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, nullptr);
}

bool is_ignored(int number) {
  struct sigaction action {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

StopOnSignal::StopOnSignal(step::StopSignal& stop) {
  PLAN_CHECK(current_stop == nullptr, "a command runs one thing that can be stopped");
  current_stop = &stop;
  handle(SIGINT, on_signal);
  handle(SIGTERM, on_signal);
  // The terminal is gone. Whoever said `nohup` wants the run to go on.
  has_hang_up_ = !is_ignored(SIGHUP);
  if (has_hang_up_) handle(SIGHUP, on_signal);
}

StopOnSignal::~StopOnSignal() {
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
  if (has_hang_up_) handle(SIGHUP, SIG_DFL);
  current_stop = nullptr;
}

}  // namespace plan::command
