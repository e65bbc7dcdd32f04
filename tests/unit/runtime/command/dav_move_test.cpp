// Calendars and contacts of one account from a real Radicale (the mail from a real Dovecot) to the
// embedded target and back, by the same drivers as a move.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "compiler/ir/json.h"
#include "runtime/archive/drivers.h"
#include "runtime/archive/target_shelf.h"
#include "runtime/archive/tool.h"
#include "runtime/net/errors.h"
#include "runtime/rehearsal/embedded_target.h"
#include "runtime/step/errors.h"
#include "tests/support/dovecot.h"
#include "tests/support/fake_http_server.h"
#include "tests/support/radicale.h"

using namespace plan;
using ir::Value;
using net::dav::Kind;

namespace {

constexpr const char* kAccount = "alice@example.org";
/// Not better: the mailbox Sent is called `Sent Items` at the target.
constexpr const char* kAlike = "good";

class Passwords final : public secret::SecretSource {
 public:
  Result<secret::Secret> read(const ir::SecretRef& reference) override {
    return secret::Secret(std::string(reference.name));
  }
  Result<ir::SecretRef> seal(const secret::Secret&) override { return ir::SecretRef(); }
};

class PatientClock final : public net::Clock {
 public:
  Monotonic now() override { return std::chrono::steady_clock::now() + slept_; }
  std::int64_t wall_ms() override { return slept_.count(); }
  void sleep_for(std::chrono::milliseconds duration) override { slept_ += duration; }

 private:
  std::chrono::milliseconds slept_{0};
};

class DavMove : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    dovecot_ = test::Dovecot::start({kAccount}, why);
    if (!dovecot_) GTEST_SKIP() << why;
    radicale_ = test::Radicale::start({kAccount}, why);
    if (!radicale_) GTEST_SKIP() << why;
    start_target();
    calendar_ = radicale_->make(kAccount, Kind::calendar, "calendar");
    work_ = radicale_->make(kAccount, Kind::calendar, "Work");
    friends_ = radicale_->make(kAccount, Kind::address_book, "Friends");
    ASSERT_FALSE(calendar_.empty() || work_.empty() || friends_.empty());
    const auto secret = [](const char* text) { return ir::SecretRef{"env", text}; };
    const auto port = [](std::uint16_t number) {
      return Value::map({{"port", std::int64_t{number}}, {"security", "none"}});
    };
    arguments_ = Value::map(
        {{"account", kAccount},
         {"addresses", Value::list({kAccount})},
         {"file", "archives/alice.sqlite"},
         {"apart_ms", 60'000},
         {"accept", Value::list({"perfect", "good"})},
         {"source",
          Value::map(
              {{"address", "127.0.0.1"},
               {"imap", port(dovecot_->imap_port())},
               {"sieve", port(dovecot_->sieve_port())},
               {"master_user", Value::map({{"name", "master"},
                                           {"separator", "%"},
                                           {"password", secret("master-secret")}})},
               {"dav", Value::map({{"server", "radicale"},
                                   {"url", radicale_->url()},
                                   {"login",
                                    Value::map({{"user", "migrator"},
                                                {"password", secret("migrator-secret")}})}})}})}});
    archive::add_archive_drivers(
        drivers_, {.open_target = [this](step::StepContext&) { return client_; },
                   .account_id = [this](step::StepContext&) { return account_id_; },
                   .open_as_user = [this](step::StepContext&) { return user_client_; }});
  }

  void start_target() {
    rehearsal::EmbeddedTargetOptions options;
    options.data_directory = directory_.path().string() + "/target";
    options.admin_password = "adminpw";
    options.http = rehearsal::ListenAt{};
    auto server = rehearsal::EmbeddedTarget::start(std::move(options));
    ASSERT_TRUE(server) << server.error().to_line();
    target_ = std::move(*server);
    client_ = client_of("admin", "adminpw");
    const auto domain = client_->set(
        {.type = "x:Domain", .create = Value::map({{"d", Value::map({{"name", "example.org"}})}})});
    ASSERT_TRUE(domain && domain->is_complete());
    const Value credentials = Value::map(
        {{"0", Value::map({{"@type", "Password"}, {"secret", "Corr3ct-horse-battery"}})}});
    const auto account =
        client_->set({.type = "x:Account",
                      .create = Value::map({{"a", Value::map({{"@type", "User"},
                                                              {"name", "alice"},
                                                              {"domainId", domain->created_id("d")},
                                                              {"credentials", credentials}})}})});
    ASSERT_TRUE(account && account->is_complete());
    account_id_ = account->created_id("a");
    user_client_ = client_of(kAccount, "Corr3ct-horse-battery");
  }

  std::shared_ptr<net::jmap::Client> client_of(const std::string& user, const std::string& word) {
    net::HttpOptions options;
    options.url = target_->url();
    options.user = user;
    options.password = secret::Secret(std::string(word));
    auto http = net::make_http_client(std::move(options));
    return std::make_shared<net::jmap::Client>(std::shared_ptr<net::HttpClient>(std::move(*http)));
  }

  step::StepContext context(ir::StepKind kind) {
    return {.id = "step",
            .kind = kind,
            .arguments = arguments_,
            .account = kAccount,
            .state_directory = state_,
            .secrets = secrets_,
            .clock = clock_,
            .stop = stop_,
            .notes = notes_,
            .remember =
                [this](const Value& notes) {
                  notes_ = notes;
                  return Outcome();
                },
            .progress = [](const step::Progress&) {},
            .say = [this](const std::string& line) { said_ += line + "\n"; }};
  }
  Value run(ir::StepKind kind) {
    notes_ = Value();
    for (int waits = 0;; ++waits) {
      auto at = context(kind);
      auto outputs = drivers_.find(kind)->apply(at);
      if (!outputs && outputs.error().is(step::errors::not_yet) && waits < 100) {
        clock_.sleep_for(outputs.error().retry_after());
        continue;
      }
      EXPECT_TRUE(outputs) << outputs.error().to_line() << " " << outputs.error().detail();
      return outputs ? std::move(*outputs) : Value();
    }
  }

