// The only file that includes CLI11. The command table is data; this turns it into a parser.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <sstream>

#include "compiler/source/check.h"
#include "compiler/source/text.h"
#include "runtime/command/command_table.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"

namespace plan::command {
namespace {

struct Collected {
  std::map<std::string, std::vector<std::string>, std::less<>> texts;
  std::map<std::string, bool, std::less<>> switches;
};

constexpr std::size_t kHelpColumns = 100;

std::optional<std::uint64_t> read_number(std::string_view text, const NumberRange& range) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < range.least ||
      number > range.most)
    return std::nullopt;
  return number;
}

/// Lines of at most kHelpColumns, broken between words.
std::string wrapped(std::string_view text) {
  std::string lines;
  std::size_t column = 0;
  for (const std::string_view word : split(text, ' ')) {
    if (column != 0 && column + 1 + display_width(word) > kHelpColumns) {
      lines += '\n';
      column = 0;
    }
    if (column != 0) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += display_width(word);
  }
  return lines;
}

/// Does the command line ask for answers in JSON? Read without the parser, which may have stopped
/// before it.
bool wants_json(int argc, const char* const* argv) {
  bool is_json = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--") break;
    if (word.starts_with("--format=")) is_json = word == "--format=json";
    if (word == "--format" && i + 1 < argc) is_json = std::string_view(argv[i + 1]) == "json";
  }
  return is_json;
}

/// One line of JSON is a document, and also a line of what commands of many lines write.
void print_mistake(std::string words, std::string_view argument, std::string_view command,
                   bool is_json) {
  Error error = Error(errors::bad_command_line, std::move(words))
                    .with_blame(Blame::local)
                    .with_argument(std::string(argument));
  print_error(error, is_json ? "ndjson" : "text",
              command.empty()
                  ? std::string()
                  : fmt::format("`plan {} --help` has every option and an example", command));
}

/// What is wrong with the values of an invocation: `words` is empty when nothing is.
struct WrongValue {
  std::string words = {};
  std::string_view option = {};
};
WrongValue wrong_value(const Invocation& invocation) {
  for (const OptionSpec& option : invocation.command->options) {
    const std::vector<std::string> choices = choices_of(option);
    for (const std::string& value : invocation.all(option.name)) {
      if (option.range && !read_number(value, *option.range)) {
        return {fmt::format("{} is a number of {} to {}, not `{}`", option.name,
                            show_count(option.range->least), show_count(option.range->most),
                            printable(value, 60)),
                option.name};
      }
      if (!choices.empty() && std::find(choices.begin(), choices.end(), value) == choices.end()) {
        return {fmt::format("{} is one of {}; not `{}`", option.name, fmt::join(choices, ", "),
                            printable(value, 60)),
                option.name};
      }
    }
  }
  return {};
}

/// A mistake on the command line, in our own words where the library has none that help.
void explain_mistake(const CLI::ParseError& mistake, int argc, const char* const* argv) {
  const bool is_json = wants_json(argc, argv);
  std::string words = mistake.what();
  for (const CommandSpec& command : all_commands()) {  // positionals by the word that help shows
    for (const OptionSpec& option : command.options) {
      if (!option.name.starts_with('-') && words == fmt::format("{} is required", option.name))
        words = fmt::format("{} is required", option.value_name);
    }
  }
  if (words == "A subcommand is required") words = "name one of its commands";
  const std::string_view first = argc > 1 ? argv[1] : "";
  const std::string_view second = argc > 2 ? argv[2] : "";
  const std::string both = fmt::format("{} {}", first, second);
  std::vector<std::string_view> names;
  std::vector<std::string_view> names_in_group;
  bool is_command = false;
  bool is_both = false;
  for (const CommandSpec& command : all_commands()) {
    const std::vector<std::string_view> parts = split(command.name, ' ');
    if (!command.is_hidden) names.push_back(parts.front());
    is_command = is_command || parts.front() == first;
    is_both = is_both || command.name == both;
    if (parts.size() == 2 && parts.front() == first) names_in_group.push_back(parts.back());
  }
  const auto no_command = [&](std::string_view named, std::string_view word,
                              const std::vector<std::string_view>& known, std::string_view group) {
    const auto near = nearest(word, known);
    print_mistake(fmt::format("there is no command `{}`{}", printable(named, 60),
                              near ? fmt::format("; did you mean `{}`?", *near) : ""),
                  "", group, is_json);
  };
  if (first.empty()) {
    print_mistake("name a command", "", "", is_json);
  } else if (!is_command && !first.starts_with('-')) {
    no_command(first, first, names, "");
  } else if (is_command && !is_both && !names_in_group.empty() && !second.empty() &&
             !second.starts_with('-')) {
    no_command(both, second, names_in_group, first);
  } else {
    print_mistake(printable(words, 500), "",
                  is_both      ? std::string_view(both)
                  : is_command ? first
                               : "",
                  is_json);
  }
}

