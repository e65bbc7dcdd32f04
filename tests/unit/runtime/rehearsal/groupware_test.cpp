// Contacts, calendars, files and submissions of the embedded target, beyond what the recordings
// (tests/replay) show: what stays over a restart, and texts that no address book of ours wrote.
#include "runtime/rehearsal/groupware.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "compiler/ir/json.h"
#include "runtime/net/http_client.h"
#include "runtime/rehearsal/content_lines.h"
#include "runtime/rehearsal/embedded_target.h"
#include "runtime/rehearsal/entry_query.h"
#include "tests/support/temp_dir.h"

namespace plan::rehearsal {
namespace {

class GroupwareTest : public testing::Test {
 protected:
  void SetUp() override { start(); }

  void start() {
    target_.reset();
    EmbeddedTargetOptions options;
    options.data_directory = folder_.path() / "data";
    options.admin_password = "adminpw";
    options.http = ListenAt{};
    auto started = EmbeddedTarget::start(std::move(options));
    ASSERT_TRUE(started) << started.error().to_line();
    target_ = std::move(*started);
    net::HttpOptions http;
    http.url = target_->url();
    http.user = "admin";
    http.password = secret::Secret(std::string("adminpw"));
    auto client = net::make_http_client(std::move(http));
    ASSERT_TRUE(client);
    client_ = std::move(*client);
  }

  // One call for the account `b`; the arguments of its answer.
  ir::Value call(const std::string& method, const std::string& arguments) {
    const std::string body = fmt::format(
        R"({{"using":["urn:ietf:params:jmap:core","urn:ietf:params:jmap:contacts","urn:ietf:params:jmap:calendars","urn:ietf:params:jmap:filenode","urn:stalwart:jmap"],"methodCalls":[["{}",{{"accountId":"b"{}}},"0"]]}})",
        method, arguments);
    net::HttpRequest request;
    request.method = "POST";
    request.target = "/jmap/";
    request.body = body;
    request.content_type = "application/json";
    auto response = client_->send(request);
    if (!response) return {};
    auto value = ir::parse_json(response->body);
    return value ? (*value)["methodResponses"].item(0).item(1) : ir::Value();
  }

