// `plan fetch` of a source that is a Stalwart 0.15: its interface is a double that recordings with
// the real server hold to the truth, its IMAP one that answers as that server was seen to.
#include "runtime/server/stalwart15/survey.h"

#include <gtest/gtest.h>

#include "compiler/ir/json.h"
#include "runtime/net/errors.h"
#include "runtime/secret/secret_store.h"
#include "runtime/server/stalwart15/errors.h"
#include "tests/support/fake_backend.h"
#include "tests/support/recordings.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certificate.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart15/old_server.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Value;
using test::OldServer;

TEST(OldServerDouble, ListsPrincipalsAsTheRealServerDid) {
  PLAN_SHARED(folder, "data/transcripts/stalwart-0.15-api");
  OldServer server;
  std::size_t compared = 0;
  for (const test::Recorded& one : test::read_recordings(folder)) {
    if (one.file != "principals.jsonl" || one.scenario != "list") continue;
    const std::string path(one.request["path"].string_or(""));
    if (one.request["method"].string_or("") != "GET" || !path.starts_with("/api/principal?") ||
        path.find("filter=") != std::string::npos) {
      if (one.note == "everything") {
        for (const Value& item : one.response["body"]["data"]["items"].items())
          server.principals.push_back(item);
      }
      continue;
    }
    test::FakeRequest request;
    request.method = "GET";
    request.target = path;
    int status = 0;
    const Value is = server.reply(request, status);
    ++compared;
    EXPECT_EQ(status, one.response["status"].integer_or(0)) << one.place();
    EXPECT_EQ(ir::canonical_json(is), ir::canonical_json(one.response["body"])) << one.place();
  }
  EXPECT_GE(compared, 25U);
}

/// An account with two mailboxes of its own and one of a group, for the master user; the others are
/// refused.
void serve_imap(net::SocketStream& stream, net::LineReader& reader, test::FakeBackend& backend) {
  const std::string capabilities =
      "IMAP4rev2 IMAP4rev1 ENABLE SASL-IR LITERAL+ NAMESPACE UIDPLUS ESEARCH LIST-EXTENDED "
      "SPECIAL-USE CONDSTORE QRESYNC STATUS=SIZE AUTH=PLAIN";
  if (!test::say(stream, "* OK [CAPABILITY " + capabilities + "] Stalwart\r\n")) return;
  for (;;) {
    auto line = reader.line(net::Deadline::after(std::chrono::seconds(20)));
    if (!line) return;
    backend.note(*line);
    const std::size_t blank = line->find(' ');
    const std::string tag = line->substr(0, blank);
    const std::string command = line->substr(blank + 1);
    std::string answer;
    std::string words = "OK done";
    if (command.starts_with("LOGIN")) {
      const bool is_let_in = command.find("planted-master") != std::string::npos &&
                             command.find("%master") != std::string::npos &&
                             command.find("bob@old.test%") == std::string::npos;
      words = is_let_in ? "OK [CAPABILITY " + capabilities + "] in"
                        : std::string("NO [AUTHENTICATIONFAILED] Authentication failed");
    } else if (command.starts_with("CAPABILITY")) {
      answer = "* CAPABILITY " + capabilities + "\r\n";
    } else if (command.starts_with("NAMESPACE")) {
      answer = "* NAMESPACE ((\"\" \"/\")) ((\"Shared Folders\" \"/\")) NIL\r\n";
    } else if (command.starts_with("LIST")) {
      answer =
          "* LIST (\\Subscribed) \"/\" \"INBOX\"\r\n"
          "* LIST () \"/\" \"M&APw-ller/2026\"\r\n"
          "* LIST (\\NoSelect) \"/\" \"Shared Folders\"\r\n"
          "* LIST () \"/\" \"Shared Folders/staff@old.test/INBOX\"\r\n";
    } else if (command.starts_with("STATUS") && command.find("INBOX") != std::string::npos) {
      answer = "* STATUS \"INBOX\" (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 7 SIZE 3000000)\r\n";
    } else if (command.starts_with("STATUS")) {
      answer = "* STATUS \"M&APw-ller/2026\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 8 SIZE 100)\r\n";
    } else if (command.starts_with("EXAMINE") || command.starts_with("SELECT")) {
      answer = "* 2 EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 7] u\r\n* OK [UIDNEXT 3] n\r\n";
      words = "OK [READ-ONLY] EXAMINE completed";
    } else if (command.starts_with("UID SEARCH")) {
      answer = "* ESEARCH (TAG \"" + tag + "\") UID ALL 2\r\n";
    } else if (command.starts_with("UID FETCH")) {
      answer = "* 2 FETCH (UID 2 RFC822.SIZE 2900000)\r\n";
    } else if (command.starts_with("LOGOUT")) {
      test::say(stream, "* BYE\r\n" + tag + " OK bye\r\n");
      return;
    }
    if (!test::say(stream, answer + tag + " " + words + "\r\n")) return;
  }
}

