#include "compiler/ir/old_setting.h"

#include <gtest/gtest.h>

#include <string_view>
#include <utility>

namespace plan::ir {
namespace {

Value rule(Value condition, Value then) {
  return Value::map({{"if", std::move(condition)}, {"then", std::move(then)}});
}
Value otherwise(Value value) { return Value::map({{"else", std::move(value)}}); }

constexpr std::string_view kTooFew = "a block needs an `if` with its `then`, and an `else`";
constexpr std::string_view kWrongRule =
    "every rule but the last has `if` and `then`, the last has `else`";

TEST(OldSettings, RulesAreAnyNumberOfConditionsAndAnElse) {
  EXPECT_EQ(why_not_old_rules(Value(List{rule("a", "b"), otherwise("c")})), "");
  EXPECT_EQ(why_not_old_rules(Value(List{rule("a", "b"), rule("d", "e"), otherwise("c")})), "");
  EXPECT_EQ(why_not_old_rules(Value(List{otherwise("c")})), kTooFew);
  EXPECT_EQ(why_not_old_rules("a"), kTooFew);
  EXPECT_EQ(why_not_old_rules(Value(List{otherwise("c"), rule("a", "b")})), kWrongRule);
  EXPECT_EQ(why_not_old_rules(Value(List{rule("a", 5), otherwise("c")})), kWrongRule);
  EXPECT_EQ(why_not_old_rules(Value(List{rule("a", Value()), otherwise("c")})), kWrongRule);
}

/// A text that another step gives is known when that has run.
TEST(OldSettings, RulesMayTakeWhatAnotherStepGives) {
  const Value given = OutputRef{"target/domain", "id"};
  EXPECT_EQ(why_not_old_rules(given), "");
  EXPECT_EQ(why_not_old_rules(Value(List{rule("a", given), otherwise("c")})), "");
  EXPECT_EQ(why_not_old_rules(Value(List{rule(given, "b"), otherwise(given)})), "");
  EXPECT_EQ(why_not_old_rules(Value(List{given, given})), "");
  EXPECT_EQ(why_not_old_rules(Value(List{rule("a", given), rule("b", given)})), kWrongRule);
  EXPECT_EQ(why_not_old_rules(Value(List{Value::map({{"if", given}}), otherwise("c")})),
            kWrongRule);
}

}  // namespace
}  // namespace plan::ir
