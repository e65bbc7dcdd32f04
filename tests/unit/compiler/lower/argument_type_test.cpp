#include "compiler/lower/argument_type.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

namespace plan::lower {
namespace {

using ir::ArgumentType;
using ir::StepKind;
using ir::Value;

WrongArgument wrong(StepKind kind, std::string_view name, const Value& value) {
  for (const ir::ArgumentSpec& spec : ir::arguments_of(kind)) {
    if (spec.name == name) return judge_argument(value, spec).value_or(WrongArgument());
  }
  return {"there is no such argument", ""};
}
std::string why(StepKind kind, std::string_view name, const Value& value) {
  return wrong(kind, name, value).why;
}
Value list_of(Value item) { return Value(ir::List{std::move(item)}); }

TEST(ArgumentType, WhatStandsInAnArgumentOfTheRightType) {
  const auto url = [&](const char* text) { return why(StepKind::source_settings, "url", text); };
  EXPECT_EQ(url("https://old.example.org"), "");
  EXPECT_EQ(url("http://old.example.org"),
            "takes a URL, and `http://old.example.org` is none: it does not begin with `https://`");
  const auto account = [&](const char* text) {
    return why(StepKind::probe_login, "account", text);
  };
  EXPECT_EQ(account("alice@example.org"), "");
  for (const char* const text : {"", "@", "alice", "alice@", "@example.org", "a@b@example.org"})
    EXPECT_NE(account(text), "") << text;
  EXPECT_EQ(why(StepKind::postfix_forward, "transport_map", "/etc/postfix/plan_transport"), "");
  for (const char* const text : {"", " "}) {
    EXPECT_EQ(why(StepKind::postfix_forward, "transport_map", text),
              "takes a text, and this one is empty");
  }
  EXPECT_EQ(why(StepKind::admin_account, "name", ""), "");  // that nobody has to write
  EXPECT_EQ(why(StepKind::dump_export, "by", "server"), "");
  EXPECT_EQ(why(StepKind::dump_export, "by", "me"), "takes `plan` or `server`, and this is `me`");
}

TEST(ArgumentType, WhatIsNotKnownYetIsNotJudged) {
  const Value later = ir::OutputRef{"$unknown", "value"};
  for (const ir::StepKindInfo& kind : ir::all_step_kinds()) {
    for (const ir::ArgumentSpec& spec : ir::arguments_of(kind.kind)) {
      EXPECT_FALSE(judge_argument(later, spec)) << kind.name << " " << spec.name;
      EXPECT_FALSE(judge_argument(Value(), spec)) << kind.name << " " << spec.name;
      if (spec.type != ArgumentType::list) continue;
      EXPECT_FALSE(judge_argument(list_of(later), spec)) << kind.name << " " << spec.name;
      EXPECT_FALSE(judge_argument(list_of(Value()), spec)) << kind.name << " " << spec.name;
    }
  }
}

/// Of each list but those of maps, which a rule judges.
TEST(ArgumentType, ItemsOfListsAreTextsOrPorts) {
  for (const ir::StepKindInfo& kind : ir::all_step_kinds()) {
    for (const ir::ArgumentSpec& spec : ir::arguments_of(kind.kind)) {
      if (spec.type != ArgumentType::list || spec.name == "values" || spec.name == "blocks")
        continue;
      EXPECT_TRUE(judge_argument(list_of(true), spec)) << kind.name << " " << spec.name;
      EXPECT_EQ(judge_argument(list_of("source"), spec).has_value(), spec.name == "ports")
          << kind.name << " " << spec.name;
    }
  }
  const auto port = [&](const Value& value) {
    return why(StepKind::service_restart, "ports", list_of(value));
  };
  EXPECT_EQ(port(std::int64_t{65535}), "");
  EXPECT_EQ(port(std::int64_t{0}), "takes ports, and 0 is none");
  EXPECT_EQ(port("25"), "takes ports, and text is none");
  EXPECT_EQ(why(StepKind::address_move, "run", list_of(3)), "takes a list of texts, and 3 is none");
}

TEST(ArgumentType, AmountsHaveBounds) {
  const auto passes = [&](std::int64_t n) { return why(StepKind::archive_copy, "passes_max", n); };
  EXPECT_EQ(passes(1), "");
  EXPECT_EQ(passes(100), "");
  EXPECT_EQ(passes(0), "takes a whole number from 1 to 100, and this is 0");
  EXPECT_EQ(passes(-1), "takes a whole number from 1 to 100, and this is -1");
  EXPECT_EQ(passes(101), "takes a whole number from 1 to 100, and this is 101");
  const auto port = [&](std::int64_t n) { return why(StepKind::postfix_listener, "port", n); };
  EXPECT_EQ(port(25), "");
  EXPECT_EQ(port(0), "takes a port, and 0 is none");
  EXPECT_EQ(port(70000), "takes a port, and 70000 is none");
  const auto bound = [&](std::int64_t ms) { return why(StepKind::proxy_hold, "bound_ms", ms); };
  EXPECT_EQ(bound(600'000), "");
  EXPECT_EQ(bound(660'000), "takes a duration of at most 10 min 0 s, and this is 11 min 0 s");
  EXPECT_EQ(bound(-5), "takes a duration, and this is -5");
  EXPECT_EQ(why(StepKind::archive_copy, "keep_apart_ms", 0),
            "takes a duration of at least 1.0 s, and this is 0 ms");
  EXPECT_EQ(why(StepKind::admin_account, "quota_bytes", std::int64_t{1} << 50), "");
  EXPECT_EQ(why(StepKind::admin_account, "quota_bytes", -1), "takes a size, and this is -1");
}

TEST(ArgumentType, AMomentIsNoLengthOfTime) {
  const auto moment = [](const Value& value) {
    return wrong(StepKind::window, "not_before_ms", value);
  };
  EXPECT_EQ(moment(std::int64_t{1'796'090'400'000}).why, "");
  for (const Value& value : {Value(300'000), Value(std::int64_t{1'796'090'400}), Value(-1),
                             Value(std::int64_t{1'796'090'400'000'000}), Value("5m")}) {
    EXPECT_TRUE(moment(value).why.starts_with("takes a moment in milliseconds since 1970"))
        << moment(value).why;
    EXPECT_NE(moment(value).help.find("no length of time"), std::string::npos);
  }
  EXPECT_EQ(moment("2026-12-01T02:00:00Z").help, "write `1796090400000`, which is that moment");
}

TEST(ArgumentType, WordsWithAUnitAreReadWhereTheArgumentIsAnAmount) {
  EXPECT_EQ(as_argument("30s", ArgumentType::duration_ms).integer_or(0), 30'000);
  EXPECT_EQ(as_argument("50MiB", ArgumentType::bytes).integer_or(0), 50 << 20);
  EXPECT_EQ(as_argument("50MiB", ArgumentType::duration_ms).string_or(""), "50MiB");
  EXPECT_EQ(as_argument("30s", ArgumentType::string).string_or(""), "30s");
  EXPECT_EQ(as_argument("30s", ArgumentType::integer).string_or(""), "30s");
}

}  // namespace
}  // namespace plan::lower
