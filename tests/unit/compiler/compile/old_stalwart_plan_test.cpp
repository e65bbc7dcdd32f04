// A plan whose source is a Stalwart 0.15: what it may say, and that `plan fetch` may go on with it.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "compiler/compile.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

using ir::Value;
using Changes = std::vector<std::pair<std::string, std::string>>;

CompileResult head_with(const Changes& changes) {
  CompileInput input;
  input.plan_text = read_all(test::repository() / "plans/stalwart-15.yaml");
  for (const auto& [was, is] : changes) {
    const std::size_t at = input.plan_text.find(was);
    EXPECT_NE(at, std::string::npos) << was;
    if (at != std::string::npos) input.plan_text.replace(at, was.size(), is);
  }
  return read_plan_head(std::move(input));
}

TEST(OldStalwartPlan, IsFetchedWithAWarning) {
  const CompileResult head = head_with({});
  EXPECT_FALSE(head.has_errors()) << rendered(head);
  ASSERT_EQ(head.diagnostics.size(), 1U) << rendered(head);
  EXPECT_EQ(head.diagnostics.front().kind, Kind::procedure_unavailable);
  EXPECT_EQ(head.diagnostics.front().severity, Severity::warning);
  ASSERT_TRUE(head.plan.has_value());
  const Value& source = head.plan->connections["source"];
  EXPECT_EQ(source["kind"], Value("stalwart-0.15"));
  EXPECT_EQ(source["master_user"]["separator"], Value("%"));
  EXPECT_EQ(source["stalwart"]["url"], Value("https://old.example.org"));
  EXPECT_EQ(source["stalwart"]["certificate_sha256"], Value(""));
  for (const char* other : {"dovecot", "postfix", "listener", "export"})
    EXPECT_TRUE(source[other].is_null()) << other;
}

TEST(OldStalwartPlan, OfAnotherSourceHasNothingOfIt) {
  CompileInput input;
  input.plan_text = read_all(test::repository() / "plans/dovecot-postfix.yaml");
  const CompileResult head = read_plan_head(std::move(input));
  ASSERT_TRUE(head.plan.has_value()) << rendered(head);
  const Value& source = head.plan->connections["source"];
  EXPECT_EQ(source["kind"], Value("dovecot-postfix"));
  EXPECT_TRUE(source["stalwart"].is_null());
  EXPECT_EQ(source["master_user"]["separator"], Value("*"));
}

TEST(OldStalwartPlan, SaysWhatDoesNotGoTogether) {
  const std::vector<std::pair<Changes, std::string>> cases = {
      {{{"use: std/stalwart-0.15", "use: std/dovecot-postfix"}},
       "the source is a Stalwart, and `std/dovecot-postfix` is for others"},
      {{{"name: master,", "name: master, separator: \"*\","}},
       "the master user of a Stalwart is let in as `ACCOUNT%MASTER`"},
      {{{"  smtp: {port: 25}", "  postfix: {config_directory: /etc/postfix}"}},
       "the source is a Stalwart, and `postfix` is of Dovecot and Postfix"},
      {{{"  smtp: {port: 25}", "  listener: {port: 10025}"}},
       "the source is a Stalwart, and `listener` is of Dovecot and Postfix"},
      {{{"from: {stalwart: principals}", "from: {passwd_file: /etc/dovecot/users}"}},
       "the source is a Stalwart, which has no passwd-file"},
      {{{"from: {stalwart: principals}", "from: {stalwart: everybody}"}}, "everybody"},
      {{{"  stalwart:\n    url:", "  dovecot:\n    config:"},
        {"    login: {user: admin, password: !secret file:secrets/old-admin}\n", ""},
        {"https://old.example.org ", "/etc/dovecot/dovecot.conf "}},
       "`stalwart` is missing in `source`"},
      {{{"    url: https://old.example.org ", "    # "}}, "`url` is missing"},
  };
  for (const auto& [changes, words] : cases) {
    const CompileResult head = head_with(changes);
    EXPECT_TRUE(head.has_errors()) << words;
    EXPECT_NE(rendered(head).find(words), std::string::npos) << words << "\n" << rendered(head);
  }
}

TEST(OldStalwartPlan, MayNameItsSeparator) {
  const CompileResult head = head_with({{"name: master,", "name: master, separator: \"%\","}});
  EXPECT_FALSE(head.has_errors()) << rendered(head);
}

TEST(OldStalwartPlan, CannotSilenceThatItMovesNobody) {
  const auto found =
      read_golden_case(test::repository() / "tests/golden/diagnostics/procedure-unavailable/hit");
  found->input.plan_text +=
      "findings:\n  - {code: procedure-unavailable, at: \"use: std/stalwart-0.15\", severity: "
      "silent, reason: \"I know\"}\n  - {code: procedure-unavailable, at: \"std/stalwart-0.15\", "
      "severity: note, reason: \"I know\"}\n";
  const CompileResult result = compile(std::move(found->input));
  EXPECT_TRUE(result.has_errors());
  EXPECT_FALSE(result.graph.has_value());
  EXPECT_NE(rendered(result).find("error: accounts of a Stalwart 0.15 are read and checked"),
            std::string::npos)
      << rendered(result);
}

}  // namespace
}  // namespace plan::test
