#include "runtime/net/jmap/client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/net/jmap/limits.h"
#include "tests/support/fake_http_server.h"
#include "tests/support/told_error.h"

namespace plan::net::jmap {
namespace {

using ir::Value;
using test::FakeAnswer;
using test::FakeHttpServer;
using test::FakeRequest;

Value json(std::string_view text) {
  auto value = ir::parse_json(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : Value();
}

class TestClock final : public Clock {
 public:
  Monotonic now() override { return std::chrono::steady_clock::now(); }
  std::int64_t wall_ms() override { return 0; }
  void sleep_for(std::chrono::milliseconds duration) override { slept += duration; }
  std::chrono::milliseconds slept{0};
};

/// A server that answers the session and hands each API call to the test.
class JmapClient : public ::testing::Test {
 protected:
  JmapClient() : server_([this](const FakeRequest& request) { return answer(request); }) {
    HttpOptions options;
    options.url = server_.url();
    options.user = "admin";
    options.password = secret::Secret("geheim");
    auto http = make_http_client(std::move(options));
    EXPECT_TRUE(http);
    client = std::make_unique<Client>(std::shared_ptr<HttpClient>(std::move(*http)), Blame::target,
                                      clock);
  }

  FakeAnswer answer(const FakeRequest& request) {
    FakeAnswer made;
    made.headers = {{"Content-Type", "application/json"}};
    if (request.target == "/.well-known/jmap") {
      made.status = 307;
      made.headers.emplace_back("Location", well_known);
      return made;
    }
    if (request.target == "/jmap/session") {
      ++session_requests;
      made.status = session_status;
      made.body = session;
      return made;
    }
    if (request.target.starts_with("/jmap/upload/")) {
      uploaded = request.body;
      made.body = R"({"accountId":"b","blobId":"blob1","type":"text/plain","size":3})";
      return made;
    }
    if (request.target.starts_with("/jmap/download/")) {
      made.body = "bytes";
      return made;
    }
    const auto document = ir::parse_json(request.body);
    if (on_api) return on_api(document ? *document : Value(), request);
    Value answers = Value::list();
    for (const Value& call : (*document)["methodCalls"].items()) {
      answers.push_back(
          Value::list({call.item(0), on_call ? on_call(call) : Value::map(), call.item(2)}));
    }
    made.body = ir::write_json(Value::map({{"methodResponses", answers}, {"sessionState", "s1"}}));
    return made;
  }

  static FakeAnswer problem(int status, const std::string& type, const std::string& limit = {},
                            const std::string& detail = {}) {
    FakeAnswer made;
    made.status = status;
    made.headers = {{"Content-Type", "application/problem+json"}};
    Value body = Value::map(
        {{"type", "urn:ietf:params:jmap:error:" + type}, {"status", status}, {"detail", detail}});
    if (!limit.empty()) body.set("limit", limit);
    made.body = ir::write_json(body);
    return made;
  }

  std::size_t api_calls() const {
    std::size_t count = 0;
    for (const FakeRequest& request : server_.requests())
      count += request.method == "POST" && !request.target.starts_with("/jmap/upload") ? 1U : 0U;
    return count;
  }

  std::atomic<int> session_status{200};
  std::atomic<int> session_requests{0};
  std::string well_known = "/jmap/session";
  std::string session =
      R"({"capabilities":{"urn:ietf:params:jmap:core":{"maxObjectsInGet":3,"maxObjectsInSet":4,"maxCallsInRequest":2,
    "maxSizeRequest":4000,"maxSizeUpload":100,"maxConcurrentUpload":4,"maxConcurrentRequests":4294967295}},
    "accounts":{"b":{"accountCapabilities":{"urn:ietf:params:jmap:mail":{}}}},"primaryAccounts":{"urn:ietf:params:jmap:mail":"b"},
    "username":"admin","apiUrl":"https://mail.example.org/jmap/","uploadUrl":"https://mail.example.org/jmap/upload/{accountId}/",
    "downloadUrl":"https://mail.example.org/jmap/download/{accountId}/{blobId}/{name}?accept={type}","state":"s1"})";
  std::function<Value(const Value&)> on_call;
  std::function<FakeAnswer(const Value&, const FakeRequest&)> on_api;
  std::string uploaded;
  TestClock clock;
  FakeHttpServer server_;
  std::unique_ptr<Client> client;
};

