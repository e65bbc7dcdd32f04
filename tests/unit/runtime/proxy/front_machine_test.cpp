#include "runtime/proxy/front_machine.h"

#include <gtest/gtest.h>

#include <functional>

#include "compiler/ir/digest.h"

namespace plan::proxy {
namespace {

constexpr std::string_view kUser = "alice@example.org";

std::string plain(std::string_view authorize_as, std::string_view login,
                  std::string_view password) {
  std::string message(authorize_as);
  message += '\0';
  message += login;
  message += '\0';
  message += password;
  return ir::to_base64(message);
}

/// What a machine did with an input that was cut in a certain way.
struct Seen {
  std::string output = {};
  std::string end = {};
  std::string login = {};
  std::string authorize_as = {};
  std::string password = {};
  std::string tag = {};
  std::string rest = {};
  friend bool operator==(const Seen&, const Seen&) = default;
};

FrontOptions secure() {
  FrontOptions options;
  options.server_name = "mail.test";
  options.is_tls = true;
  return options;
}

FrontOptions clear_with_starttls() {
  FrontOptions options;
  options.server_name = "mail.test";
  options.is_starttls_offered = true;
  return options;
}

Seen drive(Protocol protocol, const FrontOptions& options, const std::vector<std::string>& pieces) {
  const auto machine = make_front_machine(protocol, options);
  Seen seen;
  FrontStep step = machine->start();
  seen.output += step.output;
  std::string late;
  for (const std::string& piece : pieces) {
    if (step.next != FrontStep::Next::read) {
      late += piece;  // the connection would not have read it yet
      continue;
    }
    step = machine->feed(piece);
    seen.output += step.output;
  }
  switch (step.next) {
    case FrontStep::Next::read:
      seen.end = "read";
      break;
    case FrontStep::Next::start_tls:
      seen.end = "tls";
      break;
    case FrontStep::Next::close:
      seen.end = "close";
      break;
    case FrontStep::Next::login: {
      seen.end = "login";
      LoginRequest& request = machine->login();
      seen.login = request.credential.login;
      seen.authorize_as = request.credential.authorize_as;
      seen.password = request.credential.password.reveal_for("a test");
      seen.tag = request.tag;
      seen.rest = machine->take_rest() + late;
      break;
    }
  }
  return seen;
}

/// Whole, byte by byte, and at every cut into two: always the same.
Seen drive_every_split(Protocol protocol, const FrontOptions& options, const std::string& input) {
  const Seen whole = drive(protocol, options, {input});
  std::vector<std::string> bytes;
  for (const char c : input) bytes.emplace_back(1, c);
  EXPECT_EQ(drive(protocol, options, bytes), whole) << "byte by byte";
  for (std::size_t cut = 1; cut < input.size(); ++cut) {
    EXPECT_EQ(drive(protocol, options, {input.substr(0, cut), input.substr(cut)}), whole)
        << "cut at " << cut;
  }
  return whole;
}

std::string after_greeting(const Seen& seen) {
  const std::size_t end = seen.output.find("\r\n");
  return seen.output.substr(end + 2);
}

TEST(ImapFront, GreetsWithItsCapabilitiesAndToken) {
  FrontOptions options = secure();
  options.greeting_token = "0123456789ab";
  const Seen seen = drive(Protocol::imap, options, {});
  EXPECT_EQ(seen.output,
            "* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID AUTH=PLAIN AUTH=LOGIN] mail.test ready "
            "(0123456789ab)\r\n");
}

TEST(ImapFront, OffersStarttlsAndNoLoginInClearText) {
  const Seen seen = drive_every_split(Protocol::imap, clear_with_starttls(), "a CAPABILITY\r\n");
  EXPECT_EQ(after_greeting(seen),
            "* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID STARTTLS LOGINDISABLED\r\na OK Done\r\n");
}

TEST(ImapFront, TakesALoginInEveryForm) {
  struct Case {
    std::string input, login, password;
  };
  for (const Case& c :
       {Case{"a1 LOGIN alice@example.org secret\r\n", "alice@example.org", "secret"},
        Case{"a1 login \"alice@example.org\" \"p w\\\"x\\\\y\"\r\n", "alice@example.org",
             "p w\"x\\y"},
        Case{"a1 LOGIN \"alice@example.org\" \"a\\b\"\r\n", "alice@example.org", "a\\b"},
        Case{"a1 LOGIN {17+}\r\nalice@example.org {6+}\r\nsecret\r\n", "alice@example.org",
             "secret"},
        Case{"a1 LOGIN {17}\r\nalice@example.org \"pass word\"\r\n", "alice@example.org",
             "pass word"},
        Case{"a1 AUTHENTICATE PLAIN " + plain("", kUser, "secret") + "\r\n", "alice@example.org",
             "secret"},
        Case{"a1 AUTHENTICATE plain\r\n" + plain("", kUser, "secret") + "\r\n", "alice@example.org",
             "secret"},
        Case{"a1 AUTHENTICATE LOGIN\r\n" + ir::to_base64(kUser) + "\r\n" + ir::to_base64("secret") +
                 "\r\n",
             "alice@example.org", "secret"},
        Case{"a1 AUTHENTICATE LOGIN " + ir::to_base64(kUser) + "\r\n" + ir::to_base64("secret") +
                 "\r\n",
             "alice@example.org", "secret"}}) {
    const Seen seen = drive_every_split(Protocol::imap, secure(), c.input);
    EXPECT_EQ(seen.end, "login") << c.input;
    EXPECT_EQ(seen.login, c.login) << c.input;
    EXPECT_EQ(seen.password, c.password) << c.input;
    EXPECT_EQ(seen.tag, "a1") << c.input;
  }
}

TEST(ImapFront, ContinuesASynchronisingLiteralAndEachSaslStep) {
  EXPECT_EQ(after_greeting(drive(Protocol::imap, secure(), {"a LOGIN {3}\r\n"})),
            "+ Ready for literal\r\n");
  EXPECT_EQ(after_greeting(drive(Protocol::imap, secure(), {"a AUTHENTICATE PLAIN\r\n"})),
            "+ \r\n");
  EXPECT_EQ(after_greeting(drive(Protocol::imap, secure(),
                                 {"a AUTHENTICATE LOGIN\r\n", ir::to_base64("x") + "\r\n"})),
            "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n");
}

TEST(ImapFront, KeepsWhatIsPipelinedBehindTheLogin) {
  const Seen seen =
      drive_every_split(Protocol::imap, secure(), "a LOGIN x y\r\nb SELECT INBOX\r\n");
  EXPECT_EQ(seen.rest, "b SELECT INBOX\r\n");
}

TEST(ImapFront, RefusesALoginWithoutTlsAndTellsWhy) {
  EXPECT_EQ(
      after_greeting(drive_every_split(Protocol::imap, clear_with_starttls(), "a LOGIN x y\r\n")),
      "a NO [PRIVACYREQUIRED] Use TLS first\r\n");
  EXPECT_EQ(after_greeting(drive_every_split(Protocol::imap, clear_with_starttls(),
                                             "a AUTHENTICATE PLAIN\r\n")),
            "a NO [PRIVACYREQUIRED] Use TLS first\r\n");
}

TEST(ImapFront, StartsTlsWhenNothingFollows) {
  const Seen seen = drive_every_split(Protocol::imap, clear_with_starttls(), "a STARTTLS\r\n");
  EXPECT_EQ(seen.end, "tls");
  EXPECT_EQ(after_greeting(seen), "a OK Begin TLS now\r\n");
}

TEST(ImapFront, RefusesClearTextBehindStarttls) {
  const Seen seen = drive(Protocol::imap, clear_with_starttls(), {"a STARTTLS\r\nb LOGIN x y\r\n"});
  EXPECT_EQ(seen.end, "close");
  EXPECT_EQ(after_greeting(seen),
            "a BAD Nothing may follow STARTTLS before TLS is there\r\n* BYE mail.test closing "
            "connection\r\n");
}

TEST(ImapFront, AnswersOtherCommandsAndIgnoresEmptyLines) {
  const Seen seen =
      drive_every_split(Protocol::imap, secure(),
                        "\r\na NOOP\r\nb ID (\"name\" \"x\")\r\nc SELECT INBOX\r\nd LOGOUT\r\n");
  EXPECT_EQ(after_greeting(seen),
            "a OK Done\r\n* ID NIL\r\nb OK Done\r\nc BAD Not known, or not before login\r\n* BYE "
            "Logging out\r\nd OK Done\r\n");
  EXPECT_EQ(seen.end, "close");
}

TEST(ImapFront, SurvivesEveryBrokenCommand) {
  for (const std::string input :
       {"a LOGIN \"x y\r\n", "LOGIN x y\r\n", "a\r\n", "a AUTHENTICATE PLAIN !!!\r\n",
        "a AUTHENTICATE PLAIN =\r\n", "* NOOP\r\n", "a LOGIN x\r\n", "a AUTHENTICATE CRAM-MD5\r\n",
        "a LOGIN \"\" \"\"\r\n", "a AUTHENTICATE PLAIN\r\n*\r\n", "{1+}\r\nx\r\n"}) {
    const Seen seen = drive_every_split(Protocol::imap, secure(), input + "z NOOP\r\n");
    EXPECT_EQ(seen.end, "read") << input;
    EXPECT_TRUE(seen.output.ends_with("z OK Done\r\n")) << input << seen.output;
  }
}

TEST(ImapFront, RefusesNamesWithLineEndsInLiterals) {
  const Seen seen = drive_every_split(Protocol::imap, secure(), "a LOGIN {4+}\r\na\r\nb x\r\n");
  EXPECT_EQ(seen.end, "read");
  EXPECT_EQ(after_greeting(seen),
            "a NO [AUTHENTICATIONFAILED] Name or password cannot be used\r\n");
}

TEST(ImapFront, EndsAtEachBoundAndNotBefore) {
  const std::string longest(kUser.size(), 'x');
  EXPECT_EQ(
      drive(Protocol::imap, secure(), {"a NOOP " + std::string(16 * 1024 - 7, 'x') + "\r\n"}).end,
      "read");
  EXPECT_EQ(
      drive(Protocol::imap, secure(), {"a NOOP " + std::string(16 * 1024 - 6, 'x') + "\r\n"}).end,
      "close");
  EXPECT_EQ(drive(Protocol::imap, secure(), {std::string(16 * 1024 + 1, 'x')}).end, "close")
      << "without a line end";
  EXPECT_EQ(drive(Protocol::imap, secure(), {"a LOGIN {4096}\r\n"}).end, "read");
  EXPECT_EQ(after_greeting(drive(Protocol::imap, secure(), {"a LOGIN {4097}\r\n"})),
            "a BAD [TOOBIG] Literal is too large\r\n");
  EXPECT_EQ(drive(Protocol::imap, secure(), {"a LOGIN {4097+}\r\n"}).end, "close")
      << "its bytes are on their way and are no commands";
  EXPECT_EQ(drive(Protocol::imap, secure(), {"a LOGIN {99999999999999999999999+}\r\n"}).end,
            "close");
}

TEST(ImapFront, SaysGoodbyeAfterTooManyBadCommandsAndTooManyAtAll) {
  std::string bad;
  for (int i = 0; i < 19; ++i) bad += "a WHAT\r\n";
  EXPECT_EQ(drive(Protocol::imap, secure(), {bad}).end, "read");
  EXPECT_EQ(drive(Protocol::imap, secure(), {bad + "a WHAT\r\n"}).end, "close");
  std::string many;
  for (int i = 0; i < 201; ++i) many += "a NOOP\r\n";
  EXPECT_EQ(drive(Protocol::imap, secure(), {many}).end, "close");
}

TEST(ImapFront, GoesOnAfterARefusalUntilTheThirdOne) {
  const auto machine = make_front_machine(Protocol::imap, secure());
  static_cast<void>(machine->start());
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(machine->feed("a LOGIN x y\r\n").next, FrontStep::Next::login);
    const FrontStep step = machine->refused("a NO [AUTHENTICATIONFAILED] wrong\r\n", false);
    EXPECT_TRUE(step.output.starts_with("a NO [AUTHENTICATIONFAILED] wrong\r\n"));
    EXPECT_EQ(step.next, i < 3 ? FrontStep::Next::read : FrontStep::Next::close);
  }
}

TEST(ImapFront, DoesNotCountTemporaryRefusals) {
  const auto machine = make_front_machine(Protocol::imap, secure());
  static_cast<void>(machine->start());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(machine->feed("a LOGIN x y\r\n").next, FrontStep::Next::login);
    EXPECT_EQ(machine->refused("a NO [UNAVAILABLE] later\r\n", true).next, FrontStep::Next::read);
  }
}

