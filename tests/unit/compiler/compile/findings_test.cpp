// `findings` of a plan: another severity for one code at one place, or none.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "compiler/facts/lock_text.h"
#include "tests/support/repository.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

/// The plan of a golden case with these `findings` instead of its own.
CompileResult compiled_with(const std::string& name, const std::string& findings) {
  auto golden_case = read_golden_case(test::repository() / "tests/golden/diagnostics" / name);
  std::string& plan = golden_case->input.plan_text;
  plan.resize(plan.find("findings:"));
  plan += findings;
  return compile(std::move(golden_case->input));
}

/// A plan whose lock has one disabled account, with `findings` behind it.
CompileResult compiled_with(const std::string& findings) {
  return compiled_with("finding-unmatched/near-miss", findings);
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

TEST(Findings, AreForOneOfSeveralAccountsOnly) {
  for (const std::string who : {"bob", "carol"}) {
    const CompileResult result = compiled_with(
        "account-disabled/hit-one-of-two-silenced",
        fmt::format(
            "findings:\n  - {{code: account-disabled, at: {}@example.org, severity: silent, "
            "reason: x}}\n",
            who));
    const std::string other = who == "bob" ? "carol" : "bob";
    ASSERT_EQ(result.silenced.size(), 1U) << rendered(result);
    EXPECT_EQ(result.silenced[0].diagnostic.message,
              "1 account cannot log in at the source: `" + who + "@example.org`");
    const Diagnostic* left = reported(result, Kind::account_disabled);
    ASSERT_NE(left, nullptr);
    EXPECT_EQ(left->message, "1 account cannot log in at the source: `" + other + "@example.org`");
    EXPECT_EQ(reported(result, Kind::finding_unmatched), nullptr) << rendered(result);
  }
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

/// Text of a plan that gives each of `found` the severity, at the text that it points at; empty
/// when one of them points at nothing that could be written there.
std::string findings_for(const CompileResult& result, const std::vector<const Diagnostic*>& found,
                         std::string_view severity, bool is_language) {
  std::string text = is_language ? "\nfindings = [\n" : "\nfindings:\n";
  for (const Diagnostic* diagnostic : found) {
    const Span span = diagnostic->span;
    EXPECT_TRUE(span.is_known()) << diagnostic->message;
    if (!span.is_known()) return {};
    std::string at(result.sources->text(span.file).substr(span.begin, span.end - span.begin));
    if (at.size() >= 2 && at.front() == '"' && at.back() == '"') at = at.substr(1, at.size() - 2);
    if (at.find('%') != std::string::npos) {
      if (auto word = facts::unescape_word(at)) at = *word;
    }
    EXPECT_EQ(at.find('\n'), std::string::npos) << diagnostic->message;
    std::string quoted;
    for (const char c : at) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
      // In both languages `$${` is `${` itself.
      if (c == '$') quoted += '$';
    }
    const std::string_view code = info(diagnostic->kind).name;
    text += is_language ? fmt::format(
                              "  {{ code = \"{}\", at = \"{}\", severity = \"{}\", reason = "
                              "\"tried\" }},\n",
                              code, quoted, severity)
                        : fmt::format("  - {{code: {}, at: \"{}\", severity: {}, reason: tried}}\n",
                                      code, quoted, severity);
  }
  return text + (is_language ? "]\n" : "");
}

/// An error of the same code at the same place: a finding that is about both is refused.
bool has_error_there(const CompileResult& result, const Diagnostic& warning) {
  return std::any_of(
      result.diagnostics.begin(), result.diagnostics.end(), [&](const Diagnostic& one) {
        return one.severity == Severity::error && one.kind == warning.kind &&
               one.span.file == warning.span.file && one.span.begin == warning.span.begin;
      });
}

std::vector<const Diagnostic*> that_may_be_changed(const CompileResult& result) {
  std::vector<const Diagnostic*> found;
  for (const Diagnostic& diagnostic : result.diagnostics) {
    if (diagnostic.severity != Severity::error && diagnostic.kind != Kind::not_measured &&
        diagnostic.kind != Kind::schema_missing && diagnostic.kind != Kind::untested_version &&
        diagnostic.kind != Kind::finding_unmatched && !has_error_there(result, diagnostic))
      found.push_back(&diagnostic);
  }
  return found;
}

/// Has the case a warning of a code that is not among `tried`? Compiling all of them three times
/// would take minutes.
bool has_another_code(const std::filesystem::path& folder, const std::set<Kind>& tried) {
  std::set<std::string, std::less<>> names;
  for (const Kind kind : tried) names.emplace(info(kind).name);
  std::ifstream expected(folder / "expect.txt");
  for (std::string line; std::getline(expected, line);) {
    const std::size_t bracket = line.rfind('[');
    if (line.find(": warning: ") == std::string::npos || bracket == std::string::npos ||
        !line.ends_with("]"))
      continue;
    if (!names.contains(std::string_view(line).substr(bracket + 1, line.size() - bracket - 2)))
      return true;
  }
  return false;
}

/// Whatever rule it is of: over the plan, over its steps, or the proof.
TEST(Findings, SilenceAndRaiseEveryWarningOfTheGoldenFilesAtItsPlace) {
  std::set<Kind> tried;
  for (const auto& folder : folders_of(test::repository() / "tests/golden/diagnostics")) {
    for (const auto& one : folders_of(folder)) {
      if (!has_another_code(one, tried)) continue;
      auto golden_case = read_golden_case(one);
      const CompileInput input = golden_case->input;
      if (input.plan_text.find("findings") != std::string::npos) continue;
      const CompileResult before = compile(CompileInput(input));
      auto found = that_may_be_changed(before);
      const bool is_language = input.plan_name.ends_with(".plan");
      for (const std::string_view severity : {"silent", "error"}) {
        // A run that has begun must go on behind the moment.
        if (severity == "error")
          std::erase_if(found, [](const auto* each) { return each->kind == Kind::moment_passed; });
        if (found.empty()) continue;
        CompileInput changed = input;
        changed.plan_text += findings_for(before, found, severity, is_language);
        const CompileResult after = compile(std::move(changed));
        EXPECT_EQ(after.silenced.size(), severity == "silent" ? found.size() : 0U) << one;
        EXPECT_EQ(reported(after, Kind::finding_unmatched), nullptr) << one << rendered(after);
        for (const Diagnostic* diagnostic : found) {
          const auto is_same = [&](const Diagnostic& other) {
            // What was said of several accounts together is said of this one alone.
            return other.kind == diagnostic->kind && other.span.file == diagnostic->span.file &&
                   other.span.begin == diagnostic->span.begin;
          };
          const auto same =
              std::find_if(after.diagnostics.begin(), after.diagnostics.end(), is_same);
          if (severity == "silent") {
            EXPECT_EQ(same, after.diagnostics.end()) << one << rendered(after);
          } else {
            ASSERT_NE(same, after.diagnostics.end()) << one << rendered(after);
            EXPECT_EQ(same->severity, Severity::error) << one;
            EXPECT_FALSE(after.graph.has_value()) << one;
          }
          tried.insert(diagnostic->kind);
        }
      }
    }
  }
  for (const Kind kind :
       {Kind::nested_list, Kind::list_loop, Kind::reload_missing, Kind::relaxation_stays,
        Kind::outgoing_relay_lost, Kind::mail_flow_unproved, Kind::window_too_short})
    EXPECT_TRUE(tried.contains(kind)) << info(kind).name;
}

}  // namespace
}  // namespace plan::test
