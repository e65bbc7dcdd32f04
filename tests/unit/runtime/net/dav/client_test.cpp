#include "runtime/net/dav/client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "runtime/net/errors.h"
#include "tests/support/fake_http_server.h"
#include "tests/support/radicale.h"

namespace plan::net::dav {
namespace {

using test::FakeAnswer;
using test::FakeHttpServer;
using test::FakeRequest;

Client client_of(const FakeHttpServer& server, ClientLimits limits = {}) {
  HttpOptions options;
  options.url = server.url();
  return Client(std::shared_ptr<HttpClient>(std::move(*make_http_client(std::move(options)))),
                Blame::source, limits);
}

FakeAnswer multistatus(const std::string& rows) {
  FakeAnswer answer;
  answer.status = 207;
  answer.headers = {{"Content-Type", "application/xml"}};
  answer.body = R"(<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">)" + rows +
                "</multistatus>";
  return answer;
}

FakeAnswer status(int code) {
  FakeAnswer answer;
  answer.status = code;
  return answer;
}

std::string row(const std::string& href, const std::string& properties) {
  return "<response><href>" + href + "</href><propstat><prop>" + properties +
         "</prop><status>HTTP/1.1 200 OK</status></propstat></response>";
}

const Collection kCalendar{.kind = Kind::calendar, .href = "/u/cal/", .name = "cal"};

TEST(DavClient, BelievesNoItemOutsideItsCollection) {
  for (const char* href : {"/other/cal/x.ics", "/u/cal/deeper/x.ics", "/u/calendar.ics"}) {
    const FakeHttpServer server([&](const FakeRequest&) {
      return multistatus(row("/u/cal/", "<getetag/>") + row(href, "<getetag>\"1\"</getetag>"));
    });
    const auto items = client_of(server).list(kCalendar);
    ASSERT_FALSE(items) << href;
    EXPECT_TRUE(items.error().is(errors::protocol_violation));
  }
}

TEST(DavClient, BelievesNoCollectionOutsideItsHome) {
  const FakeHttpServer server([](const FakeRequest& request) {
    if (request.headers.at("depth") == "0")
      return multistatus(row("/u/", "<C:calendar-home-set><href>/u/</href></C:calendar-home-set>"));
    return multistatus(row("/v/cal/", "<resourcetype><collection/><C:calendar/></resourcetype>"));
  });
  const auto homes = client_of(server).homes("/u/");
  ASSERT_FALSE(homes);
  EXPECT_TRUE(homes.error().is(errors::protocol_violation));
}

TEST(DavClient, SaysWhenThereIsNoHome) {
  const FakeHttpServer server([](const FakeRequest&) { return status(404); });
  const auto homes = client_of(server).homes("/u/");
  ASSERT_TRUE(homes) << homes.error().to_line();
  EXPECT_FALSE(homes->is_there);
}

TEST(DavClient, AsksForEachItemThatAMultigetIsSilentOf) {
  const FakeHttpServer server([](const FakeRequest& request) {
    if (request.method == "REPORT")
      return multistatus(
          row("/u/cal/1.ics",
              "<getetag>\"a\"</getetag><C:calendar-data>one\ntwo</C:calendar-data>") +
          "<response><href>/u/cal/2.ics</href><status>HTTP/1.1 404 Not Found</status></response>" +
          row("/u/cal/9.ics", "<C:calendar-data>nobody asked</C:calendar-data>"));
    FakeAnswer answer;
    if (request.target == "/u/cal/4.ics") answer.status = 404;
    answer.headers = {{"ETag", "\"c\""}};
    answer.body = "three\r\n";
    return answer;
  });
  const auto fetched = client_of(server).fetch(
      kCalendar, {"/u/cal/1.ics", "/u/cal/2.ics", "/u/cal/3.ics", "/u/cal/4.ics"});
  ASSERT_TRUE(fetched) << fetched.error().to_line();
  ASSERT_EQ(fetched->items.size(), 2U);
  EXPECT_EQ(fetched->items[0].text, "one\r\ntwo\r\n");
  EXPECT_EQ(fetched->items[0].etag, "\"a\"");
  EXPECT_EQ(fetched->items[1].href, "/u/cal/3.ics");
  EXPECT_EQ(fetched->items[1].text, "three\r\n");
  EXPECT_EQ(fetched->items[1].etag, "\"c\"");
  EXPECT_EQ(fetched->gone, (std::vector<std::string>{"/u/cal/2.ics", "/u/cal/4.ics"}));
}

TEST(DavClient, ReadsOneByOneWhereAMultigetIsRefusedOrBroken) {
  for (const bool is_broken : {false, true}) {
    const FakeHttpServer server([&](const FakeRequest& request) {
      if (request.method != "REPORT") {
        FakeAnswer answer;
        answer.body = request.target;
        return answer;
      }
      // A control character, as a program once put it into a description: no XML can hold it.
      return is_broken ? multistatus(row("/u/cal/1.ics", "<C:calendar-data>\x02</C:calendar-data>"))
                       : status(501);
    });
    const auto fetched = client_of(server).fetch(kCalendar, {"/u/cal/1.ics", "/u/cal/2.ics"});
    ASSERT_TRUE(fetched) << fetched.error().to_line();
    ASSERT_EQ(fetched->items.size(), 2U);
    EXPECT_EQ(fetched->items[1].text, "/u/cal/2.ics\r\n");
  }
}

TEST(DavClient, StopsAtItsBounds) {
  const FakeHttpServer server([](const FakeRequest& request) {
    std::string rows;
    for (int i = 0; i < 4; ++i)
      rows += request.target == "/u/cal/"
                  ? row(fmt::format("/u/cal/{}.ics", i), "<getetag/>")
                  : row(fmt::format("/u/c{}/", i),
                        "<resourcetype><collection/><C:calendar/></resourcetype>");
    return multistatus(rows);
  });
  const auto items = client_of(server, {.items_max = 3}).list(kCalendar);
  ASSERT_FALSE(items);
  EXPECT_TRUE(items.error().is(errors::answer_too_large));
  const auto homes = client_of(server, {.collections_max = 3}).homes("/u/");
  ASSERT_FALSE(homes);
  EXPECT_TRUE(homes.error().is(errors::answer_too_large));
}

TEST(DavClient, TellsTheAnswersToAWriteApart) {
  const std::map<int, Written> outcomes = {
      {201, Written::done},    {204, Written::done}, {400, Written::refused},
      {403, Written::refused}, {404, Written::gone}, {412, Written::changed_meanwhile}};
  for (const auto& [code, outcome] : outcomes) {
    const FakeHttpServer server([&](const FakeRequest&) { return status(code); });
    const auto answer = client_of(server).put(Kind::calendar, "/u/cal/1.ics", "x", "\"1\"");
    ASSERT_TRUE(answer) << code;
    EXPECT_EQ(answer->outcome, outcome) << code;
    EXPECT_EQ(server.requests().front().headers.at("if-match"), "\"1\"");
  }
  for (const int code : {401, 500, 503}) {
    const FakeHttpServer server([&](const FakeRequest&) { return status(code); });
    EXPECT_FALSE(client_of(server).put(Kind::calendar, "/u/cal/1.ics", "x", "")) << code;
    EXPECT_EQ(server.requests().front().headers.at("if-none-match"), "*");
  }
}

FakeAnswer redirect(const std::string& location) {
  FakeAnswer answer;
  answer.status = 301;
  answer.headers = {{"Location", location}};
  return answer;
}

TEST(DavDiscovery, FollowsTheWellKnownPlaceToThePrincipal) {
  std::string origin;
  const FakeHttpServer server([&](const FakeRequest& request) {
    if (request.target == "/.well-known/caldav") return redirect(origin + "/dav");
    if (request.target == "/dav") return redirect("/dav/");
    if (request.target == "/dav/")
      return multistatus(row("/dav/",
                             "<current-user-principal><href>/dav/principals/u</href>"
                             "</current-user-principal>"));
    return status(404);
  });
  origin = server.url();
  const auto found = client_of(server).principal();
  ASSERT_TRUE(found) << found.error().to_line();
  EXPECT_EQ(found->value_or(""), "/dav/principals/u/");
}

TEST(DavDiscovery, TriesTheOtherPlacesAndSaysWhenThereIsNone) {
  const FakeHttpServer at_root([](const FakeRequest& request) {
    if (request.target != "/") return status(404);
    return multistatus(row("/",
                           "<current-user-principal><href>/p/</href>"
                           "</current-user-principal>"));
  });
  const auto found = client_of(at_root).principal();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->value_or(""), "/p/");
  const FakeHttpServer nowhere([](const FakeRequest&) {
    return multistatus(row("/",
                           "<current-user-principal><unauthenticated/>"
                           "</current-user-principal>"));
  });
  const auto none = client_of(nowhere).principal();
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST(DavDiscovery, GoesToNoOtherServerAndFollowsNoEndlessRedirects) {
  const FakeHttpServer other([](const FakeRequest&) { return status(200); });
  for (const std::string& location :
       {other.url() + "/dav/", std::string("https://127.0.0.1/dav/"),
        std::string("//evil.test/dav/"), std::string("ftp://127.0.0.1/")}) {
    const FakeHttpServer server([&](const FakeRequest&) { return redirect(location); });
    const auto found = client_of(server).principal();
    ASSERT_FALSE(found) << location;
    EXPECT_TRUE(found.error().is(errors::redirected_elsewhere)) << found.error().to_line();
    EXPECT_EQ(server.requests().size(), 3U);
  }
  EXPECT_TRUE(other.requests().empty());
  const FakeHttpServer endless([](const FakeRequest& request) {
    return redirect("/" + std::string(request.target.size() % 7, 'x'));
  });
  const auto found = client_of(endless).principal();
  ASSERT_FALSE(found);
  EXPECT_TRUE(found.error().is(errors::protocol_violation)) << found.error().to_line();
  EXPECT_EQ(endless.requests().size(), 18U);  // three places, and five redirects from each
}

std::string sync_answer(const std::string& token, const std::string& rows) {
  return R"(<multistatus xmlns="DAV:">)" + rows + "<sync-token>" + token +
         "</sync-token></multistatus>";
}

FakeAnswer document(std::string body) {
  FakeAnswer answer;
  answer.status = 207;
  answer.body = std::move(body);
  return answer;
}

TEST(DavClient, FollowsThePagesOfAReportOfChanges) {
  const FakeHttpServer server([](const FakeRequest& request) {
    if (request.body.find("<D:sync-token>t1<") != std::string::npos)
      return document(sync_answer(
          "t2", row("/u/cal/1.ics", "<getetag>\"a\"</getetag>") +
                    row("/u/cal/2.ics", "<getetag>\"b\"</getetag>") +
                    "<response><href>/u/cal/</href><status>HTTP/1.1 507 More</status></response>"));
    return document(sync_answer(
        "t3", "<response><href>/u/cal/1.ics</href><status>HTTP/1.1 404 Gone</status></response>"));
  });
  const auto changes = client_of(server).changes(kCalendar, "t1");
  ASSERT_TRUE(changes && *changes);
  EXPECT_EQ((*changes)->token, "t3");
  ASSERT_EQ((*changes)->changed.size(), 1U);
  EXPECT_EQ((*changes)->changed[0].href, "/u/cal/2.ics");
  EXPECT_EQ((*changes)->changed[0].etag, "\"b\"");
  EXPECT_EQ((*changes)->gone, std::vector<std::string>{"/u/cal/1.ics"});
}

TEST(DavClient, BelievesNoReportOfChangesThatIsNotWhole) {
  const std::string more =
      "<response><href>/u/cal/</href><status>HTTP/1.1 507 More</status></response>";
  for (const std::string& body :
       {sync_answer("", ""), sync_answer("t2", row("/u/other/1.ics", "<getetag/>")),
        sync_answer("t1", more), std::string("<html/>"), std::string("no XML")}) {
    const FakeHttpServer server([&](const FakeRequest&) { return document(body); });
    const auto changes = client_of(server).changes(kCalendar, "t1");
    ASSERT_TRUE(changes) << body;
    EXPECT_FALSE(*changes) << body;
  }
  for (const int code : {400, 403, 409, 501}) {
    const FakeHttpServer server([&](const FakeRequest&) { return status(code); });
    const auto changes = client_of(server).changes(kCalendar, "t1");
    ASSERT_TRUE(changes) << code;
    EXPECT_FALSE(*changes) << code;
  }
  // A server that always has one more page.
  int page = 0;
  const FakeHttpServer server(
      [&](const FakeRequest&) { return document(sync_answer(fmt::format("t{}", ++page), more)); });
  const auto changes = client_of(server, {.sync_pages_max = 5}).changes(kCalendar, "t0");
  ASSERT_TRUE(changes);
  EXPECT_FALSE(*changes);
  EXPECT_EQ(server.requests().size(), 5U);
}

TEST(DavClient, CountsWhoElseSeesACalendar) {
  const FakeHttpServer server([](const FakeRequest& request) {
    if (request.headers.at("depth") == "0") return multistatus(row("/u/", "<resourcetype/>"));
    const std::string calendar = "<resourcetype><collection/><C:calendar/>";
    return document(
        R"(<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/">)" +
        row("/u/own/", calendar + "</resourcetype>") +
        row("/u/invited/",
            calendar + "</resourcetype><S:invite><S:organizer/><S:user><href>mailto:b@x.test"
                       "</href></S:user><S:user/></S:invite>") +
        row("/u/granted/", calendar +
                               "</resourcetype><owner><href>/p/u/</href></owner><acl>"
                               "<ace><principal><href>/p/u/</href></principal><grant/></ace>"
                               "<ace><principal><href>/p/b/</href></principal><grant/></ace>"
                               "<ace><principal><href>/p/b/</href></principal><grant/></ace>"
                               "<ace><principal><href>/p/c/</href></principal><deny/></ace>"
                               "<ace><principal><all/></principal><grant/><inherited/></ace>"
                               "<ace><principal><authenticated/></principal><grant/></ace></acl>") +
        row("/u/of-another/", calendar + "<S:shared/></resourcetype>") +
        row("/u/elsewhere/", "<resourcetype><collection/><S:subscribed/></resourcetype>") +
        "</multistatus>");
  });
  const auto homes = client_of(server).homes("/u/");
  ASSERT_TRUE(homes) << homes.error().to_line();
  ASSERT_EQ(homes->collections.size(), 4U);
  std::map<std::string, std::size_t> shared;
  for (const Collection& one : homes->collections) shared[one.name] = one.shared_with;
  EXPECT_EQ(shared, (std::map<std::string, std::size_t>{
                        {"own", 0}, {"invited", 2}, {"granted", 2}, {"of-another", 0}}));
  for (const Collection& one : homes->collections)
    EXPECT_EQ(one.is_of_another, one.name == "of-another") << one.name;
  EXPECT_EQ(homes->subscriptions, 1U);
}

