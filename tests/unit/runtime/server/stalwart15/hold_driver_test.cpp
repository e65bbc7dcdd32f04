// source.hold and source.forward on a double of an old Stalwart: lists that are loaded, a probe
// that proves them, the wait for what was in delivery, and the way back. The double is held to what
// a real 0.15.5 did.
#include <algorithm>
#include <thread>

#include "runtime/server/source/errors.h"
#include "runtime/server/source/hold_probe.h"
#include "runtime/server/stalwart15/errors.h"
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

std::set<std::string> listed(OldServer& server, const std::string& list) {
  return server.locked([&](OldServer& self) {
    std::set<std::string> keys = self.lists[list];
    keys.erase("-");
    return keys;
  });
}

// --- the double ----------------------------------------------------------------------------------

/// An answer of the queue without what is another one in each run.
Value without_numbers(const Value& answer) {
  Value items = Value::list();
  for (const Value& item : answer["data"]["items"].items()) {
    Value recipients = Value::list();
    for (const Value& one : item["recipients"].items()) {
      recipients.push_back(Value::map({{"address", one["address"]},
                                       {"queue", one["queue"]},
                                       {"status", one["status"]},
                                       {"retry_num", one["retry_num"]}}));
    }
    items.push_back(Value::map({{"return_path", item["return_path"]}, {"recipients", recipients}}));
  }
  return Value::map({{"items", std::move(items)},
                     {"total", answer["data"]["total"]},
                     {"status", answer["data"]["status"]}});
}

TEST(OldServerDouble, HoldsAndRoutesMailAsTheRealServerDid) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.15-api");
  OldServer server;
  server.database = {{"lookup.plan-moved.-", "1"}};
  server.open_ports = {"new.target.test:25"};
  std::size_t compared = 0;
  for (const test::Recorded& one : test::read_recordings(folder)) {
    if (one.file != "routing-delivery-queue.jsonl") continue;
    const bool is_setup = one.scenario == "setup-5" && (one.note == "route and list");
    if (!is_setup && one.scenario != "hold-and-switch") continue;
    if (one.note == "an undefined route for carl") break;  // the double knows no such route
    if (one.note == "held")
      server.locked([](OldServer& self) {
        self.mail.accept("out@elsewhere.test", {"alice@old.test", "bob@old.test"}, "t1");
      });
    test::FakeRequest request;
    request.method = one.request["method"].string_or("");
    request.target = one.request["path"].string_or("");
    if (!one.request["body"].is_null()) request.body = ir::write_json(one.request["body"]);
    int status = 0;
    const Value is = server.reply(request, status);
    EXPECT_EQ(status, one.response["status"].integer_or(0)) << one.place();
    if (!request.target.starts_with("/api/queue/")) continue;
    ++compared;
    EXPECT_EQ(ir::canonical_json(without_numbers(is)),
              ir::canonical_json(without_numbers(one.response["body"])))
        << one.place();
  }
  EXPECT_EQ(compared, 1U);
  // 119 s after the refusal, by the lists of that moment.
  server.locked([](OldServer& self) {
    self.mail.now += 119;
    self.mail.run();
    EXPECT_EQ(self.mail.queue.size(), 1U);
    self.mail.now += 1;
    self.mail.run();
    EXPECT_TRUE(self.mail.queue.empty());
    EXPECT_EQ(self.mail.delivered["plan-new:alice@old.test"], std::vector<std::string>{"t1"});
    EXPECT_EQ(self.mail.delivered["local:bob@old.test"], std::vector<std::string>{"t1"});
  });
}

TEST(OldServerDouble, LoadsListsAsTheRealServerDid) {
  OldServer server;
  const auto call = [&](const char* method, const char* target) {
    test::FakeRequest request;
    request.method = method;
    request.target = target;
    int status = 0;
    static_cast<void>(server.reply(request, status));
  };
  using Keys = std::set<std::string>;
  server.database["lookup.moved.a@old.test"] = "1";
  call("GET", "/api/reload/lookup");
  EXPECT_EQ(server.lists["moved"], Keys()) << "the reload of lists knows no new one";
  server.lists.clear();
  call("GET", "/api/reload");
  EXPECT_EQ(server.lists["moved"], Keys{"a@old.test"});
  server.database["lookup.moved.b@old.test"] = "1";
  call("GET", "/api/reload");
  EXPECT_EQ(server.lists["moved"], Keys{"a@old.test"}) << "one that is loaded is not changed by it";
  call("GET", "/api/reload/lookup");
  EXPECT_EQ(server.lists["moved"], (Keys{"a@old.test", "b@old.test"}));
  server.database.clear();
  call("GET", "/api/reload/lookup");
  call("GET", "/api/reload");
  EXPECT_EQ(server.lists["moved"], (Keys{"a@old.test", "b@old.test"})) << "without a key it stays";
}

