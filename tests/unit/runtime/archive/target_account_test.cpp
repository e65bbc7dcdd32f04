#include "runtime/archive/target_account.h"

#include <gtest/gtest.h>

#include "compiler/ir/json.h"
#include "tests/support/fake_http_server.h"

namespace plan::archive {
namespace {

using ir::Value;
using test::FakeAnswer;
using test::FakeRequest;

/// A target that answers `/changes` page by page as the test wrote them.
class ChangesOfTarget : public ::testing::Test {
 protected:
  ChangesOfTarget() : server_([this](const FakeRequest& request) { return answer(request); }) {}

  Result<std::optional<TargetChanges>> changes(const std::string& since) {
    net::HttpOptions options;
    options.url = server_.url();
    options.user = "admin";
    options.password = secret::Secret("pw");
    auto http = net::make_http_client(std::move(options));
    EXPECT_TRUE(http);
    const TargetAccount account(
        std::make_shared<net::jmap::Client>(std::shared_ptr<net::HttpClient>(std::move(*http))),
        "acc");
    return account.changes_of({.name = "CalendarEvent", .capability = "urn:test:calendars"}, since);
  }

  FakeAnswer answer(const FakeRequest& request) {
    FakeAnswer made;
    made.headers = {{"Content-Type", "application/json"}};
    if (request.method == "GET") {
      made.body =
          R"({"capabilities":{"urn:ietf:params:jmap:core":{}},"accounts":{},"primaryAccounts":{},)"
          R"("username":"admin","apiUrl":"/jmap/","uploadUrl":"/u/{accountId}/",)"
          R"("downloadUrl":"/d/{accountId}/{blobId}/{name}","state":"1"})";
      return made;
    }
    const auto document = ir::parse_json(request.body);
    const Value& call = (*document)["methodCalls"].item(0);
    EXPECT_EQ(call.item(0).string_or(""), "CalendarEvent/changes");
    EXPECT_EQ(call.item(1)["accountId"].string_or(""), "acc");
    asked.emplace_back(call.item(1)["sinceState"].string_or(""));
    const auto page = ir::parse_json(asked.size() <= pages.size() ? pages[asked.size() - 1] : "{}");
    EXPECT_TRUE(page) << "of the test";
    const bool is_error = (*page)["type"].is_string();
    made.body = ir::write_json(Value::map(
        {{"methodResponses", Value::list({Value::list({is_error ? Value("error") : call.item(0),
                                                       *page, call.item(2)})})},
         {"sessionState", "1"}}));
    return made;
  }

  std::vector<std::string> pages = {};
  std::vector<std::string> asked = {};  ///< sinceState of each call

 private:
  test::FakeHttpServer server_;
};

TEST_F(ChangesOfTarget, all_pages_are_read_and_lead_to_the_last_ones_state) {
  pages = {
      R"({"newState":"s2","hasMoreChanges":true,"created":["a"],"updated":["b"],"destroyed":[]})",
      R"({"newState":"s3","hasMoreChanges":false,"created":[],"updated":["c"],"destroyed":["a"]})"};
  const auto changes = this->changes("s1");
  ASSERT_TRUE(changes) << changes.error().to_line();
  ASSERT_TRUE(*changes);
  EXPECT_EQ((*changes)->changed, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ((*changes)->gone, std::vector<std::string>{"a"});
  EXPECT_EQ((*changes)->state, "s3");
  EXPECT_EQ(asked, (std::vector<std::string>{"s1", "s2"}));
}

TEST_F(ChangesOfTarget, a_target_that_cannot_tell_has_everything_read) {
  pages = {R"({"type":"cannotCalculateChanges"})"};
  const auto changes = this->changes("old");
  ASSERT_TRUE(changes) << changes.error().to_line();
  EXPECT_FALSE(*changes);
}

// newState is what the next question begins from (RFC 8620, 5.2). Without it that question would be
// one for a state that the target never named.
TEST_F(ChangesOfTarget, an_answer_that_names_no_new_state_is_as_good_as_none) {
  for (const std::string page :
       {R"({"newState":"","hasMoreChanges":false,"created":["a"],"updated":[],"destroyed":[]})",
        R"({"hasMoreChanges":false,"created":["a"],"updated":[],"destroyed":[]})",
        R"({"newState":"","hasMoreChanges":true,"created":["a"],"updated":[],"destroyed":[]})"}) {
    pages = {page};
    asked.clear();
    const auto changes = this->changes("s1");
    ASSERT_TRUE(changes) << changes.error().to_line();
    EXPECT_FALSE(*changes) << page;
    EXPECT_EQ(asked.size(), 1U) << page;
  }
}

}  // namespace
}  // namespace plan::archive
