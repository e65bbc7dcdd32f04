// The way back of an account's content: a real Dovecot, a target with books of its own, and what
// both have at the end. Skipped by name where there is no Dovecot.
#include "runtime/archive/carry_back.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <utility>

#include "runtime/archive/grade.h"
#include "runtime/archive/limits.h"
#include "runtime/archive/provenance.h"
#include "runtime/archive/push_jmap.h"
#include "runtime/net/imap/mailbox_name.h"
#include "tests/support/dovecot.h"
#include "tests/support/fake_mail_target.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/archive/dovecot_source.h"
#include "tests/unit/runtime/archive/drivers_fixture.h"

using namespace plan;
using namespace plan::archive;
using ir::Value;
using test::FakeMailTarget;

namespace {

constexpr const char* kAccount = "alice@example.org";

std::string mail(const std::string& subject) {
  return fmt::format("From: a@example.org\r\nSubject: {}\r\n\r\nbody of {}\r\n", subject, subject);
}

/// One account on both servers, and the archive between them.
class CarryBack : public testing::Test {
 protected:
  void SetUp() override { begin_anew(); }

  void begin_anew() {
    user_.reset();
    archive_.reset();
    std::string why;
    if (!dovecot_) dovecot_ = test::Dovecot::start({"alice@example.org"}, why);
    if (!dovecot_) GTEST_SKIP() << why;
    user_ = std::move(*dovecot_->login(kAccount));
    target_ = std::make_unique<FakeMailTarget>();
    account_ = std::make_unique<TargetAccount>(target_->client(), FakeMailTarget::account_id());
    file_ = directory_.file(fmt::format("a{}.sqlite", ++archives_));
    reopen();
    source_ = dovecot_source(*dovecot_, kAccount, secrets_);
  }

  void reopen() {
    auto archive = ArchiveFile::open(file_);
    ASSERT_TRUE(archive) << archive.error().to_line();
    archive_ = std::make_unique<ArchiveFile>(std::move(*archive));
  }

  void append(const std::string& mailbox, const std::string& body,
              std::vector<std::string> flags = {}) {
    const auto done =
        user_->append(*net::imap::encode_mailbox_name(mailbox),
                      {.body = body,
                       .flags = std::move(flags),
                       .date = net::imap::parse_rfc3339("2025-05-12T12:00:00+02:00")});
    ASSERT_TRUE(done) << done.error().to_line();
  }

  /// Source to archive to target, as the steps of a move do it.
  PushReport move() {
    auto read = import_imap(*archive_, source_.imap);
    EXPECT_TRUE(read) << read.error().to_line();
    EXPECT_TRUE(import_sieve(*archive_, source_.sieve));
    EXPECT_TRUE(link_carried(*archive_));
    auto pushed = push_jmap(*archive_, *account_);
    EXPECT_TRUE(pushed) << pushed.error().to_line();
    return pushed ? *pushed : PushReport();
  }
  Grade grade() {
    auto report = grade_target(*archive_, *account_);
    EXPECT_TRUE(report) << report.error().to_line();
    if (!report) return Grade::not_checked;
    for (const GradeDifference& difference : report->differences)
      if (difference.grade > Grade::good)
        ADD_FAILURE() << difference.where << ": " << difference.text;
    return report->grade;
  }
  CarryReport back(CarryOptions options = {}) {
    auto report = carry_back(*archive_, source_, *account_, options);
    EXPECT_TRUE(report) << report.error().to_line();
    return report ? *report : CarryReport();
  }

