// Everything that a real server was seen to answer goes through the client: it must give the very
// answers, or an error that fits, and never a secret.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/jmap/client.h"
#include "runtime/net/jmap/errors.h"
#include "tests/support/fake_http_server.h"
#include "tests/support/recordings.h"
#include "tests/support/shared_data.h"

namespace plan::net::jmap {
namespace {

using ir::Value;
using test::FakeAnswer;
using test::FakeHttpServer;
using test::FakeRequest;
using test::Recorded;

class QuietClock final : public Clock {
 public:
  Monotonic now() override { return std::chrono::steady_clock::now(); }
  std::int64_t wall_ms() override { return 0; }
  void sleep_for(std::chrono::milliseconds) override {}
};

constexpr const char* kSession =
    R"({"capabilities":{"urn:ietf:params:jmap:core":{"maxObjectsInGet":500,"maxObjectsInSet":500,"maxCallsInRequest":16,
  "maxSizeRequest":10000000,"maxSizeUpload":50000000}},"accounts":{},"primaryAccounts":{},"username":"admin","apiUrl":"/jmap/",
  "uploadUrl":"/jmap/upload/{accountId}/","downloadUrl":"/jmap/download/{accountId}/{blobId}/{name}","state":"s"})";

/// The calls of a recorded request when it is one that a client of ours could send.
std::vector<Call> calls_of(const Recorded& exchange) {
  std::vector<Call> calls;
  std::set<std::string> ids;
  const Value& list = exchange.request["body"]["methodCalls"];
  if (exchange.request["method"].string_or({}) != "POST" || !list.is_list() || list.size() == 0 ||
      list.size() > 16)
    return {};
  for (const Value& call : list.items()) {
    const bool is_shaped = call.size() == 3 && call.item(0).is_string() && call.item(1).is_map() &&
                           call.item(2).is_string();
    if (!is_shaped || !ids.insert(call.item(2).as_string()).second) return {};
    calls.push_back(Call{.method = call.item(0).as_string(),
                         .arguments = call.item(1),
                         .id = call.item(2).as_string()});
  }
  return calls;
}

/// Texts below members called `secret`, `otpAuth` and the like.
void collect_secrets(const Value& value, bool is_secret, std::vector<std::string>& secrets) {
  if (value.is_string() && is_secret && value.as_string().size() >= 6)
    secrets.push_back(value.as_string());
  for (const Value& item : value.items()) collect_secrets(item, is_secret, secrets);
  for (const auto& [key, item] : value.members()) {
    const std::string name = lower_ascii(key);
    const bool is_here = name.ends_with("secret") || name.find("/secret") != std::string::npos ||
                         name == "otpauth" || name == "currentsecret";
    collect_secrets(item, is_secret || is_here, secrets);
  }
}

class Recordings : public ::testing::TestWithParam<const char*> {
 protected:
  Recordings() : server_([this](const FakeRequest& request) { return answer(request); }) {}

  FakeAnswer answer(const FakeRequest& request) {
    const std::lock_guard lock(mutex_);
    FakeAnswer made;
    made.headers = {{"Content-Type", "application/json"}};
    if (request.method == "GET") {
      made.body = kSession;
      return made;
    }
    const Value& response = exchange_->response;
    made.status = static_cast<int>(response["status"].integer_or(0));
    if (made.status == 0) {
      made.fault = FakeAnswer::Fault::drop;
      return made;
    }
    const Value& body = response["body"];
    made.body = body.is_string() ? body.as_string() : ir::write_json(body);
    if (made.status != 200) made.headers = {{"Content-Type", "application/problem+json"}};
    return made;
  }

  Result<std::vector<Answer>> play(const Recorded& exchange, std::vector<Call> calls) {
    {
      const std::lock_guard lock(mutex_);
      exchange_ = &exchange;
    }
    HttpOptions options;
    options.url = server_.url();
    if (!http_)
      http_ = std::shared_ptr<HttpClient>(std::move(*make_http_client(std::move(options))));
    Client client(http_, Blame::target, clock_);
    CallOptions call_options;
    call_options.capabilities = {std::string(kRegistry)};
    return client.call(std::move(calls), call_options);
  }

  QuietClock clock_;
  std::mutex mutex_;  ///< the server answers in threads of its own
  const Recorded* exchange_ = nullptr;
  FakeHttpServer server_;
  std::shared_ptr<HttpClient> http_;
};

