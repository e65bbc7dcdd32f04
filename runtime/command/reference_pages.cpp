#include <fmt/format.h>

#include <set>

#include "compiler/source/text.h"
#include "runtime/command/command_table.h"

namespace plan::command {
namespace {

constexpr std::string_view kExitStatus =
    ".SH EXIT STATUS\n0 done or nothing to do, 1 error, 2 there are differences or approval is "
    "needed, 3 stopped and can be "
    "resumed, 4 not checked, 70 a bug in plan.\n";

std::string roff(std::string_view text) {
  std::string out;
  bool is_line_begin = true;
  for (const char c : text) {
    if (is_line_begin && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    is_line_begin = c == '\n';
  }
  return out;
}

std::string synopsis(const CommandSpec& command) {
  std::string line = fmt::format("plan {}", command.name);
  for (const OptionSpec& option : command.options) {
    if (!option.name.starts_with("-")) {
      const std::string name = fmt::format("{}", option.value_name);
      line += option.is_required ? " " + name : " [" + name + "]";
    }
  }
  return line + " [OPTION...]";
}

}  // namespace

std::string man_page(const CommandSpec& command) {
  std::string name = fmt::format("plan-{}", command.name);
  for (char& c : name) {
    if (c == ' ') c = '-';
  }
  std::string page = fmt::format(
      ".TH {} 1 \"\" \"plan\" \"plan manual\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n", name,
      roff(name), roff(command.summary), roff(synopsis(command)));
  page += fmt::format(".SH DESCRIPTION\n{}\n.SH OPTIONS\n", roff(command.text));
  for (const OptionSpec& option : command.options) {
    const std::string shown = option.name.starts_with("-")
                                  ? fmt::format("{} {}", option.name, option.value_name)
                                  : std::string(option.value_name);
    page += fmt::format(".TP\n.B {}\n{}", roff(trim(shown)), roff(option.summary));
    if (!option.fallback.empty()) page += fmt::format(" (default: {})", roff(option.fallback));
    page += "\n";
  }
  page += fmt::format(".SH EXAMPLE\n.nf\n{}\n.fi\n", roff(command.example));
  return page + std::string(kExitStatus);
}

std::string man_overview() {
  std::string page =
      ".TH plan 1 \"\" \"plan\" \"plan manual\"\n.SH NAME\nplan \\- moves a mail server\n.SH "
      "SYNOPSIS\n"
      ".B plan\nCOMMAND [OPTION...]\n.SH DESCRIPTION\n"
      "Compiles a plan of a migration into checked steps and executes them, so that no message is "
      "lost and none is there twice, each account is held for seconds, and every stage can be "
      "rolled back. The usual way:\n.PP\n.nf\n"
      "plan init --from dovecot-postfix\nplan fetch\nplan check\nplan rehearse\n"
      "plan diff -o reviewed.plan\nplan apply reviewed.plan\nplan status\n"
      "plan approve finalize\n.fi\n.SH COMMANDS\n";
  for (const CommandSpec& command : all_commands()) {
    if (command.is_hidden) continue;
    page += fmt::format(".TP\n.B plan {}\n{}\n", roff(command.name), roff(command.summary));
  }
  page +=
      ".PP\nEach has a page of its own (plan\\-apply(1)), and\n.B plan COMMAND \\-\\-help\nhas its "
      "options and an example.\n.SH FILES\n"
      ".TP\n.I migration.yaml\nthe plan; beside it is everything else\n"
      ".TP\n.I migration.lock\nwhat plan fetch found; belongs into git\n"
      ".TP\n.I .plan/\nmeasurements, the target's schema, archives, events and the journal\n";
  return page + std::string(kExitStatus);
}

std::string bash_completion() {
  std::set<std::string> first;
  std::string values;
  std::string cases;
  for (const CommandSpec& command : all_commands()) {
    if (command.is_hidden) continue;
    first.emplace(split(command.name, ' ')[0]);
    std::string words = "--help";
    for (const OptionSpec& option : command.options) {
      if (option.name.starts_with("-"))
        words += fmt::format(" {}", option.name.substr(option.name.rfind(',') + 1));
      // A command of one word has an argument or an option where others have their second word.
      if (const auto choices = choices_of(option); !choices.empty())
        values += fmt::format("    \"{}{}{}\") words=\"{}\" files=\"\" ;;\n", command.name,
                              command.name.find(' ') == std::string_view::npos ? " \"*\" " : " ",
                              option.name, fmt::join(choices, " "));
    }
    cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", command.name, words);
  }
  std::string groups;
  for (const std::string& word : first) {
    std::string seconds;
    for (const CommandSpec& command : all_commands()) {
      const auto parts = split(command.name, ' ');
      if (!command.is_hidden && parts.size() == 2 && parts[0] == word)
        seconds += " " + std::string(parts[1]);
    }
    if (!seconds.empty())
      groups +=
          fmt::format("    {}) [ \"$COMP_CWORD\" = 2 ] && words=\"{}\" ;;\n", word, trim(seconds));
  }
  std::string all;
  for (const std::string& word : first) all += (all.empty() ? "" : " ") + word;
  return "# bash completion for plan, made by `plan docs bash`\n_plan() {\n  local words=\"\" "
         "files=\"-f\" current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
         "  case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n" +
         cases + "  esac\n  if [ -z \"$words\" ]; then case \"${COMP_WORDS[1]}\" in\n" +
         [&] {
           std::string singles;
           for (const CommandSpec& command : all_commands()) {
             if (command.is_hidden || command.name.find(' ') != std::string_view::npos) continue;
             std::string words = "--help";
             for (const OptionSpec& option : command.options) {
               if (option.name.starts_with("-"))
                 words += fmt::format(" {}", option.name.substr(option.name.rfind(',') + 1));
             }
             singles += fmt::format("    {}) words=\"{}\" ;;\n", command.name, words);
           }
           return singles;
         }() +
         groups + "  esac; fi\n  [ \"$COMP_CWORD\" = 1 ] && words=\"" + all +
         "\"\n  case \"${COMP_WORDS[1]} ${COMP_WORDS[2]} ${COMP_WORDS[COMP_CWORD-1]}\" in\n" +
         values +
         "  esac\n  mapfile -t COMPREPLY < <(compgen -W \"$words\" $files -- "
         "\"$current\")\n}\ncomplete -F "
         "_plan plan\n";
}

std::string command_reference() {
  std::string page =
      "# Commands\n\nGenerated from runtime/command/command_table.cpp by `plan docs markdown`; a "
      "test compares the two.\n";
  for (const CommandSpec& command : all_commands()) {
    if (command.is_hidden) continue;
    page +=
        fmt::format("\n## plan {}\n\n{}\n\n{}\n\n", command.name, command.summary, command.text);
    if (!command.options.empty()) page += "| option | meaning |\n|---|---|\n";
    for (const OptionSpec& option : command.options) {
      page += fmt::format(
          "| `{}{}{}` | {}{} |\n", option.name, option.value_name.empty() ? "" : " ",
          option.value_name, option.summary,
          option.fallback.empty() ? "" : fmt::format(" (default: {})", option.fallback));
    }
    page += fmt::format("\n```\n{}\n```\n", command.example);
  }
  return page;
}

}  // namespace plan::command