  /// Every message of the source: "mailbox subject date flags".
  std::multiset<std::string> source_content() {
    std::multiset<std::string> content;
    auto reader = dovecot_->login(kAccount);
    EXPECT_TRUE(reader);
    auto listed = (*reader)->list();
    EXPECT_TRUE(listed);
    for (const net::imap::MailboxInfo& mailbox : *listed) {
      if (!mailbox.is_selectable()) continue;
      EXPECT_TRUE((*reader)->select(mailbox.wire_name));
      const auto sink = [&](net::imap::FetchedMessage&& message) -> Outcome {
        std::string subject = *message.body;
        const std::size_t at = subject.find("Subject: ");
        subject = at == std::string::npos ? subject : subject.substr(at + 9);
        subject = subject.substr(0, subject.find("\r\n"));
        std::vector<std::string> flags = *message.flags;
        std::erase(flags, "\\Recent");
        std::sort(flags.begin(), flags.end());
        const auto date = net::imap::parse_internal_date(*message.internal_date);
        content.insert(fmt::format("{} {} {} {}",
                                   net::imap::decode_mailbox_name(mailbox.wire_name).value_or("?"),
                                   subject, date ? date->unix_seconds : -1, fmt::join(flags, ",")));
        return {};
      };
      (void)(*reader)->fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])", sink);
    }
    return content;
  }
  std::set<std::string> source_mailboxes() {
    std::set<std::string> names;
    auto reader = dovecot_->login(kAccount);
    const auto listed = (*reader)->list();
    for (const auto& mailbox : *listed)
      if (mailbox.is_selectable()) names.insert(*net::imap::decode_mailbox_name(mailbox.wire_name));
    return names;
  }
  std::map<std::string, std::string> source_scripts() {
    std::map<std::string, std::string> scripts;
    auto client = source_.sieve.connect();
    EXPECT_TRUE(client);
    const auto listed = (*client)->list();
    for (const auto& script : *listed)
      scripts[script.name + (script.is_active ? "*" : "")] = *(*client)->get(script.name);
    return scripts;
  }
  static std::string line(const std::string& mailbox, const std::string& subject,
                          const std::string& flags = "", bool is_of_target = false) {
    // 2025-05-12T10:00:00Z at the source, 2025-01-01T00:00:00Z for what the target got.
    return fmt::format("{} {} {} {}", mailbox, subject, is_of_target ? 1735689600 : 1747044000,
                       flags);
  }

  std::string id_of(const std::string& body) {
    for (const auto& [id, email] : target_->emails)
      if (target_->blobs[email.blob_id] == body) return id;
    ADD_FAILURE() << "the target has no " << body;
    return {};
  }
  std::string mailbox_at_target(const std::string& path) {
    for (const auto& [id, mailbox] : target_->mailboxes)
      if (target_->path_of(id) == path) return id;
    ADD_FAILURE() << "the target has no mailbox " << path;
    return {};
  }

  /// A move, then a day at the target: mail came, flags changed, messages moved and went.
  void live_a_day() {
    for (const char* name : {"one", "two", "three", "four", "five"}) append("INBOX", mail(name));
    ASSERT_TRUE(user_->create("Work"));
    append("Work", mail("job"), {"\\Seen", "Later"});
    move();
    target_->add_email("a", mail("arrived"));
    const std::string read = target_->add_email("a", mail("arrived and read"));
    target_->emails[read].keywords = {"$seen", "$forwarded"};
    target_->emails[id_of(mail("one"))].keywords = {"$seen", "$flagged"};
    target_->emails[id_of(mail("job"))].keywords = {"Later"};
    target_->emails[id_of(mail("two"))].mailbox_ids = {mailbox_at_target("/Work")};
    target_->emails.erase(id_of(mail("three")));
    target_->emails[id_of(mail("four"))].mailbox_ids.insert(mailbox_at_target("/Work"));
  }
  static std::multiset<std::string> after_the_day() {
    return {line("INBOX", "one", "\\Flagged,\\Seen"),
            line("INBOX", "four"),
            line("INBOX", "five"),
            line("INBOX", "arrived", "", true),
            line("INBOX", "arrived and read", "$forwarded,\\Seen", true),
            line("Work", "job", "Later"),
            line("Work", "two"),
            line("Work", "four")};
  }

  std::unique_ptr<test::Dovecot> dovecot_;
  std::unique_ptr<net::imap::Client> user_;
  std::unique_ptr<FakeMailTarget> target_;
  std::unique_ptr<TargetAccount> account_;
  test::TempDir directory_;
  std::string file_;
  int archives_ = 0;
  std::unique_ptr<ArchiveFile> archive_;
  MasterPassword secrets_;
  AccountSource source_;
};

}  // namespace

TEST_F(CarryBack, BringsWhatArrivedChangedMovedAndWentAtTheTarget) {
  live_a_day();
  const auto before = source_content();
  CarryReport looked = back({.is_dry = true});
  EXPECT_EQ(source_content(), before) << "a look changes nothing";
  const CarryReport report = back();
  EXPECT_EQ(source_content(), after_the_day());
  EXPECT_EQ(report.arrived, 2U);
  EXPECT_EQ(report.moved, 2U);
  EXPECT_EQ(report.flags, 2U);
  EXPECT_EQ(report.deleted, 1U);
  EXPECT_TRUE(report.conflicts.empty());
  EXPECT_EQ(looked.to_text(), report.to_text()) << "what was seen is what was done";
  EXPECT_EQ(back().changes(), 0U) << "may be repeated";
}

