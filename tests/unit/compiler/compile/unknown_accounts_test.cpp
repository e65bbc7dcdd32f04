// Names of accounts that the lock does not have.
#include <gtest/gtest.h>

#include "compiler/check/limits.h"
#include "tests/support/repository.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

// A list of accounts with the lock of another plan: each name is told, and the lock is not searched
// for what may be meant once for each of them.
TEST(UnknownAccounts, OfAWholeListOnlyTheFirstAreLookedFor) {
  auto golden =
      read_golden_case(test::repository() / "tests/golden/diagnostics/unknown-account/hit");
  std::string& plan = golden->input.plan_text;
  const std::string from = "{passwd_file: /etc/dovecot/users}";
  constexpr std::size_t kNames = check::kUnknownSearchedMax + 50;
  std::string list = "[";
  for (std::size_t i = 0; i < kNames; ++i) list += "alicf" + std::to_string(i) + "@example.org, ";
  plan.replace(plan.find(from), from.size(), list + "bob@example.org]");
  const CompileResult result = compile(std::move(golden->input));
  std::size_t told = 0;
  std::size_t meant = 0;
  for (const Diagnostic& one : result.diagnostics) {
    if (one.kind != Kind::unknown_account) continue;
    ++told;
    if (one.label.starts_with("did you mean")) ++meant;
    EXPECT_FALSE(one.help.empty()) << one.message;
  }
  EXPECT_GE(told, kNames) << rendered(result);
  EXPECT_GT(meant, 0U);
  EXPECT_LE(meant, check::kUnknownSearchedMax);
}

}  // namespace
}  // namespace plan::test
