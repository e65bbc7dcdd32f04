#include "runtime/command/stop_on_signal.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string_view>

#include "compiler/source/check.h"

namespace plan::command {
namespace {

// A signal handler can reach nothing but globals; they are set while a StopOnSignal lives.
step::StopSignal* current_stop = nullptr;
std::atomic<bool> is_told_by_the_run{false};

void on_signal(int number) {
  if (current_stop == nullptr) return;
  current_stop->request();
  if (number != SIGINT || is_told_by_the_run) return;
  constexpr std::string_view kText = "\nstopping\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kText.data(), kText.size());
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
  is_told_by_the_run = false;
  handle(SIGINT, on_signal);
  handle(SIGTERM, on_signal);
  // The terminal is gone. Whoever said `nohup` wants the run to go on.
  has_hang_up_ = !is_ignored(SIGHUP);
  if (has_hang_up_) handle(SIGHUP, on_signal);
}

void StopOnSignal::leave_words_to_the_run() const { is_told_by_the_run = true; }

StopOnSignal::~StopOnSignal() {
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
  if (has_hang_up_) handle(SIGHUP, SIG_DFL);
  current_stop = nullptr;
}

}  // namespace plan::command