TEST_F(CarryBack, MovingAgainBringsNothingTwice) {
  live_a_day();
  back();
  auto there = target_->content();
  PushReport again = move();
  EXPECT_EQ(again.created, 1U) << "the copy in two mailboxes is two messages from now on";
  EXPECT_EQ(again.destroyed + again.adopted, 0U);
  EXPECT_TRUE(again.problems.empty());
  const std::string four = " 2025-05-12T10:00:00Z " + mail("four");
  there.erase("/Inbox /Work" + four);
  there.insert("/Inbox" + four);
  there.insert("/Work" + four);
  EXPECT_EQ(target_->content(), there);
  EXPECT_EQ(grade(), Grade::good) << "names only";
  // Back at the source its user works on; the next move carries that too.
  append("INBOX", mail("written at home"));
  ASSERT_TRUE(user_->select("INBOX", {.is_read_only = false}));
  auto newest = user_->search("SUBJECT arrived");
  ASSERT_TRUE(newest);
  ASSERT_TRUE(user_->store(newest->to_string(), "+FLAGS.SILENT", {"\\Answered"}));
  again = move();
  EXPECT_EQ(again.created, 1U);
  EXPECT_EQ(again.updated, 2U);
  EXPECT_EQ(grade(), Grade::good);
  back();
  EXPECT_EQ(back().changes(), 0U);
}

TEST_F(CarryBack, BeforeTheHoldOnlyNewMailComesAndNothingTwiceInIt) {
  live_a_day();
  const CarryReport early = back({.only_new = true});
  EXPECT_EQ(early.arrived, 2U);
  EXPECT_EQ(early.changes(), 2U);
  // The user goes on at the target meanwhile: one of them is deleted, the other flagged.
  target_->emails.erase(id_of(mail("arrived")));
  target_->emails[id_of(mail("arrived and read"))].keywords.insert("$flagged");
  target_->add_email("a", mail("last minute"));
  const CarryReport report = back();
  EXPECT_EQ(report.arrived, 1U);
  EXPECT_EQ(report.deleted, 2U);
  auto wanted = after_the_day();
  wanted.erase(line("INBOX", "arrived", "", true));
  wanted.erase(line("INBOX", "arrived and read", "$forwarded,\\Seen", true));
  wanted.insert(line("INBOX", "arrived and read", "$forwarded,\\Flagged,\\Seen", true));
  wanted.insert(line("INBOX", "last minute", "", true));
  EXPECT_EQ(source_content(), wanted);
}

TEST_F(CarryBack, TheHoldAsksOnlyWhatChangedSinceTheLookBeforeIt) {
  live_a_day();
  TargetSnapshot snapshot;
  EXPECT_EQ(back({.only_new = true, .snapshot = &snapshot}).arrived, 2U);
  EXPECT_EQ(snapshot.emails.size(), target_->emails.size());
  target_->emails.erase(id_of(mail("arrived")));
  target_->emails[id_of(mail("arrived and read"))].keywords.insert("$flagged");
  target_->add_email("a", mail("last minute"));
  const std::uint64_t listings = target_->listings;
  const CarryReport report = back({.snapshot = &snapshot});
  EXPECT_EQ(target_->listings, listings) << "the account is not listed in the hold";
  EXPECT_EQ(report.arrived, 1U);
  EXPECT_EQ(report.deleted, 2U);
  auto wanted = after_the_day();
  wanted.erase(line("INBOX", "arrived", "", true));
  wanted.erase(line("INBOX", "arrived and read", "$forwarded,\\Seen", true));
  wanted.insert(line("INBOX", "arrived and read", "$forwarded,\\Flagged,\\Seen", true));
  wanted.insert(line("INBOX", "last minute", "", true));
  EXPECT_EQ(source_content(), wanted);
  EXPECT_EQ(back().changes(), 0U) << "a whole list finds nothing else";
  // A state that the target does not know any more: everything is listed again.
  snapshot.state = "s-forgotten";
  snapshot.emails.clear();
  EXPECT_EQ(back({.snapshot = &snapshot}).changes(), 0U);
  EXPECT_GT(target_->listings, listings);
}

TEST_F(CarryBack, BeforeTheHoldMailThatKeepsComingIsNoReasonToWait) {
  append("INBOX", mail("one"));
  move();
  target_->add_email("a", mail("arrived"));
  int arrived = 0;
  const CarryReport early = back({.only_new = true, .kill_point = [&](const char* at) {
                                    if (std::string(at) == "append-noted")
                                      target_->add_email("a", mail(fmt::format("m{}", ++arrived)));
                                  }});
  EXPECT_EQ(early.arrived, 2U);
  EXPECT_EQ(back().arrived, 1U);
}