void add_options(CLI::App& app, const CommandSpec& spec, Collected& into) {
  for (const OptionSpec& option : spec.options) {
    const std::string name(option.name);
    if (name.starts_with("-") && option.value_name.empty()) {
      app.add_flag(name, into.switches[name], std::string(option.summary));
      continue;
    }
    std::string summary(option.summary);
    if (!option.fallback.empty()) summary += " (default: " + std::string(option.fallback) + ")";
    CLI::Option* added = app.add_option(name, into.texts[name], summary);
    added->type_name(std::string(option.value_name));
    if (option.is_required) added->required();
    if (!option.is_repeatable) added->expected(1);
    // A repeatable positional takes all that is left; options are given once more for each value.
    if (!option.is_repeatable || name.starts_with("-")) added->allow_extra_args(false);
  }
}

}  // namespace

std::string Invocation::value(std::string_view name) const {
  const auto found = values.find(name);
  if (found != values.end() && !found->second.empty()) return found->second.back();
  for (const OptionSpec& option : command->options) {
    if (option.name == name) return std::string(option.fallback);
  }
  return {};
}

std::vector<std::string> Invocation::all(std::string_view name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::vector<std::string>{} : found->second;
}

std::vector<std::string> choices_of(const OptionSpec& option) {
  std::vector<std::string> words;
  if (option.name != "--format" && !option.is_one_of_its_words) return words;
  const std::vector<std::string_view> parts = split(option.summary, '`');
  for (std::size_t i = 1; i < parts.size(); i += 2) words.emplace_back(parts[i]);
  return words;
}

std::uint64_t Invocation::number(std::string_view name) const {
  for (const OptionSpec& option : command->options) {
    if (option.name != name || !option.range) continue;
    const auto number = read_number(value(name), *option.range);
    PLAN_CHECK(number, "a number is read when the command line is");
    return *number;
  }
  PLAN_CHECK(false, "a number is asked of an option that has a range");
  return 0;
}

std::optional<Invocation> parse_arguments(int argc, const char* const* argv, ExitCode* exit_code) {
  *exit_code = ExitCode::done;
  CLI::App app(
      "plan moves a mail server: it compiles a migration plan into checked steps and executes "
      "them");
  app.name("plan");
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("plan {}", kVersion),
                       "print the version; `plan version` says more");
  app.footer(
      "plan COMMAND --help has an example for each command. Exit codes: 0 done, 1 error, 2 "
      "differences or approval\n"
      "needed, 3 stopped and can be resumed, 4 not checked, 70 a bug in plan.");
  std::map<std::string, CLI::App*, std::less<>> groups;
  std::vector<std::pair<CLI::App*, const CommandSpec*>> leaves;
  std::vector<std::unique_ptr<Collected>> collected;
  for (const CommandSpec& spec : all_commands()) {
    const std::vector<std::string_view> words = split(spec.name, ' ');
    CLI::App* parent = &app;
    if (words.size() == 2) {
      CLI::App*& group = groups[std::string(words[0])];
      if (group == nullptr) {
        group = app.add_subcommand(std::string(words[0]), std::string(summary_of_group(words[0])));
        group->require_subcommand(1);
      }
      parent = group;
    }
    CLI::App* leaf = parent->add_subcommand(std::string(words.back()), std::string(spec.summary));
    if (spec.is_hidden) leaf->group("");
    leaf->footer(wrapped(spec.text) + "\n\nExample:\n  " + std::string(spec.example));
    collected.push_back(std::make_unique<Collected>());
    add_options(*leaf, spec, *collected.back());
    leaves.emplace_back(leaf, &spec);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& answered) {
    std::ostringstream text;
    app.exit(answered, text, text);
    print_result(text.str());
    return std::nullopt;
  } catch (const CLI::ParseError& mistake) {
    explain_mistake(mistake, argc, argv);
    *exit_code = ExitCode::error;
    return std::nullopt;
  }
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (!leaves[i].first->parsed()) continue;
    Invocation invocation;
    invocation.command = leaves[i].second;
    for (const auto& [name, texts] : collected[i]->texts) {
      if (!texts.empty()) invocation.values[name] = texts;
    }
    for (const auto& [name, is_set] : collected[i]->switches) {
      if (is_set) invocation.values[name] = {"true"};
    }
    if (const WrongValue wrong = wrong_value(invocation); !wrong.words.empty()) {
      print_mistake(wrong.words, wrong.option, invocation.command->name, wants_json(argc, argv));
      *exit_code = ExitCode::error;
      return std::nullopt;
    }
    return invocation;
  }
  *exit_code = ExitCode::error;
  return std::nullopt;
}

}  // namespace plan::command
