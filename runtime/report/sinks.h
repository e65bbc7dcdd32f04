#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/report/event.h"

namespace plan::report {

/// Where a sink's text goes: whole lines (or whole screen updates) at a time.
using Write = std::function<void(std::string_view text)>;

/// "1,200 of 2,000 messages (60 %), pass 1".
[[nodiscard]] std::string progress_words(const StepProgress& progress);

/// One line an event with its time in UTC, for output that is no terminal. Progress of a step is
/// shown at most every ten seconds.
class LineLog final : public EventSink {
 public:
  explicit LineLog(Write write) : write_(std::move(write)) {}
  void on(const Event& event) override;

 private:
  Write write_;
  std::map<std::string, std::int64_t, std::less<>> progress_shown_ms_;
};

/// One JSON object a line, for programs (`--format json`, event files).
class NdjsonLog final : public EventSink {
 public:
  explicit NdjsonLog(Write write) : write_(std::move(write)) {}
  void on(const Event& event) override;

 private:
  Write write_;
};

struct TerminalOptions {
  std::size_t width_columns = 80;
  std::function<std::size_t()> width_now = {};  ///< asked before each drawing: windows are resized
  std::size_t rows_max = 12;                    ///< running steps shown at once; more are counted
  bool has_colour = true;
};

/// Live progress on a terminal: finished things scroll up as lines, what runs now stays in a block
/// below them that is redrawn at most ten times a second (ANSI: cursor up, erase to end).
class TerminalProgress final : public EventSink {
 public:
  TerminalProgress(Write write, TerminalOptions options);
  ~TerminalProgress() override;
  void on(const Event& event) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plan::report