class OldSurvey : public ::testing::Test {
 protected:
  OldSurvey() {
    setenv("PLAN_TEST_OLD_PASSWORD", "planted-and-never-seen", 1);
    setenv("PLAN_TEST_MASTER", "planted-master", 1);
    server.database = {{"session.data.add-headers.date", "true"},
                       {"session.data.add-headers.delivered-to", "true"},
                       {"session.auth.require.0.if", "local_port != 25 && local_port != 10025"},
                       {"session.auth.require.0.then", "true"},
                       {"session.auth.require.1.else", "false"},
                       {"queue.route.relay.type", "relay"},
                       {"queue.route.relay.address", "smart.example.org"},
                       {"queue.route.relay.auth.secret", "planted-relay"},
                       {"queue.strategy.route.0.if", "is_local_domain('*', rcpt_domain)"},
                       {"queue.strategy.route.0.then", "'local'"},
                       {"queue.strategy.route.1.else", "'relay'"},
                       {"server.allowed-ip.192.0.2.7", ""},
                       {"session.data.limits.size", "50000000"}};
    server.file = {{"storage.directory", "internal"}, {"directory.internal.type", "internal"}};
    const auto add = [&](const char* text) { server.principals.push_back(*ir::parse_json(text)); };
    add(R"({"id":1,"type":"domain","name":"old.test"})");
    add(R"({"id":2,"type":"individual","name":"alice","roles":["user"],"quota":5000000,"usedQuota":4000000,
            "emails":["alice@old.test","al@old.test","@old.test"],"secrets":["otpauth://totp/planted","planted-clear","$app$phone$planted"]})");
    add(R"({"id":3,"type":"individual","name":"bob@old.test","roles":["user"],"emails":["bob@old.test"],
            "secrets":["$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"]})");
    add(R"({"id":4,"type":"individual","name":"carl@old.test","emails":["carl@old.test"]})");
    add(R"({"id":5,"type":"group","name":"staff@old.test","emails":["staff@old.test"],"members":["alice"]})");
    add(R"({"id":6,"type":"list","name":"all@old.test","emails":["all@old.test"],"members":["alice","bob@old.test"]})");
    add(R"({"id":7,"type":"apiKey","name":"planted-key","secrets":["planted-api"]})");
    block = Value::map(
        {{"kind", "stalwart-0.15"},
         {"address", "127.0.0.1"},
         {"host", Value::map()},
         {"imap", Value::map({{"port", static_cast<int>(imap_.port())}, {"security", "none"}})},
         // Nobody listens there: a source may lack them.
         {"sieve", Value::map({{"port", 1}, {"security", "none"}})},
         {"smtp", Value::map({{"port", 1}})},
         {"submission", Value::map({{"port", 1}, {"security", "none"}})},
         {"master_user", Value::map({{"name", "master"},
                                     {"separator", "%"},
                                     {"password", ir::SecretRef{"env", "PLAN_TEST_MASTER"}}})},
         {"stalwart",
          Value::map({{"url", http_.url()},
                      {"login",
                       Value::map({{"user", "admin"},
                                   {"password", ir::SecretRef{"env", "PLAN_TEST_OLD_PASSWORD"}}})},
                      {"certificate_sha256", ""}})}});
  }

  Result<Value> take() {
    return survey_old_stalwart(block, secrets_, [](const secret::Secret& secret) {
      return Result<std::string>(std::to_string(
          std::hash<std::string>{}(secret.reveal_for("a test that compares digests"))));
    });
  }
  Value measured(const Value& document, std::string_view what) const {
    for (const Value& one : document["measurements"].items())
      if (one["what"].string_or("") == what) return one;
    return {};
  }

  OldServer server;
  Value block;

 private:
  test::FakeHttpServer http_{[this](const test::FakeRequest& r) { return server.answer(r); }};

 protected:
  test::FakeBackend imap_{serve_imap};
  secret::SecretStore secrets_{secret::SecretStoreOptions{.plan_directory = "."}};
};