CallOptions reading() {
  CallOptions options;
  options.is_read_only = true;
  return options;
}

TEST_F(JmapClient, reads_limits_and_keeps_only_the_paths_of_the_urls) {
  const auto seen = client->session();
  ASSERT_TRUE(seen) << seen.error().to_line();
  const Session& now = **seen;
  EXPECT_EQ(now.limits.objects_in_get, 3U);
  EXPECT_EQ(now.limits.calls_in_request, 2U);
  EXPECT_LE(now.limits.concurrent_requests, 64U) << "no limit is not four thousand million";
  EXPECT_EQ(now.api_path, "/jmap/");
  EXPECT_EQ(now.upload_path, "/jmap/upload/{accountId}/");
  EXPECT_EQ(now.primary_account(kMail), "b");
  EXPECT_TRUE(now.has_capability(kMail));
  EXPECT_FALSE(now.has_capability("urn:nothing"));
  for (const FakeRequest& request : server_.requests())
    EXPECT_TRUE(request.headers.contains("authorization"));
}

TEST_F(JmapClient, a_server_that_names_itself_by_a_host_that_does_not_answer_yet_is_asked_here) {
  well_known = "https://mail.example.org/jmap/session";
  EXPECT_TRUE(client->session());
}

TEST_F(JmapClient, a_session_without_a_user_is_no_login) {
  session =
      R"({"capabilities":{"urn:ietf:params:jmap:core":{}},"accounts":{},"username":"","apiUrl":"/jmap/"})";
  const auto seen = client->session();
  ASSERT_FALSE(seen);
  EXPECT_TRUE(seen.error().is(net::errors::login_refused));
}

TEST_F(JmapClient, a_web_page_instead_of_a_session_is_told_so) {
  session = "<html><body>Welcome</body></html>";
  const auto seen = client->session();
  ASSERT_FALSE(seen);
  EXPECT_TRUE(seen.error().is(net::errors::not_json)) << seen.error().to_line();
}

TEST_F(JmapClient, a_web_page_instead_of_an_answer_is_told_so) {
  on_api = [](const Value&, const FakeRequest&) {
    FakeAnswer made;
    made.headers = {{"Content-Type", "text/html; charset=utf-8"}};
    made.body = "<html><body>Please log in</body></html>";
    return made;
  };
  const auto answer = client->call_one("Email/get", Value::map(), reading());
  ASSERT_FALSE(answer);
  EXPECT_TRUE(test::told_as("not-json", answer.error()));
}

TEST_F(JmapClient, a_session_cut_at_any_byte_is_refused) {
  const std::string whole = session;
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    session = whole.substr(0, size);
    EXPECT_FALSE(client->refresh()) << size;
  }
}

TEST_F(JmapClient, splits_calls_by_the_advertised_number) {
  std::vector<Call> calls;
  for (int i = 0; i < 5; ++i)
    calls.push_back({.method = "Email/get", .arguments = Value::map({{"n", i}})});
  on_call = [](const Value& call) { return call.item(1); };
  const auto answers = client->call(calls, reading());
  ASSERT_TRUE(answers) << answers.error().to_line();
  ASSERT_EQ(answers->size(), 5U);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ((*answers)[static_cast<std::size_t>(i)].arguments["n"], Value(i));
  EXPECT_EQ(api_calls(), 3U);
}

TEST_F(JmapClient, calls_that_refer_to_each_other_travel_together) {
  std::vector<Call> calls;
  calls.push_back({.method = "Email/get", .arguments = Value::map()});
  calls.push_back({.method = "Email/query", .arguments = Value::map(), .id = "q"});
  calls.push_back(
      {.method = "Email/get",
       .arguments = json(R"({"#ids":{"resultOf":"q","name":"Email/query","path":"/ids"}})")});
  std::vector<std::size_t> sizes;
  on_api = [&](const Value& document, const FakeRequest&) {
    sizes.push_back(document["methodCalls"].size());
    Value answers = Value::list();
    for (const Value& call : document["methodCalls"].items())
      answers.push_back(Value::list({call.item(0), Value::map(), call.item(2)}));
    FakeAnswer made;
    made.body = ir::write_json(Value::map({{"methodResponses", answers}}));
    return made;
  };
  ASSERT_TRUE(client->call(calls, reading()));
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 2}));
}

