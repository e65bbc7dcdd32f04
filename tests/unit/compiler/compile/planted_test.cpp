// A plan full of mistakes is told all of them in one run, each at its place: tests/golden/planted
// has the plan, its lock and planted.txt, which says what is wrong where.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "compiler/source/text.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

/// "migration.yaml:12 bad-value", sorted.
std::vector<std::string> places(const CompileResult& result) {
  std::vector<std::string> found;
  for (const Diagnostic& diagnostic : result.diagnostics) {
    const Position position = result.sources->position(diagnostic.span.file, diagnostic.span.begin);
    found.push_back(std::string(result.sources->name(diagnostic.span.file)) + ":" +
                    std::to_string(position.line) + " " + std::string(info(diagnostic.kind).name));
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// The planted plan with `from` replaced by `to`.
std::vector<std::string> places_with(std::string_view from, std::string_view to) {
  auto golden_case = read_golden_case(test::repository() / "tests/golden/planted");
  std::string& text = golden_case->input.plan_text;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return places(compile(std::move(golden_case->input)));
}

TEST(PlantedMistakes, AreAllReportedInOneRunEachAtItsPlaceAndNothingElseIs) {
  const std::filesystem::path folder = test::repository() / "tests/golden/planted";
  auto golden_case = read_golden_case(folder);
  const CompileResult result = compile(std::move(golden_case->input));
  const std::vector<std::string> found = places(result);
  std::set<std::string> codes;
  for (const Diagnostic& diagnostic : result.diagnostics)
    codes.insert(std::string(info(diagnostic.kind).name));
  std::vector<std::string> planted;
  const std::string text = read_all(folder / "planted.txt");
  for (const std::string_view line : split(text, '\n'))
    if (!line.empty()) planted.emplace_back(line);
  std::sort(planted.begin(), planted.end());
  EXPECT_EQ(found, planted) << rendered(result);
  EXPECT_GE(codes.size(), 40U) << "mistakes of 40 kinds";
  EXPECT_EQ(differs_from_golden(folder / "expect.txt", rendered(result)), "");
}

TEST(PlantedMistakes, OneMoreOfTheWrongTypeHidesNoneOfTheOthersAndAddsNoConsequence) {
  const std::vector<std::string> all = places_with("plan: 1", "plan: 1");
  struct Mistake {
    const char* what;
    const char* from;
    const char* to;
    std::vector<std::string> added;
    std::vector<std::string> hidden;  ///< what cannot be judged without the part that is lost
  };
  const std::vector<Mistake> mistakes = {
      {"a number of a wave", "parallel: 8", "parallel: [8]", {"migration.yaml:27 wrong-type"}, {}},
      {"a unit of a wave",
       "parallel: 8",
       "stop_when: {hold_longer_than: 10}",
       {"migration.yaml:27 wrong-unit"},
       {}},
      {"a name of a domain",
       "branch.invalid]",
       "branch.invalid, [a.org]]",
       {"migration.yaml:21 wrong-type"},
       {"migration.yaml:21 domain-without-owner", "migration.yaml:22 account-left-behind"}},
      {"an exception",
       "except: [former@example.org]",
       "except: [former.example.org]",
       {"migration.yaml:24 bad-address"},
       {"migration.yaml:21 domain-without-owner", "migration.yaml:22 account-left-behind"}},
      {"the exceptions",
       "except: [former@example.org]",
       "except: former@example.org",
       {"migration.yaml:24 wrong-type"},
       {"migration.yaml:21 domain-without-owner", "migration.yaml:22 account-left-behind"}},
      {"a key of the accounts",
       "except: [former@example.org]",
       "exept: [former@example.org]",
       {"migration.yaml:24 unknown-key"},
       {"migration.yaml:21 domain-without-owner", "migration.yaml:22 account-left-behind"}},
      {"an account of a wave",
       "accounts: [alice@example.org]",
       "accounts: [alice@example.org, {bob: 1}]",
       {"migration.yaml:26 wrong-type"},
       {}},
      {"the accounts of a wave",
       "accounts: [alice@example.org]",
       "accounts: alice@example.org",
       {"migration.yaml:26 wrong-type"},
       {"migration.yaml:26 window-too-short"}},
      {"a wave", "  - {name: rest,", "  - 5\n  - {name: rest,", {}, {}},
      {"the name of the plan",
       "name: example.org to Stalwart",
       "name: [x]",
       {"migration.yaml:2 wrong-type"},
       {}},
  };
  for (const Mistake& mistake : mistakes) {
    std::vector<std::string> found = places_with(mistake.from, mistake.to);
    std::vector<std::string> wanted = all;
    for (const std::string& one : mistake.hidden) std::erase(wanted, one);
    wanted.insert(wanted.end(), mistake.added.begin(), mistake.added.end());
    std::sort(wanted.begin(), wanted.end());
    if (std::string_view(mistake.to).find('\n') != std::string_view::npos) {
      // The lines behind it have moved on by one.
      EXPECT_EQ(found.size(), wanted.size() + 1) << mistake.what;
      EXPECT_TRUE(std::binary_search(found.begin(), found.end(), "migration.yaml:27 wrong-type"));
      continue;
    }
    EXPECT_EQ(found, wanted) << mistake.what;
  }
}

TEST(PlantedMistakes, AListOfAccountsWithOneThatIsNoneIsJudgedForTheOthers) {
  const std::vector<std::string> found =
      places_with("from: {passwd_file: /etc/dovecot/users}",
                  "from: [alice@example.org, bob@example.org, carol@example.org, {nobody: 1}]");
  for (const char* code : {"migration.yaml:23 wrong-type", "migration.lock:4 account-disabled",
                           "migration.lock:5 password-rewritten"})
    EXPECT_TRUE(std::binary_search(found.begin(), found.end(), code)) << code;
  for (const std::string& one : found) {
    EXPECT_EQ(one.find("accounts-empty"), std::string::npos) << one;
    EXPECT_EQ(one.find("wave-empty"), std::string::npos) << one;
    EXPECT_EQ(one.find("account-left-behind"), std::string::npos) << one;
  }
}

}  // namespace
}  // namespace plan::test
