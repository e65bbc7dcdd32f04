#include "runtime/net/sieve/client.h"

#include <gtest/gtest.h>

#include "runtime/net/errors.h"
#include "runtime/net/sieve/errors.h"
#include "tests/support/script_peer.h"
#include "tests/support/told_error.h"

using namespace plan;
using namespace plan::net::sieve;

namespace {

Endpoint plain(std::uint16_t port) {
  return {.host = "127.0.0.1", .port = port, .security = Security::none};
}
const ClientOptions kImpatient{.silence_max = std::chrono::milliseconds(2000)};
const std::string kGreeting =
    "S: \"IMPLEMENTATION\" \"test\"\nS: \"SASL\" \"PLAIN\"\nS: \"SIEVE\" \"fileinto\"\nS: OK "
    "\"hi\"\n";

}  // namespace

TEST(SieveClient, ReadsWritesAndActivatesScripts) {
  for (const std::string pace : {"", "bytewise\n"}) {
    test::ScriptPeer peer(pace + kGreeting +
                          "C: AUTHENTICATE \"PLAIN\" \"YWxpY2UAbWFzdGVyAHB3\"\n"
                          "S: OK\n"
                          "C: LISTSCRIPTS\n"
                          "S: \"a \\\"b\" ACTIVE\n"
                          "S: {3}{crlf}x{crlf}\n"
                          "S: OK \"done\"\n"
                          "C: GETSCRIPT \"a \\\"b\"\n"
                          "S: {7}{crlf}keep;{crlf}\n"
                          "S: OK\n"
                          "C: PUTSCRIPT \"n\" {5+}\n"
                          "C: keep;\n"
                          "S: NO {14}{crlf}line 1: oh{crlf}no\n"
                          "C: SETACTIVE \"\"\n"
                          "S: OK\n"
                          "C: GETSCRIPT \"gone\"\n"
                          "S: NO (NONEXISTENT) \"none\"\n");
    auto client = Client::connect(plain(peer.port()), kImpatient);
    ASSERT_TRUE(client) << client.error().to_line();
    EXPECT_EQ((*client)->capabilities().at("SIEVE"), "fileinto");
    ASSERT_TRUE((*client)->authenticate_plain("alice", "master", secret::Secret("pw")));
    auto scripts = (*client)->list();
    ASSERT_TRUE(scripts) << scripts.error().to_line();
    ASSERT_EQ(scripts->size(), 2U);
    EXPECT_EQ((*scripts)[0].name, "a \"b");
    EXPECT_TRUE((*scripts)[0].is_active);
    EXPECT_EQ((*scripts)[1].name, "x\r\n");
    EXPECT_EQ(*(*client)->get("a \"b"), "keep;\r\n");
    const auto put = (*client)->put("n", "keep;");
    ASSERT_FALSE(put);
    EXPECT_TRUE(test::told_as("script-invalid", put.error()));
    EXPECT_TRUE((*client)->set_active(""));
    const auto gone = (*client)->get("gone");
    ASSERT_FALSE(gone);
    EXPECT_TRUE(test::told_as("script-missing", gone.error()));
    client->reset();
    EXPECT_EQ(peer.complaints(), "");
  }
}

TEST(SieveClient, BoundsWhatTheServerSends) {
  const ClientOptions small{
      .limits = {.line_bytes_max = 100, .literal_bytes_max = 10, .lines_max = 4},
      .silence_max = std::chrono::milliseconds(2000)};
  const auto error_after = [&](const std::string& answer) {
    test::ScriptPeer peer(kGreeting + "C: GETSCRIPT \"a\"\n" + answer);
    auto client = Client::connect(plain(peer.port()), small);
    EXPECT_TRUE(client);
    auto script = (*client)->get("a");
    return script ? std::string() : std::string(script.error().code().name);
  };
  EXPECT_EQ(error_after("S: {10}{crlf}0123456789\nS: OK\n"), "");
  EXPECT_EQ(error_after("S: {11}{crlf}\n"), "answer-too-large");
  EXPECT_EQ(error_after("S: {99999999999999999999999}{crlf}\n"), "answer-too-large");
  EXPECT_EQ(error_after("S: \"" + std::string(100, 'x') + "\"\n"), "line-too-long");
  EXPECT_EQ(error_after("S: \"a\"\nS: \"a\"\nS: \"a\"\nS: \"a\"\nS: \"a\"\n"),
            "protocol-violation");
  EXPECT_EQ(error_after("S: \"a\"\nS: \"b\"\nS: OK\n"), "protocol-violation");
  EXPECT_EQ(error_after("S: BYE \"later\"\n"), "connection-lost");
}

TEST(SieveClient, AScriptOverTheQuotaIsSoundAndRefused) {
  test::ScriptPeer peer(kGreeting +
                        "C: PUTSCRIPT \"n\" {5+}\n"
                        "C: keep;\n"
                        "S: NO (QUOTA/MAXSIZE) \"at most 1048576 bytes\"\n");
  auto client = Client::connect(plain(peer.port()), kImpatient);
  ASSERT_TRUE(client);
  const auto put = (*client)->put("n", "keep;");
  ASSERT_FALSE(put);
  EXPECT_TRUE(test::told_as("sieve-refused", put.error()));
}

TEST(SieveClient, ARefusedLoginSaysSo) {
  test::ScriptPeer peer(kGreeting + "C: AUTHENTICATE \"PLAIN\" \"AG0Ac2VjcmV0\"\nS: NO \"bad\"\n");
  auto client = Client::connect(plain(peer.port()), kImpatient);
  ASSERT_TRUE(client);
  const auto done = (*client)->authenticate_plain("", "m", secret::Secret("secret"));
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(net::errors::login_refused));
}