TEST_F(JmapClient, a_chain_longer_than_a_request_is_refused_before_anything_is_sent) {
  std::vector<Call> calls;
  calls.push_back({.method = "A/query", .arguments = Value::map(), .id = "a"});
  calls.push_back({.method = "B/get",
                   .arguments = json(R"({"#ids":{"resultOf":"a","name":"A/query","path":"/ids"}})"),
                   .id = "b"});
  calls.push_back({.method = "C/get",
                   .arguments = json(R"({"#ids":{"resultOf":"b","name":"B/get","path":"/ids"}})")});
  const auto answers = client->call(calls, reading());
  ASSERT_FALSE(answers);
  EXPECT_TRUE(answers.error().is(errors::too_large));
  EXPECT_EQ(api_calls(), 0U);
}

TEST_F(JmapClient, a_call_over_the_request_size_is_refused_before_it_is_sent) {
  const auto answer =
      client->call_one("Email/set", Value::map({{"x", std::string(5000, 'x')}}), {});
  ASSERT_FALSE(answer);
  EXPECT_TRUE(test::told_as("jmap-too-large", answer.error()));
  EXPECT_EQ(api_calls(), 0U);
}

TEST_F(JmapClient, the_body_of_a_refused_request_is_never_shown) {
  on_api = [&](const Value& document, const FakeRequest&) {
    return problem(400, "notRequest", {}, ir::write_json(document));
  };
  const auto answer = client->call_one("x:Account/set", Value::map({{"secret", "Zebra-Lamp"}}), {});
  ASSERT_FALSE(answer);
  EXPECT_TRUE(test::told_as("jmap-request-not-understood", answer.error()));
  EXPECT_EQ(answer.error().to_line().find("Zebra"), std::string::npos);
}

TEST_F(JmapClient, waits_when_the_server_is_busy_and_tries_again) {
  int count = 0;
  on_api = [&](const Value&, const FakeRequest&) {
    if (++count < 3) return problem(400, "limit", "maxConcurrentRequests");
    FakeAnswer made;
    made.body = R"({"methodResponses":[["Email/get",{"list":[]},"c0"]]})";
    return made;
  };
  ASSERT_TRUE(client->call_one("Email/get", Value::map(), {}));
  EXPECT_GT(clock.slept.count(), 0);
}

TEST_F(JmapClient, honours_retry_after_and_gives_up_in_the_end) {
  on_api = [&](const Value&, const FakeRequest&) {
    FakeAnswer made = problem(429, "limit");
    made.headers.emplace_back("Retry-After", "30");
    return made;
  };
  const auto answer = client->call_one("Email/get", Value::map(), {});
  ASSERT_FALSE(answer);
  EXPECT_TRUE(test::told_as("jmap-rate-limited", answer.error()));
  EXPECT_EQ(clock.slept, std::chrono::seconds(60));
  EXPECT_LE(clock.slept, kWaitMax);
}

TEST_F(JmapClient, a_refused_login_is_not_tried_again) {
  on_api = [&](const Value&, const FakeRequest&) {
    FakeAnswer made;
    made.status = 401;
    return made;
  };
  EXPECT_FALSE(client->call_one("Email/get", Value::map(), {}));
  const std::size_t before = server_.requests().size();
  const auto again = client->call_one("Email/get", Value::map(), {});
  ASSERT_FALSE(again);
  EXPECT_TRUE(again.error().is(net::errors::login_refused));
  EXPECT_EQ(server_.requests().size(), before);
}

TEST_F(JmapClient, a_wrong_password_is_told_once_by_all_who_begin_with_it) {
  session_status = 401;
  constexpr int kThreads = 8;
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const auto seen = client->session();
      if (!seen && seen.error().is(net::errors::login_refused)) ++refused;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused.load(), kThreads);
  EXPECT_EQ(session_requests.load(), 1);
}

TEST_F(JmapClient, a_method_error_is_an_error_with_the_effect_that_it_may_have) {
  const auto with_type = [&](const std::string& type) {
    on_api = [type](const Value&, const FakeRequest&) {
      FakeAnswer made;
      made.body = fmt::format(
          R"({{"methodResponses":[["error",{{"type":"{}","description":"Zebra-Lamp"}},"c0"]]}})",
          type);
      return made;
    };
    return client->call_one("x:Account/set", Value::map({{"accountId", "d7"}}), {}).error();
  };
  EXPECT_EQ(with_type("serverUnavailable").effect(), Effect::unknown);
  EXPECT_TRUE(test::told_as("jmap-method-refused", with_type("serverPartialFail")))
      << "and nothing of what was sent";
  EXPECT_EQ(with_type("invalidArguments").effect(), Effect::none);
  EXPECT_TRUE(test::told_as("jmap-not-permitted", with_type("forbidden")));
  EXPECT_TRUE(test::told_as("jmap-account-missing", with_type("accountNotFound")));
  EXPECT_EQ(with_type("something new").effect(), Effect::unknown);
}

TEST_F(JmapClient, answers_that_do_not_fit_the_calls_are_a_violation_and_unknown) {
  for (const char* body :
       {R"({"methodResponses":[]})", R"({"methodResponses":[["Email/set",{},"zz"]]})",
        R"({"methodResponses":[["Email/set",{}]]})", R"({"methodResponses":[{"a":1}]})",
        R"({"methodResponses":"x"})", R"({})"}) {
    on_api = [body](const Value&, const FakeRequest&) {
      FakeAnswer made;
      made.body = body;
      return made;
    };
    const auto answer = client->call_one("Email/set", Value::map(), {});
    ASSERT_FALSE(answer) << body;
    EXPECT_TRUE(answer.error().is(net::errors::protocol_violation)) << body;
    EXPECT_EQ(answer.error().effect(), Effect::unknown) << body;
    const auto read = client->call_one("Email/get", Value::map(), reading());
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().effect(), Effect::none) << body;
  }
}

TEST_F(JmapClient, a_lost_reply_is_unknown_for_a_write_and_repeated_for_a_read) {
  std::atomic<int> count = 0;
  on_api = [&](const Value&, const FakeRequest&) {
    FakeAnswer made;
    made.body = R"({"methodResponses":[["Email/get",{"list":[]},"c0"]]})";
    if (++count == 1) made.fault = FakeAnswer::Fault::drop;
    return made;
  };
  EXPECT_TRUE(client->call_one("Email/get", Value::map(), reading()));
  count = 0;
  const auto write = client->call_one("Email/set", Value::map(), {});
  ASSERT_FALSE(write);
  EXPECT_EQ(write.error().effect(), Effect::unknown);
  EXPECT_EQ(count, 1);
}

TEST_F(JmapClient, a_server_in_trouble_leaves_a_write_unknown_and_a_read_to_be_repeated) {
  on_api = [&](const Value&, const FakeRequest&) {
    FakeAnswer made;
    made.status = 500;
    return made;
  };
  const auto write = client->call_one("Email/set", Value::map(), {});
  ASSERT_FALSE(write);
  EXPECT_TRUE(test::told_as("http-status", write.error()));
  const auto read = client->call_one("Email/get", Value::map(), reading());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().effect(), Effect::none);
  EXPECT_EQ(read.error().retry(), Retry::after);
}

TEST_F(JmapClient, get_asks_in_batches) {
  on_call = [](const Value& call) {
    EXPECT_LE(call.item(1)["ids"].size(), 3U);
    Value list = Value::list();
    for (const Value& id : call.item(1)["ids"].items()) list.push_back(Value::map({{"id", id}}));
    return Value::map({{"list", list}, {"state", "1"}});
  };
  const auto objects = client->get("Email", "b", {"1", "2", "3", "4", "5", "6", "7"});
  ASSERT_TRUE(objects) << objects.error().to_line();
  EXPECT_EQ(objects->size(), 7U);
  EXPECT_EQ(api_calls(), 3U);
}

TEST_F(JmapClient, query_pages_to_the_end_and_begins_again_when_the_state_changes) {
  int count = 0;
  on_call = [&](const Value& call) {
    ++count;
    const std::int64_t position = call.item(1)["position"].integer_or(0);
    Value ids = Value::list();
    for (std::int64_t i = position; i < std::min<std::int64_t>(position + 2, 5); ++i)
      ids.push_back(std::to_string(i));
    return Value::map({{"ids", ids},
                       {"total", 5},
                       {"queryState", count < 3 ? std::to_string(count) : std::string("same")}});
  };
  const auto ids = client->query("Email", "b", {});
  ASSERT_TRUE(ids) << ids.error().to_line();
  EXPECT_EQ(*ids, (std::vector<std::string>{"0", "1", "2", "3", "4"}));
}

TEST_F(JmapClient, query_of_a_mailbox_that_never_rests_ends) {
  int count = 0;
  on_call = [&](const Value&) {
    return Value::map(
        {{"ids", Value::list({"a"})}, {"total", 100}, {"queryState", std::to_string(++count)}});
  };
  EXPECT_FALSE(client->query("Email", "b", {}));
  EXPECT_LT(count, 20);
}

TEST_F(JmapClient, set_splits_by_number_and_reports_each_object) {
  std::vector<std::size_t> sizes;
  on_call = [&](const Value& call) {
    const Value& arguments = call.item(1);
    sizes.push_back(arguments["create"].size() + arguments["update"].size() +
                    arguments["destroy"].size());
    Value created = Value::map();
    Value refused = Value::map();
    for (const auto& [id, object] : arguments["create"].members()) {
      if (id == "c3")
        refused.set(
            id,
            json(
                R"({"type":"primaryKeyViolation","properties":["name"],"objectId":{"object":"Domain","id":"x"}})"));
      else
        created.set(id, Value::map({{"id", "new-" + id}}));
    }
    Value answer = Value::map({{"created", created}});
    if (refused.size() > 0) answer.set("notCreated", refused);
    Value updated = Value::map();
    for (const auto& [id, patch] : arguments["update"].members()) {
      if (id != "unreadable") updated.set(id, {});
    }
    answer.set("updated", updated);
    answer.set("destroyed", arguments["destroy"].is_list() ? arguments["destroy"] : Value::list());
    return answer;
  };
  SetRequest request;
  request.type = "x:Domain";
  request.create = Value::map();
  for (int i = 0; i < 6; ++i)
    request.create.set(fmt::format("c{}", i), Value::map({{"name", "n"}}));
  request.update = Value::map({{"u1", Value::map()}, {"unreadable", Value::map()}});
  request.destroy = {"d1", "d2"};
  const auto result = client->set(request);
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(sizes, (std::vector<std::size_t>{4, 4, 2}));
  EXPECT_EQ(result->created.size(), 5U);
  EXPECT_EQ(result->created_id("c5"), "new-c5");
  EXPECT_TRUE(result->updated.members().contains("u1"));
  EXPECT_EQ(result->destroyed.size(), 2U);
  ASSERT_EQ(result->failures.size(), 2U);
  EXPECT_EQ(result->failures[0].id, "c3");
  EXPECT_TRUE(result->failures[0].error.is("primaryKeyViolation"));
  EXPECT_EQ(result->failures[1].id, "unreadable");
  EXPECT_TRUE(result->failures[1].error.is("plan:silent"))
      << "ids that do not parse are dropped without a word";
}

// The answers are those of a Stalwart 0.16.15 (stalwart-admin.md 3.7).
TEST_F(JmapClient, an_object_that_is_refused_is_told_with_what_stands_in_its_way) {
  const auto refused = [&](SetRequest request, std::string_view answer, const std::string& what) {
    on_call = [answer](const Value&) { return json(answer); };
    const auto result = client->set(std::move(request));
    EXPECT_TRUE(result);
    return to_error(result->failures.at(0).error, what, "set", Blame::target);
  };
  EXPECT_TRUE(test::told_as(
      "jmap-name-taken",
      refused({.type = "x:Account", .create = json(R"({"a":{"name":"alice"}})")},
              R"({"notCreated":{"a":{"type":"primaryKeyViolation","properties":["email"],
                  "objectId":{"object":"Account","id":"b"}}}})",
              "account `alice@example.org`")));
  EXPECT_TRUE(test::told_as("jmap-object-in-use",
                            refused({.type = "x:Directory", .destroy = {"jp2"}},
                                    R"({"notDestroyed":{"jp2":{"type":"objectIsLinked",
                  "objectId":{"object":"Directory","id":"jp2"},
                  "linkedObjects":[{"object":"Domain","id":"c"},{"object":"Domain","id":"d"}]}}})",
                                    "Directory `old`")));
  EXPECT_TRUE(test::told_as(
      "jmap-object-missing",
      refused({.type = "x:MtaRoute", .destroy = {"zz"}},
              R"({"notDestroyed":{"zz":{"type":"notFound"}}})", "MtaRoute `source`")));
}

