#include <fmt/format.h>
#include <gtest/gtest.h>

#include "runtime/net/errors.h"
#include "runtime/server/postfix/drivers.h"
#include "runtime/server/postfix/transport_map.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/hold_probe.h"
#include "tests/support/script_peer.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/postfix/fake_postfix.h"
#include "tests/unit/runtime/server/probe/fake_mailbox.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::postfix {
namespace {

using ir::Value;

constexpr const char* kAccount = "alice@example.org";

/// What a port 25 says to a probe; `answer` is its last word about the message.
std::string session(std::string_view answer) {
  return fmt::format(
      "S: 220 old.test ESMTP\nC: EHLO probe.plan.invalid\nS: 250 old.test\nC: MAIL FROM:<>\n"
      "S: 250 ok\nC: RCPT TO:<alice@example.org>\nS: 250 ok\nC: DATA\nS: 354 go\ndata\nS: {}\n"
      "C: QUIT\nS: 221 bye\n",
      answer);
}

std::string queued(std::string_view reason) {
  return fmt::format(
      "{{\"queue_name\":\"deferred\",\"queue_id\":\"4ABC\",\"arrival_time\":999,"
      "\"message_size\":500,\"sender\":\"MAILER-DAEMON\",\"recipients\":[{{\"address\":\"{}\","
      "\"delay_reason\":\"{}\"}}]}}\n",
      kAccount, reason);
}

/// The step postfix.hold of one account at a Postfix of the test's own.
class HoldDriver : public ::testing::Test {
 protected:
  template <class Call>
  auto with_driver(std::uint32_t attempt, std::uint16_t port, Call call) {
    const Value block = Value::map({{"address", "127.0.0.1"}, {"port", std::int64_t{port}}});
    const Value arguments = Value::map(
        {{"account", kAccount}, {"transport_map", FakePostfix::kMapPath}, {"source", block}});
    auto sources = std::make_shared<source::SourcePool>(nullptr, clock);
    sources->put(block, postfix.source(port, clock));
    step::StepContext context{.id = "account/alice@example.org/hold",
                              .kind = ir::StepKind::postfix_hold,
                              .arguments = arguments,
                              .account = kAccount,
                              .secrets = secrets,
                              .clock = clock,
                              .stop = stop,
                              .attempt = attempt,
                              .notes = notes,
                              .remember = [this](const Value& written) -> Outcome {
                                notes = written;
                                if (is_let_through && !newest_probe().empty())
                                  mailbox.messages.push_back(newest_probe());
                                return {};
                              }};
    return call(*make_hold_driver(std::move(sources), mailbox.open()), context);
  }
  /// One attempt; its probe meets a port 25 that plays `script`.
  Result<Value> apply(std::uint32_t attempt, const std::string& script) {
    test::ScriptPeer peer(script);
    auto result = apply_at(attempt, peer.port());
    EXPECT_EQ(peer.complaints(), "");
    return result;
  }
  Result<Value> apply_at(std::uint32_t attempt, std::uint16_t port) {
    return with_driver(attempt, port, [](step::StepDriver& driver, step::StepContext& context) {
      return driver.apply(context);
    });
  }
  Outcome undo() {
    return with_driver(1, 25, [](step::StepDriver& driver, step::StepContext& context) {
      return driver.undo(context);
    });
  }
  /// What was sent last, as the mailbox has it when it comes past the hold.
  [[nodiscard]] std::string newest_probe() const {
    const auto& noted = notes["probes"].items();
    return noted.empty() ? "" : source::hold_probe_message_id(noted.back().as_string());
  }

