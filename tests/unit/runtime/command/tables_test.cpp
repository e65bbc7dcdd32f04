#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "compiler/flow/routes.h"
#include "compiler/ir/step_kind.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/text.h"
#include "compiler/syntax/value_type.h"
#include "runtime/command/command_table.h"
#include "runtime/command/error_catalogue.h"
#include "runtime/command/project_folder.h"
#include "runtime/command/session.h"
#include "runtime/command/step_page.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"

namespace plan::command {
namespace {

std::string repository_file(const std::string& path) {
  return test::read_all(test::repository() / path);
}

TEST(StepKinds, EachHasADriverInALiveSessionAndInARehearsal) {
  const ProjectFolder folder = project_folder("");
  for (const Session::Purpose purpose : {Session::Purpose::live, Session::Purpose::rehearsal}) {
    Session session(folder, ir::Value::map(), purpose);
    for (const ir::StepKindInfo& kind : ir::all_step_kinds()) {
      EXPECT_NE(session.drivers().find(kind.kind), nullptr) << kind.name << " has no driver";
    }
    EXPECT_EQ(session.drivers().size(), ir::all_step_kinds().size());
  }
}

TEST(StepKinds, WhatAnUndoLosesIsSaidWhereItLosesSomethingAndNowhereElse) {
  for (const ir::StepKindInfo& kind : ir::all_step_kinds()) {
    if (kind.undo == ir::UndoPolicy::lossy) {
      EXPECT_FALSE(kind.lost.empty()) << kind.name << " is lossy and does not say what is lost";
    } else if (kind.undo != ir::UndoPolicy::carry_back) {
      EXPECT_TRUE(kind.lost.empty()) << kind.name << " is " << to_string(kind.undo);
    }
    // A step that decides where mail or clients go always has a word about the way back.
    if (kind.effect == ir::StepEffect::move_traffic || kind.effect == ir::StepEffect::destroy) {
      EXPECT_NE(kind.undo, ir::UndoPolicy::nothing_to_undo) << kind.name;
    }
  }
}

TEST(StepKinds, SayWhatTheyAreAndWhatTheirArgumentsMean) {
  const std::string pages = steps_page();
  for (const ir::StepKindInfo& kind : ir::all_step_kinds()) {
    const std::string page = step_kind_page(kind);
    EXPECT_NE(pages.find(page), std::string::npos) << kind.name;
    EXPECT_TRUE(
        page.starts_with("## `" + std::string(kind.name) + "`\n\n" + std::string(kind.summary)))
        << kind.name;
    EXPECT_FALSE(kind.summary.empty()) << kind.name;
    for (const auto& specs : {ir::arguments_of(kind.kind), ir::outputs_of(kind.kind)}) {
      for (const ir::ArgumentSpec& spec : specs) {
        EXPECT_FALSE(spec.meaning.empty()) << kind.name << " " << spec.name;
        // It would be the end of a cell of the page's table.
        EXPECT_EQ(spec.meaning.find('|'), std::string_view::npos) << kind.name << " " << spec.name;
        EXPECT_NE(page.find("| `" + std::string(spec.name) + "` | `"), std::string::npos)
            << kind.name << " " << spec.name;
      }
    }
  }
}

TEST(StepKinds, AreDocumentedInTheWordsOfThePlanLanguageWithTheirBounds) {
  const std::string page = steps_page();
  for (const ir::StepKindInfo& kind : ir::all_step_kinds()) {
    for (const auto& specs : {ir::arguments_of(kind.kind), ir::outputs_of(kind.kind)}) {
      for (const ir::ArgumentSpec& spec : specs)
        EXPECT_TRUE(syntax::parse_type(to_string(spec.type)))
            << kind.name << " " << spec.name << ": " << to_string(spec.type);
    }
  }
  for (const char* row : {"| `passes_max` | `integer` | no | `1` to `100` | ",
                          "| `bound_ms` | `duration` | yes | at most `10m` | ",
                          "| `keep_apart_ms` | `duration` | no | `1s` to `1d` | ",
                          "| `apart_ms` | `duration` | yes | at most `1d` | ",
                          "| `port` | `integer` | yes | `1` to `65535` | ",
                          "| `ports` | `list` | no | each `1` to `65535` | ",
                          "| `entries` | `list` | yes | each `source` or `target` | ",
                          "| `by` | `text` | yes | `plan` or `server` | ",
                          "| `not_before_ms` | `integer` | yes |  | "})
    EXPECT_NE(page.find(row), std::string::npos) << row;
}

TEST(Commands, TestNamesEveryEndOfAMessage) {
  const auto commands = all_commands();
  const auto command = std::find_if(commands.begin(), commands.end(),
                                    [](const CommandSpec& one) { return one.name == "test"; });
  ASSERT_NE(command, commands.end());
  const std::string_view text = command->text;
  const std::string_view words = "a word or a list of them (";
  const std::size_t begin = text.find(words);
  ASSERT_NE(begin, std::string::npos);
  const std::size_t list = begin + words.size();
  std::set<std::string_view> named;
  for (const std::string_view end : split(text.substr(list, text.find(')', list) - list), ','))
    named.insert(trim(end));
  const auto& ends = flow::all_end_words();
  EXPECT_EQ(named, std::set<std::string_view>(ends.begin(), ends.end()));
}

TEST(Errors, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const KindInfo& kind : all_kinds()) EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
  for (const CatalogueEntry& entry : error_catalogue()) {
    EXPECT_TRUE(names.insert(entry.code.name).second)
        << entry.code.name << " of " << entry.module << " is there twice";
    EXPECT_FALSE(entry.code.summary.empty()) << entry.code.name;
    EXPECT_FALSE(entry.code.remedy.empty()) << entry.code.name;
  }
}

TEST(Commands, EachHasASummaryATextAndAnExampleThatNamesIt) {
  for (const CommandSpec& command : all_commands()) {
    EXPECT_FALSE(command.summary.empty()) << command.name;
    EXPECT_GT(command.text.size(), 20U) << command.name;
    EXPECT_NE(command.example.find("plan " + std::string(command.name)), std::string_view::npos)
        << command.name;
    EXPECT_NE(command.run, nullptr) << command.name;
  }
}

TEST(Commands, TheWrongOptionIsAnErrorAndNotIgnored) {
  const char* const arguments[] = {"plan", "check", "--no-such-option"};
  ExitCode exit_code = ExitCode::done;
  EXPECT_FALSE(parse_arguments(3, arguments, &exit_code));
  EXPECT_EQ(exit_code, ExitCode::error);
}

TEST(Commands, EachAnswersInJsonTooUnlessItRunsAServerOrWritesText) {
  const std::set<std::string_view> without = {"proxy run", "target run", "docs", "lsp", "lower"};
  for (const CommandSpec& command : all_commands()) {
    if (command.is_hidden || without.contains(command.name)) continue;
    bool has_json = false;
    for (const OptionSpec& option : command.options) {
      has_json = has_json || (option.name == "--format" &&
                              option.summary.find("`json`") != std::string_view::npos);
    }
    EXPECT_TRUE(has_json) << command.name;
  }
}

TEST(Commands, AFormatThatACommandDoesNotHaveIsAnError) {
  const char* const wrong[] = {"plan", "check", "--format", "mermaid"};
  ExitCode exit_code = ExitCode::done;
  EXPECT_FALSE(parse_arguments(4, wrong, &exit_code));
  EXPECT_EQ(exit_code, ExitCode::error);
  const char* const right[] = {"plan", "graph", "--format", "mermaid"};
  EXPECT_TRUE(parse_arguments(4, right, &exit_code));
}

TEST(Commands, OptionsHaveTheirFallbacks) {
  const char* const arguments[] = {"plan", "apply", "--yes"};
  ExitCode exit_code = ExitCode::done;
  const auto invocation = parse_arguments(3, arguments, &exit_code);
  ASSERT_TRUE(invocation);
  EXPECT_EQ(invocation->command->name, "apply");
  EXPECT_EQ(invocation->value("file"), "migration.yaml");
  EXPECT_TRUE(invocation->has("--yes"));
  EXPECT_FALSE(invocation->has("--take-over"));
}

// A page that is stale is made anew by scripts/generate-docs.
TEST(GeneratedPages, AreFresh) {
  EXPECT_EQ(repository_file("docs/diagnostics.md"), diagnostics_page());
  EXPECT_EQ(repository_file("docs/commands.md"), command_reference());
  EXPECT_EQ(repository_file("docs/modules.md"), modules_page());
  EXPECT_EQ(repository_file("docs/steps.md"), steps_page());
  EXPECT_EQ(repository_file("docs/plan.bash-completion"), bash_completion());
  EXPECT_EQ(repository_file("docs/man/plan.1"), man_overview());
  for (const CommandSpec& command : all_commands()) {
    if (command.is_hidden) continue;
    std::string name = "plan-" + std::string(command.name) + ".1";
    for (char& c : name) c = c == ' ' ? '-' : c;
    EXPECT_EQ(repository_file("docs/man/" + name), man_page(command)) << name;
  }
}

TEST(BashCompletion, OffersCommandsOptionsAndTheWordsThatAnOptionTakes) {
  // In a folder without files, whose names it would offer too.
  const test::TempDir folder;
  const std::string script =
      "cd '" + folder.path().string() + "' && bash -c 'source \"" +
      std::filesystem::absolute(test::repository() / "docs/plan.bash-completion").string() +
      "\"; complete_of() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _plan; echo "
      "\"${COMPREPLY[@]}\"; }; complete_of plan dump li; complete_of plan dump list --l; "
      "complete_of plan dump list --what \"\"; complete_of plan check --format s; "
      "complete_of plan graph plan.yaml --format d; complete_of plan throttle --host s'";
  std::FILE* pipe = popen(script.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string said;
  std::array<char, 1024> room{};
  while (std::fgets(room.data(), static_cast<int>(room.size()), pipe) != nullptr)
    said += room.data();
  ASSERT_EQ(pclose(pipe), 0) << said;
  EXPECT_EQ(said,
            "list\n--limit\naccounts objects messages records registry\nsarif\ndot\nsource\n");
}

TEST(ProjectFolder, PutsEverythingBesideThePlan) {
  const ProjectFolder folder = project_folder("some/where/migration.yaml");
  EXPECT_EQ(folder.lock_file, "some/where/migration.lock");
  EXPECT_EQ(folder.journal_file, "some/where/.plan/journal.sqlite");
  EXPECT_EQ(project_folder("").lock_file, "migration.lock");
}

}  // namespace
}  // namespace plan::command
