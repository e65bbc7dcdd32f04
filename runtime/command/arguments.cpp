// The only file that includes CLI11. The command table is data; this turns it into a parser.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "compiler/source/text.h"
#include "runtime/command/command_table.h"

namespace plan::command {
namespace {

struct Collected {
  std::map<std::string, std::vector<std::string>, std::less<>> texts;
  std::map<std::string, bool, std::less<>> switches;
};

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
    added->allow_extra_args(false);
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
        group = app.add_subcommand(std::string(words[0]),
                                   "see plan " + std::string(words[0]) + " --help");
        group->require_subcommand(1);
      }
      parent = group;
    }
    CLI::App* leaf = parent->add_subcommand(std::string(words.back()), std::string(spec.summary));
    if (spec.is_hidden) leaf->group("");
    leaf->footer(std::string(spec.text) + "\n\nExample:\n  " + std::string(spec.example));
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
    app.exit(mistake);
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