TEST(ImapFront, RunsACommandThatWasPipelinedBehindARefusedLogin) {
  const auto machine = make_front_machine(Protocol::imap, secure());
  static_cast<void>(machine->start());
  EXPECT_EQ(machine->feed("a LOGIN x y\r\nb NOOP\r\n").next, FrontStep::Next::login);
  EXPECT_EQ(machine->refused("a NO wrong\r\n", false).output, "a NO wrong\r\nb OK Done\r\n");
}

TEST(ImapFront, TellsATemporaryFailureFromAWrongPassword) {
  const auto machine = make_front_machine(Protocol::imap, secure());
  static_cast<void>(machine->start());
  static_cast<void>(machine->feed("a7 LOGIN x y\r\n"));
  const FrontStep step = machine->unavailable();
  EXPECT_TRUE(step.output.starts_with("a7 NO [UNAVAILABLE] "));
  EXPECT_EQ(step.next, FrontStep::Next::close);
}

TEST(Pop3Front, TakesALoginInEveryForm) {
  for (const std::string& input :
       {"USER " + std::string(kUser) + "\r\nPASS secret\r\n",
        "AUTH PLAIN " + plain("", kUser, "secret") + "\r\n",
        "auth plain\r\n" + plain("", kUser, "secret") + "\r\n",
        "AUTH LOGIN\r\n" + ir::to_base64(kUser) + "\r\n" + ir::to_base64("secret") + "\r\n"}) {
    const Seen seen = drive_every_split(Protocol::pop3, secure(), input);
    EXPECT_EQ(seen.end, "login") << input;
    EXPECT_EQ(seen.login, kUser) << input;
    EXPECT_EQ(seen.password, "secret") << input;
  }
}

