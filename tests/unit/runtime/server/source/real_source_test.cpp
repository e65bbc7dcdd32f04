// Holds, queues, surveys and leases on a real Dovecot and Postfix.
#include "tests/unit/runtime/server/source/real_source.h"

#include <atomic>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/socket.h"
#include "runtime/server/postfix/drivers.h"
#include "runtime/server/postfix/transport_map.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/lease.h"
#include "runtime/server/source/survey.h"
#include "runtime/step/errors.h"
#include "tests/support/shared_data.h"

namespace plan::server::source {
namespace {

/// The source's machine, until its n-th call: that one has its effect, its reply is lost, and
/// nothing answers any more.
class DyingHost final : public net::Host {
 public:
  explicit DyingHost(int calls) : calls_(calls) {}
  Result<net::CommandResult> run(const std::vector<std::string>& arguments, net::Deadline deadline,
                                 const net::CommandOptions& options) override {
    return survive([&] { return host_->run(arguments, deadline, options); });
  }
  Result<std::string> read_file(const std::string& path, std::size_t bytes_max,
                                net::Deadline deadline) override {
    return survive([&] { return host_->read_file(path, bytes_max, deadline); });
  }
  Outcome replace_file(const std::string& path, std::string_view bytes, unsigned mode,
                       net::Deadline deadline) override {
    return survive([&] { return host_->replace_file(path, bytes, mode, deadline); });
  }
  Result<bool> exists(const std::string& path, net::Deadline deadline) override {
    return survive([&] { return host_->exists(path, deadline); });
  }
  std::string name() const override { return "a dying host"; }
  [[nodiscard]] bool is_dead() const { return calls_ <= 0; }

 private:
  template <class Call>
  auto survive(Call call) -> decltype(call()) {
    const auto lost = [] {
      return Error(net::errors::connection_lost, "the host died").with_effect(Effect::unknown);
    };
    if (calls_ <= 0) return lost();
    auto result = call();
    if (--calls_ == 0) return lost();
    return result;
  }
  net::HostPool hosts_;
  net::Host* host_ = *hosts_.open(host_block(), net::Deadline::after(10s));
  std::atomic<int> calls_;
};
TEST_F(RealSource, AHeldAccountsMailWaitsAndComesBackWhenTheHoldIsUndone) {
  Step the_hook = hook();
  EXPECT_EQ(observe(the_hook)->standing, ir::Standing::differs);
  const Outcome hung = perform(the_hook);
  ASSERT_TRUE(hung) << hung.error().to_line();
  EXPECT_EQ(observe(the_hook)->standing, ir::Standing::satisfied);
  EXPECT_EQ(*source_->postconf("transport_maps"), "hash:/etc/postfix/plan_transport");

  // Traffic to the account and to another one all the time.
  std::atomic<bool> is_over = false;
  std::atomic<int> sent = 0;
  std::atomic<int> sent_elsewhere = 0;
  std::atomic<int> refused = 0;
  const std::size_t before = delivered("judy");
  const std::size_t before_elsewhere = delivered("ivan");
  std::thread sender([&] {
    while (!is_over) {
      deliver("judy@legacy.test", "load") == "accepted" ? ++sent : ++refused;
      deliver("ivan@legacy.test", "load") == "accepted" ? ++sent_elsewhere : ++refused;
    }
  });
  std::this_thread::sleep_for(700ms);
  Step held = hold("judy@legacy.test");
  EXPECT_EQ(observe(held)->standing, ir::Standing::absent);
  const auto began = std::chrono::steady_clock::now();
  const Outcome outcome = perform(held);
  std::printf("holding took %lld ms\n",
              static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                         std::chrono::steady_clock::now() - began)
                                         .count()));
  ASSERT_TRUE(outcome) << (is_over = true, sender.join(), outcome.error().to_line());
  const std::size_t at_drain = delivered("judy");
  std::this_thread::sleep_for(700ms);
  EXPECT_EQ(delivered("judy"), at_drain) << "nothing reaches the old mailbox after the drain";
  EXPECT_EQ(observe(held)->standing, ir::Standing::satisfied);
  EXPECT_EQ(deliver("judy@legacy.test", "held"), "accepted") << "nobody sees an error";
  is_over = true;
  sender.join();
  EXPECT_EQ(refused, 0);
  EXPECT_GT(queued("judy@legacy.test"), 0U);
  EXPECT_TRUE(wait_for([&] {
    return delivered("ivan") == before_elsewhere + static_cast<std::size_t>(sent_elsewhere);
  })) << "others are not held";

