#include "runtime/net/imap/client.h"

#include <gtest/gtest.h>

#include "runtime/net/errors.h"
#include "runtime/net/imap/errors.h"
#include "tests/support/script_peer.h"
#include "tests/support/told_error.h"

using namespace plan;
using namespace plan::net::imap;

namespace {

Endpoint plain(std::uint16_t port) {
  return {.host = "127.0.0.1", .port = port, .security = Security::none};
}

const ClientOptions kImpatient{.silence_max = std::chrono::milliseconds(2000)};

const std::string kGreeting =
    "S: * OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ENABLE QRESYNC CONDSTORE UIDPLUS ESEARCH] hi\n";

}  // namespace

TEST(ImapClient, LogsInAsMasterForAUserAndReadsAMailbox) {
  for (const std::string pace : {"", "bytewise\n"}) {
    test::ScriptPeer peer(pace + kGreeting +
                          "C: p1 AUTHENTICATE PLAIN YWxpY2UAbWFzdGVyAHB3\n"
                          "S: * CAPABILITY IMAP4rev1 LITERAL+ ENABLE QRESYNC CONDSTORE ESEARCH\n"
                          "S: p1 OK [CAPABILITY IMAP4rev1 LITERAL+ ENABLE QRESYNC ESEARCH] in\n"
                          "C: p2 ENABLE QRESYNC\n"
                          "S: * ENABLED QRESYNC\n"
                          "S: p2 OK\n"
                          "C: p3 EXAMINE \"A \\\"b\\\"\" (QRESYNC (5 10))\n"
                          "S: * OK [CLOSED] before\n"
                          "S: * 3 EXISTS\n"
                          "S: * OK [UIDVALIDITY 5] yes\n"
                          "S: * OK [UIDNEXT 9] next\n"
                          "S: * OK [HIGHESTMODSEQ 12345678901234] so\n"
                          "S: * VANISHED (EARLIER) 1:2,4\n"
                          "S: * 2 FETCH (UID 6 FLAGS (\\Seen) MODSEQ (11))\n"
                          "S: p3 OK [READ-ONLY] done\n"
                          "C: p4 UID FETCH 6:8 (UID BODY.PEEK[])\n"
                          "S: * 2 FETCH (UID 6 BODY[] {5}{crlf}a{crlf}bc)\n"
                          "S: * 1 FETCH (FLAGS (\\Seen))\n"
                          "S: p4 OK done\n"
                          "C: p5 UID SEARCH RETURN (ALL) ALL\n"
                          "S: * ESEARCH (TAG \"p5\") UID ALL 3,6:7\n"
                          "S: p5 OK done\n");
    auto client = Client::connect(plain(peer.port()), kImpatient);
    ASSERT_TRUE(client) << client.error().to_line();
    const auto done = (*client)->authenticate_plain("alice", "master", secret::Secret("pw"));
    ASSERT_TRUE(done) << done.error().to_line();
    ASSERT_TRUE(*(*client)->enable_qresync());
    auto selected = (*client)->select("A \"b\"", {.known_uid_validity = 5, .known_modseq = 10});
    ASSERT_TRUE(selected) << selected.error().to_line();
    EXPECT_EQ(selected->exists, 3U);
    EXPECT_EQ(selected->uid_validity, 5U);
    EXPECT_EQ(selected->highest_modseq, 12345678901234U);
    EXPECT_EQ(selected->vanished.to_string(), "1:2,4");
    ASSERT_EQ(selected->changed.size(), 1U);
    EXPECT_EQ(selected->changed[0].modseq, 11U);
    std::vector<FetchedMessage> messages;
    const auto fetched =
        (*client)->fetch("6:8", "(UID BODY.PEEK[])", [&](FetchedMessage&& message) {
          messages.push_back(std::move(message));
          return Outcome();
        });
    ASSERT_TRUE(fetched) << fetched.error().to_line();
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].body, "a\r\nbc");
    EXPECT_EQ((*client)->search()->to_string(), "3,6:7");
    client->reset();
    EXPECT_EQ(peer.complaints(), "");
  }
}

TEST(ImapClient, ListsWithSubscriptionsWhereTheServerHasNoExtendedList) {
  test::ScriptPeer peer(
      "S: * OK [CAPABILITY IMAP4rev1 NAMESPACE] hi\n"
      "C: p1 LIST \"\" \"*\"\n"
      "S: * LIST (\\HasChildren \\Noselect) \"/\" Projects\n"
      "S: * LIST (\\HasNoChildren) \"/\" &ZeVnLIqe-/&MOEw,DDr-\n"
      "S: * LIST () \"/\" {3}{crlf}a&b\n"
      "S: p1 OK\n"
      "C: p2 LSUB \"\" \"*\"\n"
      "S: * LSUB () \"/\" &ZeVnLIqe-/&MOEw,DDr-\n"
      "S: p2 OK\n"
      "C: p3 NAMESPACE\n"
      "S: * NAMESPACE ((\"\" \"/\")) ((\"Shared/\" \"/\")) NIL\n"
      "S: p3 OK\n");
  auto client = Client::connect(plain(peer.port()), kImpatient);
  ASSERT_TRUE(client) << client.error().to_line();
  auto mailboxes = (*client)->list();
  ASSERT_TRUE(mailboxes) << mailboxes.error().to_line();
  ASSERT_EQ(mailboxes->size(), 3U);
  EXPECT_FALSE((*mailboxes)[0].is_selectable());
  EXPECT_TRUE((*mailboxes)[1].is_subscribed);
  EXPECT_EQ((*mailboxes)[2].wire_name, "a&b");
  auto namespaces = (*client)->namespaces();
  ASSERT_TRUE(namespaces);
  ASSERT_EQ(namespaces->others.size(), 1U);
  EXPECT_EQ(namespaces->others[0].prefix, "Shared/");
}