TEST_F(CarryBack, AnEndAtAnyBorderIsRepairedByTheNextTry) {
  struct Killed {};
  int ends = 0;
  for (const std::string place :
       {"source-read", "carried-linked", "mailboxes-carried", "append-begun", "append-answered",
        "append-noted", "flags-stored", "expunged"}) {
    for (int pass = 1; pass <= 2; ++pass) {
      for (const bool is_moved_between : {false, true}) {
        if (is_moved_between && !place.starts_with("append")) continue;
        SCOPED_TRACE(fmt::format("{}:{} {}", place, pass, is_moved_between));
        // A fresh account each time.
        for (const std::string& name : source_mailboxes())
          if (name != "INBOX") (void)user_->remove(*net::imap::encode_mailbox_name(name));
        ASSERT_TRUE(user_->select("INBOX", {.is_read_only = false}));
        (void)user_->store("1:*", "+FLAGS.SILENT", {"\\Deleted"});
        (void)user_->expunge("1:*");
        begin_anew();
        live_a_day();
        int seen = 0;
        bool is_ended = false;
        try {
          (void)carry_back(*archive_, source_, *account_, {.kill_point = [&](const char* at) {
            if (at == place && ++seen == pass) throw Killed();
          }});
        } catch (const Killed&) {
          is_ended = true;
        }
        if (!is_ended) {
          pass = 2;
          break;
        }
        ++ends;
        reopen();
        const std::size_t there = target_->emails.size();
        if (is_moved_between) {
          // `plan apply` instead of `plan rollback`: a sweep's pass meets what was being carried.
          ASSERT_TRUE(import_imap(*archive_, source_.imap));
          ASSERT_TRUE(link_carried(*archive_));
          ASSERT_TRUE(push_jmap(*archive_, *account_, {.is_source_authority = false}));
          EXPECT_EQ(target_->emails.size(), there) << "nothing comes back to the target as new";
        }
        back({.quiet = std::chrono::milliseconds(1)});  // nobody works anything off here
        EXPECT_EQ(source_content(), after_the_day());
        EXPECT_EQ(move().created, 1U) << "the copy in two mailboxes";
        EXPECT_EQ(target_->emails.size(), there + 1);
        EXPECT_EQ(grade(), Grade::good);
      }
    }
  }
  EXPECT_GE(ends, 20);
}

TEST_F(CarryBack, ReadsSeveralMessagesOfTheTargetAtATimeAndMixesNoneUp) {
  append("INBOX", mail("one"));
  move();
  std::multiset<std::string> wanted{line("INBOX", "one")};
  for (int index = 0; index < 14; ++index) {
    target_->add_email("a", mail(fmt::format("arrived {}", index)));
    wanted.insert(line("INBOX", fmt::format("arrived {}", index), "", true));
  }
  target_->downloads_together = kDownloadsInFlight;
  EXPECT_EQ(back().arrived, 14U);
  EXPECT_FALSE(target_->has_waited_in_vain);
  EXPECT_EQ(source_content(), wanted);
  EXPECT_EQ(back().changes(), 0U);
}

TEST_F(CarryBack, OneMessageThatCannotBeReadEndsTheWayBackAndTheNextTryBringsAllOnce) {
  append("INBOX", mail("one"));
  move();
  for (int index = 0; index < 9; ++index)
    target_->add_email("a", mail(fmt::format("arrived {}", index)));
  target_->unreadable_blobs = {target_->emails[id_of(mail("arrived 5"))].blob_id};
  EXPECT_FALSE(carry_back(*archive_, source_, *account_));
  target_->unreadable_blobs = {};
  back();
  EXPECT_EQ(source_content().size(), 10U);
  EXPECT_EQ(back().changes(), 0U);
}

