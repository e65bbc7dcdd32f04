// plan watch: looks at the journal and at the end of the event file again and again, until the run
// ends. Reads only.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project_folder.h"
#include "runtime/command/run_ending.h"
#include "runtime/command/stop_on_signal.h"
#include "runtime/engine/status.h"
#include "runtime/report/watch.h"

namespace plan::command {
namespace {

constexpr std::streamoff kEventBytesRead = 256 << 10;
constexpr std::chrono::milliseconds kSlice{100};  ///< how soon Ctrl-C is seen
constexpr int kLookCostsAtMost =
    5;  ///< a large journal is looked at less often: a fifth of the time
constexpr std::int64_t kLineEveryMs = 10'000;

/// The last lines of the event file; nothing when there is none.
std::string last_events(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const std::streamoff size = file.tellg();
  const std::streamoff begin = std::max<std::streamoff>(0, size - kEventBytesRead);
  file.seekg(begin);
  std::string text(static_cast<std::size_t>(size - begin), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  if (begin > 0) text.erase(0, std::min(text.size(), text.find('\n') + 1));
  return text;
}

report::WatchOptions screen() {
  report::WatchOptions options;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) {
    options.width_columns = size.ws_col;
    options.rows_max = std::max<std::size_t>(size.ws_row, 5);
  }
  options.has_colour = takes_colour(STDOUT_FILENO);
  return options;
}

/// One way of showing a picture after the other.
class Screen {
 public:
  Screen(std::string format, bool is_terminal)
      : format_(std::move(format)), is_terminal_(is_terminal) {}

  void show(const report::RunRecord& run, const std::vector<report::RunningStep>& running,
            std::int64_t now_ms, bool is_last) {
    if (format_ == "ndjson") return show_json(run);
    if (!is_terminal_) return show_line(run, now_ms, is_last);
    const report::WatchOptions size = screen();
    const std::string picture = report::render_watch(run, running, now_ms, size);
    // Up to where the last picture began, and nothing of it stays. In a terminal of another width
    // its lines take other rows than it had: then the whole screen is drawn anew.
    const bool is_resized = rows_ > 0 && size.width_columns != columns_;
    columns_ = size.width_columns;
    print_result((rows_ == 0   ? std::string()
                  : is_resized ? std::string("\x1b[H\x1b[J")
                               : fmt::format("\x1b[{}A\x1b[J", rows_)) +
                 picture);
    rows_ = static_cast<std::size_t>(std::count(picture.begin(), picture.end(), '\n'));
  }

 private:
  void show_json(const report::RunRecord& run) {
    const std::string line = ir::write_json(report::to_document(run)) + "\n";
    if (line != last_) print_result(line);
    last_ = line;
  }
  /// When something happened, but not every second: it goes into a log.
  void show_line(const report::RunRecord& run, std::int64_t now_ms, bool is_last) {
    const std::string what =
        fmt::format("{} {} {}", run.state, run.done, run.approvals_needed.size());
    const bool is_due = now_ms - shown_ms_ >= kLineEveryMs;
    if (!is_last && !(is_due && what != last_)) return;
    print_result(net::show_utc(now_ms) + " " + report::watch_line(run, now_ms) + "\n");
    last_ = what;
    shown_ms_ = now_ms;
  }

  std::string format_;
  bool is_terminal_;
  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
  std::string last_;
  std::int64_t shown_ms_ = 0;
};

}  // namespace

ExitCode run_watch(const Invocation& invocation) {
  const std::string format = run_format(invocation);
  const ProjectFolder folder = project_folder(invocation.value("--plan"));
  const std::string interval_text = invocation.value("--interval");
  if (interval_text.empty() || interval_text.size() > 4 ||
      interval_text.find_first_not_of("0123456789") != std::string::npos ||
      std::stoi(interval_text) == 0) {
    return print_error(
        Error(errors::bad_option, "--interval is a number of seconds from 1 to 9999"), format);
  }
  const std::chrono::milliseconds interval(std::stoi(interval_text) * 1000);
  engine::JournalOptions reading;
  reading.is_read_only = true;
  auto journal = engine::open_journal(folder.journal_file, reading);
  if (!journal) return print_error(journal.error(), format);
  step::StopSignal stop;
  const StopOnSignal signals(stop);
  net::Clock& clock = net::system_clock();
  Screen screen(format, is_terminal(STDOUT_FILENO));
  while (true) {
    const auto begun = clock.now();
    auto run = engine::run_record(**journal);
    if (!run) return print_error(run.error(), format);
    const bool is_last = run->state != "running" || invocation.has("--once") || stop.is_requested();
    screen.show(*run, report::running_steps(last_events(folder.state_directory + "/events.jsonl")),
                clock.wall_ms(), is_last);
    if (is_last) return run->state == "running" ? ExitCode::done : exit_code_of(*run);
    const auto cost = std::chrono::duration_cast<std::chrono::milliseconds>(clock.now() - begun);
    const auto wait = std::max(interval, cost * kLookCostsAtMost);
    for (std::chrono::milliseconds waited{0}; waited < wait && !stop.is_requested();
         waited += kSlice)
      clock.sleep_for(kSlice);
  }
}

}  // namespace plan::command
