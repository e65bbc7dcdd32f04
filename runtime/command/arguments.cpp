// The only file that includes CLI11. The command table is data; this turns it into a parser.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "compiler/source/text.h"
#include "runtime/command/command_table.h"
#include "runtime/command/console.h"

namespace plan::command {
namespace {

struct Collected {
  std::map<std::string, std::vector<std::string>, std::less<>> texts;
  std::map<std::string, bool, std::less<>> switches;
};

constexpr std::size_t kHelpColumns = 100;

/// What the words in backticks of an option's summary offer, where it takes one of a few words.
std::vector<std::string> choices_of(const OptionSpec& option) {
  std::vector<std::string> words;
  if (option.name != "--format") return words;
  const std::vector<std::string_view> parts = split(option.summary, '`');
  for (std::size_t i = 1; i < parts.size(); i += 2) words.emplace_back(parts[i]);
  return words;
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

/// A mistake on the command line, in our own words where the library has none that help.
void explain_mistake(const CLI::ParseError& mistake, int argc, const char* const* argv) {
  std::string words = mistake.what();
  for (const CommandSpec& command : all_commands()) {  // positionals by the word that help shows
    for (const OptionSpec& option : command.options) {
      if (!option.name.starts_with('-') && words == fmt::format("{} is required", option.name))
        words = fmt::format("{} is required", option.value_name);
    }
  }
  if (words == "A subcommand is required") words = "name one of its commands";
  const std::string_view first = argc > 1 ? argv[1] : "";
  std::vector<std::string_view> names;
  bool is_command = false;
  for (const CommandSpec& command : all_commands()) {
    const std::string_view word = split(command.name, ' ').front();
    if (!command.is_hidden) names.push_back(word);
    is_command = is_command || word == first;
  }
  if (first.empty()) {
    print_words("error: name a command; `plan --help` lists them\n");
  } else if (!is_command && !first.starts_with('-')) {
    const auto near = nearest(first, names);
    print_words(fmt::format("error: there is no command `{}`{}\n  help: `plan --help` lists them\n",
                            printable(first, 60),
                            near ? fmt::format("; did you mean `{}`?", *near) : ""));
  } else {
    print_words(fmt::format("error: {}\n  help: `plan {}--help` has every option and an example\n",
                            printable(words, 500),
                            is_command ? std::string(first) + " " : std::string()));
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
    if (auto choices = choices_of(option); !choices.empty())
      added->check(CLI::IsMember(std::move(choices)).name({}));
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
    app.exit(answered);
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
    return invocation;
  }
  *exit_code = ExitCode::error;
  return std::nullopt;
}

}  // namespace plan::command