/// What a hostile server may send of a listing: each is refused, and nothing large is kept.
TEST(DavClient, AHostileListingIsRefused) {
  const auto list = [](const std::string& body) {
    const FakeHttpServer server([&](const FakeRequest&) { return document(body); });
    return client_of(server, {.xml = {.bytes_max = 1'000'000, .elements_max = 10'000}})
        .list(kCalendar);
  };
  std::string rows;
  for (int i = 0; i < 3'000; ++i) rows += row(fmt::format("/u/cal/{}.ics", i), "<getetag/>");
  const std::string bomb = multistatus(rows).body;
  const std::string entities =
      R"(<!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>)"
      R"(<multistatus xmlns="DAV:"><response><href>&c;</href></response></multistatus>)";
  const std::string outside =
      R"(<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]><multistatus xmlns="DAV:">&a;</multistatus>)";
  std::string deep = R"(<multistatus xmlns="DAV:">)";
  for (int i = 0; i < 2'000; ++i) deep += "<a>";
  for (const auto& [body, is_too_large] :
       {std::pair(bomb, true), std::pair(deep, true),
        std::pair(multistatus(std::string(1'100'000, ' ')).body, true), std::pair(entities, false),
        std::pair(outside, false),
        std::pair(multistatus(row("https://evil.test/u/cal/1.ics", "<getetag/>")).body, false),
        std::pair(multistatus(row("/u/cal/../../etc", "<getetag/>")).body, false)}) {
    const auto items = list(body);
    ASSERT_FALSE(items) << body.substr(0, 200);
    EXPECT_TRUE(
        items.error().is(is_too_large ? errors::answer_too_large : errors::protocol_violation))
        << items.error().to_line() << "\n"
        << body.substr(0, 200);
  }
}

/// With a length or without: as much as is taken of any answer, and no more.
TEST(DavClient, ABodyOfAGigabyteIsNotRead) {
  for (const char* length : {"Content-Length: 1073741824\r\n", ""}) {
    const FakeHttpServer server([&](const FakeRequest& request) {
      FakeAnswer answer;
      answer.fault = FakeAnswer::Fault::raw;
      answer.body = fmt::format("HTTP/1.1 {}\r\n{}Connection: close\r\n\r\n",
                                request.method == "GET" ? "200 OK" : "207 Multi-Status", length) +
                    std::string(4U << 20U, ' ');
      return answer;
    });
    const Client client =
        client_of(server, {.xml = {.bytes_max = 100'000}, .item_bytes_max = 100'000});
    const auto items = client.list(kCalendar);
    ASSERT_FALSE(items);
    EXPECT_TRUE(items.error().is(errors::answer_too_large)) << items.error().to_line();
    const auto item = client.get("/u/cal/1.ics");
    ASSERT_FALSE(item);
    EXPECT_TRUE(item.error().is(errors::answer_too_large)) << item.error().to_line();
  }
}

class RadicaleClient : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    radicale_ = test::Radicale::start({"alice@example.org", "bob@example.org"}, why);
    if (!radicale_) GTEST_SKIP() << why;
  }
  std::unique_ptr<test::Radicale> radicale_;
};

TEST_F(RadicaleClient, FindsReadsAndWritesAsTheAdministrator) {
  const std::string work = radicale_->make("alice@example.org", Kind::calendar, "Work & home");
  const std::string friends = radicale_->make("alice@example.org", Kind::address_book, "Friends");
  const std::string of_bob = radicale_->make("bob@example.org", Kind::calendar, "Bob");
  ASSERT_FALSE(work.empty() || friends.empty() || of_bob.empty());
  const Client client = radicale_->client();
  const auto homes = client.homes("/alice%40example.org/");
  ASSERT_TRUE(homes) << homes.error().to_line();
  ASSERT_TRUE(homes->is_there);
  ASSERT_EQ(homes->collections.size(), 2U);
  const Collection& book = homes->collections[0];
  const Collection& calendar = homes->collections[1];
  EXPECT_EQ(book.kind, Kind::address_book);
  EXPECT_EQ(book.name, "Friends");
  EXPECT_EQ(calendar.href, "/alice@example.org/Work%20%26%20home/");
  EXPECT_EQ(calendar.name, "Work & home");

  const std::string href = calendar.href + "one.ics";
  const auto put = client.put(Kind::calendar, href, test::event_text("one", "First & <last>"), "");
  ASSERT_TRUE(put) << put.error().to_line();
  ASSERT_EQ(put->outcome, Written::done);
  const auto card =
      client.put(Kind::address_book, book.href + "ann.vcf", test::card_text("ann", "Ann"), "");
  ASSERT_TRUE(card);
  ASSERT_EQ(card->outcome, Written::done) << card->words;
  const auto twice = client.put(Kind::calendar, href, test::event_text("one", "Second"), "");
  ASSERT_TRUE(twice);
  EXPECT_EQ(twice->outcome, Written::changed_meanwhile);
  const auto bad = client.put(Kind::calendar, calendar.href + "bad.ics", "no calendar", "");
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->outcome, Written::refused);

  const auto listed = client.list(calendar);
  ASSERT_TRUE(listed) << listed.error().to_line();
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ(listed->front().href, href);
  EXPECT_EQ(listed->front().etag, put->etag);
  const auto fetched = client.fetch(calendar, {href, calendar.href + "none.ics"});
  ASSERT_TRUE(fetched) << fetched.error().to_line();
  ASSERT_EQ(fetched->items.size(), 1U);
  EXPECT_NE(fetched->items[0].text.find("SUMMARY:First & <last>\r\n"), std::string::npos);
  EXPECT_EQ(fetched->gone, std::vector<std::string>{calendar.href + "none.ics"});
  const auto cards = client.fetch(book, {book.href + "ann.vcf"});
  ASSERT_TRUE(cards) << cards.error().to_line();
  ASSERT_EQ(cards->items.size(), 1U);
  EXPECT_NE(cards->items[0].text.find("FN:Ann\r\n"), std::string::npos);

  const auto changed =
      client.put(Kind::calendar, href, test::event_text("one", "Changed"), put->etag);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->outcome, Written::done);
  const auto stale = client.remove(href, put->etag);
  ASSERT_TRUE(stale);
  EXPECT_EQ(stale->outcome, Written::changed_meanwhile);
  const auto removed = client.remove(href, changed->etag);
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->outcome, Written::done);
  const auto gone = client.remove(href, "");
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->outcome, Written::gone);
  const auto made = client.make(calendar);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->outcome, Written::changed_meanwhile) << made->words;
}