TEST(Pop3Front, KeepsBlanksOfAPasswordAndDropsThoseOfAName) {
  const Seen seen = drive_every_split(Protocol::pop3, secure(), "USER alice \r\nPASS  a b \r\n");
  EXPECT_EQ(seen.login, "alice");
  EXPECT_EQ(seen.password, " a b ");
}

TEST(Pop3Front, AnswersBeforeLogin) {
  const Seen seen = drive_every_split(Protocol::pop3, clear_with_starttls(),
                                      "CAPA\r\nUSER x\r\nPASS y\r\nSTAT\r\nQUIT\r\n");
  EXPECT_EQ(after_greeting(seen),
            "+OK Capabilities "
            "follow\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nSTLS\r\n.\r\n"
            "-ERR Use STLS first\r\n-ERR Use STLS first\r\n-ERR Not known, or not before "
            "login\r\n+OK Bye\r\n");
  EXPECT_EQ(seen.end, "close");
}

TEST(Pop3Front, ForgetsAUserThatCameBeforeTls) {
  FrontOptions options = clear_with_starttls();
  options.is_plain_login_allowed = true;
  const auto machine = make_front_machine(Protocol::pop3, options);
  static_cast<void>(machine->start());
  EXPECT_EQ(machine->feed("USER mallory\r\nSTLS\r\n").next, FrontStep::Next::start_tls);
  static_cast<void>(machine->tls_started());
  EXPECT_EQ(machine->feed("PASS x\r\n").output, "-ERR USER comes first\r\n");
}

