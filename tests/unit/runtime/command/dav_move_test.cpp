// Calendars and contacts of one account from a real Radicale (the mail from a real Dovecot) to the
// embedded target and back, by the same drivers as a move.
#include "runtime/archive/tool.h"
#include "runtime/net/errors.h"
#include "tests/support/fake_http_server.h"
#include "tests/unit/runtime/command/dav_move_fixture.h"

namespace plan::dav_move {
namespace {

TEST_F(DavMove, BringsCalendarsAndContactsAndWhatChangedBeforeTheFlip) {
  fill();
  run(ir::StepKind::archive_copy);
  EXPECT_EQ(shelf(Kind::calendar).entries.size(), 4U);
  EXPECT_EQ(shelf(Kind::address_book).entries.size(), 2U);

  put(Kind::calendar, calendar_ + "lunch.ics", test::event_text("lunch", "Dinner"));
  put(Kind::calendar, work_ + "new.ics", test::event_text("new", "New"));
  remove(work_ + "old.ics");
  remove(friends_ + "ben.vcf");
  run(ir::StepKind::archive_delta);
  const Value grade = run(ir::StepKind::archive_grade);
  EXPECT_EQ(grade["grade"].string_or(""), "not-checked") << ir::write_json(grade);
  EXPECT_EQ(grade["judged"].string_or(""), kAlike) << ir::write_json(grade);
  EXPECT_EQ(grade["mail_grade"].string_or(""), kAlike);
  EXPECT_TRUE(grade["summary"].string_or("").starts_with(
      "calendars and contacts perfect (2 calendars with 4 events, 1 address book with 1 card; 5 "
      "compared"))
      << grade["summary"].string_or("");
  EXPECT_EQ(grade["not_checked"].item(0).string_or(""), "calendars and contacts");

  run(ir::StepKind::archive_sweep);  // names the folders as their owner
  EXPECT_EQ(at_target(Kind::calendar),
            (std::multiset<std::string>{"calendar: Dinner", "calendar: Walk", "Work: Talk",
                                        "Work: New"}));
  EXPECT_EQ(at_target(Kind::address_book), std::multiset<std::string>{"Friends: Ann"});
  EXPECT_EQ(shelf(Kind::calendar).folders.size(), 2U);
  EXPECT_EQ(shelf(Kind::address_book).folders.size(), 1U);

  // Other programs find them in the archive's own tables.
  const std::string file = state_ + "/archives/alice.sqlite";
  const auto inspected = archive::inspect_archive(file);
  ASSERT_TRUE(inspected) << inspected.error().to_line();
  const Value& rows = (*inspected)["rows"];
  EXPECT_EQ(rows["calendars"].integer_or(0), 2);
  EXPECT_EQ(rows["calendar_events"].integer_or(0), 4);
  EXPECT_EQ(rows["address_books"].integer_or(0), 1);
  EXPECT_EQ(rows["contact_cards"].integer_or(0), 1);
  EXPECT_EQ(rows["sync_id_dav"].integer_or(0), 8);
  const auto verified = archive::verify_archive(file);
  ASSERT_TRUE(verified);
  EXPECT_TRUE((*verified)["is_sound"].bool_or(false)) << ir::write_json(*verified);
}

TEST_F(DavMove, IsRepeatedWithoutAnyChange) {
  fill();
  run(ir::StepKind::archive_copy);
  const archive::TargetShelf before = shelf(Kind::calendar);
  run(ir::StepKind::archive_copy);
  const Value carried = run(ir::StepKind::archive_delta);
  EXPECT_EQ(carried["messages"].integer_or(-1), 0);
  const archive::TargetShelf after = shelf(Kind::calendar);
  ASSERT_EQ(before.entries.size(), after.entries.size());
  for (const auto& [id, entry] : before.entries) {
    ASSERT_TRUE(after.entries.contains(id));
    EXPECT_EQ(after.entries.at(id).body["updated"].string_or(""),
              entry.body["updated"].string_or(""));
  }
  // An archive that was lost: what is there is known by its UID, and nothing comes twice.
  std::filesystem::remove_all(directory_.path() / "archives");
  run(ir::StepKind::archive_copy);
  EXPECT_EQ(shelf(Kind::calendar).entries.size(), before.entries.size());
  EXPECT_EQ(run(ir::StepKind::archive_grade)["judged"].string_or(""), kAlike);
}

TEST_F(DavMove, TheGradeSeesWhatIsMissingExtraChangedOrWrittenAtTheSource) {
  fill();
  run(ir::StepKind::archive_copy);
  run(ir::StepKind::archive_delta);
  ASSERT_EQ(run(ir::StepKind::archive_grade)["judged"].string_or(""), kAlike);
  const auto set = [&](net::jmap::SetRequest request) {
    request.type = "CalendarEvent";
    request.account_id = account_id_;
    request.capability = "urn:ietf:params:jmap:calendars";
    const auto done = client_->set(std::move(request));
    ASSERT_TRUE(done && done->is_complete());
  };
  set({.update = Value::map({{event_id("lunch"), Value::map({{"title", "Other"}})}})});
  Value grade = run(ir::StepKind::archive_grade);
  EXPECT_EQ(grade["grade"].string_or(""), "investigate");
  EXPECT_NE(grade["reason"].string_or("").find("title"), std::string::npos);
  run(ir::StepKind::archive_delta);  // the source is the authority: mended
  ASSERT_EQ(run(ir::StepKind::archive_grade)["judged"].string_or(""), kAlike);
  set({.destroy = {event_id("walk")}});
  EXPECT_EQ(run(ir::StepKind::archive_grade)["grade"].string_or(""), "poor");
  run(ir::StepKind::archive_delta);
  ASSERT_EQ(run(ir::StepKind::archive_grade)["judged"].string_or(""), kAlike);
  const std::string folder = folder_of("lunch");
  set({.create = Value::map({{"x", Value::map({{"@type", "Event"},
                                               {"uid", "stranger"},
                                               {"title", "Stranger"},
                                               {"start", "2026-12-01T10:00:00"},
                                               {"calendarIds", Value::map({{folder, true}})}})}})});
  EXPECT_EQ(run(ir::StepKind::archive_grade)["grade"].string_or(""), "poor");
  set({.destroy = {event_id("stranger")}});
  put(Kind::calendar, work_ + "late.ics", test::event_text("late", "Late"));
  grade = run(ir::StepKind::archive_grade);
  EXPECT_EQ(grade["grade"].string_or(""), "not-checked");
  EXPECT_NE(ir::write_json(grade["differences"]).find("changed since they were read: 1 new"),
            std::string::npos);
}

TEST_F(DavMove, WhatTheTargetCannotTakeIsNamedAndTheRestArrives) {
  fill();
  put(Kind::calendar, work_ + "task.ics",
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:task\r\nDTSTAMP:"
      "20261101T080000Z\r\nSUMMARY:Task\r\nEND:VTODO\r\nEND:VCALENDAR\r\n");
  put(Kind::calendar, work_ + "lunch.ics", test::event_text("lunch", "The same UID"));
  put(Kind::calendar, work_ + "alarm.ics",
      test::event_text("alarm", "Alarm",
                       "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:x\r\n"
                       "END:VALARM\r\n"));
  run(ir::StepKind::archive_copy);
  run(ir::StepKind::archive_delta);
  EXPECT_EQ(shelf(Kind::calendar).entries.size(), 5U);
  const Value grade = run(ir::StepKind::archive_grade);
  EXPECT_EQ(grade["grade"].string_or(""), "investigate");
  EXPECT_EQ(grade["judged"].string_or(""), "investigate");
  const std::string differences = ir::write_json(grade["differences"]);
  EXPECT_NE(
      differences.find("a task (VTODO), which is not carried: the target reads no event in it"),
      std::string::npos)
      << differences;
  // The embedded target reads no alarms; one that does has them in `alerts`.
  EXPECT_NE(differences.find("lossy: the target leaves the alarms (VALARM) of its text out"),
            std::string::npos)
      << differences;
  EXPECT_NE(differences.find("one event for each UID"), std::string::npos) << differences;
}

TEST_F(DavMove, AfterTheFlipWhatComesToTheOldServerIsBroughtAndWhatTheUserDidStays) {
  fill();
  run(ir::StepKind::archive_copy);
  run(ir::StepKind::archive_delta);
  change("talk", Value::map({{"title", "Talk of the user"}}));
  put(Kind::calendar, work_ + "late.ics", test::event_text("late", "Late"));
  put(Kind::calendar, calendar_ + "walk.ics", test::event_text("walk", "Walk later"));
  put(Kind::calendar, work_ + "talk.ics", test::event_text("talk", "Talk of the old server"));
  remove(calendar_ + "lunch.ics");
  run(ir::StepKind::archive_sweep);
  EXPECT_EQ(at_target(Kind::calendar),
            (std::multiset<std::string>{"calendar: Lunch", "calendar: Walk later",
                                        "Work: Talk of the user", "Work: Late", "Work: Old"}));
}

TEST_F(DavMove, AnUndoneCopyTakesAwayWhatItBroughtAndNothingElse) {
  fill();
  run(ir::StepKind::archive_copy);
  auto at = context(ir::StepKind::archive_copy);
  const auto undone = drivers_.find(ir::StepKind::archive_copy)->undo(at);
  ASSERT_TRUE(undone) << undone.error().to_line();
  EXPECT_TRUE(shelf(Kind::calendar).entries.empty());
  EXPECT_TRUE(shelf(Kind::address_book).entries.empty());
  EXPECT_EQ(shelf(Kind::calendar).folders.size(), 1U);  // the target's own
  run(ir::StepKind::archive_copy);
  EXPECT_EQ(shelf(Kind::calendar).entries.size(), 4U);
}

TEST_F(DavMove, APasswordThatIsRefusedIsNotTriedForEveryAccount) {
  const test::FakeHttpServer server([](const test::FakeRequest&) {
    test::FakeAnswer answer;
    answer.status = 401;
    return answer;
  });
  Value source = arguments_["source"];
  Value dav = source["dav"];
  dav.set("url", server.url());
  source.set("dav", std::move(dav));
  arguments_.set("source", std::move(source));
  for (int accounts = 0; accounts < 10; ++accounts) {
    auto at = context(ir::StepKind::archive_copy);
    const auto seen = drivers_.find(ir::StepKind::archive_copy)->observe(at);
    ASSERT_FALSE(seen);
    EXPECT_TRUE(seen.error().is(net::errors::login_refused)) << seen.error().to_line();
  }
  EXPECT_EQ(server.requests().size(), std::size_t{archive::MasterLogins::kRefusalsMaxAtFirst});
}

TEST_F(DavMove, AnAccountThatTheServerDoesNotKnowIsNotChecked) {
  Value source = arguments_["source"];
  Value dav = source["dav"];
  dav.set("path", "/wrong/{account}/");
  source.set("dav", std::move(dav));
  arguments_.set("source", std::move(source));
  run(ir::StepKind::archive_copy);
  const Value grade = run(ir::StepKind::archive_grade);
  EXPECT_EQ(grade["grade"].string_or(""), "not-checked");
  EXPECT_NE(ir::write_json(grade["differences"]).find("`path` is wrong"), std::string::npos);
}

TEST_F(DavMove, ARollbackBringsBackWhatTheUserDidAtTheTargetAndAMoveBehindItDoublesNothing) {
  fill();
  run(ir::StepKind::archive_copy);
  run(ir::StepKind::archive_delta);
  run(ir::StepKind::archive_sweep);
  change("lunch", Value::map({{"title", "Lunch, moved"}, {"start", "2026-12-02T12:00:00"}}));
  change("walk", Value::map({{"calendarIds", Value::map({{folder_of("talk"), true}})}}));
  const auto made = user_client_->set(
      {.type = "CalendarEvent",
       .account_id = account_id_,
       .create = Value::map(
           {{"x", Value::map({{"@type", "Event"},
                              {"uid", "made-there"},
                              {"title", "Made there"},
                              {"start", "2026-12-05T10:00:00"},
                              {"duration", "PT30M"},
                              {"timeZone", "Europe/Berlin"},
                              {"calendarIds", Value::map({{folder_of("lunch"), true}})}})}}),
       .destroy = {event_id("old")},
       .capability = "urn:ietf:params:jmap:calendars"});
  ASSERT_TRUE(made && made->is_complete());
  const archive::TargetShelf cards = shelf(Kind::address_book);
  for (const auto& [id, entry] : cards.entries) {
    if (entry.uid != "ann") continue;
    const auto renamed =
        user_client_->set({.type = "ContactCard",
                           .account_id = account_id_,
                           .update = Value::map({{id, Value::map({{"name/full", "Ann Two"}})}}),
                           .capability = "urn:ietf:params:jmap:contacts"});
    ASSERT_TRUE(renamed && renamed->is_complete());
  }

  auto looking = context(ir::StepKind::archive_delta);
  looking.is_rollback = true;
  const auto seen = drivers_.find(ir::StepKind::archive_delta)->observe(looking);
  ASSERT_TRUE(seen) << seen.error().to_line();
  EXPECT_NE(seen->remark.find("5 events and cards"), std::string::npos) << seen->remark;

  roll_back();
  EXPECT_NE(said_.find("5 events and cards"), std::string::npos) << said_;
  const std::string lunch = at_source(calendar_ + "lunch.ics");
  EXPECT_NE(lunch.find("SUMMARY:Lunch\\, moved\r\n"), std::string::npos) << lunch;
  EXPECT_NE(lunch.find("20261202T120000"), std::string::npos) << lunch;
  EXPECT_TRUE(at_source(work_ + "old.ics").empty());
  EXPECT_TRUE(at_source(calendar_ + "walk.ics").empty());
  EXPECT_NE(at_source(friends_ + "ann.vcf").find("FN:Ann Two\r\n"), std::string::npos);
  const auto client = radicale_->client();
  const auto in_work = client.list({.kind = Kind::calendar, .href = work_});
  const auto in_calendar = client.list({.kind = Kind::calendar, .href = calendar_});
  ASSERT_TRUE(in_work && in_calendar);
  EXPECT_EQ(in_work->size(), 2U);      // the talk and the walk
  EXPECT_EQ(in_calendar->size(), 2U);  // lunch and what was made there

  said_.clear();
  roll_back();  // repeated: its delta is undone already
  EXPECT_EQ(said_, "");
  run(ir::StepKind::archive_copy);
  run(ir::StepKind::archive_delta);
  const Value grade = run(ir::StepKind::archive_grade);
  EXPECT_EQ(grade["judged"].string_or(""), kAlike) << ir::write_json(grade);
  EXPECT_EQ(shelf(Kind::calendar).entries.size(), 4U);
  EXPECT_EQ(shelf(Kind::address_book).entries.size(), 2U);
}

TEST_F(DavMove, WhereBothSidesChangedTheRollbackSaysWhichRuleDecided) {
  fill();
  run(ir::StepKind::archive_copy);
  run(ir::StepKind::archive_delta);
  change("lunch", Value::map({{"title", "Of the target"}}));
  put(Kind::calendar, calendar_ + "lunch.ics", test::event_text("lunch", "Of the source"));
  put(Kind::calendar, calendar_ + "walk.ics", test::event_text("walk", "Walk of the source"));
  remove(work_ + "talk.ics");
  const auto gone = user_client_->set({.type = "CalendarEvent",
                                       .account_id = account_id_,
                                       .destroy = {event_id("old")},
                                       .capability = "urn:ietf:params:jmap:calendars"});
  ASSERT_TRUE(gone && gone->is_complete());
  put(Kind::calendar, work_ + "old.ics", test::event_text("old", "Old of the source"));
  roll_back();
  EXPECT_NE(at_source(calendar_ + "lunch.ics").find("Of the target"), std::string::npos);
  EXPECT_NE(at_source(calendar_ + "walk.ics").find("Walk of the source"), std::string::npos);
  EXPECT_NE(at_source(work_ + "old.ics").find("Old of the source"), std::string::npos);
  const auto in_work = radicale_->client().list({.kind = Kind::calendar, .href = work_});
  ASSERT_TRUE(in_work);
  EXPECT_EQ(in_work->size(), 2U);  // the talk was given back
  for (const char* rule : {"changed at both sides: the target's decided",
                           "deleted at the target, changed at the source: it stays",
                           "gone at the source, still at the target: it is given back"})
    EXPECT_NE(said_.find(rule), std::string::npos) << rule << "\n" << said_;
}

TEST_F(DavMove, ACalendarThatWasMadeAtTheTargetIsMadeAtTheSource) {
  fill();
  run(ir::StepKind::archive_copy);
  run(ir::StepKind::archive_delta);
  const auto folder = client_->set({.type = "Calendar",
                                    .account_id = account_id_,
                                    .create = Value::map({{"f", Value::map({{"name", "Trips"}})}}),
                                    .capability = "urn:ietf:params:jmap:calendars"});
  ASSERT_TRUE(folder && folder->is_complete());
  change("walk", Value::map({{"calendarIds", Value::map({{folder->created_id("f"), true}})}}));
  roll_back();
  const auto homes = radicale_->client().homes("/alice%40example.org/");
  ASSERT_TRUE(homes);
  ASSERT_EQ(homes->collections.size(), 4U);
  const auto made =
      std::find_if(homes->collections.begin(), homes->collections.end(),
                   [](const net::dav::Collection& one) { return one.name == "Trips"; });
  ASSERT_NE(made, homes->collections.end());
  const auto items = radicale_->client().list(*made);
  ASSERT_TRUE(items);
  EXPECT_EQ(items->size(), 1U);
  EXPECT_TRUE(at_source(calendar_ + "walk.ics").empty());
}

}  // namespace
}  // namespace plan::dav_move
