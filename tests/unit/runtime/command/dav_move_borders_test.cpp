// A move of calendars and contacts that is cut off at every border, and what is known before it.
#include "runtime/engine/kill_point.h"
#include "tests/support/fake_http_server.h"
#include "tests/unit/runtime/command/dav_move_fixture.h"

namespace plan::dav_move {
namespace {

TEST_F(DavMove, AServerBehindAPathOfItsHostIsAskedBelowIt) {
  const test::FakeHttpServer server([](const test::FakeRequest&) {
    test::FakeAnswer answer;
    answer.status = 404;
    return answer;
  });
  const auto asked_first = [&](const std::string& name, const std::string& path) {
    Value source = arguments_["source"];
    Value dav = source["dav"];
    dav.set("server", name);
    dav.set("url", server.url() + path);
    source.set("dav", std::move(dav));
    arguments_.set("source", std::move(source));
    const std::size_t before = server.requests().size();
    auto at = context(ir::StepKind::archive_copy);
    EXPECT_TRUE(drivers_.find(ir::StepKind::archive_copy)->observe(at));
    const auto requests = server.requests();
    return requests.size() > before ? requests[before].target : std::string();
  };
  EXPECT_EQ(asked_first("radicale", "/radicale/"), "/radicale/alice@example.org/");
  EXPECT_EQ(asked_first("radicale", "/"), "/alice@example.org/");
  EXPECT_EQ(asked_first("other", "/dav"), "/dav/alice@example.org/");
  // SOGo's own place is not put behind itself.
  EXPECT_EQ(asked_first("sogo", "/SOGo/dav/"), "/SOGo/dav/alice@example.org/");
}

TEST_F(DavMove, TheHoldIsPredictedWithTheCalendars) {
  fill();
  auto copy = context(ir::StepKind::archive_copy);
  ASSERT_TRUE(drivers_.find(ir::StepKind::archive_copy)->observe(copy));
  for (const ir::StepKind kind : {ir::StepKind::archive_delta, ir::StepKind::archive_grade}) {
    auto at = context(kind);
    const auto seen = drivers_.find(kind)->observe(at);
    ASSERT_TRUE(seen) << seen.error().to_line();
    EXPECT_NE(seen->hold_basis.find("3 calendars and address books asked for changes in "),
              std::string::npos)
        << seen->hold_basis;
    // Changes, folders and their number, of events and of cards.
    EXPECT_TRUE(
        seen->hold_basis.ends_with("6 calls of the target for what it has of their 6 entries, "
                                   "5,000 of which it shows in a second"))
        << seen->hold_basis;
  }
}

TEST_F(DavMove, KilledAtEveryBorderItLosesNothingAndDoublesNothing) {
  fill();
  const std::string trash = radicale_->make(kAccount, Kind::calendar, "Trash");
  put(Kind::calendar, trash + "junk.ics", test::event_text("junk", "Junk"));
  is_killed_at_borders_ = true;
  EXPECT_GT(apply_with_kills(ir::StepKind::archive_copy), 0);
  put(Kind::calendar, calendar_ + "lunch.ics", test::event_text("lunch", "Dinner"));
  put(Kind::calendar, work_ + "new.ics", test::event_text("new", "New"));
  put(Kind::calendar, work_ + "newer.ics", test::event_text("newer", "Newer"));
  for (const std::string& gone : {work_ + "old.ics", friends_ + "ben.vcf", trash}) remove(gone);
  EXPECT_GT(apply_with_kills(ir::StepKind::archive_delta), 0);
  EXPECT_EQ(run(ir::StepKind::archive_grade)["judged"].string_or(""), kAlike);
  // Behind the flip, with the source written to until then.
  put(Kind::calendar, work_ + "late.ics", test::event_text("late", "Late"));
  put(Kind::calendar, calendar_ + "walk.ics", test::event_text("walk", "Walk later"));
  passes_.clear();
  EXPECT_GT(apply_with_kills(ir::StepKind::archive_sweep), 0);
  EXPECT_EQ(at_target(Kind::calendar),
            (std::multiset<std::string>{"calendar: Dinner", "calendar: Walk later", "Work: Talk",
                                        "Work: New", "Work: Newer", "Work: Late"}));

  const auto folder = client_->set({.type = "Calendar",
                                    .account_id = account_id_,
                                    .create = Value::map({{"f", Value::map({{"name", "Trips"}})}}),
                                    .capability = "urn:ietf:params:jmap:calendars"});
  ASSERT_TRUE(folder && folder->is_complete());
  const Value trips = Value::map({{folder->created_id("f"), true}});
  change("walk", Value::map({{"calendarIds", trips}}));
  change("late", Value::map({{"calendarIds", trips}, {"title", "Late trip"}}));
  change("new", Value::map({{"calendarIds", Value::map({{folder_of("lunch"), true}})}}));
  change("lunch", Value::map({{"title", "Supper"}}));
  const auto made =
      user_client_->set({.type = "CalendarEvent",
                         .account_id = account_id_,
                         .create = Value::map({{"x", Value::map({{"@type", "Event"},
                                                                 {"uid", "made-there"},
                                                                 {"title", "Made there"},
                                                                 {"start", "2026-12-05T10:00:00"},
                                                                 {"timeZone", "Europe/Berlin"},
                                                                 {"calendarIds", trips}})}}),
                         .destroy = {event_id("talk"), event_id("newer")},
                         .capability = "urn:ietf:params:jmap:calendars"});
  ASSERT_TRUE(made && made->is_complete());
  EXPECT_GT(until_done([&] {
              auto at = context(ir::StepKind::archive_delta);
              return drivers_.find(ir::StepKind::archive_delta)->undo(at);
            }),
            0);
  EXPECT_EQ(titles_at_source(),
            (std::multiset<std::string>{"calendar: New", "calendar: Supper", "Trips: Walk later",
                                        "Trips: Late trip", "Trips: Made there", "Friends: Ann"}));

  passes_.clear();
  apply_with_kills(ir::StepKind::archive_copy);
  apply_with_kills(ir::StepKind::archive_delta);
  EXPECT_EQ(run(ir::StepKind::archive_grade)["judged"].string_or(""), kAlike);
  run(ir::StepKind::archive_sweep);  // names the folders as their owner
  EXPECT_EQ(at_target(Kind::calendar),
            (std::multiset<std::string>{"calendar: New", "calendar: Supper", "Trips: Walk later",
                                        "Trips: Late trip", "Trips: Made there"}));
  for (const engine::KillPoint& point : engine::all_kill_points()) {
    const std::string name(point.name);
    if (name.find(".dav-") == std::string::npos) continue;
    EXPECT_TRUE(seen_borders_.contains(name)) << name;
  }
}

}  // namespace
}  // namespace plan::dav_move