TEST_F(OldSurvey, GivesTheShapeThatAnySourceGives) {
  const auto document = take();
  ASSERT_TRUE(document) << document.error().to_line();
  EXPECT_EQ((*document)["versions"], Value::map({{"stalwart", "0.15.5"}}));
  EXPECT_EQ((*document)["domains"], Value::list({"old.test"}));
  const Value& accounts = (*document)["accounts"];
  ASSERT_EQ(accounts.size(), 3U);
  const Value& alice = accounts.item(0);
  EXPECT_EQ(alice["address"], Value("alice@old.test"));
  EXPECT_EQ(alice["aliases"], Value::list({"al@old.test"}));
  EXPECT_EQ(alice["hash_scheme"], Value("PLAIN"));
  EXPECT_EQ(alice["login"], Value("alice")) << "none of her addresses, and what she types";
  EXPECT_EQ(alice["quota_bytes"], Value(5'000'000));
  EXPECT_EQ(alice["enabled"], Value(true));
  EXPECT_EQ(ir::write_json(alice["mailboxes"]), "[\"INBOX\",\"M\xc3\xbcller/2026\"]")
      << "those of groups are not hers";
  EXPECT_EQ(accounts.item(1)["hash_scheme"], Value("CRYPT:$6$"));
  EXPECT_TRUE(accounts.item(1)["mailboxes"].is_null()) << "the master user was refused for him";
  EXPECT_EQ(accounts.item(2)["enabled"], Value(false));
  EXPECT_EQ(accounts.item(2)["hash_scheme"], Value("NONE"));
  EXPECT_EQ(
      (*document)["lists"],
      Value::list({Value::map({{"address", "all@old.test"},
                               {"members", Value::list({"alice@old.test", "bob@old.test"})}})}));
  const Value& settings = (*document)["settings"];
  EXPECT_EQ(settings["catch_alls"], Value::map({{"@old.test", Value::list({"alice@old.test"})}}));
  EXPECT_EQ(settings["login_names"],
            Value::map({{"count", 1}, {"first", Value::map({{"alice@old.test", "alice"}})}}));
  EXPECT_EQ(settings["recipient_delimiter"], Value("+"));
  EXPECT_EQ(settings["message_size_limit"], Value("50000000"));
  EXPECT_EQ(settings["relayhost"], Value("[smart.example.org]:25"));
  EXPECT_EQ(settings["mynetworks"], Value("192.0.2.7"));
  EXPECT_EQ(settings["port_rules"], Value("session.data.add-headers.date"))
      << "what std/stalwart-source has written itself is none of its own";
  EXPECT_EQ(settings["groups"], Value("staff@old.test"));
  EXPECT_EQ(settings["app_passwords"], Value("alice@old.test"));
  EXPECT_EQ(settings["one_time_codes"], Value("alice@old.test"));

  EXPECT_EQ(measured(*document, "account/alice@old.test/messages")["value"], Value(3));
  EXPECT_EQ(measured(*document, "account/alice@old.test/bytes")["value"], Value(3'000'100));
  EXPECT_EQ(measured(*document, "account/alice@old.test/largest-message")["value"],
            Value(2'900'000));
  EXPECT_EQ(measured(*document, "account/alice@old.test/quota-use")["value"], Value(4'000'000));
  EXPECT_TRUE(measured(*document, "account/bob@old.test/messages")["value"].is_null());
  EXPECT_FALSE(measured(*document, "account/bob@old.test/hash-digest")["value"].is_null());
}

