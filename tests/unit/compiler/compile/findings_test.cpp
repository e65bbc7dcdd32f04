// `findings` of a plan: another severity for one code at one place, or none.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/repository.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

/// A plan whose lock has one disabled account, with `findings` behind it.
CompileResult compiled_with(const std::string& findings) {
  auto golden_case =
      read_golden_case(test::repository() / "tests/golden/diagnostics/finding-unmatched/near-miss");
  std::string& plan = golden_case->input.plan_text;
  plan.resize(plan.find("findings:"));
  plan += findings;
  return compile(std::move(golden_case->input));
}

const Diagnostic* reported(const CompileResult& result, Kind kind) {
  const auto found = std::find_if(result.diagnostics.begin(), result.diagnostics.end(),
                                  [&](const Diagnostic& d) { return d.kind == kind; });
  return found == result.diagnostics.end() ? nullptr : &*found;
}

TEST(Findings, AreReportedWithTheirOwnSeverityWhenThePlanSaysNothing) {
  const CompileResult result = compiled_with("");
  const Diagnostic* disabled = reported(result, Kind::account_disabled);
  ASSERT_NE(disabled, nullptr);
  EXPECT_EQ(disabled->severity, Severity::warning);
  EXPECT_TRUE(result.silenced.empty());
  EXPECT_TRUE(result.graph.has_value());
}

TEST(Findings, ThatAreSilencedAreKeptWithTheReasonAndThePlace) {
  const CompileResult result = compiled_with(
      "findings:\n  - {code: account-disabled, at: bob@example.org, severity: silent, reason: "
      "\"on leave\"}\n");
  EXPECT_EQ(reported(result, Kind::account_disabled), nullptr) << rendered(result);
  ASSERT_EQ(result.silenced.size(), 1U);
  EXPECT_EQ(result.silenced[0].reason, "on leave");
  EXPECT_EQ(result.silenced[0].diagnostic.kind, Kind::account_disabled);
  EXPECT_EQ(
      result.sources->text(result.silenced[0].span.file).substr(result.silenced[0].span.begin, 16),
      "account-disabled");
  EXPECT_TRUE(result.graph.has_value());
}

TEST(Findings, ThatAreRaisedToAnErrorLeaveNoGraph) {
  const CompileResult result = compiled_with(
      "findings:\n  - {code: account-disabled, at: bob@example.org, severity: error, reason: "
      "nobody is to be locked}\n");
  const Diagnostic* disabled = reported(result, Kind::account_disabled);
  ASSERT_NE(disabled, nullptr);
  EXPECT_EQ(disabled->severity, Severity::error);
  EXPECT_FALSE(result.graph.has_value());
  EXPECT_TRUE(result.silenced.empty());
}

TEST(Findings, AreForOnePlaceOnly) {
  const CompileResult result = compiled_with(
      "findings:\n  - {code: account-disabled, at: alice@example.org, severity: silent, reason: "
      "x}\n");
  EXPECT_NE(reported(result, Kind::account_disabled), nullptr);
  EXPECT_NE(reported(result, Kind::finding_unmatched), nullptr);
}

TEST(Findings, CannotMakeAnErrorLessNorHideThatSomethingWasNotLookedAt) {
  auto golden_case =
      read_golden_case(test::repository() / "tests/golden/diagnostics/catch-all/hit");
  golden_case->input.plan_text +=
      "findings:\n  - {code: catch-all, at: example.org, severity: warning, reason: we know}\n";
  const CompileResult error = compile(std::move(golden_case->input));
  EXPECT_NE(reported(error, Kind::bad_value), nullptr) << rendered(error);
  ASSERT_NE(reported(error, Kind::catch_all), nullptr);
  EXPECT_EQ(reported(error, Kind::catch_all)->severity, Severity::error);

  golden_case = read_golden_case(test::repository() / "tests/golden/diagnostics/not-measured/hit");
  golden_case->input.plan_text +=
      "findings:\n  - {code: not-measured, at: accounts, severity: silent, reason: later}\n";
  const CompileResult unseen = compile(std::move(golden_case->input));
  EXPECT_NE(reported(unseen, Kind::bad_value), nullptr) << rendered(unseen);
  EXPECT_NE(reported(unseen, Kind::not_measured), nullptr);
}

TEST(Findings, NeedACodeThatExistsAndAReason) {
  const CompileResult code = compiled_with(
      "findings:\n  - {code: acount-disabled, at: bob@example.org, severity: silent, reason: x}\n");
  const Diagnostic* unknown = reported(code, Kind::unknown_name);
  ASSERT_NE(unknown, nullptr) << rendered(code);
  EXPECT_EQ(unknown->label, "did you mean `account-disabled`?");
  const CompileResult reason = compiled_with(
      "findings:\n  - {code: account-disabled, at: bob@example.org, severity: silent, reason: "
      "\" \"}\n");
  EXPECT_NE(reported(reason, Kind::bad_value), nullptr) << rendered(reason);
}

}  // namespace
}  // namespace plan::test
