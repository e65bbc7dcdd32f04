// An old Stalwart as everything sees it that does not care which kind the source is of: names,
// aliases, passwords, the queue, the lease; and the listener that its operator makes.
#include "runtime/server/stalwart15/old_source.h"

#include "runtime/server/source/errors.h"
#include "runtime/step/errors.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart15/move_bench.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Standing;
using ir::Value;
using test::OldServer;

class OldSourceTest : public MoveBench {};

TEST_F(OldSourceTest, KnowsAccountsByTheirAddress) {
  const auto old = source();
  EXPECT_EQ(*old->login_of(kAlice), kAlice);
  EXPECT_EQ(*old->login_of(kBob), "bob");
  EXPECT_EQ(*old->aliases_of(kAlice), std::vector<std::string>{kAlias});
  EXPECT_TRUE(old->aliases_of(kBob)->empty());
  EXPECT_TRUE(old->aliases_of("carl@old.test")->empty()) << "nobody";
  EXPECT_FALSE(old->login_of("carl@old.test"));
  EXPECT_EQ(old->password_hash_of(kAlice)->reveal_for("the test"), "{CRYPT}$6$salt$hash");
  EXPECT_EQ(old->password_hash_of(kBob)->reveal_for("the test"), "{PLAIN}clear text");
  EXPECT_EQ(old->block().master_login("bob"), "bob%master");
}

TEST_F(OldSourceTest, ReadsAliasesEachTime) {
  const auto old = source();
  EXPECT_EQ(old->aliases_of(kAlice)->size(), 1U);
  server.principals[1].set("emails", Value::list({kAlice, "new@old.test", kAlias, "@old.test"}));
  EXPECT_EQ(*old->aliases_of(kAlice), (std::vector<std::string>{kAlias, "new@old.test"}));
  // Another name at the server; the address is the same.
  EXPECT_EQ(*old->login_of(kBob), "bob");
  server.principals[2].set("name", "robert");
  EXPECT_TRUE(old->aliases_of(kBob)->empty());
  EXPECT_EQ(*old->login_of(kBob), "robert");
}

TEST_F(OldSourceTest, ANameThatIsAnothersAliasIsSomebodyElse) {
  server.principals.push_back(Value::map({{"id", 7},
                                          {"type", "individual"},
                                          {"name", kAlias},
                                          {"emails", Value::list({"carl@old.test"})},
                                          {"roles", Value::list({"user"})}}));
  const auto old = source();
  EXPECT_EQ(*old->login_of("carl@old.test"), kAlias);
  EXPECT_FALSE(old->login_of(kAlias)) << "it is one of alice's addresses, and no account";
}

TEST_F(OldSourceTest, SeesTheWholeQueueOfTheAccount) {
  constexpr std::size_t kMany = 1'100;  // three pages
  server.locked([](OldServer& self) {
    self.lists["plan-held"] = {"-", "alice@old.test"};
    for (std::size_t i = 0; i < kMany; ++i)
      self.mail.accept("out@elsewhere.test", {i % 2 == 0 ? "Alice+tag@old.test" : "alice@old.test"},
                       "text");
    self.mail.is_slow = true;
    self.mail.accept("out@elsewhere.test", {"bob@old.test"}, "for another");
  });
  auto queue = source()->queue();
  ASSERT_TRUE(queue);
  const auto waiting = (*queue)->look({kAlice, kAlias});
  ASSERT_TRUE(waiting) << waiting.error().to_line();
  EXPECT_EQ(waiting->messages, kMany / 2) << "a tag is not in the list: those were delivered";
  EXPECT_NE(waiting->reason.find("Connection refused"), std::string::npos);
  EXPECT_EQ((*queue)->ids({kAlice})->size(), kMany / 2);
  const std::size_t calls = server.calls.size();
  EXPECT_TRUE((*queue)->flush({kAlice})) << "nothing can hasten it";
  EXPECT_EQ(server.calls.size(), calls);
  server.mail.is_running = false;
  EXPECT_NE((*queue)->look({kAlice})->reason.find("paused"), std::string::npos);
}

TEST_F(OldSourceTest, FindsAProbeByItsText) {
  server.locked([](OldServer& self) {
    self.lists["plan-held"] = {"-", "alice@old.test"};
    self.mail.accept("", {"alice@old.test"},
                     "Message-ID: <plan-probe.abc.source@plan.invalid>\r\n");
    self.mail.accept("x@y.test", {"alice@old.test"},
                     "Message-ID: <plan-probe.def@plan.invalid>\r\n");
  });
  EXPECT_TRUE(*source()->holds_probe(kAlice, "abc"));
  EXPECT_FALSE(*source()->holds_probe(kAlice, "def")) << "it has a sender";
  EXPECT_FALSE(*source()->holds_probe(kBob, "abc"));
}

// --- the lease -----------------------------------------------------------------------------------

