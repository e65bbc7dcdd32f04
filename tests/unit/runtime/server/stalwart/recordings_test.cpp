// The driver's own calls against what the real server answered to them.
#include <gtest/gtest.h>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "runtime/net/errors.h"
#include "runtime/server/queue/queue_driver.h"
#include "runtime/server/stalwart/errors.h"
#include "runtime/server/stalwart/survey.h"
#include "tests/support/fake_http_server.h"
#include "tests/support/recordings.h"
#include "tests/support/shared_data.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::stalwart {
namespace {

using ir::Value;
using test::FakeAnswer;
using test::FakeHttpServer;
using test::FakeRequest;
using test::Recorded;

FakeAnswer as_recorded(const Value& response) {
  FakeAnswer made;
  made.status = static_cast<int>(response["status"].integer_or(0));
  for (const auto& [name, value] : response["headers"].members()) {
    if (name != "content-length" && value.is_string())
      made.headers.emplace_back(name, value.as_string());
  }
  made.body = response["body"].is_string() ? response["body"].as_string()
                                           : ir::write_json(response["body"]);
  return made;
}

/// The first exchange whose request holds `text`, of one scenario.
Value find(const std::vector<Recorded>& exchanges, const std::string& scenario,
           const std::string& text, const std::string& note = {}) {
  for (const Recorded& exchange : exchanges) {
    const bool is_it = exchange.scenario == scenario && (note.empty() || exchange.note == note) &&
                       ir::write_json(exchange.request).find(text) != std::string::npos;
    if (is_it) return exchange.response;
  }
  ADD_FAILURE() << "no exchange of " << scenario << " with " << text;
  return {};
}

/// Answers GETs with the recorded session and API calls with whatever the test puts there.
class Replay : public ::testing::Test {
 protected:
  Replay() : server_([this](const FakeRequest& request) { return answer(request); }) {}

  void open(const char* folder) {
    const auto path = test::shared_data(std::string("data/transcripts/") + folder);
    exchanges = test::read_recordings(*path);
    const auto discovery =
        test::read_recordings(*test::shared_data("data/transcripts/stalwart-0.16-admin"));
    session = find(discovery, "discovery-recovery", "/jmap/session",
                   "session of the recovery administrator");
    net::HttpOptions options;
    options.url = server_.url();
    options.user = "admin";
    options.password = secret::Secret("adminpw");
    auto http = net::make_http_client(std::move(options));
    client = std::make_shared<net::jmap::Client>(std::shared_ptr<net::HttpClient>(std::move(*http)),
                                                 Blame::target, clock);
    target = std::make_shared<Target>(client, clock);
  }

  FakeAnswer answer(const FakeRequest& request) {
    if (request.method == "GET") return as_recorded(session);
    if (next >= answers.size()) {
      FakeAnswer none;
      none.status = 500;
      return none;
    }
    Value body = answers[next++];
    // The recorded call ids and creation ids are others than ours.
    const auto document = ir::parse_json(request.body);
    const Value& call = (*document)["methodCalls"].item(0);
    sent.push_back(call);
    Value response = body["body"]["methodResponses"].item(0);
    response.as_list()[2] = call.item(2);
    rename(response.as_list()[1], call.item(1)["create"]);
    Value& arguments = response.as_list()[1];  // the recorded query did not ask for a total
    if (arguments["ids"].is_list())
      arguments.set("total", static_cast<std::int64_t>(arguments["ids"].size()));
    FakeAnswer made;
    made.body = ir::write_json(
        Value::map({{"methodResponses", Value::list({response})}, {"sessionState", "x"}}));
    return made;
  }

  static void rename(Value& arguments, const Value& create) {
    if (create.size() != 1) return;
    for (const char* map : {"created", "notCreated"}) {
      if (arguments[map].size() != 1) continue;
      arguments.set(map, Value::map({{create.members().begin()->first,
                                      arguments[map].members().begin()->second}}));
    }
  }

  TestClock clock;
  std::vector<Recorded> exchanges;
  Value session;
  std::vector<Value> answers;
  std::vector<Value> sent;
  std::size_t next = 0;
  FakeHttpServer server_;
  std::shared_ptr<net::jmap::Client> client;
  std::shared_ptr<Target> target;
};

#define NEEDS(folder) PLAN_SHARED(folder##_path, "data/transcripts/stalwart-0.16-admin")

TEST_F(Replay, the_session_of_the_real_server) {
  NEEDS(admin);
  open("stalwart-0.16-admin");
  const auto now = client->session();
  ASSERT_TRUE(now) << now.error().to_line();
  EXPECT_EQ((*now)->username, "admin");
  EXPECT_EQ((*now)->limits.objects_in_set, 500U);
  EXPECT_EQ((*now)->limits.calls_in_request, 16U);
  EXPECT_EQ((*now)->api_path, "/jmap/");
  EXPECT_EQ((*now)->primary_account(net::jmap::kRegistry), "d333333");
}

TEST_F(Replay, a_session_without_a_login_is_no_login_although_it_is_a_200) {
  NEEDS(admin);
  open("stalwart-0.16-admin");
  session = find(exchanges, "discovery-recovery", "/jmap/session", "session without Authorization");
  const auto now = client->session();
  ASSERT_FALSE(now);
  EXPECT_TRUE(now.error().is(net::errors::login_refused));
}

TEST_F(Replay, a_reload_that_the_real_server_refused) {
  NEEDS(admin);
  open("stalwart-0.16-admin");
  answers = {find(exchanges, "singletons", "ReloadSettings")};
  const Outcome done = target->registry().action("ReloadSettings");
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(errors::reload_refused)) << done.error().to_line();
  EXPECT_NE(done.error().message().find("SpamPyzor"), std::string::npos);
  EXPECT_EQ(ir::write_json(sent[0].item(1)), R"({"create":{"a":{"@type":"ReloadSettings"}}})");
}