TEST(OldQueue, ReadsWhatTheRealServerSaid) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.15-api");
  std::size_t messages = 0;
  std::size_t refused = 0;
  for (const test::Recorded& one : test::read_recordings(folder)) {
    if (one.request["path"].string_or("") != "/api/queue/messages?values=1") continue;
    for (const Value& item : one.response["body"]["data"]["items"].items()) {
      const auto read = read_queued(item);
      ASSERT_TRUE(read) << one.place() << ": " << read.error().to_line();
      ++messages;
      EXPECT_GT(read->id, std::uint64_t{1} << 53U) << one.place();
      EXPECT_FALSE(read->recipients.empty()) << one.place();
      for (const OldRecipient& recipient : read->recipients) {
        EXPECT_GE(recipient.next_try_seconds, read->created_seconds) << one.place();
        if (recipient.was_refused) ++refused;
      }
    }
  }
  EXPECT_GE(messages, 8U);
  EXPECT_GE(refused, 4U);
  EXPECT_EQ(queue_id_in("250 2.0.0 Message queued with id 4bf8af56da0010d."),
            std::uint64_t{342'144'883'414'270'221});
}

TEST(OldQueue, AnythingElseIsAnErrorAndNoMessage) {
  for (const char* text :
       {"1", "{}", R"({"id":-1,"created":"2026-11-23T09:49:53Z","recipients":[]})",
        R"({"id":1,"recipients":[]})", R"({"id":1,"created":"soon","recipients":[]})",
        R"({"id":1,"created":"2026-11-23T09:49:53Z"})"}) {
    const auto read = read_queued(*ir::parse_json(text));
    ASSERT_FALSE(read) << text;
    EXPECT_TRUE(read.error().is(errors::old_call_failed));
  }
  const auto odd = read_queued(*ir::parse_json(
      R"({"id":1,"created":"2026-11-23T09:49:53Z","recipients":[{"address":7,"status":"new word"},{}]})"));
  ASSERT_TRUE(odd);
  EXPECT_TRUE(odd->recipients[0].is_open) << "what is not known is not done";
}

TEST(OldQueue, KnowsWhatIsDue) {
  OldMessage message{
      .id = 1,
      .created_seconds = 100,
      .recipients = {{.address = "Alice+x@old.test", .is_open = true, .next_try_seconds = 100},
                     {.address = "carl@old.test", .is_open = false, .next_try_seconds = 100}}};
  const std::vector<std::string> alice = {"alice@old.test"};
  EXPECT_TRUE(names_account(message, alice)) << "with a tag, in another case";
  EXPECT_FALSE(names_account(message, {"carl@old.test"})) << "that one is done";
  EXPECT_FALSE(is_drained({message}, alice, 100));
  EXPECT_TRUE(is_drained({message}, alice, 99)) << "came after";
  EXPECT_TRUE(is_drained({message}, {"bob@old.test"}, 100));
  message.recipients[0].next_try_seconds = 220;
  EXPECT_TRUE(is_drained({message}, alice, 100)) << "refused, and tried later";
}

// --- the drivers ---------------------------------------------------------------------------------

class OldHoldDriver : public MoveBench {};

TEST_F(OldHoldDriver, MailWaitsUntilItIsForwarded) {
  Step holding = hold();
  EXPECT_EQ(standing(holding), Standing::absent);
  const Outcome held = run(holding);
  ASSERT_TRUE(held) << held.error().to_line();
  EXPECT_EQ(listed(server, "plan-held"), (std::set<std::string>{kAlice, kAlias}));
  EXPECT_TRUE(server.mail.queue.empty()) << "the probe is gone";
  EXPECT_TRUE(got("local", kAlice).empty()) << "and was in no mailbox";
  EXPECT_EQ(standing(holding), Standing::satisfied);
  send(kAlice, "first");
  send(kAlias, "second");
  send(kBob, "for bob");
  EXPECT_EQ(server.mail.queue.size(), 2U);
  EXPECT_EQ(got("local", kBob), std::vector<std::string>{"for bob"});
  Step forwarding = forward();
  EXPECT_EQ(standing(forwarding), Standing::absent);
  ASSERT_TRUE(run(forwarding));
  EXPECT_EQ(standing(forwarding), Standing::satisfied);
  send(kAlice, "third");
  EXPECT_EQ(got("plan-new", kAlice), std::vector<std::string>{"third"});
  minutes_pass(2);
  EXPECT_EQ(got("plan-new", kAlice), (std::vector<std::string>{"third", "first"}));
  EXPECT_EQ(got("plan-new", kAlias), std::vector<std::string>{"second"});
  // The way back: held again, then at home.
  ASSERT_TRUE(undo(forwarding));
  send(kAlice, "fourth");
  EXPECT_EQ(server.mail.queue.size(), 1U);
  const Outcome let_go = undo(holding);
  ASSERT_TRUE(let_go) << let_go.error().to_line();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_NE(said.front().find("(1 message)"), std::string::npos) << said.front();
  minutes_pass(2);
  EXPECT_EQ(got("local", kAlice), std::vector<std::string>{"fourth"});
  EXPECT_TRUE(listed(server, "plan-held").empty());
  EXPECT_TRUE(listed(server, "plan-moved").empty());
  EXPECT_TRUE(server.database.contains("lookup.plan-held.-")) << "or the server would not notice";
}

TEST_F(OldHoldDriver, WaitsForWhatWasInDelivery) {
  server.locked([](OldServer& self) { self.mail.is_slow = true; });
  send(kAlice, "on its way");  // routed before the hold
  server.locked([](OldServer& self) {
    self.mail.is_slow = false;
    self.mail.is_stuck = {self.mail.queue.front().id};
  });
  bool has_ended = false;
  clock.at_sleep = [&] {
    if (clock.sleeps < 5 || has_ended) return;
    has_ended = true;
    server.locked([](OldServer& self) {
      self.mail.delivered["local:alice@old.test"].push_back("on its way");
      self.mail.queue.erase(self.mail.queue.begin());
    });
  };
  Step holding = hold();
  const Outcome held = run(holding);
  ASSERT_TRUE(held) << held.error().to_line();
  EXPECT_TRUE(has_ended);
  EXPECT_EQ(got("local", kAlice), std::vector<std::string>{"on its way"});
}

TEST_F(OldHoldDriver, ADeliveryThatDoesNotEndIsAnError) {
  server.locked([](OldServer& self) { self.mail.is_slow = true; });
  send(kAlice, "on its way");
  server.locked([](OldServer& self) {
    self.mail.is_slow = false;
    self.mail.is_stuck = {self.mail.queue.front().id};
  });
  Step holding = hold();
  const Outcome held = run(holding);
  ASSERT_FALSE(held);
  EXPECT_TRUE(test::told_as("not-drained", held.error()));
  EXPECT_EQ(server.mail.queue.size(), 1U) << "the probe is gone all the same";
  EXPECT_EQ(standing(holding), Standing::differs) << "held, and not drained";
}

TEST_F(OldHoldDriver, AProbeThatIsDeliveredShowsThatNothingIsHeld) {
  server.locked([](OldServer& self) {
    self.loaded["queue.strategy.route.1.if"] = "key_exists('another', rcpt)";
  });
  Step holding = hold();
  Outcome held = run(holding);
  ASSERT_FALSE(held);
  EXPECT_TRUE(held.error().is(source::errors::hold_does_not_hold)) << held.error().to_line();
  EXPECT_EQ(held.error().retry(), Retry::after) << "once more, and once more";
  held = run(holding);
  ASSERT_FALSE(held);
  held = run(holding);
  ASSERT_FALSE(held);
  EXPECT_NE(held.error().retry(), Retry::after) << "another rule decides: no probe mends that";
  EXPECT_EQ(got("local", kAlice).size(), 3U);
  EXPECT_EQ(mailbox.accounts.size(), 3U) << "each is looked for in the mailbox";
}

// The double keeps the texts of messages and not their mailboxes: what came in is put there by
// hand.
TEST_F(OldHoldDriver, AProbeThatIsDeliveredIsDestroyedInTheMailbox) {
  server.locked([](OldServer& self) {
    self.loaded["queue.strategy.route.1.if"] = "key_exists('another', rcpt)";
  });
  mailbox.is_shut = true;
  Step holding = hold();
  ASSERT_FALSE(run(holding));
  ASSERT_EQ(holding.notes["probes"].items().size(), 1U);
  mailbox.is_shut = false;
  mailbox.messages = {"<of the user>", source::hold_probe_message_id(
                                           holding.notes["probes"].items().front().as_string())};
  const Outcome undone = undo(holding);
  ASSERT_TRUE(undone) << undone.error().to_line();
  EXPECT_EQ(mailbox.messages, std::vector<std::string>{"<of the user>"});
  EXPECT_TRUE(holding.notes.is_null());
}

TEST_F(OldHoldDriver, AProbeThatIsRefusedIsToldAsSuch) {
  server.mail.unknown = {kAlice};
  Step holding = hold();
  const Outcome held = run(holding);
  ASSERT_FALSE(held);
  EXPECT_TRUE(held.error().is(source::errors::hold_does_not_hold)) << held.error().to_line();
  EXPECT_NE(held.error().to_line().find("refused"), std::string::npos);
}

TEST_F(OldHoldDriver, APausedQueueIsNamed) {
  server.mail.is_running = false;
  Step holding = hold();
  const Outcome held = run(holding);
  ASSERT_FALSE(held);
  EXPECT_NE(held.error().detail().find("paused"), std::string::npos) << held.error().detail();
  EXPECT_TRUE(server.mail.queue.empty()) << "the probe is gone";
}

TEST_F(OldHoldDriver, ProbesOfADeadRunAreTakenAwayAndNothingElse) {
  send(kAlice, "From: x\r\nX-Plan-Probe: not ours, it has a sender\r\n\r\n");
  Step holding = hold();
  holding.attempt = 1;
  server.locked([](OldServer& self) {
    self.lists["plan-held"].insert(kAlice);
    self.mail.accept("", {kAlice}, "From: x\r\nX-Plan-Probe: 12\r\n\r\n");
    self.mail.accept("", {kAlice}, "From: x\r\n\r\na bounce about X-Plan-Probe: 12\r\n");
    self.mail.accept("", {kBob}, "From: x\r\nX-Plan-Probe: 12\r\n\r\n");
  });
  const Outcome held = run(holding);
  ASSERT_TRUE(held) << held.error().to_line();
  ASSERT_EQ(server.mail.queue.size(), 1U);
  EXPECT_NE(server.mail.queue.front().text.find("a bounce"), std::string::npos);
}

TEST_F(OldHoldDriver, AnAddressThatCannotBeAKeyIsRefused) {
  Step holding = hold();
  holding.arguments.set("addresses", Value::list({kAlice, "\"a,b\"@old.test"}));
  const auto seen = observe(holding);
  ASSERT_FALSE(seen);
  EXPECT_TRUE(seen.error().is(source::errors::not_a_map_key)) << seen.error().to_line();
}

TEST_F(OldHoldDriver, TheServersOwnFileIsSeenToWin) {
  server.file["lookup.plan-moved.alice@old.test"] = "1";
  Step forwarding = forward();
  ASSERT_TRUE(run(forwarding));
  // Gone from the database, and still there.
  const Outcome back = undo(forwarding);
  ASSERT_FALSE(back);
  EXPECT_TRUE(back.error().is(errors::setting_not_taken)) << back.error().to_line();
}

TEST_F(OldHoldDriver, ManyAtOnceAreAllHeld) {
  constexpr int kMany = 12;
  std::vector<std::string> addresses;
  for (int i = 0; i < kMany; ++i) addresses.push_back("user" + std::to_string(i) + "@old.test");
  LookupList list(source()->server(), "plan-held", net::system_clock());
  std::vector<std::thread> threads;
  for (const std::string& address : addresses) {
    threads.emplace_back([&list, &address] {
      const Outcome put = list.put({address});
      EXPECT_TRUE(put) << (put ? "" : put.error().to_line());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(listed(server, "plan-held"), std::set<std::string>(addresses.begin(), addresses.end()));
}

TEST_F(OldHoldDriver, IsCutOffAtEveryCallAndEndsTheSame) {
  const OldServer::Settings before = server.database;
  for (const bool is_forward : {false, true}) {
    const char* list = is_forward ? "plan-moved" : "plan-held";
    cut_at_every_call([&] { return is_forward ? forward() : hold(); },
                      [&](int cut) {
                        EXPECT_EQ(listed(server, list), (std::set<std::string>{kAlice, kAlias}))
                            << list << ", cut at " << cut;
                        EXPECT_TRUE(server.mail.queue.empty()) << "a probe is left; cut at " << cut;
                      },
                      [&](int cut) {
                        EXPECT_TRUE(listed(server, list).empty()) << list << ", cut at " << cut;
                        EXPECT_EQ(server.database, before) << cut;
                      });
  }
}

}  // namespace
}  // namespace plan::server::stalwart15
