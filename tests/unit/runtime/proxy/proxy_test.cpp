// The proxy as a whole, with real sockets on loopback and scripted backends.
#include "runtime/proxy/proxy.h"

#include <gtest/gtest.h>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/sasl.h"
#include "tests/support/fake_backend.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/proxy/proxy_fixture.h"

namespace plan::proxy {
namespace {

using test::FakeBackend;
using test::imap_server;
using test::pop3_server;
using test::say;
using test::sieve_server;
using test::submission_server;

const std::vector<std::string> kAlice = {"alice@example.org", "a.smith@example.org"};

class ProxyTest : public ::testing::Test {
 protected:
  ProxyTest() : config_(basic_config(folder_)) {
    add_destination(config_, "source", Protocol::imap, source_.port());
    add_destination(config_, "target", Protocol::imap, target_.port());
    add_listener(config_, "imap", Protocol::imap);
  }
  ~ProxyTest() override { proxy_.reset(); }
  void start() {
    proxy_ = std::make_unique<RunningProxy>(config_);
    ASSERT_EQ(proxy_->failure(), "");
    control_ = open_control(config_);
  }
  void restart() {
    control_.reset();
    proxy_.reset();
    start();
  }
  Client client() {
    Client client(proxy_->port("imap"));
    EXPECT_TRUE(client.line().starts_with("* OK [CAPABILITY "));
    return client;
  }
  static std::string login(const std::string& name = kAlice[0]) {
    return "a LOGIN " + name + " secret\r\n";
  }
  /// Logs in and says which server it is.
  std::string who(const std::string& name = kAlice[0]) {
    Client c = client();
    c.send(login(name));
    const std::string verdict = c.line();
    if (!verdict.starts_with("a OK")) return verdict;
    return c.ask("b WHO").substr(6);
  }
  bool hold(std::uint64_t generation, int bound_ms = 20'000) {
    const auto held = control_->hold(kAlice, generation, bound_ms, "L", within());
    EXPECT_TRUE(held) << held.error().to_line();
    return held.has_value();
  }