TEST_P(Recordings, every_answer_of_the_real_server_is_understood) {
  PLAN_SHARED(folder, std::string("data/transcripts/") + GetParam());
  int answered = 0;
  int refused = 0;
  for (const Recorded& exchange : test::read_recordings(folder)) {
    const std::vector<Call> calls = calls_of(exchange);
    if (calls.empty() || exchange.response["body"].members().contains("$size")) continue;
    const auto answers = play(exchange, calls);
    const std::int64_t status = exchange.response["status"].integer_or(0);
    std::vector<std::string> secrets;
    collect_secrets(exchange.request["body"], false, secrets);
    const auto shows_no_secret = [&](const Error& error) {
      for (const std::string& secret : secrets) {
        EXPECT_EQ(error.to_line().find(secret), std::string::npos)
            << exchange.place() << ": " << error.to_line();
      }
    };
    if (status == 200) {
      ASSERT_TRUE(answers) << exchange.place() << ": " << answers.error().to_line();
      const Value& recorded = exchange.response["body"]["methodResponses"];
      ASSERT_EQ(answers->size(), recorded.size()) << exchange.place();
      for (std::size_t i = 0; i < answers->size(); ++i) {
        EXPECT_EQ((*answers)[i].method, recorded.item(i).item(0).as_string());
        EXPECT_EQ(ir::canonical_json((*answers)[i].arguments),
                  ir::canonical_json(recorded.item(i).item(1)))
            << exchange.place();
      }
      ++answered;
      continue;
    }
    ++refused;
    ASSERT_FALSE(answers) << exchange.place();
    const Error& error = answers.error();
    shows_no_secret(error);
    EXPECT_FALSE(error.message().empty());
    if (status == 0) {
      EXPECT_EQ(error.effect(), Effect::unknown) << exchange.place();
    }
    if (status == 401 || status == 402) {
      EXPECT_TRUE(error.is(net::errors::login_refused)) << exchange.place();
    }
    if (status == 403) {
      EXPECT_TRUE(error.is(errors::not_permitted)) << exchange.place();
    }
    if (status == 429) {
      EXPECT_TRUE(error.is(errors::rate_limited)) << exchange.place();
    }
    if (status == 400) {
      const std::string type(exchange.response["body"]["type"].string_or({}));
      const std::string limit(exchange.response["body"]["limit"].string_or({}));
      const bool is_fit = limit.starts_with("maxConcurrent") ? error.is(errors::rate_limited)
                          : type.ends_with(":limit")         ? error.is(errors::too_large)
                                                     : error.is(errors::request_not_understood);
      EXPECT_TRUE(is_fit) << exchange.place() << ": " << error.to_line();
      EXPECT_EQ(error.effect(), Effect::none);
    }
  }
  EXPECT_GT(answered, 20);
  RecordProperty("answered", answered);
  RecordProperty("refused", refused);
}

TEST_P(Recordings, every_refused_object_becomes_an_error_that_says_what_to_do_and_no_secret) {
  PLAN_SHARED(folder, std::string("data/transcripts/") + GetParam());
  std::map<std::string, int> types;
  for (const Recorded& exchange : test::read_recordings(folder)) {
    std::vector<std::string> secrets;
    collect_secrets(exchange.request["body"], false, secrets);
    for (const Value& entry : exchange.response["body"]["methodResponses"].items()) {
      if (entry.item(0).string_or({}) == "error") {
        const Error error = method_error(entry.item(1), "x:Account/set", false, Blame::target);
        for (const std::string& secret : secrets)
          EXPECT_EQ(error.to_line().find(secret), std::string::npos) << exchange.place();
        continue;
      }
      for (const char* map : {"notCreated", "notUpdated", "notDestroyed"}) {
        for (const auto& [id, value] : entry.item(1)[map].members()) {
          const SetError reason = parse_set_error(value);
          ++types[reason.type];
          const Error error = to_error(reason, "the object", "set", Blame::target);
          EXPECT_FALSE(reason.type.empty()) << exchange.place();
          EXPECT_GT(error.message().size(), std::string_view("the object: ").size())
              << exchange.place();
          EXPECT_FALSE(error.code().remedy.empty());
          for (const std::string& secret : secrets) {
            EXPECT_EQ(error.to_line().find(secret), std::string::npos)
                << exchange.place() << ": " << error.to_line();
          }
        }
      }
    }
  }
  for (const auto& [type, count] : types) RecordProperty(type, count);
}

INSTANTIATE_TEST_SUITE_P(OfTheRealServer, Recordings,
                         ::testing::Values("stalwart-0.16-admin", "stalwart-0.16-jmap",
                                           "split-delivery"),
                         [](const auto& folder) {
                           std::string name = folder.param;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](char c) { return c == '-' || c == '.'; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace plan::net::jmap
