#include "runtime/net/smtp/client.h"

#include <gtest/gtest.h>

#include "runtime/net/errors.h"
#include "runtime/net/smtp/limits.h"
#include "tests/support/script_peer.h"
#include "tests/support/told_error.h"

namespace plan::net::smtp {
namespace {

using namespace std::chrono_literals;
using test::ScriptPeer;

Deadline soon() { return Deadline::after(60s); }

Result<std::unique_ptr<Client>> connect(const ScriptPeer& peer, ConnectOptions options = {}) {
  options.host = "127.0.0.1";
  options.port = peer.port();
  options.ehlo_name = "probe.plan.test";
  return Client::connect(options, soon());
}

const std::string kHello =
    "S: 220 old.legacy.test ESMTP\n"
    "C: EHLO probe.plan.test\n"
    "S: 250-old.legacy.test\n"
    "S: 250-SIZE 1000\n"
    "S: 250-8BITMIME\n"
    "S: 250 AUTH PLAIN LOGIN\n";

TEST(SmtpClient, SendsAMessageAndReportsEachRecipient) {
  for (const std::string mode : {"", "bytewise\n"}) {
    ScriptPeer peer(mode + kHello +
                    "C: MAIL FROM:<> SIZE=14\n"
                    "S: 250 2.1.0 Ok\n"
                    "C: RCPT TO:<a@legacy.test>\n"
                    "S: 250 2.1.5 Ok\n"
                    "C: RCPT TO:<b@legacy.test>\n"
                    "S: 450-4.3.0 being\n"
                    "S: 450 4.3.0 moved\n"
                    "C: DATA\n"
                    "S: 354 go\n"
                    "data\n"
                    "S: 250 2.0.0 Ok: queued as 4ABC\n"
                    "C: QUIT\n"
                    "S: 221 bye\n");
    auto client = connect(peer);
    ASSERT_TRUE(client);
    EXPECT_TRUE((*client)->has("8bitmime"));
    EXPECT_FALSE((*client)->has("STARTTLS"));
    EXPECT_EQ((*client)->parameter("auth"), "PLAIN LOGIN");
    const auto result =
        (*client)->send({"", {"a@legacy.test", "b@legacy.test"}}, "A: b\r\n\r\n.dot\r\n", soon());
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->is_accepted);
    EXPECT_EQ(result->reply.to_text(), "250 2.0.0 Ok: queued as 4ABC");
    ASSERT_EQ(result->recipients.size(), 2U);
    EXPECT_TRUE(result->recipients[0].reply.is_success());
    EXPECT_TRUE(result->recipients[1].reply.is_temporary());
    EXPECT_EQ(result->recipients[1].reply.to_text(), "450 4.3.0 being; 4.3.0 moved");
    (*client)->quit(soon());
    EXPECT_EQ(peer.complaints(), "");
    EXPECT_EQ(peer.data(), "A: b\r\n\r\n..dot\r\n");
  }
}

TEST(SmtpClient, DotStuffingAndLineEndsAreAsTheWireWants) {
  EXPECT_EQ(dot_stuffed(""), ".\r\n");
  EXPECT_EQ(dot_stuffed("."), "..\r\n.\r\n");
  EXPECT_EQ(dot_stuffed("a\n.\nb"), "a\r\n..\r\nb\r\n.\r\n");
  EXPECT_EQ(dot_stuffed("a\r.\rb\r\n"), "a\r\n..\r\nb\r\n.\r\n");
  EXPECT_EQ(dot_stuffed("a.b\r\n"), "a.b\r\n.\r\n");
}

TEST(SmtpClient, WhenNoRecipientIsTakenNoDataIsSent) {
  ScriptPeer peer(kHello +
                  "C: MAIL FROM:<s@out.test> SIZE=1\n"
                  "S: 250 ok\n"
                  "C: RCPT TO:<x@legacy.test>\n"
                  "S: 550 5.1.1 unknown\n"
                  "C: RSET\n"
                  "S: 250 ok\n");
  auto client = connect(peer);
  ASSERT_TRUE(client);
  const auto result = (*client)->send({"s@out.test", {"x@legacy.test"}}, "x", soon());
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->is_accepted);
  EXPECT_EQ(result->reply.code, 550);
  client->reset();
  EXPECT_EQ(peer.complaints(), "");
}