TEST_F(Replay, a_key_that_is_there_already) {
  NEEDS(admin);
  open("split-delivery");
  answers = {find(exchanges, "flip-one-account", "user01@legacy.test", "same key twice"),
             find(exchanges, "flip-one-account", "\"ids\":null")};
  const Outcome added = target->keys("migrated").add({"user01@legacy.test"});
  ASSERT_TRUE(added) << added.error().to_line();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].item(0), Value("x:MemoryLookupKey/set"));
  EXPECT_EQ(sent[1].item(1)["ids"], Value(Value::list({"jp2fe1qwaaqa"})))
      << "by the id that the violation names";
}

TEST_F(Replay, the_queue_of_the_real_server) {
  NEEDS(admin);
  open("stalwart-0.16-admin");
  answers = {find(exchanges, "queue", "n.test", "filter {\"text\": \"n.test\"}"),
             find(exchanges, "queue", "\"ids\":[\"jp2haofgaaaa\"]", "queued message")};
  const auto queue = queue::target_queue(target);
  const auto waiting = queue->look({"old.user@n.test"});
  ASSERT_TRUE(waiting) << waiting.error().to_line();
  EXPECT_EQ(waiting->messages, 1U);
  EXPECT_NE(waiting->reason.find("Connection refused"), std::string::npos);
  EXPECT_EQ(ir::canonical_json(sent[0].item(1)["sort"]),
            R"([{"isAscending":true,"property":"due"}])")
      << "by id is refused for queues";
}

/// A server of the schema: `body` under the digest `hash`.
class SchemaServer : public ::testing::Test {
 protected:
  SchemaServer()
      : server_([this](const FakeRequest& request) {
          FakeAnswer made;
          if (request.target == "/api/schema") {
            made.status = 302;
            made.headers = {{"Location", "/api/schema/" + hash}};
            return made;
          }
          made.headers = {{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}};
          made.body = body;
          return made;
        }) {}
  Result<SchemaDocument> fetch() {
    net::HttpOptions options;
    options.url = server_.url();
    auto http = net::make_http_client(std::move(options));
    return fetch_schema(**http, net::Deadline::after(std::chrono::seconds(10)));
  }
  std::string hash;
  std::string body;
  FakeHttpServer server_;
};

TEST_F(SchemaServer, something_else_under_the_digest_of_a_schema_is_told) {
  hash = "25gnm1_xB9bPk-puX9VTFMP1W5V-1muUWuK964-_uEw";
  body = "<html>";
  const auto page = fetch();
  ASSERT_FALSE(page);
  EXPECT_TRUE(test::told_as("schema-damaged", page.error()));
}

class SchemaDocuments : public SchemaServer, public ::testing::WithParamInterface<const char*> {};

TEST_P(SchemaDocuments, are_checked_against_their_name_and_unpacked) {
  const std::string version = GetParam();
  PLAN_SHARED(path, "data/schema/stalwart-" + version + ".schema.json.gz");
  PLAN_SHARED(digest, "data/schema/stalwart-" + version + ".schema.json.sha256");
  body = test::read_all(path);
  hash = test::read_all(digest);
  const auto schema = fetch();
  ASSERT_TRUE(schema) << schema.error().to_line();
  EXPECT_EQ(schema->server_hash, hash);
  EXPECT_EQ(version_of_schema(hash), version);
  EXPECT_EQ(schema->digest, ir::sha256(schema->json).hex());
  EXPECT_TRUE(ir::parse_json(schema->json));

  const std::string whole = body;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{10}, whole.size() / 2, whole.size() - 1}) {
    body = whole.substr(0, size);
    EXPECT_FALSE(fetch()) << "cut at " << size;
  }
  body = whole;
  body[body.size() / 2] = static_cast<char>(body[body.size() / 2] ^ 1);
  EXPECT_FALSE(fetch()) << "one bit";
}

INSTANTIATE_TEST_SUITE_P(OfTheVersions, SchemaDocuments,
                         ::testing::Values("0.16.0", "0.16.15", "0.16.19"),
                         [](const auto& version) {
                           std::string name = version.param;
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace plan::server::stalwart
