// What is asked about calendars and contacts while an account is held, and what of them is counted.
#include <algorithm>
#include <mutex>

#include "runtime/archive/archive_file.h"
#include "tests/unit/runtime/command/dav_move_fixture.h"

namespace plan::dav_move {
namespace {

/// Passes everything on and remembers the requests.
class Watched final : public net::HttpClient {
 public:
  explicit Watched(std::unique_ptr<net::HttpClient> inner) : inner_(std::move(inner)) {}
  Result<net::HttpResponse> send(const net::HttpRequest& request) override {
    {
      const std::lock_guard lock(mutex_);
      bodies_.emplace_back(request.body);
    }
    return inner_->send(request);
  }
  [[nodiscard]] net::HttpCertificate certificate() const override { return inner_->certificate(); }
  [[nodiscard]] const std::string& origin() const override { return inner_->origin(); }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(bodies_, {});
  }

 private:
  std::unique_ptr<net::HttpClient> inner_;
  std::mutex mutex_;
  std::vector<std::string> bodies_;
};

class DavHold : public DavMove {
 protected:
  void SetUp() override {
    DavMove::SetUp();
    if (IsSkipped() || target_ == nullptr) return;
    net::HttpOptions options;
    options.url = target_->url();
    options.user = "admin";
    options.password = secret::Secret(std::string("adminpw"));
    watched_ = std::make_shared<Watched>(std::move(*net::make_http_client(std::move(options))));
    client_ = std::make_shared<net::jmap::Client>(watched_);
  }
  /// A step of a run, as the engine calls it while the account is held.
  Value run_held(ir::StepKind kind) {
    auto at = context(kind);
    at.run_id = "run";
    auto outputs = drivers_.find(kind)->apply(at);
    EXPECT_TRUE(outputs) << outputs.error().to_line() << " " << outputs.error().detail();
    return outputs ? std::move(*outputs) : Value();
  }
  std::shared_ptr<Watched> watched_;
};

std::ptrdiff_t count(const std::vector<std::string>& bodies, std::string_view text) {
  return std::count_if(bodies.begin(), bodies.end(), [text](const std::string& body) {
    return body.find(text) != std::string::npos;
  });
}

TEST_F(DavHold, AsksTheTargetOnlyWhatChanged) {
  fill();
  run(ir::StepKind::archive_copy);
  // At both sides, as nobody stops the one and the other is not empty for long.
  put(Kind::calendar, calendar_ + "lunch.ics", test::event_text("lunch", "Dinner"));
  put(Kind::calendar, work_ + "new.ics", test::event_text("new", "New"));
  remove(friends_ + "ben.vcf");
  change("walk", Value::map({{"title", "Changed at the target"}}));
  watched_->take();
  run_held(ir::StepKind::archive_delta);
  const std::vector<std::string> in_delta = watched_->take();
  const Value grade = run_held(ir::StepKind::archive_grade);
  const std::vector<std::string> in_grade = watched_->take();
  EXPECT_EQ(grade["judged"].string_or(""), kAlike) << ir::write_json(grade);
  for (const std::vector<std::string>& asked : {in_delta, in_grade}) {
    EXPECT_EQ(count(asked, "CalendarEvent/changes"), 1);
    EXPECT_EQ(count(asked, "ContactCard/changes"), 1);
    // The number of entries is asked for, never the list of them.
    EXPECT_EQ(count(asked, "/query"), count(asked, "\"calculateTotal\""));
  }
  EXPECT_EQ(at_target(Kind::calendar).size(), 5U);
  EXPECT_EQ(event_title("lunch"), "Dinner");
  EXPECT_EQ(event_title("walk"), "Walk");
  EXPECT_EQ(shelf(Kind::address_book).entries.size(), 1U);
}

TEST_F(DavHold, ReadsEverythingWhereWhatWasKeptIsOfNoUse) {
  fill();
  run(ir::StepKind::archive_copy);
  for (const std::string& useless :
       {std::string(), account_id_ + "\nno-state", std::string("other\ns0")}) {
    {
      auto archive = archive::ArchiveFile::open(state_ + "/archives/alice.sqlite", {});
      ASSERT_TRUE(archive);
      ASSERT_TRUE(archive->set_fact("dav-shelf-0", useless));
      ASSERT_TRUE(archive->database().execute(
          "DELETE FROM plan_dav_entry; UPDATE plan_dav_collection SET sync_token = 'none'"));
    }
    change("walk", Value::map({{"title", "Changed at the target"}}));
    run_held(ir::StepKind::archive_delta);
    EXPECT_EQ(event_title("walk"), "Walk");
    EXPECT_EQ(run_held(ir::StepKind::archive_grade)["judged"].string_or(""), kAlike);
    EXPECT_EQ(shelf(Kind::calendar).entries.size(), 4U);
  }
}

TEST_F(DavHold, AServerWithAnotherPlaceSaysItToTheAccountsOwnLogin) {
  fill();
  const auto observed = [&](const char* user, const char* word) {
    Value source = arguments_["source"];
    Value dav = source["dav"];
    dav.set("server", "other");
    dav.set("url", radicale_->url() + "/not/here/");
    dav.set("login", Value::map({{"user", user}, {"password", ir::SecretRef{"env", word}}}));
    source.set("dav", std::move(dav));
    arguments_.set("source", std::move(source));
    auto at = context(ir::StepKind::archive_copy);
    return drivers_.find(ir::StepKind::archive_copy)->observe(at);
  };
  const auto own = observed("{account}", "secret");
  ASSERT_TRUE(own) << own.error().to_line();
  EXPECT_EQ(own->beside.size(), 4U) << own->remark;
  // The administrator's own principal is nobody's calendar.
  const auto admin = observed("migrator", "migrator-secret");
  ASSERT_TRUE(admin) << admin.error().to_line();
  EXPECT_TRUE(admin->beside.empty());
  EXPECT_NE(admin->remark.find("other has nothing at /not/here/alice"), std::string::npos)
      << admin->remark;
}

TEST_F(DavHold, CountsWhatIsCarriedAndWhatIsNot) {
  fill();
  const auto text = [](std::string_view component) {
    return fmt::format(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:{0}\r\nUID:{0}\r\nDTSTAMP:"
        "20261101T080000Z\r\nSUMMARY:Of another kind\r\nEND:{0}\r\nEND:VCALENDAR\r\n",
        component);
  };
  put(Kind::calendar, work_ + "task.ics", text("VTODO"));
  put(Kind::calendar, work_ + "journal.ics", text("VJOURNAL"));
  auto at = context(ir::StepKind::archive_copy);
  const auto seen = drivers_.find(ir::StepKind::archive_copy)->observe(at);
  ASSERT_TRUE(seen) << seen.error().to_line();
  const auto in_words = [](const std::vector<ir::Counted>& all) {
    std::string words;
    for (const ir::Counted& one : all) words += fmt::format("{} {};", one.name, one.count);
    return words;
  };
  EXPECT_EQ(in_words(seen->beside), "calendars 2;events 4;address books 1;cards 2;");
  EXPECT_EQ(in_words(seen->not_carried), "tasks 1;journals 1;");
  run(ir::StepKind::archive_copy);
  run(ir::StepKind::archive_delta);
  const Value grade = run(ir::StepKind::archive_grade);
  EXPECT_EQ(grade["dav"]["carried"].string_or(""),
            "2 calendars with 4 events, 1 address book with 2 cards");
  EXPECT_EQ(grade["dav"]["not_carried"].string_or(""), "1 task, 1 journal");
  EXPECT_EQ(grade["dav"]["tasks"].integer_or(0), 1);
  EXPECT_EQ(grade["dav"]["events"].integer_or(0), 4);
  EXPECT_NE(grade["reason"].string_or("").find(
                "2 calendars with 4 events, 1 address book with 2 cards; not carried: 1 task, 1 "
                "journal"),
            std::string::npos)
      << grade["reason"].string_or("");
}

}  // namespace
}  // namespace plan::dav_move