TEST_F(JmapClient, a_failure_in_a_later_batch_leaves_the_whole_unknown) {
  int count = 0;
  on_api = [&](const Value&, const FakeRequest&) {
    if (++count == 2) return problem(400, "notRequest");
    FakeAnswer made;
    made.body = R"({"methodResponses":[["x:Domain/set",{},"c0"]]})";
    return made;
  };
  SetRequest request;
  request.type = "x:Domain";
  for (int i = 0; i < 6; ++i) request.destroy.push_back(std::to_string(i));
  const auto result = client->set(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().effect(), Effect::unknown);
}

TEST_F(JmapClient, uploads_and_downloads_with_escaped_ids) {
  const auto blob = client->upload("b/../c", "abc", "text/plain");
  ASSERT_TRUE(blob) << blob.error().to_line();
  EXPECT_EQ(*blob, "blob1");
  EXPECT_EQ(uploaded, "abc");
  EXPECT_EQ(server_.requests().back().target, "/jmap/upload/b%2F..%2Fc/");
  const auto bytes = client->download("b", "blob 1", 100);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(*bytes, "bytes");
  const auto cut = client->download("b", "blob1", 4);
  ASSERT_FALSE(cut);
  EXPECT_TRUE(cut.error().is(net::errors::answer_too_large));
}

