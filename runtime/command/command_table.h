#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plan::command {

/// Exit codes, the same everywhere (design.md section 1).
enum class ExitCode : int {
  done = 0,
  error = 1,
  differences = 2,  ///< there are differences, or approval is needed
  stopped = 3,      ///< stopped, can be resumed
  not_checked = 4,
  bug = 70,
};

/// What a number on the command line may be.
struct NumberRange {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};

/// An option of a command. A name without a value name is a switch.
struct OptionSpec {
  std::string_view name = {};        ///< "--format"; a positional has no dashes
  std::string_view value_name = {};  ///< "FORMAT", empty for switches
  std::string_view fallback = {};    ///< what it is when not given
  std::string_view summary = {};
  bool is_required = false;
  bool is_repeatable = false;
  std::optional<NumberRange> range = {};  ///< it takes a number of that range and nothing else
  /// It takes one of the words in backticks of its summary; so does every `--format`.
  bool is_one_of_its_words = false;
};

/// The words that it takes one of; none where it takes others.
[[nodiscard]] std::vector<std::string> choices_of(const OptionSpec& option);

struct Invocation;
using RunCommand = ExitCode (*)(const Invocation&);

/// One command: the only place where its name, options, help, man page and completion come from.
struct CommandSpec {
  std::string_view name = {};     ///< "apply", "proxy run"
  std::string_view summary = {};  ///< one line
  std::string_view text = {};     ///< what a reader of `--help` or the man page wants to know
  std::string_view example = {};  ///< a command line that works, and what it does
  std::vector<OptionSpec> options = {};
  RunCommand run = nullptr;
  bool is_hidden = false;  ///< for our own scripts; not in help
};

/// A command line, parsed.
struct Invocation {
  const CommandSpec* command = nullptr;
  std::map<std::string, std::vector<std::string>, std::less<>> values = {};

  [[nodiscard]] bool has(std::string_view name) const { return values.find(name) != values.end(); }
  /// The value of an option or its fallback.
  [[nodiscard]] std::string value(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  /// The number of an option that has a range.
  [[nodiscard]] std::uint64_t number(std::string_view name) const;
};

[[nodiscard]] std::span<const CommandSpec> all_commands();
/// Those of `plan dump`, which are a part of all.
[[nodiscard]] std::vector<CommandSpec> dump_commands();

/// What the commands of two words have in common: "proxy" -> "the migration proxy".
[[nodiscard]] std::string_view summary_of_group(std::string_view group);

/// Of this program.
inline constexpr std::string_view kVersion = "0.1.0";

/// Reads a command line. Nothing when it was answered already (help, version, a mistake): then
/// `*exit_code` says how. With `--format json` on it a mistake is answered in JSON too.
[[nodiscard]] std::optional<Invocation> parse_arguments(int argc, const char* const* argv,
                                                        ExitCode* exit_code);

/// `plan docs man|bash|markdown`: pages made from the table above.
[[nodiscard]] std::string man_page(const CommandSpec& command);
/// plan(1): the way of a migration, and which command does what.
[[nodiscard]] std::string man_overview();
[[nodiscard]] std::string bash_completion();
[[nodiscard]] std::string command_reference();
/// `plan docs modules`: what the built-in modules do.
[[nodiscard]] std::string modules_page();

}  // namespace plan::command
