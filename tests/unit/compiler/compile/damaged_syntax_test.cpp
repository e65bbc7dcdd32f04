// A plan whose syntax is broken in one place is told what else is wrong in the same run, and
// nothing that only follows from the statement that had to be left out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <vector>

#include "compiler/source/text.h"
#include "compiler/syntax/format.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;

struct Found {
  std::size_t syntax = 0;             ///< diagnostics that only the text is to blame for
  std::set<std::string> others = {};  ///< "12 bad-value"; of the lock "lock 12 nested-list"
};

bool is_syntax(Kind kind) {
  return kind == Kind::yaml_syntax || kind == Kind::language_syntax ||
         kind == Kind::expression_syntax || kind == Kind::yaml_key;
}

/// What compiling the plan of a golden case with this text gives.
Found found_in(const fs::path& folder, const char* name, const std::string& text) {
  auto golden_case = read_golden_case(folder);
  golden_case->input.plan_name = name;
  golden_case->input.plan_text = text;
  const CompileResult result = compile(std::move(golden_case->input));
  Found found;
  for (const Diagnostic& one : result.diagnostics) {
    if (is_syntax(one.kind)) {
      ++found.syntax;
      continue;
    }
    const Position position = result.sources->position(one.span.file, one.span.begin);
    found.others.insert((result.sources->name(one.span.file) == name ? "" : "lock ") +
                        std::to_string(position.line) + " " + std::string(info(one.kind).name));
  }
  return found;
}

std::string in_language(const std::string& yaml) {
  SourceSet sources;
  Sink sink;
  const FileId file = sources.add("migration.yaml", yaml);
  const auto formatted = syntax::format_source(sources, file, syntax::Language::plan, sink);
  return formatted.text.value_or("");
}

/// Lines (from 0) that begin a statement: the key of a plan in the first column.
std::vector<std::size_t> statement_lines(const std::vector<std::string_view>& lines) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (!lines[i].empty() && std::isalpha(static_cast<unsigned char>(lines[i].front())) != 0)
      found.push_back(i);
  return found;
}

/// The last line (from 1) of the statement that begins in line `at` (from 0).
std::size_t end_of(std::size_t at, const std::vector<std::size_t>& statements, std::size_t lines) {
  const auto next = std::upper_bound(statements.begin(), statements.end(), at);
  return next == statements.end() ? lines : *next;
}

/// The text with one line made longer.
std::string damaged(const std::vector<std::string_view>& lines, std::size_t at,
                    std::string_view with) {
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    text += lines[i];
    if (i == at) text += with;
    text += '\n';
  }
  return text;
}

void damage_each_statement(const fs::path& folder, const char* name, const std::string& text,
                           const std::vector<std::string_view>& damages) {
  const Found whole = found_in(folder, name, text);
  ASSERT_EQ(whole.syntax, 0U);
  const std::vector<std::string_view> lines = split(text, '\n');
  const std::vector<std::size_t> statements = statement_lines(lines);
  ASSERT_GE(statements.size(), 10U) << text;
  for (const std::size_t at : statements) {
    for (const std::string_view damage : damages) {
      const std::string broken = damaged(lines, at, damage);
      const Found found = found_in(folder, name, broken);
      const std::string what = std::string(lines[at]) + std::string(damage);
      EXPECT_GE(found.syntax, 1U) << what;
      for (const std::string& one : found.others)
        EXPECT_TRUE(whole.others.contains(one)) << what << " adds " << one;
      // Without its accounts a plan cannot be judged; names of a statement are used in others.
      if (lines[at].starts_with("accounts") || lines[at].starts_with("domains")) continue;
      for (const std::string& one : whole.others) {
        const std::size_t line = one.starts_with("lock") ? 0 : std::stoul(one);
        const bool is_own = line > at && line <= end_of(at, statements, lines.size());
        const bool is_name = one.ends_with("unknown-name") || lines[at].starts_with("addresses");
        if (is_own || (line > 0 && is_name)) continue;
        // A procedure that nobody can name may give the domains a rule of their own for tags.
        if (lines[at].starts_with("use") && one.ends_with("recipient-delimiter")) continue;
        EXPECT_TRUE(found.others.contains(one)) << what << " hides " << one;
      }
    }
  }
}

TEST(DamagedSyntax, OfAYamlPlanHidesNothingElseAndAddsNothing) {
  const fs::path folder = test::repository() / "tests/golden/planted";
  damage_each_statement(folder, "migration.yaml", read_all(folder / "plan.yaml"),
                        {": ]", ": [a", ": {a: b, c", ": \"a", ": 'a", ": [\"a"});
}

TEST(DamagedSyntax, ALoneQuoteHidesNothingElseAndAddsNothing) {
  const fs::path folder = test::repository() / "tests/golden/planted";
  const std::string text = read_all(folder / "plan.yaml");
  const Found whole = found_in(folder, "migration.yaml", text);
  const std::vector<std::string_view> lines = split(text, '\n');
  for (std::size_t at = 0; at + 1 < lines.size(); ++at) {
    for (const std::string_view quote : {"\n\"", "\n'"}) {
      const Found found = found_in(folder, "migration.yaml", damaged(lines, at, quote));
      EXPECT_EQ(found.syntax, 1U) << "behind line " << at + 1;
      EXPECT_EQ(found.others.size(), whole.others.size()) << "behind line " << at + 1;
    }
  }
}

TEST(DamagedSyntax, OfAPlanInTheLanguageHidesNothingElseAndAddsNothing) {
  const fs::path folder = test::repository() / "tests/golden/planted";
  damage_each_statement(folder, "migration.plan", in_language(read_all(folder / "plan.yaml")),
                        {" ]", " = (", " \"", " {"});
}

}  // namespace
}  // namespace plan::test
