// The drivers against two real proxies.
#include "runtime/proxy/proxy_drivers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "runtime/net/connect_once.h"
#include "runtime/proxy/errors.h"
#include "runtime/step/errors.h"
#include "tests/support/fake_backend.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/proxy/proxy_fixture.h"

namespace plan::proxy {
namespace {

using test::FakeBackend;
using test::imap_server;

constexpr const char* kAlice = "alice@example.org";

class TokenSource final : public secret::SecretSource {
 public:
  Result<secret::Secret> read(const ir::SecretRef&) override { return secret::Secret(kTestToken); }
  Result<ir::SecretRef> seal(const secret::Secret&) override { return ir::SecretRef{}; }
};

class ProxyDriversTest : public ::testing::Test {
 protected:
  ProxyDriversTest() {
    add_proxy_drivers(table_);
    for (const std::string name : {"edge1", "edge2"}) {
      ProxyConfig config = basic_config(folder_, name);
      add_destination(config, "source", Protocol::imap, source_.port());
      add_destination(config, "target", Protocol::imap, target_.port());
      add_listener(config, "imap", Protocol::imap);
      configs_.push_back(config);
      proxies_.push_back(std::make_unique<RunningProxy>(config));
      EXPECT_EQ(proxies_.back()->failure(), "");
    }
    ir::List blocks;
    for (std::size_t i = 0; i < configs_.size(); ++i) {
      blocks.push_back(ir::Value::map({{"name", "edge" + std::to_string(i + 1)},
                                       {"control", "unix:" + configs_[i].control.unix_path},
                                       {"token", ir::SecretRef{"file", "token"}}}));
    }
    arguments_ = ir::Value::map(
        {{"account", kAlice},
         {"addresses", ir::Value::list({"alice@example.org", "a.smith@example.org"})},
         {"destination", "target"},
         {"bound_ms", 20'000},
         {"source", ir::Value::map({{"address", "127.0.0.1"}})},
         {"target", ir::Value::map({{"address", "127.0.0.1"}})},
         {"proxies", ir::Value(std::move(blocks))}});
  }
  ~ProxyDriversTest() override { proxies_.clear(); }

  /// Memory of one step, as the engine keeps it.
  struct Memory {
    ir::Value prior = {};
    ir::Value notes = {};
    std::uint32_t attempt = 0;
  };
  step::StepContext context(ir::StepKind kind) {
    Memory& memory = memories_[kind];
    step::StepContext context{.kind = kind,
                              .arguments = arguments_,
                              .account = kAlice,
                              .lease_token = lease_,
                              .secrets = secrets_,
                              .clock = net::system_clock(),
                              .stop = stop_};
    context.prior = memory.prior;
    context.notes = memory.notes;
    context.attempt = memory.attempt;
    context.remember = [&memory](const ir::Value& notes) -> Outcome {
      memory.notes = notes;
      return {};
    };
    return context;
  }
  Result<ir::Observation> observe(ir::StepKind kind) {
    step::StepContext at = context(kind);
    auto observation = table_.find(kind)->observe(at);
    if (observation && memories_[kind].prior.is_null()) memories_[kind].prior = observation->prior;
    return observation;
  }
  Outcome run(ir::StepKind kind) {
    PLAN_TRY_VOID(observe(kind));
    step::StepContext at = context(kind);
    ++memories_[kind].attempt;
    PLAN_TRY_VOID(table_.find(kind)->apply(at));
    step::StepContext again = context(kind);
    return table_.find(kind)->verify(again);
  }
  Outcome undo(ir::StepKind kind) {
    step::StepContext at = context(kind);
    return table_.find(kind)->undo(at);
  }
  std::string who(std::size_t proxy, const std::string& name = kAlice) {
    Client client(proxies_[proxy]->port("imap"));
    static_cast<void>(client.line());
    client.send("a LOGIN " + name + " secret\r\n");
    const std::string verdict = client.line(300);
    return verdict.starts_with("a OK") ? client.ask("b WHO").substr(6) : verdict;
  }
  std::string everywhere() {
    std::string seen;
    for (std::size_t i = 0; i < proxies_.size(); ++i) seen += (seen.empty() ? "" : " ") + who(i);
    return seen;
  }
  void stop_proxy(std::size_t index) { proxies_[index]->stop(); }
  void start_proxy(std::size_t index) {
    proxies_[index] = std::make_unique<RunningProxy>(configs_[index]);
    ASSERT_EQ(proxies_[index]->failure(), "");
  }
  void expect_done(const Outcome& outcome) { EXPECT_TRUE(outcome) << outcome.error().to_line(); }

  test::TempDir folder_;
  FakeBackend source_{imap_server("source")};
  FakeBackend target_{imap_server("target")};
  std::vector<ProxyConfig> configs_;
  std::vector<std::unique_ptr<RunningProxy>> proxies_;
  step::DriverTable table_;
  TokenSource secrets_;
  step::StopSignal stop_;
  std::string lease_ = "run-1";
  ir::Value arguments_;
  std::map<ir::StepKind, Memory> memories_;
};

using enum ir::StepKind;

TEST_F(ProxyDriversTest, HasADriverForEveryKindOfTheProxy) {
  for (const ir::StepKind kind :
       {proxy_ready, proxy_hold, proxy_prepare, proxy_release, address_move, address_finalize})
    EXPECT_NE(table_.find(kind), nullptr);
}

TEST_F(ProxyDriversTest, MovesAnAccountOnAllProxies) {
  expect_done(run(proxy_ready));
  expect_done(run(proxy_hold));
  EXPECT_EQ(everywhere(), "(silence) (silence)");
  expect_done(run(proxy_prepare));
  EXPECT_EQ(everywhere(), "(silence) (silence)");
  expect_done(run(proxy_release));
  EXPECT_EQ(everywhere(), "target target");
  EXPECT_EQ(who(0, "a.smith@example.org"), "target");
}

TEST_F(ProxyDriversTest, LooksWithoutTouching) {
  auto hold = observe(proxy_hold);
  ASSERT_TRUE(hold);
  EXPECT_EQ(hold->standing, ir::Standing::absent);
  EXPECT_FALSE(hold->hold_ms) << "its bound is no prediction";
  auto release = observe(proxy_release);
  ASSERT_TRUE(release);
  EXPECT_EQ(release->standing, ir::Standing::differs);
  EXPECT_EQ(everywhere(), "source source");
}

TEST_F(ProxyDriversTest, EveryStepMayBeRepeated) {
  for (const ir::StepKind kind :
       {proxy_hold, proxy_hold, proxy_prepare, proxy_prepare, proxy_release, proxy_release})
    expect_done(run(kind));
  EXPECT_EQ(everywhere(), "target target");
  for (const ir::StepKind kind : {proxy_prepare, proxy_release}) {
    auto seen = observe(kind);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->standing, ir::Standing::satisfied);
  }
}

TEST_F(ProxyDriversTest, UndoesAHold) {
  expect_done(run(proxy_hold));
  for (int i = 0; i < 2; ++i) expect_done(undo(proxy_hold));
  EXPECT_EQ(everywhere(), "source source");
}

TEST_F(ProxyDriversTest, UndoesAPreparedAccountWithoutLettingClientsInTooEarly) {
  expect_done(run(proxy_hold));
  expect_done(run(proxy_prepare));
  for (int i = 0; i < 2; ++i) expect_done(undo(proxy_prepare));
  EXPECT_EQ(everywhere(), "(silence) (silence)")
      << "the source's door and the mail are still to be given back";
  expect_done(undo(proxy_hold));
  EXPECT_EQ(everywhere(), "source source");
}

TEST_F(ProxyDriversTest, WalksTheSameStatesBackAfterARelease) {
  for (const ir::StepKind kind : {proxy_hold, proxy_prepare, proxy_release}) expect_done(run(kind));
  for (int i = 0; i < 2; ++i) expect_done(undo(proxy_release));
  EXPECT_EQ(everywhere(), "(silence) (silence)");
  expect_done(undo(proxy_prepare));
  EXPECT_EQ(everywhere(), "(silence) (silence)");
  for (int i = 0; i < 2; ++i) expect_done(undo(proxy_hold));
  EXPECT_EQ(everywhere(), "source source");
}

TEST_F(ProxyDriversTest, HoldsOnAllProxiesOrOnNone) {
  stop_proxy(1);
  const Outcome held = run(proxy_hold);
  ASSERT_FALSE(held);
  EXPECT_TRUE(test::told_as("proxy-unreachable", held.error()));
  EXPECT_EQ(who(0), "source");
}

TEST_F(ProxyDriversTest, ALookAtTheWorldTriesEachProxyThatIsAwayOnce) {
  stop_proxy(1);
  net::ConnectOnce look;
  {
    const net::ConnectOnce::OfThread of_look(&look);
    EXPECT_FALSE(observe(proxy_hold));
    start_proxy(1);
    const auto again = observe(proxy_hold);
    ASSERT_FALSE(again) << "of this look it is away";
    EXPECT_TRUE(again.error().is(errors::proxy_unreachable)) << again.error().to_line();
  }
  EXPECT_TRUE(observe(proxy_hold)) << "the next look tries again";
}

/// The system takes its connections, as it does for a process that hangs.
TEST(ProxyControl, AProxyThatSaysNothingIsNamedAndAskedOnceInALookAtTheWorld) {
  const auto listener = std::move(*net::listen_tcp("127.0.0.1", 0));
  const std::string control = fmt::format("https://127.0.0.1:{}", listener->port());
  const ControlAddress address{control, std::string(64, 'a')};
  const secret::Secret token(kTestToken);
  net::ConnectOnce look;
  const net::ConnectOnce::OfThread of_look(&look);
  const auto first = ProxyControl::open(address, token, within(100));
  ASSERT_FALSE(first);
  EXPECT_TRUE(first.error().is(errors::proxy_unreachable)) << first.error().to_line();
  EXPECT_EQ(first.error().message(), "no connection to " + control);
  const auto begun = std::chrono::steady_clock::now();
  const auto second = ProxyControl::open(address, token, within(60'000));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message(), first.error().message());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
}

TEST_F(ProxyDriversTest, GivesBackWhatWasHeldWhenAProxyRefuses) {
  auto control = open_control(configs_[1]);
  ASSERT_TRUE(control->hold({"other@example.org"}, 1, 20'000, "run-0", within()));
  const Outcome held = run(proxy_hold);
  ASSERT_FALSE(held);
  EXPECT_TRUE(test::told_as("lease-held", held.error()));
  EXPECT_EQ(who(0), "source");
}

TEST_F(ProxyDriversTest, DoesNotPrepareWhatHasGoneBackByItself) {
  arguments_.set("bound_ms", 100);
  expect_done(run(proxy_hold));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const Outcome prepared = run(proxy_prepare);
  ASSERT_FALSE(prepared);
  EXPECT_TRUE(test::told_as("hold-expired", prepared.error()));
  expect_done(undo(proxy_hold));
  arguments_.set("bound_ms", 20'000);
  expect_done(run(proxy_hold));
  EXPECT_EQ(everywhere(), "(silence) (silence)") << "the next attempt holds with a new generation";
}

TEST_F(ProxyDriversTest, DoesNotReleaseWhatOneProxyHasNotPrepared) {
  expect_done(run(proxy_hold));
  auto control = open_control(configs_[0]);
  ASSERT_TRUE(control->prepare({kAlice, "a.smith@example.org"}, 1, "target", lease_, within()));
  const Outcome released = run(proxy_release);
  ASSERT_FALSE(released);
  EXPECT_TRUE(test::told_as("not-prepared", released.error()));
  EXPECT_EQ(everywhere(), "(silence) (silence)");
}

TEST_F(ProxyDriversTest, FinishesAReleaseThatReachedOneProxyOnly) {
  expect_done(run(proxy_hold));
  expect_done(run(proxy_prepare));
  auto control = open_control(configs_[0]);
  ASSERT_TRUE(control->commit({kAlice, "a.smith@example.org"}, 1, lease_, within()));
  auto seen = observe(proxy_release);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->standing, ir::Standing::differs);
  expect_done(run(proxy_release));
  EXPECT_EQ(everywhere(), "target target");
}

TEST_F(ProxyDriversTest, WaitsForAProxyThatIsAwayDuringTheRelease) {
  expect_done(run(proxy_hold));
  expect_done(run(proxy_prepare));
  expect_done(Outcome());
  ASSERT_TRUE(observe(proxy_release));
  auto control = open_control(configs_[0]);
  ASSERT_TRUE(control->commit({kAlice, "a.smith@example.org"}, 1, lease_, within()));
  control.reset();
  // The step has its connections when the second proxy is killed and comes back a second later,
  // from its map.
  std::thread restarter([this] {
    stop_proxy(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    start_proxy(1);
  });
  Outcome released = run(proxy_release);
  restarter.join();
  if (!released)
    released = run(proxy_release);  // it may have found the door closed at the very beginning
  expect_done(released);
  EXPECT_EQ(everywhere(), "target target");
}

TEST_F(ProxyDriversTest, BringsAProxyIntoLineThatLostItsMap) {
  expect_done(run(proxy_hold));
  expect_done(run(proxy_prepare));
  ASSERT_TRUE(observe(proxy_release));
  auto control = open_control(configs_[0]);
  ASSERT_TRUE(control->commit({kAlice, "a.smith@example.org"}, 1, lease_, within()));
  control.reset();
  stop_proxy(1);
  std::filesystem::remove(configs_[1].map_file);
  start_proxy(1);
  expect_done(run(proxy_release));
  EXPECT_EQ(everywhere(), "target target");
}

TEST_F(ProxyDriversTest, RefusesProxiesThatDisagree) {
  auto control = open_control(configs_[0]);
  const std::vector<std::string> names = {kAlice, "a.smith@example.org"};
  ASSERT_TRUE(control->hold(names, 1, 20'000, "old", within()));
  ASSERT_TRUE(control->prepare(names, 1, "target", "old", within()));
  ASSERT_TRUE(control->commit(names, 1, "old", within()));
  auto seen = observe(proxy_hold);
  ASSERT_FALSE(seen);
  EXPECT_TRUE(test::told_as("proxies-disagree", seen.error()));
}

TEST_F(ProxyDriversTest, FindsAProxyThatPointsElsewhere) {
  arguments_.set("target", ir::Value::map({{"address", "203.0.113.20"}}));
  auto seen = observe(proxy_ready);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->standing, ir::Standing::differs);
  const Outcome ready = run(proxy_ready);
  ASSERT_FALSE(ready);
  EXPECT_TRUE(test::told_as("proxy-differs", ready.error()));
}

TEST_F(ProxyDriversTest, TakesNoWebServerForAProxy) {
  const net::TlsServerOptions server_tls{folder_.file("web.pem"), folder_.file("web.key")};
  const std::string digest =
      test::make_certificate(server_tls.certificate_file, server_tls.key_file, "127.0.0.1");
  FakeBackend web([&server_tls](net::SocketStream& stream, net::LineReader&, FakeBackend&) {
    if (!stream.accept_tls(server_tls, within())) return;
    net::LineReader reader(stream, 1 << 16);
    for (auto line = reader.line(within()); line && !line->empty();) line = reader.line(within());
    test::say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<h1>Hello!</h1>");
  });
  ir::List one = {ir::Value::map({{"name", "edge1"},
                                  {"control", fmt::format("https://127.0.0.1:{}", web.port())},
                                  {"certificate_sha256", digest},
                                  {"token", ir::SecretRef{"file", "token"}}})};
  arguments_.set("proxies", ir::Value(std::move(one)));
  const auto seen = observe(proxy_ready);
  ASSERT_FALSE(seen);
  EXPECT_TRUE(test::told_as("proxy-answer", seen.error()));
}

TEST_F(ProxyDriversTest, UndoRefusesWhatSomebodyElseChanged) {
  expect_done(run(proxy_hold));
  auto control = open_control(configs_[0]);
  const std::vector<std::string> names = {kAlice, "a.smith@example.org"};
  ASSERT_TRUE(control->prepare(names, 1, "target", lease_, within()));
  ASSERT_TRUE(control->commit(names, 1, lease_, within()));
  const Outcome undone = undo(proxy_hold);
  ASSERT_FALSE(undone);
  EXPECT_TRUE(undone.error().is(step::errors::changed_since));
}

TEST_F(ProxyDriversTest, SeesWhetherThePublicAddressReachesTheProxies) {
  // One proxy only: the public name is an address, and one port of it cannot be both.
  ir::List one = {arguments_["proxies"].item(0)};
  arguments_.set("proxies", ir::Value(std::move(one)));
  arguments_.set("public", "127.0.0.1");
  arguments_.set("to", "127.0.0.1");
  auto there = observe(address_move);
  ASSERT_TRUE(there) << there.error().to_line();
  EXPECT_EQ(there->standing, ir::Standing::satisfied);
  expect_done(run(address_move));
  arguments_.set("public", "127.0.0.2");
  auto elsewhere = observe(address_move);
  ASSERT_TRUE(elsewhere);
  EXPECT_EQ(elsewhere->standing, ir::Standing::differs);
  step::StepContext still_there = context(address_move);
  const Outcome seen = table_.find(address_move)->verify(still_there);
  ASSERT_FALSE(seen);
  const std::string port = fmt::format("port {} of", proxies_[0]->port("imap"));
  EXPECT_TRUE(test::told_as("address-not-moved", seen.error(), {{port, "port <port> of"}}));
}

TEST_F(ProxyDriversTest, RunsTheCommandThatMovesTheAddressAndReportsItsFailure) {
  arguments_.set("public", "127.0.0.2");
  arguments_.set("to", "127.0.0.1");
  arguments_.set("run", ir::Value::list({"false"}));
  const Outcome moved = run(address_move);
  ASSERT_FALSE(moved);
  EXPECT_TRUE(moved.error().is(errors::address_not_moved));
}

TEST_F(ProxyDriversTest, TheLastAddressIsSeenByTheTargetsOwnGreeting) {
  FakeBackend smtp{[](net::SocketStream& stream, net::LineReader&, FakeBackend&) {
    test::say(stream, "220 new.example.org ready\r\n");
  }};
  const auto service = [](std::uint16_t port) {
    return ir::Value::map({{"port", std::int64_t{port}}, {"security", "starttls"}});
  };
  arguments_.set("target", ir::Value::map({{"address", "127.0.0.1"},
                                           {"smtp", service(smtp.port())},
                                           {"imap", service(target_.port())},
                                           {"submission", service(smtp.port())}}));
  arguments_.set("public", "127.0.0.2");
  arguments_.set("to", "127.0.0.1");
  const Outcome waits = run(address_finalize);
  ASSERT_FALSE(waits);
  EXPECT_TRUE(waits.error().is(step::errors::not_yet)) << waits.error().to_line();
  arguments_.set("public", "127.0.0.1");
  expect_done(run(address_finalize));
}

TEST_F(ProxyDriversTest, StopsWaitingForTheOperatorWhenTold) {
  arguments_.set("public", "127.0.0.2");
  arguments_.set("to", "127.0.0.1");
  stop_.request();
  const Outcome moved = run(address_move);
  ASSERT_FALSE(moved);
  EXPECT_TRUE(moved.error().is(step::errors::stopped));
}

}  // namespace
}  // namespace plan::proxy