TEST_F(RadicaleClient, SaysWhoALoginIs) {
  const auto found = radicale_->client("alice@example.org", "secret").principal();
  ASSERT_TRUE(found) << found.error().to_line();
  EXPECT_EQ(found->value_or(""), "/alice@example.org/");
}

TEST_F(RadicaleClient, TellsWhatChangedSinceAToken) {
  const std::string href = radicale_->make("alice@example.org", Kind::calendar, "Work");
  ASSERT_FALSE(href.empty());
  const Client client = radicale_->client();
  const Collection work{.kind = Kind::calendar, .href = href, .name = "Work"};
  const auto put = [&](const std::string& name, const std::string& text) {
    const auto there = client.get(href + name);
    const std::string etag =
        there && !there->items.empty() ? there->items.front().etag : std::string();
    const auto done = client.put(Kind::calendar, href + name, text, etag);
    ASSERT_TRUE(done && done->outcome == Written::done) << name;
  };
  put("stays.ics", test::event_text("stays", "Stays"));
  put("goes.ics", test::event_text("goes", "Goes"));
  put("changes.ics", test::event_text("changes", "Before"));
  put("task.ics",
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:task\r\nDTSTAMP:"
      "20261101T080000Z\r\nSUMMARY:Task\r\nEND:VTODO\r\nEND:VCALENDAR\r\n");
  const auto tasks = client.count(work, "VTODO");
  ASSERT_TRUE(tasks && *tasks);
  EXPECT_EQ(**tasks, 1U);
  const auto token = client.sync_token(work);
  ASSERT_TRUE(token);
  ASSERT_FALSE(token->empty());
  put("changes.ics", test::event_text("changes", "After"));
  put("new.ics", test::event_text("new", "New"));
  ASSERT_TRUE(client.remove(href + "goes.ics", ""));
  const auto changes = client.changes(work, *token);
  ASSERT_TRUE(changes && *changes);
  std::vector<std::string> changed;
  for (const ItemState& item : (*changes)->changed) {
    changed.push_back(item.href);
    EXPECT_FALSE(item.etag.empty()) << item.href;
  }
  EXPECT_EQ(changed, (std::vector<std::string>{href + "changes.ics", href + "new.ics"}));
  EXPECT_EQ((*changes)->gone, std::vector<std::string>{href + "goes.ics"});
  const auto none = client.changes(work, (*changes)->token);
  ASSERT_TRUE(none && *none);
  EXPECT_TRUE((*none)->changed.empty() && (*none)->gone.empty());
  const auto unknown = client.changes(work, "http://radicale.org/ns/sync/none");
  ASSERT_TRUE(unknown);
  EXPECT_FALSE(*unknown);
}

TEST_F(RadicaleClient, AWrongPasswordIsALoginThatWasRefused) {
  const auto homes = radicale_->client("migrator", "wrong").homes("/alice%40example.org/");
  ASSERT_FALSE(homes);
  EXPECT_TRUE(homes.error().is(errors::login_refused)) << homes.error().to_line();
}

TEST_F(RadicaleClient, AUserThatNeverCameHasNoHome) {
  const auto homes = radicale_->client().homes("/nobody%40example.org/");
  ASSERT_TRUE(homes) << homes.error().to_line();
  EXPECT_FALSE(homes->is_there);
}

}  // namespace
}  // namespace plan::net::dav
