// The first configuration of a new server (reference/stalwart-admin.md 4.2).
#include <filesystem>

#include "target_peer.h"

namespace plan::rehearsal {
namespace {

class Bootstrap : public testing::Test {
 protected:
  void SetUp() override {
    target.options.is_recovery_mode = true;
    target.options.is_bootstrap_mode = true;
    target.start();
  }

  ir::Value fill_in(const std::string& members) {
    return target.call("x:Bootstrap/set", R"({"update":{"singleton":)" + members + "}}");
  }
  // The one property that the form was refused for.
  std::string refused_for(const std::string& members) {
    const ir::Value refused = fill_in(members)["notUpdated"]["singleton"];
    EXPECT_EQ(refused["properties"].size(), 1U) << members;
    return std::string(refused["properties"].item(0).string_or("")) + " " +
           std::string(refused["type"].string_or(""));
  }
  void start_configured() {
    target.options.is_bootstrap_mode = false;
    target.options.is_recovery_mode = false;
    target.start();
  }

  TargetPeer target;
};

TEST_F(Bootstrap, nothing_but_the_form_answers) {
  EXPECT_EQ(target.call("x:Domain/get", R"({"ids":null})")["type"], ir::Value("forbidden"));
  EXPECT_EQ(target.call("x:Domain/set", R"({"create":{"d":{"name":"a.test"}}})")["type"],
            ir::Value("forbidden"));
  const ir::Value form = target.call("x:Bootstrap/get", R"({"ids":["singleton"]})")["list"].item(0);
  EXPECT_EQ(form["serverHostname"], ir::Value("vm"));
  EXPECT_EQ(form["defaultDomain"], ir::Value("example.org"));
  EXPECT_EQ(form["dataStore"]["@type"], ir::Value("RocksDb"));
  EXPECT_FALSE(form.members().contains("secret"));
}

TEST_F(Bootstrap, a_wrong_form_is_refused_by_its_property_and_makes_nothing) {
  EXPECT_EQ(refused_for("{}"), "serverHostname invalidProperties");
  EXPECT_EQ(refused_for(R"({"serverHostname":"mail","defaultDomain":"a.test"})"),
            "serverHostname invalidProperties");
  EXPECT_EQ(refused_for(R"({"serverHostname":"mail.a.test","defaultDomain":"a.example"})"),
            "defaultDomain invalidProperties");
  EXPECT_EQ(refused_for(R"({"serverHostname":"mail.a.test","defaultDomain":"a.test",
                            "dataStore":{"@type":"RocksDb","path":"/proc/nothing/here"}})"),
            "dataStore invalidProperties");
  EXPECT_EQ(refused_for(R"({"dataStore/path":"/x"})"), "dataStore/path invalidProperties");
  EXPECT_EQ(refused_for(R"({"secret":"x"})"), "secret invalidPatch");
  start_configured();
  EXPECT_EQ(target.call("x:Domain/get", R"({"ids":null})")["list"].size(), 0U);
  EXPECT_EQ(target.call("x:Account/get", R"({"ids":null})")["list"].size(), 0U);
}

TEST_F(Bootstrap, a_right_form_makes_the_domain_and_an_administrator_for_the_next_start) {
  const std::string store = target.file("other-store");
  const ir::Value made = fill_in(R"({"serverHostname":"mail.a.test","defaultDomain":"A.TEST",
      "dataStore":{"@type":"RocksDb","path":")" +
                                 store + R"("}})")["updated"]["singleton"];
  EXPECT_EQ(made["username"], ir::Value("admin@a.test"));
  const std::string secret(made["secret"].string_or(""));
  EXPECT_EQ(secret.size(), 16U);
  // What was tried for the answer is taken away again.
  EXPECT_FALSE(std::filesystem::exists(store));
  EXPECT_EQ(target.session_status("admin@a.test:" + secret), 401);

  start_configured();
  EXPECT_EQ(target.session_status("admin@a.test:" + secret), 200);
  EXPECT_EQ(target.session_status("admin@a.test:" + secret + "x"), 401);
  const ir::Value domain = target.call("x:Domain/get", R"({"ids":null})")["list"].item(0);
  EXPECT_EQ(domain["name"], ir::Value("a.test"));
  EXPECT_EQ(domain["dkimManagement"]["@type"], ir::Value("Automatic"));
  const ir::Value settings =
      target.call("x:SystemSettings/get", R"({"ids":["singleton"]})")["list"].item(0);
  EXPECT_EQ(settings["defaultHostname"], ir::Value("mail.a.test"));
  EXPECT_EQ(settings["defaultDomainId"], domain["id"]);
}

TEST_F(Bootstrap, without_keys_none_are_to_be_made) {
  EXPECT_TRUE(fill_in(R"({"serverHostname":"mail.a.test","defaultDomain":"a.test",
      "generateDkimKeys":false,"dataStore":{"@type":"RocksDb","path":")" +
                      target.file("other-store") + R"("}})")["updated"]["singleton"]
                  .is_map());
  target.options.is_bootstrap_mode = false;  // recovery: nothing is seeded, no task is run
  target.start();
  const ir::Value domain = target.call("x:Domain/get", R"({"ids":null})")["list"].item(0);
  EXPECT_EQ(domain["dkimManagement"]["@type"], ir::Value("Manual"));
  EXPECT_EQ(target.call("x:Task/get", R"({"ids":null})")["list"].size(), 0U);
}

TEST_F(Bootstrap, is_closed_afterwards) {
  start_configured();
  EXPECT_EQ(target.call("x:Bootstrap/get", R"({"ids":["singleton"]})")["notFound"].item(0),
            ir::Value("singleton"));
  EXPECT_EQ(
      fill_in(R"({"serverHostname":"mail.a.test","defaultDomain":"a.test"})")["notUpdated"]
                                                                             ["singleton"]["type"],
      ir::Value("forbidden"));
}

}  // namespace
}  // namespace plan::rehearsal