TEST_F(OldSurvey, TellsNoSecretAndChangesNothing) {
  const OldServer::Settings before = server.all();
  const auto document = take();
  ASSERT_TRUE(document) << document.error().to_line();
  EXPECT_EQ(ir::write_json(*document).find("planted"), std::string::npos);
  EXPECT_EQ(ir::write_json(*document).find("$6$salt"), std::string::npos);
  EXPECT_EQ(server.all(), before);
  for (const std::string& call : server.calls)
    EXPECT_TRUE(call.starts_with("GET ") || call == "POST /api/oauth") << call;
  for (const std::string& call : server.calls)
    EXPECT_EQ(call.find("types=apiKey"), std::string::npos) << "nothing needs those";
}

TEST_F(OldSurvey, TellsNobodyElseItsPasswordAndReportsThePin) {
  const test::TempDir folder;
  net::TlsServerOptions tls{.certificate_file = folder.file("cert.pem"),
                            .key_file = folder.file("key.pem")};
  const std::string pin = test::make_certificate(tls.certificate_file, tls.key_file, "localhost");
  test::FakeHttpServer secure([this](const test::FakeRequest& r) { return server.answer(r); }, tls);
  Value stalwart = block["stalwart"];
  stalwart.set("url", secure.url());
  stalwart.set("certificate_sha256", std::string(64, 'a'));
  block.set("stalwart", stalwart);
  const auto refused = take();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(net::errors::certificate_mismatch)) << refused.error().to_line();
  EXPECT_TRUE(server.calls.empty());
  stalwart.set("certificate_sha256", pin);
  block.set("stalwart", stalwart);
  const auto document = take();
  ASSERT_TRUE(document) << document.error().to_line();
  EXPECT_EQ((*document)["certificates"]["https"], Value(pin));
}

TEST_F(OldSurvey, ReadsPageByPage) {
  for (int i = 0; i < 1234; ++i) {
    const std::string name = "user" + std::to_string(i) + "@old.test";
    server.principals.push_back(Value::map({{"id", 100 + i},
                                            {"type", "individual"},
                                            {"name", name},
                                            {"emails", Value::list({name})}}));
  }
  const auto names = survey_old_names(block, secrets_);
  ASSERT_TRUE(names) << names.error().to_line();
  EXPECT_EQ((*names)["accounts"].size(), 1237U);
  EXPECT_EQ(std::count_if(server.calls.begin(), server.calls.end(),
                          [](const std::string& call) {
                            return call.find("types=individual&") != std::string::npos;
                          }),
            3);
}

TEST_F(OldSurvey, ReadsAListAgainThatChangesOnTheWay) {
  for (int i = 0; i < 600; ++i) {
    server.principals.push_back(Value::map(
        {{"id", 100 + i}, {"type", "individual"}, {"name", "user" + std::to_string(i)}}));
  }
  bool is_gone = false;
  server.before_page = [&](OldServer& one, std::size_t page) {
    // Between the two pages of the users: everybody behind moves up by one.
    if (page != 5 || is_gone) return;
    is_gone = true;
    std::erase_if(one.principals, [](const Value& user) { return user["name"] == Value("alice"); });
  };
  const auto names = survey_old_names(block, secrets_);
  ASSERT_TRUE(names) << names.error().to_line();
  EXPECT_TRUE(is_gone);
  EXPECT_EQ((*names)["accounts"].size(), 602U);
}

TEST_F(OldSurvey, GivesUpOnAListThatNeverStays) {
  server.before_page = [&](OldServer& one, std::size_t page) {
    one.principals.push_back(Value::map({{"id", 1000 + static_cast<int>(page)},
                                         {"type", "domain"},
                                         {"name", "d" + std::to_string(page) + ".test"}}));
    for (int i = 0; page == 0 && i < 600; ++i) {
      one.principals.push_back(
          Value::map({{"id", i}, {"type", "domain"}, {"name", "x" + std::to_string(i) + ".test"}}));
    }
  };
  const auto names = survey_old_names(block, secrets_);
  ASSERT_FALSE(names);
  EXPECT_TRUE(names.error().is(errors::old_call_failed)) << names.error().to_line();
  EXPECT_NE(names.error().to_line().find("changed 4 times"), std::string::npos)
      << names.error().to_line();
}

