#include "runtime/server/stalwart/admin_tool.h"

#include "runtime/net/jmap/errors.h"
#include "runtime/server/stalwart/errors.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::stalwart {
namespace {

using ir::Value;

class AdminToolTest : public DriverBench {
 protected:
  AdminTool tool{target};
};

TEST_F(AdminToolTest, gets_all_some_or_the_singleton) {
  const std::string first = registry->put("Domain", Value::map({{"name", "a.test"}}));
  registry->put("Domain", Value::map({{"name", "b.test"}}));
  registry->put_singleton("Email", Value::map({{"maxMessageSize", 75'000'000}}));
  EXPECT_EQ(tool.get("x:Domain")->size(), 2U);
  EXPECT_EQ(tool.get("Domain", {first})->item(0)["name"], Value("a.test"));
  ASSERT_EQ(tool.get("Email")->size(), 1U);
  EXPECT_EQ(tool.get("Email")->item(0)["maxMessageSize"], Value(75'000'000));
  EXPECT_EQ((*tool.query("Domain", Value::map({{"name", "b.test"}})))["total"], Value(1));
}

TEST_F(AdminToolTest, creates_updates_and_destroys) {
  secrets.texts["env:RELAY"] = "geheim";
  const auto made = tool.create(
      "MtaRoute",
      Value::map({{"name", "r"},
                  {"port", 25},
                  {"authSecret",
                   Value::map({{"secret", ir::SecretRef{.provider = "env", .name = "RELAY"}}})}}),
      secrets);
  ASSERT_TRUE(made) << made.error().to_line();
  const std::string id = (*made)["id"].as_string();
  EXPECT_EQ(registry->object("MtaRoute", "name", "r")["authSecret"]["secret"], Value("geheim"));
  EXPECT_EQ(tool.get("MtaRoute")->item(0)["authSecret"]["secret"], Value("****"));
  const auto updated = tool.update("MtaRoute", id, Value::map({{"port", 2525}}), secrets);
  ASSERT_TRUE(updated);
  EXPECT_EQ((*updated)["changed"].item(0)["was"], Value(25));
  const int writes = registry->writes();
  EXPECT_EQ((*tool.update("MtaRoute", id, Value::map({{"port", 2525}}), secrets))["changed"].size(),
            0U);
  EXPECT_EQ(registry->writes(), writes) << "what is so already is not sent";
  EXPECT_TRUE(tool.destroy("MtaRoute", {id}, false));
  EXPECT_TRUE(registry->objects("MtaRoute").empty());
}

TEST_F(AdminToolTest, an_object_that_is_not_there_is_said_to_be_so) {
  const auto updated = tool.update("MtaRoute", "zz", Value::map({{"port", 1}}), secrets);
  ASSERT_FALSE(updated);
  EXPECT_TRUE(updated.error().is(net::jmap::errors::object_missing));
}

TEST_F(AdminToolTest, a_type_that_the_target_does_not_have_is_named) {
  registry->unknown_types = {"MtaRouteGroup"};
  const auto all = tool.get("x:MtaRouteGroup");
  ASSERT_FALSE(all);
  EXPECT_TRUE(test::told_as("object-type-unknown", all.error()));
  const auto some = tool.get("MtaRouteGroup", {"i000001"});
  ASSERT_FALSE(some);
  EXPECT_TRUE(some.error().is(errors::object_type_unknown)) << some.error().to_line();
  const auto made = tool.create("MtaRouteGroup", Value::map({{"name", "a"}}), secrets);
  ASSERT_FALSE(made);
  EXPECT_TRUE(made.error().is(errors::object_type_unknown)) << made.error().to_line();
}

TEST_F(AdminToolTest, accounts_go_only_when_it_is_said_in_so_many_words) {
  const std::string id = registry->put("Account", Value::map({{"name", "a"}}));
  EXPECT_FALSE(tool.destroy("x:Account", {id}, false));
  EXPECT_EQ(registry->objects("Account").size(), 1U);
  EXPECT_TRUE(tool.destroy("x:Account", {id}, true));
}

}  // namespace
}  // namespace plan::server::stalwart