TEST(ImapClient, PipelinesAppendsAndKeepsTheAnswerToEach) {
  test::ScriptPeer peer(kGreeting +
                        "C: p1 APPEND \"INBOX\" (\\Seen) \"12-May-2025 10:00:00 +0200\" {3+}\n"
                        "C: abc\n"
                        "C: p2 APPEND \"INBOX\" {2+}\n"
                        "C: de\n"
                        "S: p1 OK [APPENDUID 7 1] done\n"
                        "S: p2 NO [OVERQUOTA] full\n");
  auto client = Client::connect(plain(peer.port()), kImpatient);
  ASSERT_TRUE(client);
  auto answers =
      (*client)->append_all("INBOX", {{.body = "abc",
                                       .flags = {"\\Seen"},
                                       .date = parse_internal_date("12-May-2025 10:00:00 +0200")},
                                      {.body = "de"}});
  ASSERT_TRUE(answers) << answers.error().to_line();
  ASSERT_EQ(answers->size(), 2U);
  EXPECT_EQ((*answers)[0]->uid, 1U);
  ASSERT_FALSE((*answers)[1]);
  EXPECT_TRUE(test::told_as("imap-refused", (*answers)[1].error()));
}

TEST(ImapClient, WaitsForTheServerBeforeALiteralWhenItMust) {
  test::ScriptPeer peer(
      "S: * OK [CAPABILITY IMAP4rev1] hi\n"
      "C: p1 EXAMINE {4}\n"
      "S: + go\n"
      "C: f\xc3\xbcr\n"
      "S: p1 NO [NONEXISTENT] no such mailbox\n"
      "C: p2 NOOP\n"
      "S: p2 OK\n");
  auto client = Client::connect(plain(peer.port()), kImpatient);
  ASSERT_TRUE(client);
  auto selected = (*client)->select("f\xc3\xbcr");
  ASSERT_FALSE(selected);
  EXPECT_TRUE(test::told_as("mailbox-missing", selected.error()));
  EXPECT_TRUE((*client)->noop());  // the connection goes on
}

TEST(ImapClient, ARefusedLoginIsNoBrokenConnectionAndShowsNoPassword) {
  test::ScriptPeer peer(
      "S: * OK [CAPABILITY IMAP4rev1] hi\n"
      "C: p1 LOGIN \"a%m\" \"s3cret\"\n"
      "S: p1 NO [AUTHENTICATIONFAILED] wrong\n");
  auto client = Client::connect(plain(peer.port()), kImpatient);
  ASSERT_TRUE(client);
  const auto done = (*client)->login("a%m", secret::Secret("s3cret"));
  ASSERT_FALSE(done);
  EXPECT_TRUE(test::told_as("login-refused", done.error()));
}

TEST(ImapClient, TellsWhatAnswersInsteadOfAnImapServer) {
  for (const std::string script : {"S: HTTP/1.1 400 Bad Request\n", "S: 220 smtp ready\n", "cut\n",
                                   "S: * BYE too many connections\n", "S: * 1 EXISTS\n"}) {
    test::ScriptPeer peer(script);
    auto client = Client::connect(plain(peer.port()), kImpatient);
    ASSERT_FALSE(client) << script;
    EXPECT_EQ(client.error().blame(), Blame::source) << script;
  }
}

TEST(ImapClient, AnAnswerForAnotherCommandEndsTheConnection) {
  test::ScriptPeer peer(
      "S: * OK [CAPABILITY IMAP4rev1] hi\n"
      "C: p1 NOOP\n"
      "S: p0 OK\n");
  auto client = Client::connect(plain(peer.port()), kImpatient);
  ASSERT_TRUE(client);
  const auto done = (*client)->noop();
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(net::errors::protocol_violation));
  EXPECT_TRUE((*client)->is_broken());
  EXPECT_TRUE((*client)->noop().error().is(net::errors::connection_lost));
}

TEST(ImapClient, AServerThatLiesAboutALengthIsNoticedNotBelieved) {
  test::ScriptPeer peer(
      "S: * OK [CAPABILITY IMAP4rev1] hi\n"
      "C: p1 UID FETCH 1 BODY.PEEK[]\n"
      "S: * 1 FETCH (UID 1 BODY[] {500}{crlf}short)\n"
      "S: p1 OK\n"
      "cut\n");
  auto client = Client::connect(plain(peer.port()), kImpatient);
  ASSERT_TRUE(client);
  const auto done =
      (*client)->fetch("1", "BODY.PEEK[]", [](FetchedMessage&&) { return Outcome(); });
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(net::errors::connection_lost));
  EXPECT_EQ(done.error().effect(), Effect::none);
}

TEST(ImapClient, StartTlsWithoutAnOfferIsAnError) {
  test::ScriptPeer peer("S: * OK [CAPABILITY IMAP4rev1] hi\n");
  auto client = Client::connect({.host = "127.0.0.1", .port = peer.port()}, kImpatient);
  ASSERT_FALSE(client);
  EXPECT_TRUE(test::told_as("imap-capability-missing", client.error()));
}