  const Outcome undone = undo(held);
  ASSERT_TRUE(undone) << undone.error().to_line();
  EXPECT_TRUE(wait_for([&] { return queued("judy@legacy.test") == 0; }));
  EXPECT_TRUE(wait_for([&] {
    return delivered("judy") == before + static_cast<std::size_t>(sent) + 1;
  })) << delivered("judy")
      << " of " << before << " + " << sent << " + 1: each once, and no probe";
  EXPECT_TRUE(undo(held));
  const Outcome unhooked = undo(the_hook);
  ASSERT_TRUE(unhooked) << unhooked.error().to_line();
  EXPECT_EQ(*source_->postconf("transport_maps"), "");
  EXPECT_FALSE(source_->postconf("transport_maps")->find("plan") != std::string::npos);
}

TEST_F(RealSource, TheDrainWaitsForADeliveryThatHasBegun) {
  Step the_hook = hook();
  ASSERT_TRUE(perform(the_hook));
  const std::size_t before = delivered("dave");
  ASSERT_NO_FATAL_FAILURE(begin_delivery("dave@legacy.test", "slow"));
  EXPECT_EQ(delivered("dave"), before);
  Step held = hold("dave@legacy.test");
  const Outcome outcome = perform(held);
  ASSERT_TRUE(outcome) << outcome.error().to_line();
  EXPECT_EQ(delivered("dave"), before + 1)
      << "what was in delivery has arrived when the hold counts as done";
  EXPECT_EQ(queued("dave@legacy.test"), 0U);
  ASSERT_TRUE(undo(held));
  ASSERT_TRUE(set_virtual_transport("lmtp:unix:private/dovecot-lmtp"));
  ASSERT_TRUE(undo(the_hook));
}

// The reload of the hold finds the message in delivery and puts it off for a minute.
TEST_F(RealSource, TheDrainDoesNotWaitAMinuteForADeliveryThatIsRefusedBehindTheReload) {
  Step the_hook = hook();
  ASSERT_TRUE(perform(the_hook));
  const std::size_t before = delivered("dave");
  ASSERT_NO_FATAL_FAILURE(begin_delivery("dave@legacy.test", "refuse this later"));
  Step held = hold("dave@legacy.test");
  const Outcome outcome = perform(held);
  ASSERT_TRUE(outcome) << outcome.error().to_line();
  EXPECT_EQ(delivered("dave"), before);
  EXPECT_EQ(queued("dave@legacy.test"), 1U) << "it waits behind the hold";
  ASSERT_TRUE(set_virtual_transport("lmtp:unix:private/dovecot-lmtp"));
  ASSERT_TRUE(undo(held));
  EXPECT_TRUE(wait_for([&] { return delivered("dave") == before + 1; }));
  ASSERT_TRUE(undo(the_hook));
}

TEST_F(RealSource, AProbeThatComesPastTheHoldIsNotLeftInTheMailbox) {
  Step the_hook = hook();
  ASSERT_TRUE(perform(the_hook));
  // As if the processes of before the reload decided.
  ASSERT_TRUE(set_postfix("transport_maps", ""));
  std::this_thread::sleep_for(1500ms);
  const std::size_t before = delivered("heidi");
  Step held = hold("heidi@legacy.test");
  const Outcome outcome = perform(held);
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::hold_does_not_hold)) << outcome.error().to_line();
  EXPECT_EQ(outcome.error().to_line().find("may be in the mailbox"), std::string::npos);
  EXPECT_EQ(held.notes["probes"].items().size(), 1U) << "it was sent";
  EXPECT_EQ(delivered("heidi"), before);
  ASSERT_TRUE(set_postfix("transport_maps", "hash:/etc/postfix/plan_transport"));
  std::this_thread::sleep_for(1500ms);
  const Outcome held_now = perform(held);
  ASSERT_TRUE(held_now) << held_now.error().to_line();
  ASSERT_TRUE(undo(held));
  ASSERT_TRUE(undo(the_hook));
  EXPECT_EQ(delivered("heidi"), before);
}

