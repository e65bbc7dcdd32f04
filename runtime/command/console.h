#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/error.h"
#include "compiler/source/result.h"
#include "runtime/command/command_table.h"
#include "runtime/report/event.h"

namespace plan::step {
class StopSignal;
}

namespace plan::command {

// Results go to stdout, words for people to stderr (design.md section 1).

void print_result(std::string_view text);
void print_words(std::string_view text);

/// The exit code of a command that is over: when its results did not reach stdout, that is said and
/// is an error. A reader that has closed its pipe is none.
[[nodiscard]] ExitCode after_results(ExitCode exit_code);

/// Prints an error of the world with its code and remedy: `error: message [code]` and `  help:
/// remedy`; with `json` the same as a document on stdout, with `ndjson` as one line of it
/// (docs/formats/errors.md). `remedy` where more is known than the code's. Returns the exit code of
/// an error.
ExitCode print_error(const Error& error, std::string_view format = "text",
                     std::string_view remedy = {});

/// A document as JSON, or for a person: a line for each member, indented.
void print_document(const ir::Value& document, std::string_view format);

[[nodiscard]] bool is_terminal(int descriptor);
/// A terminal that has colours (TERM is not `dumb`), and NO_COLOR is not set to anything.
[[nodiscard]] bool takes_colour(int descriptor);
/// As it is now; 120 where there is no terminal.
[[nodiscard]] std::size_t terminal_columns();
/// The same for texts that are laid out once: in a narrower terminal than they can be they wrap.
[[nodiscard]] std::size_t terminal_width_columns();

/// Asks on the terminal; only `yes` is a yes. Without a terminal, or when `stop` is requested, the
/// answer is no.
[[nodiscard]] bool ask_yes(std::string_view question, const step::StopSignal& stop);

/// What `--format` means to a command that runs steps: its `json` is one object a line, as `ndjson`
/// for print_error and RunDisplay.
[[nodiscard]] std::string run_format(const Invocation& invocation);

inline constexpr std::string_view kNobodySaidYes = "nobody said yes";
/// Says that a run was not begun; with `ndjson` as an object too, with the reason.
void print_not_begun(std::string_view format, std::string_view reason = kNobodySaidYes);

/// How a run is shown while it goes: `ndjson` is one object a line, else live progress on a
/// terminal and plain lines elsewhere. Beside that every event goes as a JSON line to `event_file`
/// (empty: none) and to what `--events` names, and into the counts that `--metrics` serves.
class RunDisplay {
 public:
  /// For a command without those two options.
  RunDisplay(std::string_view format, const std::string& event_file);
  /// Errors: bad-option, file-unwritable, address-in-use.
  [[nodiscard]] static Result<std::unique_ptr<RunDisplay>> open(const Invocation& invocation,
                                                                const std::string& event_file);
  ~RunDisplay();
  RunDisplay(const RunDisplay&) = delete;
  RunDisplay& operator=(const RunDisplay&) = delete;
  [[nodiscard]] report::EventSink& sink();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plan::command