  /// As the engine does with the delta of a moved account.
  void roll_back() {
    auto at = context(ir::StepKind::archive_delta);
    const auto undone = drivers_.find(ir::StepKind::archive_delta)->undo(at);
    ASSERT_TRUE(undone) << undone.error().to_line() << " " << undone.error().detail();
  }
  /// As the user's program at the target.
  void change(std::string_view uid, Value patch) {
    const auto done = user_client_->set({.type = "CalendarEvent",
                                         .account_id = account_id_,
                                         .update = Value::map({{event_id(uid), std::move(patch)}}),
                                         .capability = "urn:ietf:params:jmap:calendars"});
    ASSERT_TRUE(done && done->is_complete()) << uid;
  }
  std::string event_id(std::string_view uid) {
    for (const auto& [id, entry] : shelf(Kind::calendar).entries)
      if (entry.uid == uid) return id;
    return {};
  }
  std::string folder_of(std::string_view uid) {
    return *shelf(Kind::calendar).entries.at(event_id(uid)).folders.begin();
  }

  /// PUT over whatever is there, as a client program does.
  void put(Kind kind, const std::string& href, const std::string& text) {
    const auto client = radicale_->client(kAccount, "secret");
    std::string etag;
    if (const auto there = client.get(href); there && !there->items.empty())
      etag = there->items.front().etag;
    const auto answer = client.put(kind, href, text, etag);
    ASSERT_TRUE(answer) << answer.error().to_line();
    ASSERT_EQ(answer->outcome, net::dav::Written::done) << answer->words;
  }
  void remove(const std::string& href) {
    const auto answer = radicale_->client(kAccount, "secret").remove(href, "");
    ASSERT_TRUE(answer && answer->outcome == net::dav::Written::done);
  }
  std::string at_source(const std::string& href) {
    const auto there = radicale_->client().get(href);
    return there && !there->items.empty() ? there->items.front().text : std::string();
  }

  archive::TargetShelf shelf(Kind kind) {
    auto read = archive::read_shelf(archive::TargetAccount(client_, account_id_), kind);
    EXPECT_TRUE(read);
    return read ? std::move(*read) : archive::TargetShelf();
  }
  /// "Work: Lunch" of every event or card at the target, folders as their owner sees them.
  std::multiset<std::string> at_target(Kind kind) {
    const archive::TargetAccount as_user(user_client_, account_id_);
    auto read = archive::read_shelf(as_user, kind);
    EXPECT_TRUE(read);
    std::multiset<std::string> all;
    if (!read) return all;
    for (const auto& [id, entry] : read->entries)
      for (const archive::TargetFolder& folder : read->folders)
        if (entry.folders.contains(folder.id))
          all.insert(fmt::format("{}: {}", folder.name,
                                 kind == Kind::calendar
                                     ? entry.body["title"].string_or("")
                                     : entry.body["name"]["full"].string_or("")));
    return all;
  }

  void fill() {
    put(Kind::calendar, calendar_ + "lunch.ics", test::event_text("lunch", "Lunch"));
    put(Kind::calendar, calendar_ + "walk.ics",
        test::event_text("walk", "Walk", "RRULE:FREQ=WEEKLY;COUNT=5\r\nX-ODD:kept\r\n"));
    put(Kind::calendar, work_ + "talk.ics",
        test::event_text("talk", "Talk",
                         "ORGANIZER:mailto:alice@example.org\r\nATTENDEE;CN=Bob:mailto:bob@ext.test"
                         "\r\n"));
    put(Kind::calendar, work_ + "old.ics", test::event_text("old", "Old"));
    put(Kind::address_book, friends_ + "ann.vcf", test::card_text("ann", "Ann"));
    put(Kind::address_book, friends_ + "ben.vcf", test::card_text("ben", "Ben"));
  }

  std::unique_ptr<test::Dovecot> dovecot_;
  std::unique_ptr<test::Radicale> radicale_;
  test::TempDir directory_;
  std::string state_ = directory_.path().string();
  std::unique_ptr<rehearsal::EmbeddedTarget> target_;
  std::shared_ptr<net::jmap::Client> client_;
  std::shared_ptr<net::jmap::Client> user_client_;
  std::string account_id_;
  std::string calendar_, work_, friends_;
  Passwords secrets_;
  PatientClock clock_;
  step::StopSignal stop_;
  step::DriverTable drivers_;
  Value arguments_;
  Value notes_;
  std::string said_;
};

}  // namespace

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
  EXPECT_TRUE(grade["summary"].string_or("").starts_with("calendars and contacts perfect (5 "))
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
  run(ir::StepKind::archive_copy);
  run(ir::StepKind::archive_delta);
  EXPECT_EQ(shelf(Kind::calendar).entries.size(), 4U);
  const Value grade = run(ir::StepKind::archive_grade);
  EXPECT_EQ(grade["grade"].string_or(""), "investigate");
  EXPECT_EQ(grade["judged"].string_or(""), "investigate");
  const std::string differences = ir::write_json(grade["differences"]);
  EXPECT_NE(differences.find("the target reads no event in it"), std::string::npos) << differences;
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
