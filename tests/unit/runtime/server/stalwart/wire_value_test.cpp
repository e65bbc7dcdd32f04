#include "runtime/server/stalwart/wire_value.h"

#include <gtest/gtest.h>

#include "compiler/ir/json.h"
#include "tests/support/fake_registry.h"

namespace plan::server::stalwart {
namespace {

using ir::Value;

Value json(std::string_view text) {
  auto value = ir::parse_json(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : Value();
}

std::vector<std::string> differing(std::string_view wanted, std::string_view live) {
  std::vector<ir::Difference> differences;
  compare_members(to_wire(json(wanted)), json(live), differences);
  std::vector<std::string> paths;
  for (const ir::Difference& difference : differences) paths.push_back(difference.path);
  return paths;
}

using Paths = std::vector<std::string>;

TEST(WireValue, lists_of_a_plan_become_sets_and_numbered_lists) {
  EXPECT_EQ(to_wire(json(R"({"recipients":["a","b"]})")),
            json(R"({"recipients":{"a":true,"b":true}})"));
  EXPECT_EQ(to_wire(json(R"({"aliases":[{"name":"a"},{"name":"b"}]})")),
            json(R"({"aliases":{"0":{"name":"a"},"1":{"name":"b"}}})"));
  EXPECT_EQ(to_wire(json(R"({"route":{"else":"'mx'"}})")),
            json(R"({"route":{"match":{},"else":"'mx'"}})"));
}

TEST(WireValue, members_that_are_not_wanted_are_left_alone) {
  EXPECT_EQ(differing(R"({"a":1})", R"({"a":1,"b":2})"), Paths{});
  EXPECT_EQ(differing(R"({"a":1,"c":null})", R"({"a":1,"b":2})"), Paths{})
      << "null and absent are the same";
  EXPECT_EQ(differing(R"({"a":{"x":1}})", R"({"a":{"x":1,"y":2}})"), Paths{});
  EXPECT_EQ(differing(R"({"a":{"x":2}})", R"({"a":{"x":1,"y":2}})"), Paths{"a.x"});
}

TEST(WireValue, sets_lists_and_expressions_are_compared_whole) {
  EXPECT_EQ(differing(R"({"s":["a"]})", R"({"s":{"a":true,"b":true}})"), Paths{"s"});
  EXPECT_EQ(differing(R"({"s":["b","a"]})", R"({"s":{"a":true,"b":true}})"), Paths{});
  EXPECT_EQ(differing(R"({"s":[]})", R"({"s":{"a":true}})"), Paths{"s"});
  EXPECT_EQ(differing(R"({"s":[]})", R"({"s":{}})"), Paths{});
  EXPECT_EQ(differing(R"({"l":[{"name":"a"}]})", R"({"l":{"0":{"name":"a","enabled":true}}})"),
            Paths{});
  EXPECT_EQ(differing(R"({"l":[{"name":"a"}]})", R"({"l":{"0":{"name":"a"},"1":{"name":"b"}}})"),
            Paths{"l"});
  EXPECT_EQ(differing(R"({"e":{"else":"x"}})", R"({"e":{"match":{},"else":"x"}})"), Paths{});
  EXPECT_EQ(differing(R"({"e":{"else":"x"}})",
                      R"({"e":{"match":{"0":{"if":"a","then":"b"}},"else":"x"}})"),
            Paths{"e"});
  EXPECT_EQ(differing(R"({"l":{"0":{"name":"a"},"10":{"name":"c"},"9":{"name":"b"}}})",
                      R"({"l":{"0":{"name":"a"},"1":{"name":"b"},"2":{"name":"c"}}})"),
            Paths{})
      << "numbered by number, not by text";
}

TEST(WireValue, patches_point_into_embedded_objects) {
  const Value live = json(
      R"({"dkim":{"@type":"Automatic","rotate":1,"retire":2},"name":"x","e":{"match":{"0":{"if":"a","then":"b"}},"else":"c"}})");
  EXPECT_EQ(patch_for(to_wire(json(R"({"dkim":{"@type":"Automatic","rotate":5}})")), live),
            json(R"({"dkim/rotate":5})"))
      << "the whole value would reset `retire`";
  EXPECT_EQ(patch_for(to_wire(json(R"({"dkim":{"@type":"Manual"}})")), live),
            json(R"({"dkim":{"@type":"Manual"}})"));
  EXPECT_EQ(patch_for(to_wire(json(R"({"e":{"else":"c"}})")), live),
            json(R"({"e":{"match":{},"else":"c"}})"));
  EXPECT_EQ(patch_for(to_wire(json(R"({"name":"x"})")), live), json("{}"));
}

TEST(WireValue, slashes_and_tildes_in_names_are_escaped) {
  const Value live = json(R"({"m":{"a/b":1,"c":2}})");
  EXPECT_EQ(patch_for(json(R"({"m":{"a/b":3}})"), live), json(R"({"m/a~1b":3})"));
}

TEST(WireValue, a_patch_makes_the_live_value_equal_as_the_registry_applies_it) {
  const char* kPairs[][2] = {
      {R"({"a":1})", R"({"a":2,"b":3})"},
      {R"({"o":{"x":1,"y":{"z":2}}})", R"({"o":{"x":0,"y":{"z":0,"w":9}}})"},
      {R"({"s":["a","c"]})", R"({"s":{"a":true,"b":true}})"},
      {R"({"q":{"maxDiskQuota":5}})", R"({"q":{}})"},
      {R"({"q":{"maxDiskQuota":5}})", R"({"q":{"maxEmails":1}})"},
      {R"({"o":{"x":1}})", R"({"o":null})"},
      {R"({"l":[{"name":"a"},{"name":"b"}]})", R"({"l":{"0":{"name":"z","enabled":true}}})"},
      {R"({"e":{"else":"x"}})", R"({"e":{"match":{"0":{"if":"a","then":"b"}},"else":"y"}})"},
      {R"({"n":null})", R"({"n":"set"})"},
  };
  for (const auto& pair : kPairs) {
    const Value wanted = to_wire(json(pair[0]));
    Value live = json(pair[1]);
    test::apply_patch(live, patch_for(wanted, live));
    std::vector<ir::Difference> differences;
    compare_members(wanted, live, differences);
    EXPECT_TRUE(differences.empty())
        << pair[0] << " onto " << pair[1] << " gave " << ir::write_json(live);
    EXPECT_EQ(patch_for(wanted, live).size(), 0U) << pair[0];
  }
}

TEST(WireValue, secrets_never_show_in_differences) {
  Value wanted =
      Value::map({{"auth", ir::SecretRef{.provider = "env", .name = "X"}}, {"name", "b"}});
  std::vector<ir::Difference> differences;
  compare_members(wanted, json(R"({"auth":null,"name":"a"})"), differences);
  ASSERT_EQ(differences.size(), 2U);
  EXPECT_EQ(differences[0].wanted, Value("(secret)"));
  differences.clear();
  compare_members(wanted, json(R"({"auth":"****","name":"b"})"), differences);
  EXPECT_TRUE(differences.empty()) << "a mask says nothing";
}

TEST(WireValue, prior_values_leave_out_what_could_not_be_written_back) {
  const Value live = json(R"({"auth":{"@type":"Value","secret":"****"},"port":25,"id":"x"})");
  const Value touched = touched_by(json(R"({"auth":{"@type":"None"},"port":26})"), live);
  EXPECT_EQ(touched, json(R"({"port":25})"));
}

TEST(WireValue, networks_match_with_and_without_a_full_prefix) {
  EXPECT_TRUE(fits(json(R"({"address":"192.0.2.1"})"), json(R"({"address":"192.0.2.1/32"})")));
  EXPECT_TRUE(fits(json(R"({"address":"2001:db8::1/128"})"), json(R"({"address":"2001:db8::1"})")));
  EXPECT_FALSE(fits(json(R"({"address":"192.0.2.0/24"})"), json(R"({"address":"192.0.2.0"})")));
}

TEST(WireValue, depth_is_bounded) {
  Value deep = Value::map();
  for (int i = 0; i < 100; ++i) deep = Value::map({{"a", deep}});
  EXPECT_GT(to_wire(deep).size(), 0U);
}

}  // namespace
}  // namespace plan::server::stalwart