TEST_F(RealSource, ForwardedMailGoesToTheTargetAndBackThroughTheHold) {
  Step the_hook = hook();
  ASSERT_TRUE(perform(the_hook));
  Step held = hold("grace@legacy.test");
  ASSERT_TRUE(perform(held));
  ASSERT_EQ(deliver("GRACE+tag@legacy.test", "one"), "accepted");
  // The "target" is the sink of the test script: it takes everything and counts.
  Step forwarded = forward("grace@legacy.test", "smtp:[10.9.0.1]:25");
  EXPECT_EQ(observe(forwarded)->standing, ir::Standing::differs);
  const Outcome outcome = perform(forwarded);
  ASSERT_TRUE(outcome) << outcome.error().to_line();
  EXPECT_EQ(observe(forwarded)->standing, ir::Standing::satisfied);
  EXPECT_EQ(observe(held)->standing, ir::Standing::satisfied) << "a moved account needs no hold";
  ASSERT_TRUE(wait_for([&] {
    const auto queue = *source_->queue().read();
    return source_->queue().flush(postfix::ids_naming(*queue, {"grace@legacy.test"})) &&
           queued("grace@legacy.test") == 0;
  }));
  EXPECT_TRUE(undo(forwarded));
  EXPECT_EQ(source_->transport_map(kMap).query("grace@legacy.test").value(), "smtp:[127.0.0.1]:1");
  // Somebody else's entry is not taken away.
  ASSERT_TRUE(source_->transport_map(kMap).change({"grace@legacy.test", "smtp:[10.9.0.77]:25"}));
  EXPECT_TRUE(undo(held).error().is(step::errors::changed_since));
  ASSERT_TRUE(source_->transport_map(kMap).change(
      {"grace@legacy.test", std::string(postfix::kHoldTransport)}));
  ASSERT_TRUE(undo(held));
  ASSERT_TRUE(undo(the_hook));
}

