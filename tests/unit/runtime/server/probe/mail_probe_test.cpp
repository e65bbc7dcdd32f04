#include <atomic>
#include <thread>

#include "runtime/net/errors.h"
#include "runtime/net/stream.h"
#include "runtime/server/probe/errors.h"
#include "runtime/server/probe/limits.h"
#include "runtime/server/probe/probes.h"
#include "tests/support/script_peer.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::probe {
namespace {

using ir::Value;

/// A port 25 that takes every connection and ends it before its greeting.
class SilentPort {
 public:
  SilentPort() : listener_(std::move(*net::listen_tcp("127.0.0.1", 0))) {
    thread_ = std::thread([this] {
      while (auto stream = listener_->accept()) {
        ++connections;
        (*stream)->close();
      }
    });
  }
  ~SilentPort() {
    listener_->close();
    thread_.join();
  }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;
  [[nodiscard]] std::int64_t port() const { return listener_->port(); }

  std::atomic<int> connections{0};

 private:
  std::unique_ptr<net::Listener> listener_;
  std::thread thread_;
};

/// A port 25 that takes every message and delivers none.
class TakingPort {
 public:
  TakingPort() : listener_(std::move(*net::listen_tcp("127.0.0.1", 0))) {
    thread_ = std::thread([this] {
      while (auto stream = listener_->accept()) talk(**stream);
    });
  }
  ~TakingPort() {
    listener_->close();
    thread_.join();
  }
  TakingPort(const TakingPort&) = delete;
  TakingPort& operator=(const TakingPort&) = delete;
  [[nodiscard]] std::int64_t port() const { return listener_->port(); }

 private:
  static void talk(net::Stream& stream) {
    const auto deadline = net::Deadline::after(std::chrono::seconds(20));
    net::LineReader reader(stream, 4096);
    const auto say = [&](const char* line) { return !!stream.write_all(line, deadline); };
    bool is_message = false;
    if (!say("220 new.test\r\n")) return;
    while (auto line = reader.line(deadline)) {
      if (is_message && *line != ".") continue;
      const bool is_end = line->starts_with("QUIT");
      const bool is_data = line->starts_with("DATA");
      if (!say(is_end ? "221 bye\r\n" : is_data ? "354 go on\r\n" : "250 ok\r\n") || is_end) return;
      is_message = is_data;
    }
  }

  std::unique_ptr<net::Listener> listener_;
  std::thread thread_;
};

class MailProbe : public stalwart::DriverBench {
 protected:
  MailProbe() {
    const std::string domain = registry->put("Domain", Value::map({{"name", "example.org"}}));
    registry->put("Account",
                  Value::map({{"@type", "User"}, {"name", "alice"}, {"domainId", domain}}));
    probes.add(ir::StepKind::probe_mail,
               make_mail_probe(std::make_shared<source::LiveSources>(), targets));
  }

  Result<Value> probe(std::int64_t port) {
    const Value arguments = Value::map(
        {{"account", "alice@example.org"},
         {"at", "target"},
         {"entries", Value::list({"target"})},
         {"target",
          Value::map({{"address", "127.0.0.1"}, {"smtp", Value::map({{"port", port}})}})}});
    step::StepContext context{.id = "probe",
                              .kind = ir::StepKind::probe_mail,
                              .arguments = arguments,
                              .secrets = secrets,
                              .clock = clock,
                              .stop = stop};
    context.say = [this](std::string text) { said.push_back(std::move(text)); };
    return probes.find(ir::StepKind::probe_mail)->apply(context);
  }

  step::DriverTable probes;
  std::vector<std::string> said;
};

TEST_F(MailProbe, says_what_a_probe_that_was_given_up_is_called) {
  TakingPort taking;
  const auto lost = probe(taking.port());
  ASSERT_FALSE(lost);
  EXPECT_TRUE(lost.error().is(errors::probe_not_found)) << lost.error().to_line();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_TRUE(said[0].starts_with("the probe <plan-probe.")) << said[0];
  EXPECT_NE(said[0].find(".target@plan.invalid>"), std::string::npos) << said[0];
}

TEST_F(MailProbe, a_port_that_ends_every_connection_without_a_greeting_is_told_as_a_likely_ban) {
  SilentPort silent;
  const auto refused = probe(silent.port());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(net::errors::connection_dropped)) << refused.error().to_line();
  EXPECT_NE(refused.error().message().find("banned"), std::string::npos);
  EXPECT_EQ(refused.error().blame(), Blame::target);
  EXPECT_EQ(refused.error().effect(), Effect::none);
  EXPECT_EQ(silent.connections, kConnectAttempts);
  EXPECT_GE(clock.slept, std::chrono::seconds(1)) << "the seeded throttle looks at one second";
}

TEST_F(MailProbe, a_port_that_is_closed_is_no_ban) {
  std::int64_t port = 0;
  {
    SilentPort gone;
    port = gone.port();
  }
  const auto refused = probe(port);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(net::errors::connection_refused)) << refused.error().to_line();
}

/// A session with port 25 up to the recipient.
constexpr const char* kUpToRecipient =
    "S: 220 new.test ESMTP\nC: EHLO {any}\nS: 250 new.test\nC: MAIL FROM:<>\nS: 250 ok\n"
    "C: RCPT TO:<alice@example.org>\n";

TEST_F(MailProbe, a_server_that_puts_the_probe_off_is_told_with_its_words) {
  test::ScriptPeer port(std::string(kUpToRecipient) +
                        "S: 451 4.7.1 Greylisted, please try again later\nC: RSET\nS: 250 ok\n"
                        "C: QUIT\nS: 221 bye\n");
  const auto refused = probe(port.port());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(
      test::told_as("probe-refused", refused.error(), {{std::to_string(port.port()), "<port>"}}));
  EXPECT_EQ(port.complaints(), "");
}

TEST_F(MailProbe, a_probe_that_was_accepted_and_does_not_arrive_is_told_with_its_way) {
  test::ScriptPeer port(std::string(kUpToRecipient) +
                        "S: 250 ok\nC: DATA\nS: 354 go\ndata\nS: 250 2.0.0 Message queued\n"
                        "C: QUIT\nS: 221 bye\n");
  const auto lost = probe(port.port());
  ASSERT_FALSE(lost);
  EXPECT_TRUE(
      test::told_as("probe-not-found", lost.error(), {{std::to_string(port.port()), "<port>"}}));
  EXPECT_EQ(port.complaints(), "");
  EXPECT_GE(clock.slept, kFindTime);
}

}  // namespace
}  // namespace plan::server::probe