  test::TempDir folder_;
  std::unique_ptr<EmbeddedTarget> target_;
  std::unique_ptr<net::HttpClient> client_;
};

TEST_F(GroupwareTest, contacts_and_events_are_there_after_a_restart) {
  const ir::Value book =
      call("AddressBook/set", R"(,"create":{"a":{"name":"Friends","isSubscribed":true}})");
  const std::string book_id(book["created"]["a"]["id"].string_or(""));
  ASSERT_FALSE(book_id.empty()) << ir::write_json(book);
  const ir::Value card = call(
      "ContactCard/set",
      fmt::format(
          R"(,"create":{{"a":{{"uid":"u1","name":{{"full":"Ann"}},"addressBookIds":{{"{}":true}}}}}})",
          book_id));
  const std::string card_id(card["created"]["a"]["id"].string_or(""));
  ASSERT_FALSE(card_id.empty()) << ir::write_json(card);
  const std::string state(card["newState"].string_or(""));
  start();
  const ir::Value books = call("AddressBook/get", R"(,"ids":null)");
  EXPECT_EQ(books["list"].size(), 2U);
  const ir::Value cards = call("ContactCard/get", R"(,"ids":null)");
  ASSERT_EQ(cards["list"].size(), 1U);
  EXPECT_EQ(cards["list"].item(0)["name"]["full"], ir::Value("Ann"));
  EXPECT_TRUE(cards["list"].item(0)["addressBookIds"][book_id].bool_or(false));
  EXPECT_EQ(cards["state"].string_or(""), state);
  EXPECT_EQ(call("ContactCard/query", R"(,"filter":{"uid":"u1"})")["ids"].item(0),
            ir::Value(card_id));
}

TEST_F(GroupwareTest, patches_reach_into_an_object_and_a_folder_is_never_left_for_none) {
  const ir::Value made = call(
      "CalendarEvent/set",
      R"(,"create":{"a":{"uid":"e1","title":"x","locations":{"k":{"name":"here"}},"calendarIds":{"b":true}}})");
  // No calendar yet: the account was never looked at. Then the default one is there.
  const std::string id(made["created"]["a"]["id"].string_or(""));
  ASSERT_FALSE(id.empty()) << ir::write_json(made);
  const ir::Value patched =
      call("CalendarEvent/set",
           fmt::format(R"(,"update":{{"{}":{{"locations/k/name":"there","title":null}}}})", id));
  ASSERT_TRUE(patched["updated"].members().contains(id)) << ir::write_json(patched);
  const ir::Value event = call("CalendarEvent/get", R"(,"ids":null)")["list"].item(0);
  EXPECT_EQ(event["locations"]["k"]["name"], ir::Value("there"));
  EXPECT_TRUE(event["title"].is_null());
  const ir::Value refused =
      call("CalendarEvent/set", fmt::format(R"(,"update":{{"{}":{{"calendarIds/b":null}}}})", id));
  EXPECT_EQ(refused["notUpdated"][id]["properties"].item(0), ir::Value("calendarIds"));
}

TEST_F(GroupwareTest, a_folder_of_files_cannot_become_its_own_child) {
  const ir::Value made =
      call("FileNode/set",
           R"(,"create":{"a":{"name":"A","parentId":null},"b":{"name":"B","parentId":"#a"}})");
  const std::string outer(made["created"]["a"]["id"].string_or(""));
  const std::string inner(made["created"]["b"]["id"].string_or(""));
  ASSERT_FALSE(inner.empty()) << ir::write_json(made);
  const ir::Value moved =
      call("FileNode/set", fmt::format(R"(,"update":{{"{}":{{"parentId":"{}"}}}})", outer, inner));
  EXPECT_EQ(moved["notUpdated"][outer]["type"], ir::Value("invalidProperties"));
  start();
  EXPECT_EQ(call("FileNode/get", R"(,"ids":null)")["list"].size(), 2U);
}

TEST_F(GroupwareTest, a_method_needs_its_capability) {
  EXPECT_EQ(call("Mailbox/get", R"(,"ids":null)")["type"], ir::Value("unknownMethod"));
}

TEST(ContentLines, are_unfolded_and_keep_quoted_parameters) {
  const auto lines = content_lines(
      "item1.EMAIL;TYPE=\"home,pref\";X=1:a@\r\n b.test\r\nno colon here\r\nTEL;CELL:+1\r\n");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].name, "email");
  EXPECT_EQ(lines[0].value, "a@b.test");
  EXPECT_TRUE(lines[0].has("type", "PREF"));
  EXPECT_TRUE(lines[1].has("type", "cell"));
  EXPECT_EQ(split_value("a\\;b;c\\,d;", ';'), (std::vector<std::string>{"a;b", "c,d", ""}));
}

TEST(VCard, becomes_jscontact_and_keeps_what_has_no_place) {
  const auto card = card_of_vcard(
      "BEGIN:VCARD\nVERSION:4.0\nFN:A B\nORG:Firm;Unit\nADR;TYPE=work:;;Street 1;Town;;123;DE\n"
      "BDAY:--0203\nCATEGORIES:x,y\nX-SKYPE:me\nEND:VCARD\n");
  ASSERT_TRUE(card);
  EXPECT_EQ((*card)["organizations"]["k1"]["units"].item(0)["name"], ir::Value("Unit"));
  EXPECT_EQ((*card)["addresses"]["k1"]["components"].size(), 4U);
  EXPECT_EQ((*card)["anniversaries"]["k1"]["date"]["day"], ir::Value(3));
  EXPECT_TRUE((*card)["keywords"]["y"].bool_or(false));
  EXPECT_EQ((*card)["vCard"]["properties"].item(1).item(0), ir::Value("x-skype"));
  EXPECT_FALSE(card_of_vcard("BEGIN:VCARD\nFN:never ends\n"));
}

TEST(ICalendar, becomes_jscalendar) {
  const auto events = events_of_icalendar(
      "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:"
      "20261226\n"
      "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3\nEXDATE;VALUE=DATE:20270129\nBEGIN:VALARM\nUID:no\n"
      "END:VALARM\nATTENDEE;CN=Bo;PARTSTAT=ACCEPTED:mailto:bo@b.test\nEND:VEVENT\nEND:VCALENDAR\n");
  ASSERT_TRUE(events);
  const ir::Value& event = events->item(0);
  EXPECT_EQ(event["uid"], ir::Value("1"));
  EXPECT_EQ(event["duration"], ir::Value("P2D"));
  EXPECT_TRUE(event["showWithoutTime"].bool_or(false));
  EXPECT_EQ(event["recurrenceRule"]["byDay"].item(0)["nthOfPeriod"], ir::Value(-1));
  EXPECT_TRUE(event["recurrenceOverrides"]["2027-01-29T00:00:00"]["excluded"].bool_or(false));
  EXPECT_EQ(event["participants"]["k1"]["participationStatus"], ir::Value("accepted"));
  EXPECT_FALSE(events_of_icalendar("BEGIN:VCALENDAR\nEND:VCALENDAR\n"));
}

TEST(Durations, are_seconds) {
  EXPECT_EQ(duration_seconds("P1DT1H30M5S"), 91'805);
  EXPECT_EQ(duration_seconds("P2W"), 1'209'600);
  for (const char* wrong : {"", "1H", "PT1", "P1H", "PT9999999999S"})
    EXPECT_FALSE(duration_seconds(wrong)) << wrong;
}

}  // namespace
}  // namespace plan::rehearsal