TEST_F(RealSource, ChangesOfManyAccountsShareOneReload) {
  Step the_hook = hook();
  ASSERT_TRUE(perform(the_hook));
  postfix::TransportMap& map = source_->transport_map(kMap);
  const std::size_t before = reloads();
  std::vector<std::thread> threads;
  for (int number = 0; number < 8; ++number) {
    threads.emplace_back([&, number] {
      EXPECT_TRUE(map.change({fmt::format("many{}@legacy.test", number), "smtp:[10.9.0.1]:25"}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(reloads(), before);
  EXPECT_LE(reloads(), before + 4) << "half as many as there were changes, at most";
  EXPECT_EQ(map.look()->entries.size(), 8U);
  for (int number = 0; number < 8; ++number) {
    EXPECT_EQ(map.query(fmt::format("many{}@legacy.test", number)).value(), "smtp:[10.9.0.1]:25");
  }
  ASSERT_TRUE(
      source_->host(Place::postfix).replace_file(kMap, "# none\n", 0644, net::Deadline::after(5s)));
  EXPECT_FALSE(map.look()->is_live) << "a change that no reload followed is seen";
  ASSERT_TRUE(map.change({"x@legacy.test", std::nullopt}));
  EXPECT_TRUE(map.look()->is_live);
  ASSERT_TRUE(undo(the_hook));
}

TEST_F(RealSource, TheListenerSeesTheClientAndRelaysForNobody) {
  Step listener{StepKind::postfix_listener, arguments({{"address", kAddress}, {"port", 10025}})};
  EXPECT_EQ(observe(listener)->standing, ir::Standing::absent);
  const Outcome outcome = perform(listener);
  ASSERT_TRUE(outcome) << outcome.error().to_line();
  EXPECT_EQ(observe(listener)->standing, ir::Standing::satisfied);
  const auto ask = [](const std::string& client_address, const std::string& recipient) {
    net::smtp::ConnectOptions options;
    options.host = kAddress;
    options.port = 10025;
    options.ehlo_name = "mx.ext.test";
    options.proxy_header = fmt::format("PROXY TCP4 {} 10.9.0.2 40000 25", client_address);
    auto client = net::smtp::Client::connect(options, net::Deadline::after(10s));
    if (!client) return std::string("no session: ") + client.error().to_line();
    EXPECT_FALSE((*client)->has("XCLIENT"));
    auto answer = (*client)->ask({"s@ext.test", {recipient}}, net::Deadline::after(10s));
    return answer ? std::string(answer->is_accepted ? "accepted" : answer->reply.to_text())
                  : answer.error().to_line();
  };
  EXPECT_EQ(ask("203.0.113.9", "alice@legacy.test"), "accepted");
  for (const char* trusted : {"203.0.113.9", "127.0.0.1", "10.9.0.2", "10.9.0.3"}) {
    EXPECT_TRUE(ask(trusted, "x@foreign.test").starts_with("554 "))
        << trusted << ": " << ask(trusted, "x@foreign.test");
  }
  EXPECT_TRUE(perform(listener));
  ASSERT_TRUE(undo(listener));
  EXPECT_EQ(observe(listener)->standing, ir::Standing::absent);
}

TEST_F(RealSource, AHoldThatDiesAtAnyCallIsMendedByRepeatingAndLeavesNoProbe) {
  Step the_hook = hook();
  ASSERT_TRUE(perform(the_hook));
  const std::size_t before = delivered("bob");
  bool is_through = false;
  int runs = 0;
  // Every call once on the same machine; over SSH, where each takes long, every third.
  const int apart = std::getenv("PLAN_TEST_SSH") == nullptr ? 1 : 3;
  for (int calls = 1; !is_through && calls < 60; calls += apart, ++runs) {
    Step held = hold("bob@legacy.test");
    held.prior = observe(held)->prior;
    DyingHost dying(calls);
    pool_ = std::make_shared<SourcePool>(std::make_shared<net::HostPool>(), net::system_clock());
    pool_->put(source_block(),
               std::make_shared<Source>(*read_block(source_block()), dying, net::system_clock()));
    table_ = {};
    add_drivers(table_, pool_, mailboxes());
    is_through = perform(held).has_value() && !dying.is_dead();
    // plan starts again and knows only what the engine kept.
    pool_ = std::make_shared<SourcePool>(std::make_shared<net::HostPool>(), net::system_clock());
    table_ = {};
    add_drivers(table_, pool_, mailboxes());
    auto reopened = pool_->open(source_block());
    ASSERT_TRUE(reopened);
    source_ = *reopened;
    const Outcome mended = perform(held);
    ASSERT_TRUE(mended) << "cut after " << calls << " calls: " << mended.error().to_line();
    EXPECT_EQ(queued("bob@legacy.test"), 0U) << "a probe is left, cut after " << calls << " calls";
    const Outcome undone = undo(held);
    ASSERT_TRUE(undone) << undone.error().to_line();
  }
  EXPECT_TRUE(is_through);
  EXPECT_GT(runs, 5 / apart);
  EXPECT_EQ(delivered("bob"), before) << "no probe reached the mailbox";
  ASSERT_TRUE(undo(the_hook));
}

TEST_F(RealSource, TheSurveyTellsAccountsAliasesListsAndSizes) {
  const auto digest = [](const secret::Secret& hash) -> Result<std::string> {
    return ir::hmac_sha256("key", hash.reveal_for("test")).hex();
  };
  const auto taken = survey_source(*source_, secrets_, digest);
  ASSERT_TRUE(taken) << taken.error().to_line();
  const Value& survey = *taken;
  EXPECT_EQ(survey["versions"]["dovecot"].as_string().substr(0, 4), "2.3.");
  EXPECT_FALSE(survey["versions"]["postfix"].as_string().empty());
  EXPECT_EQ(survey["certificates"]["imap"].string_or(""), std::getenv("PLAN_TEST_CERTIFICATE"));
  EXPECT_EQ(survey["certificates"]["sieve"], survey["certificates"]["imap"]);
  EXPECT_EQ(survey["certificates"]["smtp"], survey["certificates"]["imap"]);
  EXPECT_EQ(survey["certificates"]["submission"], survey["certificates"]["imap"]);
  const auto holds = [](const Value& list, const std::string& word) {
    return std::find(list.items().begin(), list.items().end(), Value(word)) != list.items().end();
  };
  EXPECT_TRUE(holds(survey["capabilities"]["imap"], "QRESYNC"));
  EXPECT_TRUE(holds(survey["capabilities"]["sieve"], "fileinto"));
  EXPECT_EQ(survey["domains"], Value::list({"legacy.test"}));
  EXPECT_EQ(survey["settings"]["recipient_delimiter"], Value("+"));
  ASSERT_EQ(survey["accounts"].size(), 10U);
  const auto account = [&](const std::string& address) {
    for (const Value& one : survey["accounts"].items()) {
      if (one["address"] == Value(address)) return one;
    }
    return Value();
  };
  EXPECT_EQ(account("alice@legacy.test")["hash_scheme"], Value("SHA512-CRYPT"));
  EXPECT_EQ(account("grace@legacy.test")["hash_scheme"], Value("SSHA256"));
  EXPECT_EQ(account("heidi@legacy.test")["quota_bytes"], Value(std::int64_t{500} << 20U));
  EXPECT_EQ(account("erin@legacy.test")["aliases"],
            Value::list({"info@legacy.test", "sales@legacy.test"}));
  EXPECT_TRUE(holds(account("carol@legacy.test")["mailboxes"], "Entw\xc3\xbcrfe & Ideen"));
  EXPECT_TRUE(
      holds(account("carol@legacy.test")["mailboxes"], "\xc3\x89t\xc3\xa9/\xc3\x89t\xc3\xa9 2024"));
  EXPECT_TRUE(account("bob@legacy.test")["enabled"].bool_or(false));
  ASSERT_EQ(survey["lists"].size(), 1U);
  EXPECT_EQ(survey["lists"].item(0)["address"], Value("team@legacy.test"));
  EXPECT_EQ(survey["lists"].item(0)["members"].size(), 3U);
  bool has_count = false;
  for (const Value& one : survey["measurements"].items()) {
    if (one["what"] == Value("account/alice@legacy.test/messages")) {
      has_count = true;
      EXPECT_EQ(one["value"], Value(2000));
    }
  }
  EXPECT_TRUE(has_count);
  bool has_digest = false;
  for (const Value& one : survey["measurements"].items())
    has_digest |= one["what"] == Value("account/alice@legacy.test/hash-digest") &&
                  one["value"].string_or("").size() == 64;
  EXPECT_TRUE(has_digest) << "for comparing with the next one";
  EXPECT_EQ(ir::write_json(survey["accounts"]).find("digest"), std::string::npos)
      << "what this folder's key makes is no part of the lock";
  const auto measured = [&](const char* what) {
    for (const Value& one : survey["measurements"].items()) {
      if (one["what"] == Value(what)) return one["value"].integer_or(-1);
    }
    return std::int64_t{-1};
  };
  EXPECT_EQ(measured("account/alice@legacy.test/largest-message"), 1 << 20) << "none is larger";
  EXPECT_EQ(ir::write_json(survey).find("$6$salt"), std::string::npos) << "no hash in the survey";
}

TEST_F(RealSource, TheSurveyFindsTheMailOfUsersWhoHaveGone) {
  const auto home =
      source_->run(Place::dovecot, source_->doveadm({"user", "-f", "home", "alice@legacy.test"}));
  ASSERT_TRUE(home) << home.error().to_line();
  const std::filesystem::path accounts =
      std::filesystem::path(std::string(trim(*home))).lexically_normal().parent_path();
  ASSERT_EQ(accounts.filename().string(), "legacy.test") << *home;
  const std::string gone = accounts / "gone";
  const std::string garbage = accounts.parent_path() / "_garbage";
  const std::string empty = accounts / "never used";
  const auto make = source_->run(
      Place::dovecot,
      {"sh", "-c",
       "mkdir -p \"$1/Maildir/.Sent/cur\" \"$2/1700000000_old/Maildir/new\" \"$3/Maildir/cur\" && "
       "echo x >\"$1/Maildir/.Sent/cur/1.2.3:2,S\" && echo x >\"$2/1700000000_old/Maildir/new/1\"",
       "sh", gone, garbage, empty});
  ASSERT_TRUE(make) << make.error().to_line();
  const auto taken =
      survey_source(*source_, secrets_,
                    [](const secret::Secret&) -> Result<std::string> { return std::string(); });
  EXPECT_TRUE(source_->run(Place::dovecot, {"rm", "-r", gone, garbage, empty}));
  ASSERT_TRUE(taken) << taken.error().to_line();
  Value count;
  Value first;
  for (const Value& one : (*taken)["measurements"].items()) {
    if (one["what"] == Value("source/strays")) count = one;
    if (one["what"] == Value("source/strays/first")) first = one["value"];
  }
  EXPECT_EQ(count["value"], Value(2)) << ir::write_json(count);
  EXPECT_EQ(first, Value::list({garbage, gone})) << ir::write_json(first);
}

TEST_F(RealSource, AWrongMasterPasswordIsTriedOnceAndNobodyIsBannedForIt) {
  class WrongPassword final : public secret::SecretSource {
   public:
    Result<secret::Secret> read(const ir::SecretRef&) override {
      return secret::Secret("not the master's");
    }
    Result<ir::SecretRef> seal(const secret::Secret&) override {
      return ir::SecretRef{"sealed", "x"};
    }
  };
  const std::string log = std::string(std::getenv("PLAN_TEST_SOURCE")) + "/dovecot.log";
  const auto refusals = [&] {
    std::size_t count = 0;
    const std::string text = test::read_all(log);
    for (std::size_t at = text.find("auth failed, "); at != std::string::npos;
         at = text.find("auth failed, ", at + 1)) {
      count +=
          static_cast<std::size_t>(std::stoul(text.substr(at + 13)));  // "1 attempts in 2 secs"
    }
    return count;
  };
  const std::size_t before = refusals();
  WrongPassword wrong;
  const auto taken = survey_source(*source_, wrong,
                                   [](const secret::Secret&) -> Result<std::string> { return ""; });
  ASSERT_FALSE(taken);
  EXPECT_TRUE(taken.error().is(errors::master_login_refused)) << taken.error().to_line();
  EXPECT_EQ(taken.error().to_line().find("not the master's"), std::string::npos);
  EXPECT_TRUE(wait_for([&] { return refusals() > before; }));
  EXPECT_EQ(refusals(), before + 1);
  EXPECT_TRUE(can_log_in("bob@legacy.test", "bob-Passw0rd"));
}

TEST_F(RealSource, AHashIsReadAgainWithItsScheme) {
  const auto alice = read_password_hash(*source_, "alice@legacy.test");
  ASSERT_TRUE(alice) << alice.error().to_line();
  EXPECT_TRUE(alice->reveal_for("test").starts_with("{SHA512-CRYPT}$6$salt00alice$"));
  EXPECT_TRUE(read_password_hash(*source_, "grace@legacy.test")
                  ->reveal_for("test")
                  .starts_with("{SSHA256}"));
  EXPECT_TRUE(read_password_hash(*source_, "lice@legacy.test")
                  .error()
                  .is(errors::account_not_in_users_file));
}

TEST_F(RealSource, OnlyOneRunHoldsTheLease) {
  net::Host& host = source_->host(Place::machine);
  SourceLease mine(host, "/var/lib/plan/lease", "me@here", net::system_clock());
  SourceLease yours(host, "/var/lib/plan/lease", "you@there", net::system_clock());
  ASSERT_TRUE(mine.acquire("token-a"));
  EXPECT_TRUE(mine.acquire("token-a")) << "a run that was killed resumes its own lease";
  const Outcome taken = yours.acquire("token-b");
  ASSERT_FALSE(taken);
  EXPECT_TRUE(taken.error().is(errors::source_lease_taken));
  EXPECT_NE(taken.error().message().find("me@here"), std::string::npos);
  EXPECT_TRUE(yours.release("token-b")) << "what is not ours is left alone";
  EXPECT_TRUE(mine.renew("token-a"));
  ASSERT_TRUE(yours.take_over("token-b"));
  EXPECT_TRUE(mine.renew("token-a").error().is(errors::source_lease_lost));
  EXPECT_TRUE(yours.release("token-b"));
  EXPECT_TRUE(yours.release("token-b"));
  EXPECT_EQ(mine.look()->token, "");
}

}  // namespace
}  // namespace plan::server::source