TEST(Pop3Front, RefusesClearTextBehindStls) {
  EXPECT_EQ(drive(Protocol::pop3, clear_with_starttls(), {"STLS\r\nUSER x\r\n"}).end, "close");
}

TEST(Pop3Front, RefusesALineEndInsideAPassword) {
  const Seen seen = drive_every_split(Protocol::pop3, secure(),
                                      "AUTH PLAIN " + plain("", kUser, "x\r\nDELE 1") + "\r\n");
  EXPECT_EQ(seen.end, "read");
  EXPECT_EQ(after_greeting(seen), "-ERR [AUTH] Name or password cannot be used\r\n");
}

TEST(SieveFront, ShowsItsCapabilitiesAgainAfterTls) {
  const auto machine = make_front_machine(Protocol::sieve, clear_with_starttls());
  EXPECT_NE(machine->start().output.find("\"STARTTLS\"\r\nOK"), std::string::npos);
  EXPECT_EQ(machine->feed("STARTTLS\r\n").next, FrontStep::Next::start_tls);
  const FrontStep step = machine->tls_started();
  EXPECT_EQ(step.output.find("STARTTLS"), std::string::npos);
  EXPECT_NE(step.output.find("\"SASL\" \"PLAIN LOGIN\"\r\n"), std::string::npos);
}

TEST(SieveFront, TakesALoginInEveryForm) {
  const std::string message = plain("", kUser, "secret");
  for (const std::string& input :
       {"AUTHENTICATE \"PLAIN\" \"" + message + "\"\r\n", "AUTHENTICATE PLAIN " + message + "\r\n",
        "AUTHENTICATE \"PLAIN\" {" + std::to_string(message.size()) + "+}\r\n" + message + "\r\n",
        "AUTHENTICATE \"PLAIN\"\r\n\"" + message + "\"\r\n",
        "AUTHENTICATE \"PLAIN\"\r\n" + message + "\r\n",
        "AUTHENTICATE \"PLAIN\"\r\n{" + std::to_string(message.size()) + "+}\r\n" + message +
            "\r\n",
        "AUTHENTICATE \"LOGIN\"\r\n\"" + ir::to_base64(kUser) + "\"\r\n\"" +
            ir::to_base64("secret") + "\"\r\n"}) {
    const Seen seen = drive_every_split(Protocol::sieve, secure(), input);
    EXPECT_EQ(seen.end, "login") << input;
    EXPECT_EQ(seen.login, kUser) << input;
    EXPECT_EQ(seen.password, "secret") << input;
  }
}