TEST_F(JmapClient, a_path_that_is_advertised_and_not_served_falls_back_to_jmap) {
  session.replace(session.find("https://mail.example.org/jmap/\""),
                  std::string("https://mail.example.org/jmap/\"").size(),
                  "https://mail.example.org/prefix/jmap/\"");
  on_api = [&](const Value&, const FakeRequest& request) {
    FakeAnswer made;
    if (request.target == "/prefix/jmap/") {
      made.status = 404;
      return made;
    }
    made.body = R"({"methodResponses":[["Email/get",{"list":[]},"c0"]]})";
    return made;
  };
  EXPECT_TRUE(client->call_one("Email/get", Value::map(), reading()));
}

TEST(SetErrorTest, becomes_an_error_at_the_place_in_the_plan) {
  const SetError error = parse_set_error(json(
      R"({"type":"invalidForeignKey","objectId":{"object":"Role","id":"zz"},"properties":["aliases/2/domainId"]})"));
  const Error made = to_error(error, "account `a@b`", "set", Blame::target);
  EXPECT_TRUE(test::told_as("jmap-reference-missing", made));
}

TEST(SetErrorTest, names_bounds_and_never_the_value_of_a_secret) {
  const Error bound = to_error(
      parse_set_error(json(
          R"({"type":"validationFailed","validationErrors":[{"type":"MaxValue","property":"port","required":65535}]})")),
      "MtaRoute `r`", "set", Blame::target);
  EXPECT_TRUE(test::told_as("jmap-object-refused", bound));
  const Error secret = to_error(
      parse_set_error(json(
          R"({"type":"invalidProperties","properties":["credentials/0/secret"],"description":"Zebra-Lamp is weak"})")),
      "account `a`", "set", Blame::target);
  EXPECT_EQ(secret.to_line().find("Zebra"), std::string::npos);
}

TEST(SetErrorTest, anything_at_all_can_be_parsed) {
  for (const char* text :
       {"null", "1", "[]", "{}",
        R"({"type":7,"properties":"x","linkedObjects":{"a":1},"validationErrors":[1,null]})"}) {
    const Error made = to_error(parse_set_error(json(text)), "it", {}, Blame::target);
    EXPECT_FALSE(made.message().empty());
  }
}

}  // namespace
}  // namespace plan::net::jmap