TEST_F(CarryBack, AnAppendThatIsStillWorkedOffWhenTheNextTryComesIsThereOnce) {
  // A killed `plan` leaves to the server what it had sent; a busy one works it off a moment later.
  struct Killed {};
  append("INBOX", mail("one"));
  move();
  target_->add_email("a", mail("arrived"));
  EXPECT_THROW((void)carry_back(*archive_, source_, *account_,
                                {.kill_point =
                                     [](const char* at) {
                                       if (std::string_view(at) == "append-begun") throw Killed();
                                     }}),
               Killed);
  reopen();
  test::PatientClock clock;
  clock.on_sleep = [&, has_come = false]() mutable {
    if (std::exchange(has_come, true)) return;
    EXPECT_TRUE(user_->append("INBOX", {.body = mail("arrived"),
                                        .date = net::imap::parse_rfc3339("2025-01-01T00:00:00Z")}));
  };
  back({.clock = &clock});
  EXPECT_GE(clock.slept, std::chrono::seconds(3)) << "since the last change";
  EXPECT_EQ(source_content(),
            (std::multiset<std::string>{line("INBOX", "one"), line("INBOX", "arrived", "", true)}));
  EXPECT_EQ(back().changes(), 0U);
}

TEST_F(CarryBack, EndsWhereMailKeepsComingToTheTarget) {
  append("INBOX", mail("one"));
  move();
  int round = 0;
  CarryOptions options;
  options.kill_point = [&](const char* place) {
    if (std::string_view(place) != "source-read") return;
    const std::lock_guard lock(target_->mutex);
    target_->add_email("a", mail(fmt::format("arrived {}", ++round)));
  };
  const auto carried = carry_back(*archive_, source_, *account_, options);
  ASSERT_FALSE(carried);
  EXPECT_TRUE(test::told_as("carry-back-unsettled", carried.error()));
  EXPECT_EQ(back().arrived, 0U) << "what was carried is not carried twice";
  EXPECT_EQ(source_content().size(), static_cast<std::size_t>(round) + 1);
}

TEST_F(CarryBack, TakesNothingFromAnAccountThatIsAnotherOneByNow) {
  append("INBOX", mail("one"));
  move();
  ASSERT_TRUE(archive_->set_fact("target-account", "of before"));
  const auto carried = carry_back(*archive_, source_, *account_, {});
  ASSERT_FALSE(carried);
  EXPECT_EQ(carried.error().code().name, "target-account-gone");
  EXPECT_EQ(source_content(), (std::multiset<std::string>{line("INBOX", "one")}));
}

TEST_F(CarryBack, CarriesMailboxesThatWereMadeRenamedAndDeleted) {
  ASSERT_TRUE(user_->create("Old"));
  ASSERT_TRUE(user_->create("Old/Deep"));
  ASSERT_TRUE(user_->create("Gone"));
  append("Old", mail("one"));
  append("Old/Deep", mail("two"));
  append("Gone", mail("three"));
  move();
  target_->mailboxes[mailbox_at_target("/Old")].name = "Größe: neu";
  target_->emails.erase(id_of(mail("three")));
  target_->mailboxes.erase(mailbox_at_target("/Gone"));
  target_->mailboxes["y"] = {.name = "Made", .parent_id = "a"};
  target_->add_email("y", mail("below the inbox"));
  target_->mailboxes["z"] = {.name = "Empty"};
  target_->add_email("b", mail("thrown away"));
  const CarryReport report = back();
  EXPECT_TRUE(report.conflicts.empty()) << report.conflicts.front().rule;
  EXPECT_EQ(source_content(),
            (std::multiset<std::string>{line("Größe: neu", "one"), line("Größe: neu/Deep", "two"),
                                        line("INBOX/Made", "below the inbox", "", true),
                                        line("Trash", "thrown away", "", true)}));
  const auto names = source_mailboxes();
  EXPECT_TRUE(names.contains("Empty"));
  EXPECT_FALSE(names.contains("Gone"));
  EXPECT_FALSE(names.contains("Old"));
  EXPECT_EQ(back().changes(), 0U);
  const auto there = target_->content();
  EXPECT_EQ(move().changes(), 0U);
  EXPECT_EQ(target_->content(), there);
}

