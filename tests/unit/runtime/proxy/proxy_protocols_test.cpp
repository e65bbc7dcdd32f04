// The proxy as a whole: each protocol, port 25, and what keeps it from starting.
#include <gtest/gtest.h>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/proxy.h"
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

TEST(ProxyProtocols, EachProtocolIsHeldAndReleased) {
  struct Case {
    Protocol protocol;
    FakeBackend::Handler (*server)(std::string);
    std::string greeting_end, login, accepted, who_source, who_target, goodbye;
  };
  const std::string message = [] {
    Credential credential;
    credential.login = "alice@example.org";
    credential.password = secret::Secret("secret");
    return credential.plain_base64();
  }();
  const std::vector<Case> cases = {
      {Protocol::pop3, pop3_server, "+OK", "USER alice@example.org\r\nPASS secret\r\n",
       "+OK Logged in", "+OK source", "+OK target", "(end)"},
      {Protocol::sieve, sieve_server, "OK ", "AUTHENTICATE \"PLAIN\" \"" + message + "\"\r\n",
       "OK \"in\"", "OK \"source\"", "OK \"target\"", "BYE (TRYLATER)"},
      {Protocol::submission, submission_server, "220 ", "AUTH PLAIN " + message + "\r\n",
       "235 2.7.0 in", "250 source", "250 target", "421 4.3.2"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(to_string(c.protocol));
    test::TempDir folder;
    FakeBackend source(c.server("source"));
    FakeBackend target(c.server("target"));
    ProxyConfig config = basic_config(folder);
    add_destination(config, "source", c.protocol, source.port());
    add_destination(config, "target", c.protocol, target.port());
    add_listener(config, "it", c.protocol);
    RunningProxy proxy(config);
    ASSERT_EQ(proxy.failure(), "");
    const auto control = open_control(config);
    const auto log_in = [&](Client& client) {
      std::string line = client.line();
      while (!line.starts_with(c.greeting_end)) line = client.line();
      client.send(c.login);
      if (c.protocol == Protocol::pop3) {
        EXPECT_EQ(client.line(), "+OK");
      }
    };
    Client before(proxy.port("it"));
    log_in(before);
    EXPECT_EQ(before.line(), c.accepted);
    EXPECT_EQ(before.ask("WHO"), c.who_source);
    ASSERT_TRUE(control->hold(kAlice, 1, 20'000, "L", within()));
    EXPECT_TRUE(before.line().starts_with(c.goodbye));
    Client parked(proxy.port("it"));
    log_in(parked);
    EXPECT_EQ(parked.line(100), "(silence)");
    ASSERT_TRUE(control->prepare(kAlice, 1, "target", "L", within()));
    ASSERT_TRUE(control->commit(kAlice, 1, "L", within()));
    EXPECT_EQ(parked.line(), c.accepted);
    EXPECT_EQ(parked.ask("WHO"), c.who_target);
  }
}

TEST(ProxyMail, RelaysPort25WithTheClientsAddress) {
  for (const Announce announce : {Announce::proxy_v1, Announce::proxy_v2}) {
    test::TempDir folder;
    FakeBackend source(
        [](net::SocketStream& stream, net::LineReader& reader, FakeBackend& backend) {
          std::string header;
          auto first = reader.bytes(6, within());
          if (!first) return;
          if (*first == "PROXY ") {
            auto rest = reader.line(within());
            header = *first + (rest ? *rest : "");
          } else {
            auto rest = reader.bytes(22, within());
            header = *first + (rest ? *rest : "");
          }
          backend.note(header);
          say(stream, "220 source ESMTP\r\n");
          auto line = reader.line(within());
          if (line) say(stream, "250 " + *line + "\r\n");
        });
    ProxyConfig config = basic_config(folder);
    add_destination(config, "source", Protocol::smtp, source.port());
    config.destinations["source"].announce = announce;
    add_listener(config, "mx", Protocol::smtp);
    RunningProxy proxy(config);
    Client c(proxy.port("mx"));
    EXPECT_EQ(c.line(), "220 source ESMTP");
    EXPECT_EQ(c.ask("EHLO x"), "250 EHLO x");
    const std::string header = source.lines().at(0);
    const std::string port = std::to_string(c.stream().local_port());
    if (announce == Announce::proxy_v1) {
      EXPECT_EQ(header,
                "PROXY TCP4 127.0.0.1 127.0.0.1 " + port + " " + std::to_string(proxy.port("mx")));
    } else {
      EXPECT_EQ(ir::to_hex(header.substr(0, 24)),
                "0d0a0d0a000d0a515549540a2111000c7f0000017f000001");
    }
    proxy.stop();
  }
}

TEST(ProxyMail, TellsASenderToComeAgainWhenTheSourceIsDown) {
  test::TempDir folder;
  ProxyConfig config = basic_config(folder);
  {
    FakeBackend gone([](net::SocketStream&, net::LineReader&, FakeBackend&) {});
    add_destination(config, "source", Protocol::smtp, gone.port());
  }
  config.destinations["source"].announce = Announce::proxy_v1;
  add_listener(config, "mx", Protocol::smtp);
  RunningProxy proxy(config);
  Client c(proxy.port("mx"));
  EXPECT_TRUE(c.line().starts_with("421 4.3.2 mail.test"));
  EXPECT_EQ(c.line(), "(end)");
}

TEST(ProxyStart, RefusesWhatCannotWork) {
  test::TempDir folder;
  ProxyConfig config = basic_config(folder);
  add_destination(config, "source", Protocol::imap, 1);
  add_listener(config, "imap", Protocol::imap);
  {
    RunningProxy first(config);
    ASSERT_EQ(first.failure(), "");
    ProxyConfig same_map = basic_config(folder, "other");
    same_map.map_file = config.map_file;
    EXPECT_NE(RunningProxy(same_map).failure().find("map-locked"), std::string::npos);
    ProxyConfig same_port = basic_config(folder, "third");
    add_listener(same_port, "imap", Protocol::imap);
    same_port.listeners[0].port = first.port("imap");
    EXPECT_TRUE(test::told_as("proxy-listen", RunningProxy(same_port).error()));
  }
  ProxyConfig wrong_key = basic_config(folder, "fourth");
  wrong_key.certificate = folder.file("a.pem");
  wrong_key.key = folder.file("b.key");
  static_cast<void>(test::make_certificate(folder.file("a.pem"), folder.file("a.key"), "a.test"));
  static_cast<void>(test::make_certificate(folder.file("b.pem"), folder.file("b.key"), "b.test"));
  add_listener(wrong_key, "imaps", Protocol::imap, TlsMode::implicit);
  EXPECT_TRUE(test::told_as("proxy-tls", RunningProxy(wrong_key).error()));
}

}  // namespace
}  // namespace plan::proxy
