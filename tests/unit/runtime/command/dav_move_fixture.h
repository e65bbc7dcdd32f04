// One account with its mail on a real Dovecot and its calendars and contacts on a real Radicale,
// the embedded target, and the drivers that move it between them.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "compiler/ir/json.h"
#include "runtime/archive/drivers.h"
#include "runtime/archive/target_shelf.h"
#include "runtime/rehearsal/embedded_target.h"
#include "runtime/step/errors.h"
#include "tests/support/dovecot.h"
#include "tests/support/radicale.h"

namespace plan::dav_move {

using ir::Value;
using net::dav::Kind;

inline constexpr const char* kAccount = "alice@example.org";
/// Not better: the mailbox Sent is called `Sent Items` at the target.
inline constexpr const char* kAlike = "good";

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
                   .open_as_user = [this](step::StepContext&) { return user_client_; },
                   .kill_point = [this](const char* place) { pass("carry.", place); },
                   .push_kill_point = [this](const char* place) { pass("push.", place); }});
  }

  /// plan is killed at the first and at the third pass of each border of the calendars: what
  /// was begun is left as it is, as the archive's open transaction is by a real kill.
  struct Killed {};
  void pass(const char* what, const char* place) {
    const std::string name = std::string(what) + place;
    const int number = ++passes_[name];
    seen_borders_.insert(name);
    if (!is_killed_at_borders_ || name.find(".dav-") == std::string::npos) return;
    if (number == 1 || number == 3) throw Killed();
  }
  /// One try after another, as an operator makes them; how many were killed.
  int until_done(const std::function<Outcome()>& work) {
    for (int kills = 0; kills < 60; ++kills) {
      try {
        const Outcome done = work();
        EXPECT_TRUE(done) << done.error().to_line() << " " << done.error().detail();
        return kills;
      } catch (const Killed&) {
        notes_ = Value();
      }
    }
    ADD_FAILURE() << "did not end";
    return 0;
  }
  int apply_with_kills(ir::StepKind kind) {
    return until_done([&]() -> Outcome {
      auto at = context(kind);
      auto outputs = drivers_.find(kind)->apply(at);
      for (int waits = 0; !outputs && outputs.error().is(step::errors::not_yet) && waits < 100;
           ++waits) {
        clock_.sleep_for(outputs.error().retry_after());
        auto again = context(kind);
        outputs = drivers_.find(kind)->apply(again);
      }
      return outputs ? Outcome() : Outcome(std::move(outputs).error());
    });
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
  std::string event_title(std::string_view uid) {
    const auto all = shelf(Kind::calendar).entries;
    const auto found = all.find(event_id(uid));
    return found == all.end() ? "" : std::string(found->second.body["title"].string_or(""));
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

  /// "Work: Lunch" of every event and card at the source.
  std::multiset<std::string> titles_at_source() {
    std::multiset<std::string> all;
    const auto client = radicale_->client();
    const auto homes = client.homes("/alice%40example.org/");
    EXPECT_TRUE(homes);
    if (!homes) return all;
    for (const net::dav::Collection& collection : homes->collections) {
      const auto items = client.list(collection);
      EXPECT_TRUE(items);
      if (!items) continue;
      for (const net::dav::ItemState& item : *items) {
        const std::string text = at_source(item.href);
        const std::string mark = collection.kind == Kind::calendar ? "\r\nSUMMARY:" : "\r\nFN:";
        const std::size_t from = text.find(mark) + mark.size();
        all.insert(collection.name + ": " + text.substr(from, text.find("\r\n", from) - from));
      }
    }
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
  bool is_killed_at_borders_ = false;
  std::map<std::string, int> passes_;
  std::set<std::string> seen_borders_;
};

}  // namespace plan::dav_move