  test::TempDir folder_;
  FakeBackend source_{imap_server("source")};
  FakeBackend target_{imap_server("target")};
  ProxyConfig config_;
  std::unique_ptr<RunningProxy> proxy_;
  std::unique_ptr<ProxyControl> control_;
};

TEST_F(ProxyTest, LogsInAndRelaysBothWays) {
  start();
  Client c = client();
  EXPECT_EQ(c.ask("a LOGIN alice@example.org secret"),
            "a OK [CAPABILITY IMAP4rev1 IDLE] Logged in");
  EXPECT_EQ(c.ask("b WHO"), "* WHO source");
  EXPECT_EQ(c.line(), "b OK");
  EXPECT_EQ(c.ask("c LOGOUT"), "* BYE");
  EXPECT_EQ(c.line(), "c OK");
  EXPECT_EQ(c.line(), "(end)");
}

TEST_F(ProxyTest, PassesTheBackendsRefusalOnAndTakesAnotherLogin) {
  start();
  Client c = client();
  EXPECT_EQ(c.ask("a LOGIN alice@example.org wrong"), "a NO [AUTHENTICATIONFAILED] wrong");
  EXPECT_EQ(c.ask("b LOGIN alice@example.org secret"),
            "b OK [CAPABILITY IMAP4rev1 IDLE] Logged in");
}

TEST_F(ProxyTest, RoutesTheSecondAttemptByItsOwnName) {
  start();
  ASSERT_TRUE(hold(1));
  ASSERT_TRUE(control_->prepare(kAlice, 1, "target", "L", within()));
  ASSERT_TRUE(control_->commit(kAlice, 1, "L", within()));
  Client c = client();
  EXPECT_EQ(c.ask("a LOGIN bob@example.org wrong"), "a NO [AUTHENTICATIONFAILED] wrong");
  EXPECT_TRUE(c.ask("b LOGIN alice@example.org secret").starts_with("b OK"));
  EXPECT_EQ(c.ask("c WHO"), "* WHO target");
}

TEST_F(ProxyTest, EndsAfterThreeWrongPasswords) {
  start();
  Client c = client();
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(c.ask("a LOGIN alice@example.org wrong"), "a NO [AUTHENTICATIONFAILED] wrong");
  EXPECT_EQ(c.line(), "* BYE mail.test closing connection");
  EXPECT_EQ(c.line(), "(end)");
}

TEST_F(ProxyTest, NeverAnswersABackendThatIsDownAsAWrongPassword) {
  source_.stop();
  start();
  Client c = client();
  EXPECT_TRUE(c.ask("a LOGIN alice@example.org secret").starts_with("a NO [UNAVAILABLE]"));
}

TEST_F(ProxyTest, TellsNoVerdictFromARefusal) {
  for (const std::string words : {"", "* BYE full\r\n", "* OK ready\r\n", "garbage\r\n",
                                  "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n"}) {
    FakeBackend rude([words](net::SocketStream& stream, net::LineReader& reader, FakeBackend&) {
      say(stream, words);
      if (words.find("SASL-IR") != std::string::npos)
        static_cast<void>(reader.line(within()));  // closes at the verdict
    });
    add_destination(config_, "source", Protocol::imap, rude.port());
    proxy_.reset();
    start();
    Client c = client();
    EXPECT_TRUE(c.ask("a LOGIN alice@example.org secret").starts_with("a NO [UNAVAILABLE]"))
        << words;
    proxy_.reset();
  }
}

TEST_F(ProxyTest, GivesASilentBackendUpAfterItsTime) {
  FakeBackend silent([](net::SocketStream&, net::LineReader& reader, FakeBackend&) {
    static_cast<void>(reader.line(within()));
  });
  add_destination(config_, "source", Protocol::imap, silent.port());
  config_.backend_timeout = std::chrono::milliseconds(300);
  start();
  Client c = client();
  EXPECT_TRUE(c.ask("a LOGIN alice@example.org secret").starts_with("a NO [UNAVAILABLE]"));
  proxy_.reset();
}

TEST_F(ProxyTest, ParksALoginDuringAHoldAndReleasesItToTheTarget) {
  start();
  ASSERT_TRUE(hold(1));
  Client c = client();
  c.send(login());
  EXPECT_EQ(c.line(200), "(silence)");
  ASSERT_TRUE(control_->prepare(kAlice, 1, "target", "L", within()));
  EXPECT_EQ(c.line(200), "(silence)") << "prepared is not used";
  ASSERT_TRUE(control_->commit(kAlice, 1, "L", within()));
  EXPECT_TRUE(c.line().starts_with("a OK"));
  EXPECT_EQ(c.ask("b WHO"), "* WHO target");
  EXPECT_EQ(who("A.Smith@Example.ORG"), "target") << "every name of the account, in any case";
  EXPECT_EQ(who("bob@example.org"), "source");
}

TEST_F(ProxyTest, ParksEveryNameAndMasterLoginsToo) {
  start();
  ASSERT_TRUE(hold(1));
  for (const std::string name : {"a.smith@example.org", "ALICE@example.org",
                                 "alice@example.org%admin", "alice@example.org*admin"}) {
    Client c = client();
    c.send(login(name));
    EXPECT_EQ(c.line(100), "(silence)") << name;
  }
}

TEST_F(ProxyTest, GivesAParkedLoginBackAtTheBound) {
  start();
  ASSERT_TRUE(hold(1, 400));
  Client c = client();
  c.send(login());
  EXPECT_EQ(c.line(150), "(silence)");
  EXPECT_TRUE(c.line().starts_with("a OK"));
  EXPECT_EQ(c.ask("b WHO"), "* WHO source");
  const auto prepared = control_->prepare(kAlice, 1, "target", "L", within());
  ASSERT_FALSE(prepared);
  EXPECT_TRUE(prepared.error().is(errors::hold_expired));
}

TEST_F(ProxyTest, ShowsNoRefusalOfASourceThatMayStillBeClosed) {
  start();
  ASSERT_TRUE(hold(1, 100));
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  Client c = client();
  EXPECT_TRUE(c.ask("a LOGIN alice@example.org wrong").starts_with("a NO [UNAVAILABLE]"));
  ASSERT_TRUE(control_->abort(kAlice, 1, "L", within()));
  Client d = client();
  EXPECT_EQ(d.ask("a LOGIN alice@example.org wrong"), "a NO [AUTHENTICATIONFAILED] wrong");
}

TEST_F(ProxyTest, FailsForATimeAfterTheBoundOfAPreparedAccount) {
  start();
  ASSERT_TRUE(hold(1, 400));
  ASSERT_TRUE(control_->prepare(kAlice, 1, "target", "L", within()));
  Client c = client();
  c.send(login());
  EXPECT_TRUE(c.line().starts_with("a NO [UNAVAILABLE]"));
  ASSERT_TRUE(control_->commit(kAlice, 1, "L", within()));
  EXPECT_EQ(who(), "target");
}

TEST_F(ProxyTest, AbortLetsParkedLoginsBackToTheSource) {
  start();
  ASSERT_TRUE(hold(1));
  ASSERT_TRUE(control_->prepare(kAlice, 1, "target", "L", within()));
  Client c = client();
  c.send(login());
  EXPECT_EQ(c.line(100), "(silence)");
  ASSERT_TRUE(control_->abort(kAlice, 1, "L", within()));
  EXPECT_TRUE(c.line().starts_with("a OK"));
  EXPECT_EQ(c.ask("b WHO"), "* WHO source");
}

TEST_F(ProxyTest, EndsSessionsPolitelyBeforeTheHoldIsAnswered) {
  start();
  Client idle = client();
  idle.send(login());
  EXPECT_TRUE(idle.line().starts_with("a OK"));
  EXPECT_EQ(idle.ask("b IDLE"), "+ idling");
  Client other = client();
  other.send(login("bob@example.org"));
  EXPECT_TRUE(other.line().starts_with("a OK"));
  const auto held = control_->hold(kAlice, 1, 20'000, "L", within());
  ASSERT_TRUE(held);
  EXPECT_EQ((*held)["closed"].integer_or(-1), 1);
  EXPECT_TRUE(idle.line().starts_with("* BYE [UNAVAILABLE]"));
  EXPECT_EQ(idle.line(), "(end)");
  EXPECT_EQ(other.ask("c WHO"), "* WHO source") << "other accounts go on";
}

// It has not read what it was told and writes on: the hold is answered all the same, and what it
// writes reaches nobody.
TEST_F(ProxyTest, AClientThatIgnoresTheGoodbyeIsCutOff) {
  start();
  Client deaf = client();
  deaf.send(login());
  EXPECT_TRUE(deaf.line().starts_with("a OK"));
  const auto held = control_->hold(kAlice, 1, 20'000, "L", within());
  ASSERT_TRUE(held);
  EXPECT_EQ((*held)["closed"].integer_or(-1), 1);
  static_cast<void>(deaf.stream().write_all("b WHO\r\n", within()));
  std::string said;
  for (std::string line = deaf.line(); !line.starts_with("("); line = deaf.line())
    said += line + "\n";
  EXPECT_EQ(said.find("WHO"), std::string::npos) << said;
  ASSERT_TRUE(control_->abort(kAlice, 1, "L", within()));
  Client again = client();
  again.send(login());
  EXPECT_TRUE(again.line().starts_with("a OK"));
}

TEST_F(ProxyTest, SaysNothingIntoALiteral) {
  start();
  Client c = client();
  c.send(login());
  EXPECT_TRUE(c.line().starts_with("a OK"));
  EXPECT_EQ(c.ask("b HALF"), "* 1 FETCH (BODY[] {10}");
  ASSERT_TRUE(hold(1));
  std::array<char, 100> bytes{};
  std::string rest;
  for (;;) {
    auto got = c.stream().read_some(bytes.data(), bytes.size(), within());
    if (!got || *got == 0) break;
    rest.append(bytes.data(), *got);
  }
  EXPECT_EQ(rest.find("BYE"), std::string::npos);
}

TEST_F(ProxyTest, WaitsForAnAnswerThatIsOwed) {
  FakeBackend slow([](net::SocketStream& stream, net::LineReader& reader, FakeBackend&) {
    say(stream, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n");
    static_cast<void>(reader.line(within()));
    say(stream, "a OK [CAPABILITY X] in\r\n");
    static_cast<void>(reader.line(within()));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    say(stream, "b OK stored\r\n");
    static_cast<void>(reader.line(within()));
  });
  add_destination(config_, "source", Protocol::imap, slow.port());
  start();
  Client c = client();
  EXPECT_TRUE(c.ask("a LOGIN alice@example.org secret").starts_with("a OK"));
  c.send("b STORE\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ASSERT_TRUE(hold(1));
  EXPECT_EQ(c.line(), "b OK stored");
  EXPECT_TRUE(c.line().starts_with("* BYE"));
  proxy_.reset();
}

TEST_F(ProxyTest, CallsALoginBackThatIsOnItsWayWhenTheHoldComes) {
  std::atomic<bool> is_asked{false};
  FakeBackend slow([&is_asked](net::SocketStream& stream, net::LineReader& reader, FakeBackend&) {
    say(stream, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n");
    static_cast<void>(reader.line(within()));
    is_asked = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    say(stream, "a OK [CAPABILITY X] in at the source\r\n");
  });
  add_destination(config_, "source", Protocol::imap, slow.port());
  start();
  Client c = client();
  c.send(login());
  while (!is_asked) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_TRUE(hold(1));
  EXPECT_EQ(c.line(500), "(silence)") << "the source's yes came after the hold";
  ASSERT_TRUE(control_->prepare(kAlice, 1, "target", "L", within()));
  ASSERT_TRUE(control_->commit(kAlice, 1, "L", within()));
  EXPECT_TRUE(c.line().starts_with("a OK"));
  EXPECT_EQ(c.ask("b WHO"), "* WHO target");
  proxy_.reset();
}

TEST_F(ProxyTest, NoticesAParkedClientThatLeaves) {
  start();
  ASSERT_TRUE(hold(1));
  {
    Client c = client();
    c.send(login());
    EXPECT_EQ(c.line(100), "(silence)");
    auto status = control_->status(within());
    ASSERT_TRUE(status);
    EXPECT_EQ((*status)["parked"].integer_or(-1), 1);
    c.close();
  }
  for (int i = 0; i < 100; ++i) {
    auto status = control_->status(within());
    ASSERT_TRUE(status);
    if ((*status)["parked"].integer_or(-1) == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  FAIL() << "the proxy still counts the client that left";
}

TEST_F(ProxyTest, GivesAParkedImapClientSignsOfLife) {
  config_.keepalive = std::chrono::milliseconds(200);
  start();
  ASSERT_TRUE(hold(1));
  Client c = client();
  c.send(login());
  EXPECT_EQ(c.line(), "* OK Still here");
  ASSERT_TRUE(control_->abort(kAlice, 1, "L", within()));
  std::string line = c.line();
  while (line == "* OK Still here") line = c.line();
  EXPECT_TRUE(line.starts_with("a OK"));
}

TEST_F(ProxyTest, KeepsHoldsAndMappingsOverARestart) {
  start();
  ASSERT_TRUE(hold(1));
  restart();
  Client c = client();
  c.send(login());
  EXPECT_EQ(c.line(150), "(silence)");
  ASSERT_TRUE(control_->prepare(kAlice, 1, "target", "L", within()));
  restart();
  ASSERT_TRUE(control_->commit(kAlice, 1, "L", within()));
  restart();
  EXPECT_EQ(who(), "target");
  const auto names = control_->names({"alice@example.org"}, within());
  ASSERT_TRUE(names);
  EXPECT_EQ((*names)[0].generation, 1U);
  const auto stale = control_->hold(kAlice, 1, 1000, "L", within());
  ASSERT_FALSE(stale);
  EXPECT_TRUE(stale.error().is(errors::generation_stale));
}

TEST_F(ProxyTest, PassesPipelinedCommandsOn) {
  start();
  Client c = client();
  c.send("a LOGIN alice@example.org secret\r\nb WHO\r\n");
  EXPECT_TRUE(c.line().starts_with("a OK"));
  EXPECT_EQ(c.line(), "* WHO source");
}

TEST_F(ProxyTest, RelaysMoreThanAClientReadsAtOnce) {
  start();
  Client c = client();
  c.send(login());
  EXPECT_TRUE(c.line().starts_with("a OK"));
  c.send("b BULK\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // the proxy must wait, not swallow
  std::size_t total = 0;
  std::vector<char> bytes(65536);
  while (total < (8U << 20U) + 8U) {
    auto got = c.stream().read_some(bytes.data(), bytes.size(), within());
    ASSERT_TRUE(got);
    ASSERT_GT(*got, 0U);
    total += *got;
  }
  EXPECT_EQ(total, (8U << 20U) + 8U);
}

TEST_F(ProxyTest, EndsAClientThatDoesNotLogIn) {
  config_.login_timeout = std::chrono::milliseconds(200);
  start();
  Client c = client();
  EXPECT_EQ(c.line(), "* BYE mail.test closing connection");
  EXPECT_EQ(c.line(), "(end)");
}

TEST_F(ProxyTest, BoundsConnectionsOfOneAddress) {
  config_.connections_per_address_max = 2;
  start();
  Client a = client();
  Client b = client();
  Client c(proxy_->port("imap"));
  EXPECT_EQ(c.line(), "(end)");
  a.close();
  for (int i = 0; i < 100; ++i) {
    Client again(proxy_->port("imap"));
    if (again.line() != "(end)") return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << "a place that was given back is not used again";
}

TEST_F(ProxyTest, SaysGoodbyeWhenItIsStopped) {
  start();
  Client c = client();
  c.send(login());
  EXPECT_TRUE(c.line().starts_with("a OK"));
  proxy_->stop();
  EXPECT_TRUE(c.line().starts_with("* BYE"));
}

TEST_F(ProxyTest, ListsSessionsAndTheMap) {
  start();
  Client c = client();
  c.send(login());
  EXPECT_TRUE(c.line().starts_with("a OK"));
  auto sessions = control_->request(ir::Value::map({{"op", "sessions"}}), within());
  ASSERT_TRUE(sessions);
  EXPECT_EQ((*sessions)["sessions"].item(0)["name"].string_or(""), "alice@example.org");
  EXPECT_EQ((*sessions)["sessions"].item(0)["phase"].string_or(""), "session");
  ASSERT_TRUE(hold(4));
  auto map = control_->request(ir::Value::map({{"op", "map"}}), within());
  ASSERT_TRUE(map);
  EXPECT_EQ((*map)["names"].size(), 2U);
  EXPECT_EQ((*map)["names"].item(0)["state"].string_or(""), "held");
  auto confirmed =
      control_->request(ir::Value::map({{"op", "confirm"},
                                        {"names", ir::Value::list({"alice@example.org"})},
                                        {"destination", "source"}}),
                        within());
  ASSERT_TRUE(confirmed);
  EXPECT_FALSE((*confirmed)["is_confirmed"].bool_or(true));
}

TEST_F(ProxyTest, ProbesADestinationPastTheHold) {
  start();
  ASSERT_TRUE(hold(1));
  auto good =
      control_->probe("target", "imap", "alice@example.org", secret::Secret("secret"), within());
  ASSERT_TRUE(good);
  EXPECT_EQ((*good)["verdict"].string_or(""), "accepted");
  EXPECT_NE((*good)["greeting"].string_or("").find("target ready"), std::string_view::npos);
  auto bad =
      control_->probe("target", "imap", "alice@example.org", secret::Secret("wrong"), within());
  ASSERT_TRUE(bad);
  EXPECT_EQ((*bad)["verdict"].string_or(""), "refused");
  target_.stop();
  auto down =
      control_->probe("target", "imap", "alice@example.org", secret::Secret("secret"), within());
  ASSERT_TRUE(down);
  EXPECT_EQ((*down)["verdict"].string_or(""), "unavailable");
}

TEST_F(ProxyTest, RefusesAWrongToken) {
  start();
  const auto refused =
      ProxyControl::open({"unix:" + config_.control.unix_path, ""},
                         secret::Secret("0123456789abcdef0123456789abcdeX"), within());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("token-refused", refused.error()));
}

TEST_F(ProxyTest, AnswersBrokenControlRequestsByName) {
  start();
  for (const char* json : {"{}", "{\"op\":\"fly\"}", "{\"op\":\"hold\",\"names\":[]}",
                           "{\"op\":\"hold\",\"names\":[\"a b\"],\"generation\":1}",
                           "{\"op\":\"hold\",\"names\":[\"a\"],\"generation\":0}"}) {
    const auto answer = control_->request(*ir::parse_json(json), within());
    ASSERT_FALSE(answer) << json;
    EXPECT_TRUE(answer.error().is(errors::request_malformed)) << json;
  }
  const auto too_long = control_->hold(kAlice, 1, 100'000'000, "L", within());
  ASSERT_FALSE(too_long);
  EXPECT_TRUE(test::told_as("request-malformed", too_long.error()));
  const auto elsewhere = control_->hold(kAlice, 1, 1000, "L", within());
  ASSERT_TRUE(elsewhere);
  const auto unknown = control_->prepare(kAlice, 1, "moon", "L", within());
  ASSERT_FALSE(unknown);
  EXPECT_TRUE(test::told_as("unknown-destination", unknown.error()));
}

TEST_F(ProxyTest, IsDrivenOverHttpsToo) {
  config_.control.certificate = folder_.file("c.pem");
  config_.control.key = folder_.file("c.key");
  const std::string digest =
      test::make_certificate(config_.control.certificate, config_.control.key, "127.0.0.1");
  config_.control.https_address = "127.0.0.1";
  start();
  const std::string place = "https://127.0.0.1:" + std::to_string(proxy_->port("control-https"));
  auto control = ProxyControl::open({place, digest}, secret::Secret(kTestToken), within());
  ASSERT_TRUE(control) << control.error().to_line();
  for (int i = 0; i < 3; ++i) {
    const auto status = (*control)->status(within());
    ASSERT_TRUE(status) << status.error().to_line();
    EXPECT_EQ((*status)["server_name"].string_or(""), "mail.test");
  }
  EXPECT_FALSE(
      ProxyControl::open({place, std::string(64, '0')}, secret::Secret(kTestToken), within()))
      << "another certificate";
  auto wrong = ProxyControl::open({place, digest},
                                  secret::Secret("0123456789abcdef0123456789abcdeX"), within());
  ASSERT_TRUE(wrong);
  const auto refused = (*wrong)->status(within());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::token_refused));
}

TEST_F(ProxyTest, SpeaksTlsOnBothSidesImplicitAndStarttls) {
  config_.certificate = folder_.file("c.pem");
  config_.key = folder_.file("c.key");
  const std::string digest = test::make_certificate(config_.certificate, config_.key, "mail.test");
  const net::TlsServerOptions server_tls{config_.certificate, config_.key};
  FakeBackend implicit(
      [&server_tls](net::SocketStream& stream, net::LineReader& reader, FakeBackend& backend) {
        if (!stream.accept_tls(server_tls, within())) return;
        imap_server("implicit")(stream, reader, backend);
      });
  FakeBackend starttls(
      [&server_tls](net::SocketStream& stream, net::LineReader& reader, FakeBackend& backend) {
        say(stream, "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] x\r\n");
        static_cast<void>(reader.line(within()));
        say(stream, "P1 OK go\r\n");
        if (!stream.accept_tls(server_tls, within())) return;
        net::LineReader again(stream, 1 << 16);
        static_cast<void>(again.line(within()));
        say(stream, "* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\nP2 OK\r\n");
        auto line = again.line(within());
        if (!line) return;
        backend.note(*line);
        say(stream, "a OK [CAPABILITY X] in\r\n");
        line = again.line(within());
        if (line) say(stream, "* WHO starttls\r\n");
      });
  add_destination(config_, "source", Protocol::imap, implicit.port(), TlsMode::implicit);
  add_destination(config_, "target", Protocol::imap, starttls.port(), TlsMode::starttls);
  for (auto& [name, destination] : config_.destinations) {
    destination.is_unverified_allowed = false;
    destination.certificate_sha256 = digest;
  }
  config_.listeners.clear();
  add_listener(config_, "imaps", Protocol::imap, TlsMode::implicit);
  add_listener(config_, "imap", Protocol::imap, TlsMode::starttls);
  start();
  Client a(proxy_->port("imaps"), true);
  EXPECT_TRUE(a.line().starts_with("* OK"));
  EXPECT_TRUE(a.ask("a LOGIN alice@example.org secret").starts_with("a OK"));
  EXPECT_EQ(a.ask("b WHO"), "* WHO implicit");
  ASSERT_TRUE(hold(1));
  EXPECT_EQ(a.line(), "b OK");
  EXPECT_TRUE(a.line().starts_with("* BYE"));
  ASSERT_TRUE(control_->prepare(kAlice, 1, "target", "L", within()));
  ASSERT_TRUE(control_->commit(kAlice, 1, "L", within()));
  Client b(proxy_->port("imap"));
  EXPECT_NE(b.line().find("STARTTLS LOGINDISABLED"), std::string::npos);
  EXPECT_EQ(b.ask("x STARTTLS"), "x OK Begin TLS now");
  b.start_tls();
  EXPECT_TRUE(b.ask("a LOGIN alice@example.org secret").starts_with("a OK"));
  EXPECT_EQ(b.ask("b WHO"), "* WHO starttls");
  proxy_.reset();
}

TEST_F(ProxyTest, AClientThatNamesNoServerGetsTheCertificateOfTheConfiguration) {
  config_.certificate = folder_.file("c.pem");
  config_.key = folder_.file("c.key");
  const std::string digest = test::make_certificate(config_.certificate, config_.key, "mail.test");
  config_.listeners.clear();
  add_listener(config_, "imaps", Protocol::imap, TlsMode::implicit);
  start();
  Client without_name(proxy_->port("imaps"), true);
  EXPECT_TRUE(without_name.line().starts_with("* OK"));
  EXPECT_EQ(without_name.stream().peer_certificate_sha256(), digest);
}

TEST_F(ProxyTest, RefusesABackendWithAnotherCertificate) {
  const std::string certificate = folder_.file("c.pem");
  const std::string key = folder_.file("c.key");
  static_cast<void>(test::make_certificate(certificate, key, "mail.test"));
  const net::TlsServerOptions server_tls{certificate, key};
  FakeBackend backend(
      [&server_tls](net::SocketStream& stream, net::LineReader& reader, FakeBackend& self) {
        if (!stream.accept_tls(server_tls, within())) return;
        imap_server("x")(stream, reader, self);
      });
  add_destination(config_, "source", Protocol::imap, backend.port(), TlsMode::implicit);
  config_.destinations["source"].is_unverified_allowed = false;
  config_.destinations["source"].certificate_sha256 = std::string(64, 'a');
  start();
  Client c = client();
  EXPECT_TRUE(c.ask("a LOGIN alice@example.org secret").starts_with("a NO [UNAVAILABLE]"));
  EXPECT_TRUE(backend.lines().empty()) << "no password went there";
  proxy_.reset();
}

}  // namespace
}  // namespace plan::proxy