  FakePostfix postfix;
  probe::FakeMailbox mailbox;
  bool is_let_through = false;  ///< what is sent comes into the mailbox
  stalwart::TestClock clock;
  stalwart::TestSecrets secrets;
  step::StopSignal stop;
  Value notes = {};
};

TEST_F(HoldDriver, a_probe_that_waits_for_the_hold_proves_it_and_is_taken_away) {
  postfix.queue = queued("connect to 127.0.0.1[127.0.0.1]:1: Connection refused");
  const auto held = apply(0, session("250 2.0.0 Ok: queued as 4ABC"));
  ASSERT_TRUE(held) << held.error().to_line();
  EXPECT_EQ(parse_map(postfix.running).at(kAccount), kHoldTransport);
  EXPECT_EQ(postfix.removed, std::vector<std::string>{"4ABC\n"});
  EXPECT_TRUE(notes["drained"].bool_or(false));
  EXPECT_TRUE(mailbox.accounts.empty()) << "nothing came past it";
}

// Processes of before the reload deliver the first probe; what is there at the second try holds it.
TEST_F(HoldDriver, a_hold_that_lets_a_probe_through_is_probed_again_twice_and_then_fails) {
  for (const std::uint32_t attempt : {0U, 1U}) {
    const auto left = apply(attempt, session("250 2.0.0 Ok: queued as 4ABC"));
    ASSERT_FALSE(left);
    EXPECT_TRUE(left.error().is(source::errors::hold_does_not_hold)) << left.error().to_line();
    EXPECT_EQ(left.error().retry(), Retry::after) << "attempt " << attempt;
    EXPECT_TRUE(notes["drained"].is_null())
        << "it counts as held only behind a probe and the drain";
  }
  const auto last = apply(2, session("250 2.0.0 Ok: queued as 4ABC"));
  ASSERT_FALSE(last);
  EXPECT_TRUE(last.error().is(source::errors::hold_does_not_hold));
  EXPECT_EQ(last.error().retry(), Retry::never) << "another map decides: no probe mends that";
}

// Mail that nobody sent must not stay with the user, and would be copied to the target.
TEST_F(HoldDriver, a_probe_that_comes_past_the_hold_is_destroyed_in_the_mailbox) {
  is_let_through = true;
  mailbox.messages = {"<of the user>"};
  ASSERT_FALSE(apply(0, session("250 2.0.0 Ok: queued as 4ABC")));
  EXPECT_EQ(mailbox.messages, std::vector<std::string>{"<of the user>"});
  EXPECT_EQ(mailbox.accounts, std::vector<std::string>{kAccount});
}

TEST_F(HoldDriver, a_probe_that_could_not_be_destroyed_is_told_and_goes_with_the_next_attempt) {
  is_let_through = mailbox.is_shut = true;
  const auto left = apply(0, session("250 2.0.0 Ok: queued as 4ABC"));
  ASSERT_FALSE(left);
  EXPECT_TRUE(left.error().is(source::errors::hold_does_not_hold));
  EXPECT_NE(left.error().detail().find("may be in the mailbox"), std::string::npos);
  ASSERT_EQ(mailbox.messages.size(), 1U);
  is_let_through = mailbox.is_shut = false;
  postfix.queue = queued("connect to 127.0.0.1[127.0.0.1]:1: Connection refused");
  ASSERT_TRUE(apply(1, session("250 2.0.0 Ok: queued as 4ABC")));
  EXPECT_TRUE(mailbox.messages.empty());
  EXPECT_TRUE(notes["probes"].is_null());
}

TEST_F(HoldDriver, the_way_back_takes_a_probe_along_that_a_dead_run_left_in_the_mailbox) {
  is_let_through = mailbox.is_shut = true;
  ASSERT_FALSE(apply(0, session("250 2.0.0 Ok: queued as 4ABC")));
  is_let_through = mailbox.is_shut = false;
  const Outcome undone = undo();
  ASSERT_TRUE(undone) << undone.error().to_line();
  EXPECT_TRUE(mailbox.messages.empty());
  EXPECT_TRUE(notes.is_null());
}

TEST_F(HoldDriver, a_second_probe_that_is_held_is_enough) {
  ASSERT_FALSE(apply(0, session("250 2.0.0 Ok: queued as 4ABC")));
  postfix.queue = queued("connect to 127.0.0.1[127.0.0.1]:1: Connection refused");
  const auto held = apply(1, session("250 2.0.0 Ok: queued as 4ABC"));
  ASSERT_TRUE(held) << held.error().to_line();
  EXPECT_EQ(postfix.reloads, 1) << "the map was as it should be";
}

TEST_F(HoldDriver, a_probe_that_waits_for_something_else_proves_nothing) {
  postfix.queue = queued("connect to mx.example.net[192.0.2.1]:25: Connection timed out");
  const auto other = apply(0, session("250 2.0.0 Ok: queued as 4ABC"));
  ASSERT_FALSE(other);
  EXPECT_TRUE(test::told_as("hold-does-not-hold", other.error()));
  EXPECT_EQ(postfix.removed, std::vector<std::string>{"4ABC\n"}) << "it is taken away all the same";
}

TEST_F(HoldDriver, a_port_25_that_is_not_there_is_no_hold_that_lets_mail_through) {
  std::uint16_t port = 0;
  {
    const auto listener = net::listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(listener);
    port = (*listener)->port();
  }
  const auto closed = apply_at(0, port);
  ASSERT_FALSE(closed);
  EXPECT_TRUE(closed.error().is(net::errors::connection_refused)) << closed.error().to_line();
}

}  // namespace
}  // namespace plan::server::postfix
