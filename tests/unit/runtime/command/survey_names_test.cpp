// What `plan fetch` brings of the names on a target, against the embedded one, and what a lock and
// the rules then know.
#include <gtest/gtest.h>

#include "compiler/facts/lock.h"
#include "compiler/ir/json.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/source_set.h"
#include "runtime/net/jmap/pool.h"
#include "runtime/server/stalwart/survey.h"
#include "tests/unit/runtime/rehearsal/target_peer.h"

namespace plan::server::stalwart {
namespace {

using ir::Value;

class Password final : public secret::SecretSource {
 public:
  Result<secret::Secret> read(const ir::SecretRef&) override {
    return secret::Secret(std::string("adminpw"));
  }
  Result<ir::SecretRef> seal(const secret::Secret&) override { return ir::SecretRef(); }
};

class SurveyOfNames : public testing::Test {
 protected:
  void SetUp() override { target_.start(); }

  Value survey() {
    net::jmap::ClientPool clients;
    const Value block = Value::map(
        {{"url", "http://127.0.0.1:" + std::to_string(target_.port())},
         {"login", Value::map({{"user", "admin"}, {"password", ir::SecretRef{"env", "ADMIN"}}})}});
    auto seen = survey_target(block, clients, password_, {}, net::system_clock());
    EXPECT_TRUE(seen) << seen.error().to_line();
    return seen ? std::move(*seen) : Value();
  }
  /// The id of what one `x:TYPE/set` makes.
  std::string make(const std::string& type, const std::string& object) {
    const Value made = target_.call("x:" + type + "/set", R"({"create":{"a":)" + object + "}}");
    EXPECT_TRUE(made["created"]["a"]["id"].is_string()) << ir::canonical_json(made);
    return std::string(made["created"]["a"]["id"].string_or(""));
  }
  static Value with(const Value& list, const char* member, std::string_view text) {
    for (const Value& item : list.items()) {
      if (item[member].string_or("") == text) return item;
    }
    return {};
  }

  rehearsal::TargetPeer target_;
  Password password_;
};

TEST_F(SurveyOfNames, has_what_a_plan_may_name) {
  make("MtaRoute", R"({"@type":"Relay","name":"smart","address":"smarthost.example.net"})");
  make("SieveSystemScript", R"({"name":"greet","contents":"keep;","isActive":true})");
  make("SieveSystemScript", R"({"name":"asleep","contents":"keep;","isActive":false})");
  const Value settings = survey()["settings"];
  EXPECT_EQ(ir::canonical_json(settings["MtaRoute.name"]), R"(["local","mx","smart"])");
  const Value smart = with(settings["MtaRoute.kinds"], "name", "smart");
  EXPECT_EQ(smart["kind"], Value("Relay"));
  EXPECT_EQ(smart["address"], Value("smarthost.example.net"));
  EXPECT_EQ(ir::canonical_json(settings["MtaTlsStrategy.name"]), R"(["default","invalid-tls"])");
  EXPECT_EQ(ir::canonical_json(settings["MtaConnectionStrategy.name"]), R"(["default"])");
  EXPECT_EQ(ir::canonical_json(settings["MtaDeliverySchedule.name"]),
            R"(["dsn","local","remote"])");
  EXPECT_EQ(ir::canonical_json(settings["SieveSystemScript.name"]), R"(["greet"])");
  // One cannot be made without a network.
  EXPECT_EQ(ir::canonical_json(settings["AcmeProvider.challengeType"]), "[]");
  EXPECT_TRUE(settings["MtaOutboundStrategy.schedule"].is_map());
  EXPECT_TRUE(settings["MtaStageRcpt.script"].is_map());
}

TEST_F(SurveyOfNames, has_roles_and_who_refers_to_them) {
  const std::string inner = make("Role", R"({"description":"inner"})");
  const std::string staff =
      make("Role", R"({"description":"staff","roleIds":{")" + inner + R"(":true}})");
  const std::string domain = make("Domain", R"({"name":"example.org"})");
  for (const char* name : {"anna", "bob", "carol", "dora"})
    make("Account", R"({"@type":"User","name":")" + std::string(name) + R"(","domainId":")" +
                        domain + R"(","roles":{"@type":"Custom","roleIds":{")" + staff +
                        R"(":true}}})");
  const Value settings = survey()["settings"];
  const Value role = with(settings["Role.roleIds"], "description", "staff");
  EXPECT_EQ(role["id"], Value(staff));
  EXPECT_EQ(ir::canonical_json(role["roles"]), R"([")" + inner + R"("])");
  const Value of_staff = with(settings["links"], "name", "staff");
  EXPECT_EQ(of_staff["object"], Value("Role"));
  EXPECT_EQ(of_staff["count"], Value(4));
  EXPECT_EQ(of_staff["by"].size(), 3U);
  EXPECT_EQ(of_staff["by"].item(0)["name"], Value("anna@example.org"));
  EXPECT_EQ(with(settings["links"], "name", "inner")["by"].item(0)["name"], Value("staff"));
}

TEST_F(SurveyOfNames, says_how_many_mailboxes_an_account_may_have) {
  EXPECT_TRUE(survey()["limits"]["max_mailboxes"].is_integer());
  const auto bound = [&](const std::string& value) {
    const Value set =
        target_.call("x:Email/set", R"({"update":{"singleton":{"maxMailboxes":)" + value + "}}}");
    EXPECT_TRUE(set["updated"].is_map()) << ir::canonical_json(set);
    return survey()["limits"]["max_mailboxes"];
  };
  EXPECT_EQ(bound("7"), Value(7));
  EXPECT_EQ(bound("null"), Value(0)) << "no bound is 0";
}

TEST_F(SurveyOfNames, gives_the_same_lock_twice) {
  make("Role", R"({"description":"staff"})");
  const Value source = Value::map({{"accounts", Value::list()}});
  const auto first = facts::lock_from_surveys("x", source, survey());
  const auto second = facts::lock_from_surveys("x", source, survey());
  ASSERT_TRUE(first && second);
  EXPECT_EQ(facts::write_lock(*first), facts::write_lock(*second));
  SourceSet sources;
  Sink sink;
  const FileId file = sources.add("migration.lock", facts::write_lock(*first));
  const auto read = facts::read_lock(sources, file, sink);
  ASSERT_TRUE(read);
  EXPECT_TRUE(sink.empty());
  EXPECT_EQ(read->settings, first->settings);
}

}  // namespace
}  // namespace plan::server::stalwart