TEST(SmtpClient, AskingSendsNothing) {
  ScriptPeer peer(kHello +
                  "C: MAIL FROM:<>\n"
                  "S: 250 ok\n"
                  "C: RCPT TO:<x@legacy.test>\n"
                  "S: 250 ok\n"
                  "C: RSET\n"
                  "S: 250 ok\n");
  auto client = connect(peer);
  ASSERT_TRUE(client);
  const auto result = (*client)->ask({"", {"x@legacy.test"}}, soon());
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->is_accepted);
  client->reset();
  EXPECT_EQ(peer.complaints(), "");
}

TEST(SmtpClient, ALostAnswerToTheDataHasAnUnknownEffect) {
  ScriptPeer peer(kHello +
                  "C: MAIL FROM:<> SIZE=1\nS: 250 ok\nC: RCPT TO:<x@legacy.test>\nS: 250 ok\nC: "
                  "DATA\nS: 354 go\n"
                  "data\n"
                  "cut\n");
  auto client = connect(peer);
  ASSERT_TRUE(client);
  const auto result = (*client)->send({"", {"x@legacy.test"}}, "x", soon());
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(errors::connection_lost));
  EXPECT_EQ(result.error().effect(), Effect::unknown);
}

TEST(SmtpClient, AConnectionLostBeforeTheDataHasNoEffect) {
  for (const std::string script :
       {"cut\n", "C: MAIL FROM:<> SIZE=1\nS: 250 ok\ncut\n",
        "C: MAIL FROM:<> SIZE=1\nS: 250 ok\nC: RCPT TO:<x@legacy.test>\nS: 250 ok\ncut\n"}) {
    ScriptPeer peer(kHello + script);
    auto client = connect(peer);
    ASSERT_TRUE(client);
    const auto result = (*client)->send({"", {"x@legacy.test"}}, "x", soon());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().effect(), Effect::none) << script;
  }
}

TEST(SmtpClient, AnAnswerThatIsNoSmtpIsSaidSo) {
  ScriptPeer web("S: HTTP/1.1 400 Bad Request\n");
  const auto page = connect(web);
  ASSERT_FALSE(page);
  EXPECT_TRUE(test::told_as("protocol-violation", page.error()));
  for (const std::string greeting : {"22 short", "999 no", "220_no", "-20 no", "2x0 no"}) {
    ScriptPeer peer("S: " + greeting + "\n");
    auto client = connect(peer);
    ASSERT_FALSE(client) << greeting;
    EXPECT_TRUE(client.error().is(errors::protocol_violation));
    EXPECT_EQ(client.error().effect(), Effect::none);
  }
}

TEST(SmtpClient, TwoCodesInOneReplyAndEndlessRepliesAreRefused) {
  ScriptPeer mixed("S: 220-a\nS: 250 b\n");
  EXPECT_TRUE(connect(mixed).error().is(errors::protocol_violation));
  std::string endless;
  for (int line = 0; line < 200; ++line) endless += "S: 220-more\n";
  ScriptPeer long_winded(endless);
  EXPECT_TRUE(connect(long_winded).error().is(errors::protocol_violation));
  endless.erase(0, 12);
  ScriptPeer just_fits(endless + "S: 220 end\n" + kHello.substr(kHello.find('\n') + 1));
  EXPECT_TRUE(connect(just_fits));
}

TEST(SmtpClient, ALineOverItsBoundIsNotReadToItsEnd) {
  ScriptPeer peer("S: 220 " + std::string(kReplyLineBytesMax, 'x') + "\n");
  const auto client = connect(peer);
  ASSERT_FALSE(client);
  EXPECT_TRUE(test::told_as("line-too-long", client.error()));
}

