#include "runtime/proxy/back_machine.h"

#include <gtest/gtest.h>

#include <vector>

#include "compiler/ir/digest.h"

namespace plan::proxy {
namespace {

/// What the backend says, and what it must have been asked before it says it.
struct Turn {
  std::string said = {};
  std::string asked = {};  ///< what the proxy sends after it
};

struct Ended {
  BackStep::Next next = BackStep::Next::read;
  std::string reply = {};
  std::string why = {};
  std::string rest = {};
  bool is_temporary = false;
};

LoginRequest request_of(const std::string& login = "alice@example.org",
                        const std::string& password = "secret") {
  LoginRequest request;
  request.tag = "c7";
  request.hello_name = "client.test";
  request.credential.login = login;
  request.credential.password = secret::Secret(password);
  return request;
}

std::string plain(const LoginRequest& request) { return request.credential.plain_base64(); }

BackOptions announced() {
  BackOptions options;
  options.is_announced = true;
  options.client.address = "203.0.113.9";
  options.client.port = 50000;
  options.client.local_address = "203.0.113.10";
  options.client.local_port = 993;
  options.client.session = "abc-1";
  options.client.is_tls = true;
  return options;
}

BackOptions with_tls(TlsMode mode) {
  BackOptions options;
  options.tls = mode;
  return options;
}

/// Plays the turns with the backend's bytes in pieces of `piece` bytes; "(tls)" as the expected
/// question means a handshake.
Ended play(Protocol protocol, const BackOptions& options, const LoginRequest& request,
           const std::vector<Turn>& turns, std::size_t piece) {
  const auto machine = make_back_machine(protocol, options, request);
  Ended ended;
  for (const Turn& turn : turns) {
    EXPECT_EQ(ended.next, BackStep::Next::read) << "ended before: " << turn.said;
    std::string output;
    bool is_tls = false;
    for (std::size_t at = 0; at < turn.said.size() && ended.next == BackStep::Next::read;
         at += piece) {
      BackStep step = machine->feed(turn.said.substr(at, piece));
      output += step.output;
      if (step.next == BackStep::Next::start_tls) {
        is_tls = true;
        output += "(tls)";
        step = machine->tls_started();
        output += step.output;
      }
      ended.next = step.next;
    }
    static_cast<void>(is_tls);
    EXPECT_EQ(output, turn.asked) << "after: " << turn.said << " in pieces of " << piece;
  }
  ended.reply = machine->reply();
  ended.why = machine->why();
  ended.rest = machine->take_rest();
  ended.is_temporary = machine->is_temporary();
  return ended;
}

Ended play_all(Protocol protocol, const BackOptions& options, const LoginRequest& request,
               const std::vector<Turn>& turns) {
  for (const std::size_t piece : {1U, 2U, 3U, 7U})
    static_cast<void>(play(protocol, options, request, turns, piece));
  return play(protocol, options, request, turns, 100000);
}

TEST(ImapBack, LogsInWithOneCommandAndPassesTheVerdictOn) {
  const LoginRequest request = request_of();
  const Ended ended = play_all(Protocol::imap, {}, request,
                               {{"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n",
                                 "c7 AUTHENTICATE PLAIN " + plain(request) + "\r\n"},
                                {"c7 OK [CAPABILITY IMAP4rev1 IDLE] Logged in\r\n", ""}});
  EXPECT_EQ(ended.next, BackStep::Next::accepted);
  EXPECT_EQ(ended.reply, "c7 OK [CAPABILITY IMAP4rev1 IDLE] Logged in\r\n");
}

TEST(ImapBack, AsksForCapabilitiesThatNobodyTold) {
  const LoginRequest request = request_of();
  const Ended ended = play_all(
      Protocol::imap, {}, request,
      {{"* OK ready\r\n", "P2 CAPABILITY\r\n"},
       {"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nP2 OK done\r\n", "c7 AUTHENTICATE PLAIN\r\n"},
       {"+ \r\n", plain(request) + "\r\n"},
       {"c7 OK fine\r\n", "P4 CAPABILITY\r\n"},
       {"* CAPABILITY IMAP4rev1 UIDPLUS\r\nP4 OK done\r\n", ""}});
  EXPECT_EQ(ended.next, BackStep::Next::accepted);
  EXPECT_EQ(ended.reply, "* CAPABILITY IMAP4rev1 UIDPLUS\r\nc7 OK fine\r\n");
}

TEST(ImapBack, FallsBackToLoginWithQuotesOrLiterals) {
  const LoginRequest quotable = request_of("alice@example.org", "p\"w\\");
  EXPECT_EQ(play_all(Protocol::imap, {}, quotable,
                     {{"* OK [CAPABILITY IMAP4rev1] ready\r\n",
                       "c7 LOGIN \"alice@example.org\" \"p\\\"w\\\\\"\r\n"},
                      {"c7 OK [CAPABILITY X] in\r\n", ""}})
                .next,
            BackStep::Next::accepted);
  const LoginRequest wide = request_of("alice@example.org", "pässword");
  EXPECT_EQ(play_all(Protocol::imap, {}, wide,
                     {{"* OK [CAPABILITY IMAP4rev1] ready\r\n", "c7 LOGIN {17}\r\n"},
                      {"+ go\r\n", "alice@example.org {9}\r\n"},
                      {"+ go\r\n", "pässword\r\n"},
                      {"c7 OK [CAPABILITY X] in\r\n", ""}})
                .next,
            BackStep::Next::accepted);
}

TEST(ImapBack, StartsTlsAndForgetsWhatWasSaidBefore) {
  const LoginRequest request = request_of();
  const Ended ended =
      play_all(Protocol::imap, with_tls(TlsMode::starttls), request,
               {{"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n", "P1 STARTTLS\r\n"},
                {"P1 OK go\r\n", "(tls)P2 CAPABILITY\r\n"},
                {"* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\nP2 OK done\r\n",
                 "c7 AUTHENTICATE PLAIN " + plain(request) + "\r\n"},
                {"c7 OK [CAPABILITY X] in\r\n", ""}});
  EXPECT_EQ(ended.next, BackStep::Next::accepted);
}

TEST(ImapBack, RefusesClearTextBehindTheStarttlsAnswer) {
  const LoginRequest request = request_of();
  const Ended ended = play(
      Protocol::imap, with_tls(TlsMode::starttls), request,
      {{"* OK ready\r\n", "P1 STARTTLS\r\n"}, {"P1 OK go\r\nc7 OK [CAPABILITY X] forged\r\n", ""}},
      100000);
  EXPECT_EQ(ended.next, BackStep::Next::unavailable);
}

TEST(ImapBack, SaysWhoTheClientIs) {
  const LoginRequest request = request_of();
  static_cast<void>(play_all(
      Protocol::imap, announced(), request,
      {{"* OK [CAPABILITY IMAP4rev1 SASL-IR ID AUTH=PLAIN] ready\r\n",
        "P3 ID (\"x-originating-ip\" \"203.0.113.9\" \"x-originating-port\" \"50000\" "
        "\"x-connected-ip\" \"203.0.113.10\" "
        "\"x-connected-port\" \"993\" \"x-proxy-ttl\" \"4\" \"x-session-id\" \"abc-1\" "
        "\"x-client-transport\" \"TLS\")\r\n"},
       {"* ID NIL\r\nP3 NO whatever\r\n", "c7 AUTHENTICATE PLAIN " + plain(request) + "\r\n"}}));
}

TEST(ImapBack, TellsARefusalFromNoVerdict) {
  const LoginRequest request = request_of();
  const Turn greeting{"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n",
                      "c7 AUTHENTICATE PLAIN " + plain(request) + "\r\n"};
  const Ended wrong = play_all(Protocol::imap, {}, request,
                               {greeting, {"* x\r\nc7 NO [AUTHENTICATIONFAILED] wrong\r\n", ""}});
  EXPECT_EQ(wrong.next, BackStep::Next::refused);
  EXPECT_EQ(wrong.reply, "* x\r\nc7 NO [AUTHENTICATIONFAILED] wrong\r\n");
  EXPECT_FALSE(wrong.is_temporary);
  const Ended later =
      play_all(Protocol::imap, {}, request, {greeting, {"c7 NO [UNAVAILABLE] later\r\n", ""}});
  EXPECT_EQ(later.next, BackStep::Next::refused);
  EXPECT_TRUE(later.is_temporary);
  for (const std::string said : {"* BYE full\r\n", "c7 MAYBE\r\n", "x9 OK\r\n"}) {
    EXPECT_EQ(play_all(Protocol::imap, {}, request, {greeting, {said, ""}}).next,
              BackStep::Next::unavailable)
        << said;
  }
  for (const std::string said :
       {"* BYE full\r\n", "* PREAUTH hi\r\n", "HTTP/1.1 400 Bad Request\r\n"}) {
    EXPECT_EQ(play_all(Protocol::imap, {}, request, {{said, ""}}).next, BackStep::Next::unavailable)
        << said;
  }
}

TEST(ImapBack, BoundsWhatABackendMaySay) {
  const LoginRequest request = request_of();
  EXPECT_EQ(play(Protocol::imap, {}, request, {{std::string(64 * 1024 + 1, 'x'), ""}}, 100000).next,
            BackStep::Next::unavailable);
  std::string endless = "* OK ready\r\n";
  const auto machine = make_back_machine(Protocol::imap, {}, request);
  BackStep step = machine->feed(endless);
  for (int i = 0; i < 600 && step.next == BackStep::Next::read; ++i)
    step = machine->feed("* more\r\n");
  EXPECT_EQ(step.next, BackStep::Next::unavailable);
}

TEST(Pop3Back, UsesPlainWhereItIsOffered) {
  const LoginRequest request = request_of();
  const Ended ended =
      play_all(Protocol::pop3, {}, request,
               {{"+OK ready\r\n", "CAPA\r\n"},
                {"+OK\r\nSASL PLAIN LOGIN\r\n.\r\n", "AUTH PLAIN " + plain(request) + "\r\n"},
                {"+OK Logged in.\r\n", ""}});
  EXPECT_EQ(ended.next, BackStep::Next::accepted);
  EXPECT_EQ(ended.reply, "+OK Logged in.\r\n");
}

TEST(Pop3Back, UsesUserAndPassElsewhere) {
  const LoginRequest request = request_of();
  const Ended ended = play_all(Protocol::pop3, {}, request,
                               {{"+OK ready\r\n", "CAPA\r\n"},
                                {"-ERR what\r\n", "USER alice@example.org\r\n"},
                                {"+OK\r\n", "PASS secret\r\n"},
                                {"-ERR [AUTH] wrong\r\n", ""}});
  EXPECT_EQ(ended.next, BackStep::Next::refused);
  EXPECT_FALSE(ended.is_temporary);
}

TEST(Pop3Back, StartsTlsAndAnnouncesTheClient) {
  const LoginRequest request = request_of();
  BackOptions options = announced();
  options.tls = TlsMode::starttls;
  const Ended ended =
      play_all(Protocol::pop3, options, request,
               {{"+OK [XCLIENT] ready\r\n", "STLS\r\n"},
                {"+OK go\r\n",
                 "(tls)XCLIENT ADDR=203.0.113.9 PORT=50000 DESTADDR=203.0.113.10 DESTPORT=993 "
                 "SESSION=abc-1 TTL=4 CLIENT-TRANSPORT=TLS\r\n"},
                {"+OK\r\n", "CAPA\r\n"},
                {"+OK\r\nSASL PLAIN\r\n.\r\n", "AUTH PLAIN " + plain(request) + "\r\n"},
                {"-ERR [SYS/TEMP] later\r\n", ""}});
  EXPECT_EQ(ended.next, BackStep::Next::refused);
  EXPECT_TRUE(ended.is_temporary);
}

TEST(SieveBack, ReadsAVerdictWithALiteral) {
  const LoginRequest request = request_of();
  const std::string greeting =
      "\"IMPLEMENTATION\" \"x\"\r\n\"SASL\" \"PLAIN\"\r\n\"SIEVE\" \"fileinto\"\r\nOK "
      "\"ready\"\r\n";
  const Ended ended = play_all(Protocol::sieve, {}, request,
                               {{greeting, "AUTHENTICATE \"PLAIN\" \"" + plain(request) + "\"\r\n"},
                                {"NO {9}\r\nnot\r\nyou.\r\n", ""}});
  EXPECT_EQ(ended.next, BackStep::Next::refused);
  EXPECT_EQ(ended.reply, "NO {9}\r\nnot\r\nyou.\r\n");
}

TEST(SieveBack, StartsTlsAndReadsTheCapabilitiesAgain) {
  const LoginRequest request = request_of();
  const Ended ended = play_all(
      Protocol::sieve, with_tls(TlsMode::starttls), request,
      {{"\"SASL\" \"\"\r\n\"STARTTLS\"\r\nOK\r\n", "STARTTLS\r\n"},
       {"OK \"go\"\r\n", "(tls)"},
       {"\"SASL\" \"PLAIN\"\r\nOK\r\n", "AUTHENTICATE \"PLAIN\" \"" + plain(request) + "\"\r\n"},
       {"OK \"in\"\r\n", ""}});
  EXPECT_EQ(ended.next, BackStep::Next::accepted);
  EXPECT_EQ(ended.reply, "OK \"in\"\r\n");
}

TEST(SieveBack, TakesByeForNoVerdict) {
  const LoginRequest request = request_of();
  EXPECT_EQ(play_all(Protocol::sieve, {}, request, {{"BYE \"full\"\r\n", ""}}).next,
            BackStep::Next::unavailable);
  EXPECT_EQ(play_all(Protocol::sieve, {}, request, {{"\"SASL\" \"\"\r\nOK\r\n", ""}}).next,
            BackStep::Next::unavailable)
      << "no PLAIN";
}

TEST(SubmissionBack, AnnouncesOnlyWhatIsOffered) {
  const LoginRequest request = request_of();
  const Ended ended =
      play_all(Protocol::submission, announced(), request,
               {{"220 ready\r\n", "EHLO client.test\r\n"},
                {"250-b\r\n250-AUTH PLAIN\r\n250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n",
                 "XCLIENT ADDR=203.0.113.9 PORT=50000 HELO=client.test PROTO=ESMTP\r\n"},
                {"220 ready\r\n", "EHLO client.test\r\n"},
                {"250-b\r\n250 AUTH PLAIN\r\n", "AUTH PLAIN " + plain(request) + "\r\n"},
                {"235-2.7.0 two\r\n235 2.7.0 lines\r\n", ""}});
  EXPECT_EQ(ended.next, BackStep::Next::accepted);
  EXPECT_EQ(ended.reply, "235-2.7.0 two\r\n235 2.7.0 lines\r\n");
}

TEST(SubmissionBack, UsesLoginWhereThereIsNoPlain) {
  const LoginRequest request = request_of();
  const Ended ended =
      play_all(Protocol::submission, {}, request,
               {{"220 ready\r\n", "EHLO client.test\r\n"},
                {"250 AUTH LOGIN\r\n", "AUTH LOGIN\r\n"},
                {"334 VXNlcm5hbWU6\r\n", ir::to_base64("alice@example.org") + "\r\n"},
                {"334 UGFzc3dvcmQ6\r\n", ir::to_base64("secret") + "\r\n"},
                {"535 5.7.8 wrong\r\n", ""}});
  EXPECT_EQ(ended.next, BackStep::Next::refused);
  EXPECT_FALSE(ended.is_temporary);
}

TEST(SubmissionBack, TellsTemporaryFromWrong) {
  const LoginRequest request = request_of();
  const std::vector<Turn> begin = {{"220 ready\r\n", "EHLO client.test\r\n"},
                                   {"250 AUTH PLAIN\r\n", "AUTH PLAIN " + plain(request) + "\r\n"}};
  std::vector<Turn> later = begin;
  later.push_back({"454 4.7.0 later\r\n", ""});
  EXPECT_TRUE(play_all(Protocol::submission, {}, request, later).is_temporary);
  std::vector<Turn> closing = begin;
  closing.push_back({"421 4.3.2 closing\r\n", ""});
  EXPECT_EQ(play_all(Protocol::submission, {}, request, closing).next, BackStep::Next::unavailable);
  EXPECT_EQ(play_all(Protocol::submission, {}, request, {{"554 go away\r\n", ""}}).next,
            BackStep::Next::unavailable);
}

TEST(SubmissionBack, RefusesClearTextBehindTheStarttlsAnswer) {
  const LoginRequest request = request_of();
  const Ended ended = play(Protocol::submission, with_tls(TlsMode::starttls), request,
                           {{"220 ready\r\n", "EHLO client.test\r\n"},
                            {"250 STARTTLS\r\n", "STARTTLS\r\n"},
                            {"220 go\r\n235 2.7.0 forged\r\n", ""}},
                           100000);
  EXPECT_EQ(ended.next, BackStep::Next::unavailable);
}

TEST(EveryBack, KeepsWhatTheBackendSaysBehindItsVerdict) {
  const LoginRequest request = request_of();
  const Ended ended = play(Protocol::imap, {}, request,
                           {{"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n",
                             "c7 AUTHENTICATE PLAIN " + plain(request) + "\r\n"},
                            {"c7 OK [CAPABILITY X] in\r\n* 1 EXISTS\r\n", ""}},
                           100000);
  EXPECT_EQ(ended.rest, "* 1 EXISTS\r\n");
}

}  // namespace
}  // namespace plan::proxy