TEST_F(OldSourceTest, TheLeaseIsTakenByOneAlone) {
  auto mine = *source()->lease("me@here");
  auto yours = *source()->lease("you@there");
  EXPECT_TRUE(mine->look()->token.empty());
  ASSERT_TRUE(mine->acquire("run-1"));
  ASSERT_TRUE(mine->acquire("run-1")) << "a run that was killed resumes its own";
  ASSERT_TRUE(mine->renew("run-1"));
  EXPECT_EQ(mine->look()->token, "run-1");
  const Outcome taken = yours->acquire("run-2");
  ASSERT_FALSE(taken);
  EXPECT_TRUE(taken.error().is(source::errors::source_lease_taken)) << taken.error().to_line();
  EXPECT_NE(taken.error().message().find("me@here"), std::string::npos);
  EXPECT_TRUE(yours->release("run-2")) << "not its own: nothing happens";
  EXPECT_TRUE(mine->renew("run-1"));
  ASSERT_TRUE(yours->take_over("run-2"));
  const Outcome lost = mine->renew("run-1");
  ASSERT_FALSE(lost);
  EXPECT_TRUE(lost.error().is(source::errors::source_lease_lost)) << lost.error().to_line();
  ASSERT_TRUE(mine->release("run-1"));
  EXPECT_EQ(yours->look()->token, "run-2") << "released by who lost it";
  ASSERT_TRUE(yours->release("run-2"));
  EXPECT_TRUE(yours->look()->token.empty());
  ASSERT_TRUE(mine->acquire("run-3"));
}

TEST_F(OldSourceTest, TwoThatGetInAtOnceBothGo) {
  auto mine = *source()->lease("me@here");
  // The server has looked for both before it wrote for either.
  server.after_write = [](OldServer& self) {
    self.database["plan.lease.run-2"] = "you@there, since now";
  };
  const Outcome taken = mine->acquire("run-1");
  ASSERT_FALSE(taken);
  EXPECT_TRUE(taken.error().is(source::errors::source_lease_taken)) << taken.error().to_line();
  EXPECT_FALSE(server.database.contains("plan.lease.run-1"));
  EXPECT_TRUE(server.database.contains("plan.lease.run-2")) << "the other one looks for itself";
}

TEST_F(OldSourceTest, ALeaseWhoseAnswerWasLostIsOurs) {
  auto mine = *source()->lease("me@here");
  server.locked([](OldServer& self) { self.calls_until_cut = 1; });
  EXPECT_FALSE(mine->acquire("run-1"));
  ASSERT_TRUE(mine->acquire("run-1"));
  EXPECT_EQ(mine->look()->token, "run-1");
}

// --- the listener --------------------------------------------------------------------------------

class ListenerDriver : public MoveBench {
 protected:
  [[nodiscard]] Step look_for(const char* trusted) const {
    return Step{.kind = ir::StepKind::source_listener,
                .arguments = Value::map({{"source", block},
                                         {"address", "192.0.2.1"},
                                         {"port", 1430},
                                         {"trusted", Value::list({trusted})}})};
  }
  Outcome outcome(const char* trusted) {
    Step one = look_for(trusted);
    const auto seen = observe(one);
    EXPECT_TRUE(seen) << (seen ? "" : seen.error().to_line());
    const Outcome done = run(one);
    EXPECT_EQ(seen->standing == Standing::satisfied, done.has_value());
    return done;
  }
};

TEST_F(ListenerDriver, WantsAListenerThatTrustsTheProxies) {
  const Outcome none = outcome("198.51.100.7");
  ASSERT_FALSE(none);
  EXPECT_TRUE(test::told_as("source-listener-missing", none.error()));
  server.file["server.listener.plan.bind"] = "[::]:1430";
  const Outcome nobody = outcome("198.51.100.7");
  ASSERT_FALSE(nobody);
  EXPECT_NE(nobody.error().message().find("198.51.100.7"), std::string::npos);
  server.file["server.proxy.trusted-networks.0"] = "198.51.100.0/24";
  EXPECT_TRUE(outcome("198.51.100.7")) << "everybody's trust is its own as long as it has none";
  server.file["server.listener.plan.proxy.trusted-networks"] = "203.0.113.9";
  EXPECT_FALSE(outcome("198.51.100.7")) << "its own replaces it";
  EXPECT_TRUE(outcome("203.0.113.9"));
  server.file["server.listener.plan.bind"] = "127.0.0.1:1430";
  EXPECT_FALSE(outcome("203.0.113.9")) << "another address";
  server.file.erase("server.listener.plan.bind");
  server.file["server.listener.plan.bind.0"] = "127.0.0.1:1430";
  server.file["server.listener.plan.bind.1"] = "192.0.2.1:1430";
  EXPECT_TRUE(outcome("203.0.113.9"));
  server.file["server.listener.plan.proxy.trusted-networks"] = "0.0.0.0/0";
  EXPECT_FALSE(outcome("203.0.113.9")) << "a mask that the server does not take";
}

}  // namespace
}  // namespace plan::server::stalwart15