TEST(SmtpClient, AServerThatDoesNotWantUsIsARefusal) {
  ScriptPeer busy("S: 421 4.3.2 come later\n");
  const auto client = connect(busy);
  ASSERT_FALSE(client);
  EXPECT_TRUE(test::told_as("refused", client.error()));
}

TEST(SmtpClient, WithoutStarttlsOfferedTheSessionDoesNotGoOnInClearText) {
  ScriptPeer peer(kHello);
  ConnectOptions options;
  options.security = Security::starttls;
  const auto client = connect(peer, options);
  ASSERT_FALSE(client);
  EXPECT_TRUE(client.error().is(errors::refused));
}

TEST(SmtpClient, BytesSlippedInBehindTheStarttlsAnswerAreAnError) {
  ScriptPeer peer(
      "S: 220 x.test\nC: EHLO probe.plan.test\nS: 250-x.test\nS: 250 STARTTLS\nC: STARTTLS\n"
      "S: 220 go{crlf}250 slipped in\n");
  ConnectOptions options;
  options.security = Security::starttls;
  const auto client = connect(peer, options);
  ASSERT_FALSE(client);
  EXPECT_TRUE(client.error().is(errors::protocol_violation));
}

TEST(SmtpClient, LogsInWithPlainAndSaysWhenItIsRefused) {
  ScriptPeer peer(kHello +
                  "C: AUTH PLAIN AHVzZXIAcGFzcw==\n"
                  "S: 535 5.7.8 no\n"
                  "C: AUTH PLAIN AHVzZXIAcGFzcw==\n"
                  "S: 454 4.7.0 later\n"
                  "C: AUTH PLAIN AHVzZXIAcGFzcw==\n"
                  "S: 235 2.7.0 in\n");
  auto client = connect(peer);
  ASSERT_TRUE(client);
  const secret::Secret password("pass");
  const auto refused = (*client)->login("user", password, soon());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::login_refused));
  EXPECT_EQ(refused.error().retry(), Retry::never);
  EXPECT_TRUE((*client)->login("user", password, soon()).error().is(errors::refused));
  EXPECT_TRUE((*client)->login("user", password, soon()));
  client->reset();
  EXPECT_EQ(peer.complaints(), "");
}

TEST(SmtpClient, AddressesThatWouldEndTheCommandAreNeverSent) {
  ScriptPeer peer(kHello);
  auto client = connect(peer);
  ASSERT_TRUE(client);
  for (const std::string address : {"a@b\r\nDATA", "a b@c", "a>@b", "", "<a@b"}) {
    const auto result = (*client)->send({"", {address}}, "x", soon());
    ASSERT_FALSE(result);
    EXPECT_TRUE(result.error().is(errors::refused)) << address;
  }
  EXPECT_FALSE((*client)->send({"", {"m\xc3\xbcller@legacy.test"}}, "x", soon()))
      << "the server offers no SMTPUTF8";
  EXPECT_FALSE((*client)->send({"", {}}, "x", soon()));
}

TEST(SmtpClient, SendsTheProxyHeaderAheadOfTheGreeting) {
  ScriptPeer peer("C: PROXY TCP4 203.0.113.9 10.9.0.2 40000 25\n" + kHello);
  ConnectOptions options;
  options.proxy_header = "PROXY TCP4 203.0.113.9 10.9.0.2 40000 25";
  auto client = connect(peer, options);
  EXPECT_TRUE(client);
  client->reset();
  EXPECT_EQ(peer.complaints(), "");
}

TEST(SmtpClient, ASilentServerTimesOut) {
  ScriptPeer peer("pause 300\n");
  ConnectOptions options;
  options.host = "127.0.0.1";
  options.port = peer.port();
  const auto client = Client::connect(options, Deadline::after(60ms));
  ASSERT_FALSE(client);
  EXPECT_TRUE(test::told_as("timed-out", client.error()));
}

}  // namespace
}  // namespace plan::net::smtp