TEST_F(OldSurvey, RefusesADirectoryThatItCannotSee) {
  server.file["storage.directory"] = "ldap";
  server.file["directory.ldap.type"] = "ldap";
  const auto document = take();
  ASSERT_FALSE(document);
  EXPECT_TRUE(test::told_as("old-directory-elsewhere", document.error()));
}

TEST_F(OldSurvey, RefusesAnotherVersion) {
  server.version = "0.16.0";
  const auto document = take();
  ASSERT_FALSE(document);
  EXPECT_TRUE(test::told_as("old-server-version", document.error()));
}

TEST_F(OldSurvey, AMasterUserWhoIsRefusedIsNotTriedForEverybody) {
  setenv("PLAN_TEST_MASTER", "wrong", 1);
  for (int i = 0; i < 20; ++i) {
    const std::string name = "user" + std::to_string(i) + "@old.test";
    server.principals.push_back(Value::map({{"id", 100 + i},
                                            {"type", "individual"},
                                            {"name", name},
                                            {"emails", Value::list({name})},
                                            {"roles", Value::list({"user"})}}));
  }
  const auto document = take();
  ASSERT_FALSE(document);
  EXPECT_TRUE(test::told_as("master-login-refused", document.error()));
  const std::vector<std::string> lines = imap_.lines();
  EXPECT_EQ(std::count_if(
                lines.begin(), lines.end(),
                [](const std::string& line) { return line.find("LOGIN") != std::string::npos; }),
            1);
}

TEST_F(OldSurvey, ACallThatFailsIsNamed) {
  test::FakeHttpServer failing([&](const test::FakeRequest& request) {
    test::FakeAnswer answer = server.answer(request);
    if (request.target.starts_with("/api/principal")) {
      answer.status = 500;
      answer.body = R"({"status":500,"title":"Internal error","detail":"planted"})";
    }
    return answer;
  });
  Value stalwart = block["stalwart"];
  stalwart.set("url", failing.url());
  block.set("stalwart", stalwart);
  const auto document = take();
  ASSERT_FALSE(document);
  EXPECT_TRUE(test::told_as("old-server-call-failed", document.error()));
}

/// What answers is not what it says it is.
class HostileServer : public OldSurvey, public ::testing::WithParamInterface<const char*> {};

TEST_P(HostileServer, IsToldApart) {
  const std::string body = GetParam();
  test::FakeHttpServer hostile([&](const test::FakeRequest& request) {
    test::FakeAnswer answer = server.answer(request);
    if (request.target.starts_with("/api/principal")) answer.body = body;
    return answer;
  });
  Value stalwart = block["stalwart"];
  stalwart.set("url", hostile.url());
  block.set("stalwart", stalwart);
  const auto names = survey_old_names(block, secrets_);
  ASSERT_FALSE(names) << body;
  EXPECT_TRUE(names.error().is(errors::old_call_failed)) << names.error().to_line();
  EXPECT_EQ(names.error().to_line().find("planted"), std::string::npos)
      << "no body is part of a message";
}

INSTANTIATE_TEST_SUITE_P(
    Answers, HostileServer,
    testing::Values(
        "", "null", "[]", "planted", R"({"data":null})", R"({"data":{"items":[]}})",
        R"({"data":{"items":[],"total":"1"}})", R"({"data":{"items":[],"total":-1}})",
        R"({"data":{"items":[],"total":9223372036854775807}})",
        R"({"data":{"items":[],"total":5}})", R"({"data":{"items":{"planted":1},"total":1}})",
        R"({"data":{"items":[7],"total":1}})",
        R"({"data":{"items":[{"type":"domain"}],"total":1}})",
        R"({"data":{"items":[{"type":"domain","name":["planted"]}],"total":1}})",
        R"({"data":{"items":[{"type":"individual","name":"planted"}],"total":1}})",
        R"({"data":{"items":[{"type":"domain","name":"a.test"},{"type":"domain","name":"a.test"}],"total":2}})",
        R"({"data":{"items":[{"type":"domain","name":"a.test"}],"total":0}})",
        R"({"error":"other","details":"planted","reason":null})", R"({"error":{"planted":1}})"));

}  // namespace
}  // namespace plan::server::stalwart15