TEST_F(CarryBack, CarriesScriptsThreeWays) {
  auto client = source_.sieve.connect();
  ASSERT_TRUE(client);
  for (const char* name : {"kept", "changed", "removed", "both"})
    ASSERT_TRUE((*client)->put(name, "keep;\r\n"));
  ASSERT_TRUE((*client)->set_active("kept"));
  move();
  const auto script = [&](const std::string& name) -> test::FakeScript& {
    for (auto& [id, one] : target_->scripts)
      if (one.name == name) return one;
    ADD_FAILURE() << name;
    return target_->scripts["none"];
  };
  target_->blobs["b1"] = "discard;\r\n";
  script("changed").blob_id = "b1";
  script("both").blob_id = "b1";
  script("kept").is_active = false;
  script("changed").is_active = true;
  target_->scripts["new"] = {.name = "new", .blob_id = "b1"};
  std::erase_if(target_->scripts, [](const auto& one) { return one.second.name == "removed"; });
  ASSERT_TRUE((*client)->put("both", "stop;\r\n"));
  const CarryReport report = back();
  EXPECT_EQ(source_scripts(), (std::map<std::string, std::string>{{"kept", "keep;\r\n"},
                                                                  {"changed*", "discard;\r\n"},
                                                                  {"both", "discard;\r\n"},
                                                                  {"new", "discard;\r\n"}}));
  ASSERT_EQ(report.conflicts.size(), 1U);
  EXPECT_EQ(report.conflicts[0].place, "Sieve script both");
  EXPECT_EQ(back().changes(), 0U);
  EXPECT_EQ(move().changes(), 0U);
}

TEST_F(CarryBack, WhereBothSidesChangedTheRuleIsListed) {
  for (const char* name : {"deleted there", "deleted here", "flags"}) append("INBOX", mail(name));
  move();
  target_->emails.erase(id_of(mail("deleted there")));
  target_->emails[id_of(mail("flags"))].keywords = {"$flagged"};
  // Somebody with access to the source, long after the door was closed.
  ASSERT_TRUE(user_->select("INBOX", {.is_read_only = false}));
  ASSERT_TRUE(user_->store("1", "+FLAGS.SILENT", {"\\Answered"}));
  ASSERT_TRUE(user_->store("3", "+FLAGS.SILENT", {"\\Seen"}));
  ASSERT_TRUE(user_->store("2", "+FLAGS.SILENT", {"\\Deleted"}));
  ASSERT_TRUE(user_->expunge("2"));
  const CarryReport report = back();
  EXPECT_EQ(source_content(),
            (std::multiset<std::string>{line("INBOX", "deleted there", "\\Answered"),
                                        line("INBOX", "deleted here"),
                                        line("INBOX", "flags", "\\Flagged,\\Seen")}));
  ASSERT_EQ(report.conflicts.size(), 2U);
  std::set<std::string> rules;
  for (const CarryConflict& conflict : report.conflicts)
    rules.insert(conflict.place + conflict.rule);
  EXPECT_TRUE(rules.contains(
      "INBOX uid 1deleted at the target, its flags changed at the source: it stays"));
  EXPECT_TRUE(
      rules.contains("INBOX uid 2gone at the source, still at the target: it is given back"));
  EXPECT_EQ(*archive_->database().query_integer("SELECT count(*) FROM plan_carry_note"), 2);
  EXPECT_EQ(move().created, 1U) << "the one that was deleted there";
  EXPECT_EQ(grade(), Grade::good);
}

TEST_F(CarryBack, ANewUidValidityAtTheSourceDoublesNothing) {
  ASSERT_TRUE(user_->create("Work"));
  append("Work", mail("one"));
  append("Work", mail("two"));
  move();
  ASSERT_TRUE(user_->remove("Work"));
  ASSERT_TRUE(user_->create("Work"));
  append("Work", mail("one"));
  append("Work", mail("two"));
  target_->add_email("a", mail("arrived"));
  const CarryReport report = back();
  EXPECT_EQ(report.arrived, 1U);
  EXPECT_EQ(report.moved, 0U);
  EXPECT_EQ(source_content(), (std::multiset<std::string>{line("Work", "one"), line("Work", "two"),
                                                          line("INBOX", "arrived", "", true)}));
}

TEST_F(CarryBack, TwinsAreCountedAndProbesAreNobodysMail) {
  append("INBOX", mail("twin"));
  move();
  target_->add_email("a", mail("twin"));
  target_->add_email("a", mail("twin"));
  target_->add_email(
      "a", "Message-ID: <plan-probe.0123.target@plan.invalid>\r\nSubject: plan probe\r\n\r\nx\r\n");
  target_->add_email("a", "Subject: bare line ends\n\nbody\n");
  EXPECT_EQ(back().arrived, 3U);
  EXPECT_EQ(source_content(),
            (std::multiset<std::string>{line("INBOX", "twin"), line("INBOX", "twin", "", true),
                                        line("INBOX", "twin", "", true),
                                        line("INBOX", "bare line ends", "", true)}));
  EXPECT_EQ(target_->emails.size(), 4U) << "the probe is gone there too";
  EXPECT_EQ(move().created, 0U);
  EXPECT_EQ(grade(), Grade::good);
}
