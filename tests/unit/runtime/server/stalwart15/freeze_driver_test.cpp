// source.freeze: the right to write is taken from one account of an old Stalwart, by that one
// member and no other, proved, and given back as it was. On a double that is held to a real 0.15.5.
#include <algorithm>

#include "runtime/net/errors.h"
#include "runtime/server/stalwart15/write_rights.h"
#include "runtime/step/errors.h"
#include "tests/support/recordings.h"
#include "tests/support/shared_data.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart15/move_bench.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Standing;
using ir::Value;
using test::OldServer;

// --- the double, and the list --------------------------------------------------------------------

TEST(WriteRights, AreThoseThatTheRealServerTook) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.15-api");
  OldServer server;
  server.principals = {Value::map({{"id", 5},
                                   {"type", "individual"},
                                   {"name", "dora@old.test"},
                                   {"secrets", Value::list({"pw"})},
                                   {"roles", Value::list({"user"})},
                                   {"usedQuota", 737},
                                   {"emails", Value::list({"dora@old.test"})}})};
  std::size_t compared = 0;
  for (const test::Recorded& one : test::read_recordings(folder)) {
    if (one.file != "freeze.jsonl" || one.scenario != "freeze-read-only") continue;
    test::FakeRequest request;
    request.method = one.request["method"].string_or("");
    request.target = one.request["path"].string_or("");
    if (!one.request["body"].is_null()) {
      request.body = ir::write_json(one.request["body"]);
      const Value& taken = one.request["body"].item(0)["value"];
      std::vector<std::string> names;
      for (const Value& name : taken.items()) names.push_back(name.as_string());
      std::sort(names.begin(), names.end());
      if (!names.empty()) {
        EXPECT_EQ(with_writing_taken({}), names);
      }
    }
    int status = 0;
    const Value is = server.reply(request, status);
    ++compared;
    EXPECT_EQ(status, one.response["status"].integer_or(0)) << one.place();
    const Value& was = one.response["body"]["data"];
    EXPECT_EQ(disabled_of(is["data"]), disabled_of(was)) << one.place();
    for (const auto& [name, value] : was.members()) {
      if (name == "disabledPermissions") continue;
      EXPECT_EQ(is["data"][name], value) << one.place();
    }
  }
  EXPECT_EQ(compared, 3U);
}

TEST(WriteRights, AreTakenAndGivenAlone) {
  EXPECT_EQ(write_permissions().size(), 57U);
  EXPECT_TRUE(std::is_sorted(write_permissions().begin(), write_permissions().end()));
  const std::vector<std::string> before = {"email-receive", "pop3-dele"};
  const std::vector<std::string> taken = with_writing_taken(before);
  EXPECT_EQ(taken.size(), 58U) << "one of both was among them";
  EXPECT_EQ(with_writing_given(taken), std::vector<std::string>{"email-receive"});
  EXPECT_EQ(with_writing_as(taken, before), before);
  EXPECT_EQ(with_writing_as({"undelete"}, before),
            (std::vector<std::string>{"pop3-dele", "undelete"}))
      << "what somebody else changed meanwhile stays";
}

TEST(WriteRights, AnAccountHasTheIdOfItsNumber) {
  EXPECT_EQ(jmap_id_of(0), "a");
  EXPECT_EQ(jmap_id_of(2), "c");
  EXPECT_EQ(jmap_id_of(31), "3");
  EXPECT_EQ(jmap_id_of(32), "ba");
}

// --- the driver ----------------------------------------------------------------------------------

class FreezeDriver : public MoveBench {
 protected:
  std::vector<std::string> disabled(const char* name = kAlice) {
    return disabled_of(call("GET", std::string("/api/principal/") + name)["data"]);
  }
};

TEST_F(FreezeDriver, TakesTheRightToWriteAndGivesItBack) {
  const Value before = call("GET", "/api/principal/alice@old.test");
  Step freezing = freeze();
  EXPECT_EQ(standing(freezing), Standing::differs) << "one of them is taken already";
  const Outcome frozen = run(freezing);
  ASSERT_TRUE(frozen) << frozen.error().to_line();
  EXPECT_EQ(disabled().size(), 58U);
  EXPECT_EQ(standing(freezing), Standing::satisfied);
  const Value now = call("GET", "/api/principal/alice@old.test");
  for (const char* name : {"roles", "memberOf", "emails", "secrets"})
    EXPECT_EQ(now["data"][name], before["data"][name]) << name;
  const auto may_write = source()->may_write(kAlice);
  ASSERT_TRUE(may_write);
  EXPECT_FALSE(*may_write);
  const Outcome thawed = undo(freezing);
  ASSERT_TRUE(thawed) << thawed.error().to_line();
  EXPECT_EQ(disabled(), (std::vector<std::string>{"email-receive", "pop3-dele"}));
  EXPECT_TRUE(*source()->may_write(kAlice));
  ASSERT_TRUE(undo(freezing)) << "once more";
  EXPECT_EQ(disabled(), (std::vector<std::string>{"email-receive", "pop3-dele"}));
}

