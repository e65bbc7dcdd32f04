#include "compiler/target_amounts.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/plan_text.h"
#include "tests/support/repository.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

using ir::StepKind;
using ir::Value;

Value set_of(const char* object, Value set, StepKind kind = StepKind::admin_update) {
  return with_target_amounts(
      repository_schema(), kind,
      Value::map({{"object", object}, {"match", Value::map()}, {"set", std::move(set)}}))["set"];
}

TEST(TargetAmounts, AreReadWhereTheSchemaHasOne) {
  EXPECT_EQ(set_of("DataRetention", Value::map({{"expungeTrashAfter", "7d"}})),
            Value::map({{"expungeTrashAfter", 604'800'000}}));
  EXPECT_EQ(set_of("Jmap", Value::map({{"maxUploadSize", "50MiB"}})),
            Value::map({{"maxUploadSize", 52'428'800}}));
  EXPECT_EQ(set_of("DataRetention", Value::map({{"/expungeTrashAfter", "30s"}})),
            Value::map({{"/expungeTrashAfter", 30'000}}));
}

TEST(TargetAmounts, AllElseStaysForTheSchemaToJudge) {
  for (const Value& set :
       {Value::map({{"expungeTrashAfter", "50MiB"}}), Value::map({{"expungeTrashAfter", "7 days"}}),
        Value::map({{"expungeTrashAfter", "7"}}),
        Value::map({{"expungeTrashAfter", 5}, {"nothing", "7d"}}),
        Value::map({{"expungeTrashAfter/more", "7d"}})})
    EXPECT_EQ(set_of("DataRetention", set), set);
  const Value duration = Value::map({{"maxUploadSize", "7d"}});
  EXPECT_EQ(set_of("Jmap", duration), duration);
  const Value text = Value::map({{"reason", "7d"}});
  EXPECT_EQ(set_of("AllowedIp", text), text);
  const Value amount = Value::map({{"expungeTrashAfter", "7d"}});
  EXPECT_EQ(set_of("NoSuchObject", amount), amount);
  EXPECT_EQ(set_of("DataRetention", amount, StepKind::admin_action), amount);
}

TEST(TargetAmounts, MembersOfSetsGetTheFormInWhichTheTargetLooksForThem) {
  const Value wanted = ir::List{"x.test", "xn--bcher-kva.test"};
  EXPECT_EQ(
      set_of("Domain", Value::map({{"aliases", ir::List{"X.TEST", "bücher.test", "x.Test"}}})),
      Value::map({{"aliases", wanted}}));
  EXPECT_EQ(set_of("Domain", Value::map({{"aliases", Value::map({{"X.TEST", true}})}})),
            Value::map({{"aliases", Value::map({{"x.test", true}})}}));
  EXPECT_EQ(set_of("Domain", Value::map({{"aliases/X.TEST", true}})),
            Value::map({{"aliases/x.test", true}}));
  EXPECT_EQ(set_of("MailingList", Value::map({{"recipients", ir::List{" Bob@Bücher.test "}}})),
            Value::map({{"recipients", ir::List{"bob@xn--bcher-kva.test"}}}));
  EXPECT_EQ(
      set_of("SystemSettings",
             Value::map({{"proxyTrustedNetworks", ir::List{"192.0.2.1/32", "2001:DB8::/48"}}})),
      Value::map({{"proxyTrustedNetworks", ir::List{"192.0.2.1", "2001:db8::/48"}}}));
  // What is none, what is none of ours and what another step gives stays.
  for (const Value& set :
       {Value::map({{"aliases", ir::List{"no dot", 5, ir::OutputRef{"a", "id"}}}}),
        Value::map({{"aliases", "X.TEST"}}), Value::map({{"aliases/X/TEST", true}})})
    EXPECT_EQ(set_of("Domain", set), set);
  const Value network = Value::map({{"proxyTrustedNetworks/192.0.2.5~132", true}});
  EXPECT_EQ(set_of("SystemSettings", network), network);
}

TEST(TargetAmounts, ALiteralOfAStepIsOne) {
  auto golden_case = read_golden_case(test::repository() /
                                      "tests/golden/diagnostics/expression-type/near-miss-secrets");
  golden_case->input.file_text = [](const std::string&) -> Result<std::string> {
    return std::string("module mine\nuse std/dovecot-postfix\n") + std::string(kTrashOfAWeek);
  };
  golden_case->input.schema = &repository_schema();
  const CompileResult result = compile(std::move(golden_case->input));
  ASSERT_TRUE(result.graph) << rendered(result);
  const auto step = result.graph->find("own/retention");
  ASSERT_TRUE(step);
  EXPECT_EQ(result.graph->argument(*step, "set"), Value::map({{"expungeTrashAfter", 604'800'000}}));
}

}  // namespace
}  // namespace plan::test
