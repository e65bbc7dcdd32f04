#include <gtest/gtest.h>

#include "runtime/net/errors.h"
#include "runtime/server/postfix/drivers.h"
#include "runtime/server/source/errors.h"
#include "tests/support/fake_host.h"
#include "tests/support/script_peer.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::postfix {
namespace {

using ir::Value;

/// What the listener says to a stranger; `answer` is its word about a foreign recipient.
std::string session(const std::string& answer) {
  return "C: PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\nS: 220 old.test ESMTP\n"
         "C: EHLO probe.plan.invalid\nS: 250 old.test\nC: MAIL FROM:<probe@plan.invalid>\n"
         "S: 250 ok\nC: RCPT TO:<nobody@relay.plan.invalid>\nS: " +
         answer + "\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye\n";
}

/// The step postfix.listener of a Postfix as far as master.cf goes, and one of its services.
class PostfixListener : public ::testing::Test {
 protected:
  PostfixListener() {
    host.program = [this](const std::vector<std::string>& words, const std::string&) {
      net::CommandResult result;
      if (words[0] == "postconf") {
        const auto found = services.find(words.back());
        if (found != services.end()) result.output = found->second + "\n";
      } else if (words[0] == "sh" && is_full) {
        result = {.exit_code = 1, .output = "", .errors = "postconf: fatal: no space left"};
      } else if (words[0] == "sh") {
        const std::string& line = words.back();
        const std::string& service = words[words.size() - 2];
        if (line.empty()) {
          services.erase(service);
        } else {
          services[service] = line;
        }
        is_full = fills_up;
      }
      return result;
    };
  }

  Result<Value> apply(std::uint16_t port, const std::string& prior) {
    const Value block = Value::map({{"address", "127.0.0.1"}});
    const Value arguments =
        Value::map({{"address", "127.0.0.1"}, {"port", std::int64_t{port}}, {"source", block}});
    auto sources = std::make_shared<source::SourcePool>(nullptr, clock_);
    sources->put(block, std::make_shared<source::Source>(source::Block{.address = "127.0.0.1"},
                                                         host, clock_));
    step::StepContext context{.arguments = arguments,
                              .secrets = secrets_,
                              .clock = clock_,
                              .stop = stop_,
                              .prior = Value::map({{"line", prior}})};
    return make_listener_driver(std::move(sources))->apply(context);
  }
  [[nodiscard]] static std::string service_at(std::uint16_t port) {
    return fmt::format("127.0.0.1:{}/inet", port);
  }

  test::FakeHost host;
  std::map<std::string, std::string> services = {{"smtp/inet", "smtp inet n - y - - smtpd"}};
  bool fills_up = false;  ///< after the next change there is no space for another one

 private:
  bool is_full = false;
  stalwart::TestClock clock_;
  stalwart::TestSecrets secrets_;
  step::StopSignal stop_;
};

TEST_F(PostfixListener, one_that_relays_for_a_stranger_is_not_left_there) {
  for (const char* prior : {"", "127.0.0.1:10025 inet n - n - - smtpd -o theirs=yes"}) {
    test::ScriptPeer peer(session("250 2.1.5 Ok"));
    const auto open = apply(peer.port(), prior);
    ASSERT_FALSE(open);
    EXPECT_TRUE(test::told_as("relays-for-anybody", open.error()));
    EXPECT_EQ(services[service_at(peer.port())], prior);
    EXPECT_EQ(peer.complaints(), "");
  }
}

TEST_F(PostfixListener, one_that_cannot_be_taken_away_is_told_to_be_there) {
  fills_up = true;
  test::ScriptPeer peer(session("250 2.1.5 Ok"));
  const auto open = apply(peer.port(), "");
  ASSERT_FALSE(open);
  EXPECT_TRUE(open.error().is(source::errors::relays_for_anybody)) << open.error().to_line();
  EXPECT_EQ(open.error().effect(), Effect::applied);
  EXPECT_NE(open.error().to_line().find("no space left"), std::string::npos);
}

TEST_F(PostfixListener, one_that_refuses_a_stranger_stays) {
  test::ScriptPeer peer(session("554 5.7.1 Relay access denied"));
  const auto sound = apply(peer.port(), "");
  ASSERT_TRUE(sound) << sound.error().to_line();
  EXPECT_TRUE(services[service_at(peer.port())].find("smtpd_upstream_proxy_protocol=haproxy") !=
              std::string::npos);
  EXPECT_EQ(peer.complaints(), "");
}

}  // namespace
}  // namespace plan::server::postfix