TEST(SieveFront, EchoesATagAndRefusesTheRest) {
  const Seen seen = drive_every_split(
      Protocol::sieve, secure(),
      "NOOP \"tag\"\r\nLISTSCRIPTS\r\nAUTHENTICATE \"PLAIN\"\r\n\"*\"\r\nLOGOUT\r\n");
  EXPECT_TRUE(
      seen.output.ends_with("OK (TAG {3}\r\ntag) \"Done\"\r\nNO \"Not known, or not before "
                            "login\"\r\n\"\"\r\nNO \"Authentication cancelled\"\r\nOK \"Bye\"\r\n"))
      << seen.output;
  EXPECT_EQ(seen.end, "close");
}

TEST(SieveFront, RefusesClearTextBehindStarttls) {
  EXPECT_EQ(drive(Protocol::sieve, clear_with_starttls(), {"STARTTLS\r\nLOGOUT\r\n"}).end, "close");
}

TEST(SubmissionFront, TakesALoginInEveryForm) {
  for (const std::string& input :
       {"EHLO c.test\r\nAUTH PLAIN " + plain("", kUser, "secret") + "\r\n",
        "AUTH plain\r\n" + plain("", kUser, "secret") + "\r\n",
        "EHLO c.test\r\nAUTH LOGIN\r\n" + ir::to_base64(kUser) + "\r\n" + ir::to_base64("secret") +
            "\r\n"}) {
    const Seen seen = drive_every_split(Protocol::submission, secure(), input);
    EXPECT_EQ(seen.end, "login") << input;
    EXPECT_EQ(seen.login, kUser) << input;
    EXPECT_EQ(seen.password, "secret") << input;
  }
}

TEST(SubmissionFront, OffersAuthOnlyWhereItIsPrivate) {
  EXPECT_EQ(after_greeting(drive_every_split(Protocol::submission, clear_with_starttls(),
                                             "EHLO c.test\r\nAUTH PLAIN AAAA\r\n")),
            "250-mail.test\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n250 "
            "8BITMIME\r\n538 5.7.11 Use STARTTLS first\r\n");
  EXPECT_EQ(after_greeting(drive_every_split(Protocol::submission, secure(), "EHLO c.test\r\n")),
            "250-mail.test\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN "
            "LOGIN\r\n250 8BITMIME\r\n");
}

TEST(SubmissionFront, RefusesMailBeforeLoginAndXclientAlways) {
  const Seen seen =
      drive_every_split(Protocol::submission, secure(),
                        "MAIL FROM:<a@b>\r\nXCLIENT ADDR=203.0.113.1\r\nEHLO\r\nRSET\r\nQUIT\r\n");
  EXPECT_EQ(after_greeting(seen),
            "530 5.7.0 Authentication required\r\n500 5.5.1 Not known\r\n501 5.5.4 A name must "
            "follow\r\n250 2.0.0 Done\r\n221 2.0.0 Bye\r\n");
}

TEST(SubmissionFront, RefusesClearTextBehindStarttls) {
  EXPECT_EQ(drive(Protocol::submission, clear_with_starttls(), {"STARTTLS\r\nEHLO x\r\n"}).end,
            "close");
}

TEST(SubmissionFront, SaysCancelledForAStar) {
  EXPECT_TRUE(drive_every_split(Protocol::submission, secure(), "AUTH PLAIN\r\n*\r\n")
                  .output.ends_with("334 \r\n501 5.0.0 Authentication cancelled\r\n"));
}

TEST(Routing, GoesByTheNameWhoseMailboxItIs) {
  const Seen seen =
      drive(Protocol::imap, secure(),
            {"a AUTHENTICATE PLAIN " + plain("bob@example.org", "admin", "x") + "\r\n"});
  EXPECT_EQ(seen.authorize_as, "bob@example.org");
  EXPECT_EQ(seen.login, "admin");
  Credential credential;
  credential.login = "admin";
  credential.authorize_as = "bob@example.org";
  EXPECT_EQ(credential.routed_name(), "bob@example.org");
}

}  // namespace
}  // namespace plan::proxy