TEST_F(FreezeDriver, WhoLogsInByAnotherNameIsFrozenToo) {
  Step freezing = freeze(kBob);
  EXPECT_EQ(standing(freezing), Standing::absent);
  const Outcome frozen = run(freezing);
  ASSERT_TRUE(frozen) << frozen.error().to_line();
  EXPECT_EQ(disabled("bob").size(), 57U);
  ASSERT_TRUE(undo(freezing));
  EXPECT_TRUE(disabled("bob").empty());
}

TEST_F(FreezeDriver, AWriteThatIsTakenIsAnError) {
  server.ignores_rights = true;
  Step freezing = freeze();
  const Outcome frozen = run(freezing);
  ASSERT_FALSE(frozen);
  EXPECT_TRUE(test::told_as("account-still-writable", frozen.error()));
}

TEST_F(FreezeDriver, AMasterPasswordThatIsWrongIsNoProof) {
  secrets.texts["env:MASTER"] = "wrong";
  Step freezing = freeze();
  const Outcome frozen = run(freezing);
  ASSERT_FALSE(frozen);
  EXPECT_TRUE(frozen.error().is(net::errors::login_refused)) << frozen.error().to_line();
}

TEST_F(FreezeDriver, WhoMayNotLogInCannotWriteEither) {
  server.principals.back().set("disabledPermissions", Value::list({"authenticate"}));
  Step freezing = freeze(kBob);
  ASSERT_TRUE(run(freezing));
  ASSERT_TRUE(undo(freezing));
  EXPECT_EQ(disabled("bob"), std::vector<std::string>{"authenticate"});
}

TEST_F(FreezeDriver, AFreezeOfADeadRunIsTakenBackToo) {
  Step dead = freeze(kBob);
  ASSERT_TRUE(run(dead));
  Step freezing = freeze(kBob);  // whose journal is another one
  ASSERT_TRUE(run(freezing));
  ASSERT_TRUE(undo(freezing));
  EXPECT_TRUE(disabled("bob").empty());
}

TEST_F(FreezeDriver, TheMasterUserWritesMeanwhileWhereItIsLet) {
  Step freezing = freeze();
  ASSERT_TRUE(run(freezing));
  const auto was_taken = source()->begin_writing(kAlice);
  ASSERT_TRUE(was_taken) << was_taken.error().to_line();
  EXPECT_TRUE(*was_taken);
  EXPECT_TRUE(*source()->may_write(kAlice));
  EXPECT_EQ(disabled(), std::vector<std::string>{"email-receive"});
  EXPECT_FALSE(*source()->begin_writing(kAlice)) << "it is let already";
  ASSERT_TRUE(source()->end_writing(kAlice));
  EXPECT_FALSE(*source()->may_write(kAlice));
  ASSERT_TRUE(source()->begin_writing(kAlice));
  ASSERT_TRUE(undo(freezing)) << "a rollback that was in the middle of writing";
  EXPECT_EQ(disabled(), (std::vector<std::string>{"email-receive", "pop3-dele"}));
}

TEST_F(FreezeDriver, AnAccountThatIsGoneIsNamed) {
  Step freezing = freeze("carl@old.test");
  const auto seen = observe(freezing);
  ASSERT_FALSE(seen);
  EXPECT_TRUE(test::told_as("account-not-at-source", seen.error()));
}

TEST_F(FreezeDriver, IsCutOffAtEveryCallAndEndsTheSame) {
  const std::vector<std::string> before = disabled();
  cut_at_every_call([this] { return freeze(); },
                    [&](int cut) { EXPECT_EQ(disabled().size(), 58U) << cut; },
                    [&](int cut) { EXPECT_EQ(disabled(), before) << cut; });
}

}  // namespace
}  // namespace plan::server::stalwart15
