#include "runtime/archive/push_jmap.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "runtime/archive/grade.h"
#include "runtime/archive/target_mailboxes.h"
#include "runtime/net/jmap/errors.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/archive/archive_world.h"

using namespace plan;
using namespace plan::archive;
using test::FakeMailTarget;
using Fault = FakeMailTarget::Fault;

namespace {

class PushJmap : public testing::Test {
 protected:
  PushJmap() : account_(target_.client(), FakeMailTarget::account_id()) {
    auto archive = ArchiveFile::open(directory_.file("a.sqlite"));
    EXPECT_TRUE(archive) << archive.error().to_line();
    archive_ = std::make_unique<ArchiveFile>(std::move(*archive));
    source_ = std::make_unique<SourceBooks>(*archive_);
    source_->mailbox("INBOX", "inbox");
    source_->mailbox("Papierkorb", "trash");
  }

  PushReport push(PushOptions options = {}) {
    auto report = push_jmap(*archive_, account_, options);
    EXPECT_TRUE(report) << report.error().to_line();
    return report ? *report : PushReport();
  }
  GradeReport grade(GradeOptions options = {}) {
    auto report = grade_target(*archive_, account_, options);
    EXPECT_TRUE(report) << report.error().to_line();
    return report ? *report : GradeReport();
  }
  static std::string line(const std::string& path, const std::string& body,
                          const std::string& keywords = "") {
    return path + " " + keywords + "2025-05-12T08:00:00Z " + body;
  }

  FakeMailTarget target_;
  test::TempDir directory_;
  std::unique_ptr<ArchiveFile> archive_;
  std::unique_ptr<SourceBooks> source_;
  TargetAccount account_;
};

}  // namespace

TEST_F(PushJmap, BringsEveryMessageOnceToItsPlace) {
  source_->mailbox("A");
  source_->mailbox("A/b\tc");
  source_->message("INBOX", 1, "one", R"(["$seen","Work"])");
  source_->message("INBOX", 2, "one");
  source_->message("Papierkorb", 1, "two");
  source_->message("A/b\tc", 7, "three");
  const PushReport report = push();
  EXPECT_EQ(report.created, 4U);
  EXPECT_EQ(target_.content(),
            (std::multiset<std::string>{line("/Inbox", "one", "$seen Work "), line("/Inbox", "one"),
                                        line("/Deleted Items", "two"), line("/A/b_c", "three")}));
  EXPECT_EQ(push().changes(), 0U);
  const GradeReport graded = grade();
  EXPECT_EQ(graded.grade, Grade::good)
      << graded.differences[0].where << graded.differences[0].text;  // names
  EXPECT_EQ(graded.proved, 4U);
}

TEST_F(PushJmap, CarriesFlagsMovesExpungesAndNewMail) {
  source_->mailbox("A");
  for (std::uint32_t uid = 1; uid <= 4; ++uid)
    source_->message("INBOX", uid, fmt::format("m{}", uid));
  push();
  std::string moved;
  for (const auto& [id, email] : target_.emails)
    if (target_.blobs[email.blob_id] == "m3") moved = id;
  source_->flags("INBOX", 1, R"(["$flagged"])");
  source_->expunge("INBOX", 2);
  source_->expunge("INBOX", 3);  // moved
  source_->message("A", 1, "m3", R"(["$seen"])");
  source_->message("INBOX", 5, "m5");
  const PushReport report = push();
  EXPECT_EQ(report.adopted, 1U);
  EXPECT_EQ(report.destroyed, 1U);
  EXPECT_EQ(report.created, 1U);
  EXPECT_EQ(target_.content(), (std::multiset<std::string>{
                                   line("/Inbox", "m1", "$flagged "), line("/A", "m3", "$seen "),
                                   line("/Inbox", "m4"), line("/Inbox", "m5")}));
  EXPECT_EQ(target_.emails.count(moved), 1U) << "the moved one kept its id";
  EXPECT_EQ(push().changes(), 0U);
  EXPECT_EQ(grade().grade, Grade::good);
}

TEST_F(PushJmap, ALostReplyNeitherLosesNorDoublesAnything) {
  for (const Fault fault : {Fault::lose_reply, Fault::lose_request, Fault::run_late}) {
    SCOPED_TRACE(static_cast<int>(fault));
    FakeMailTarget target;
    const TargetAccount account(target.client(), FakeMailTarget::account_id());
    auto archive =
        ArchiveFile::open(directory_.file(fmt::format("f{}.sqlite", static_cast<int>(fault))));
    ASSERT_TRUE(archive);
    SourceBooks source(*archive);
    source.mailbox("INBOX", "inbox");
    std::multiset<std::string> wanted;
    for (std::uint32_t uid = 1; uid <= 9; ++uid) {
      source.message("INBOX", uid, uid % 3 == 0 ? "twin" : fmt::format("m{}", uid));
      wanted.insert(line("/Inbox", uid % 3 == 0 ? "twin" : fmt::format("m{}", uid)));
    }
    target.add_email("a",
                     "twin");  // somebody else's, with the same bytes: not ours, not suppressed
    target.faults = {Fault::none, fault, Fault::none};
    const PushOptions options{.import_batch = 4};
    auto first = push_jmap(*archive, account, options);
    ASSERT_FALSE(first);
    EXPECT_EQ(first.error().effect(), Effect::unknown);
    auto second = push_jmap(*archive, account, options);
    ASSERT_TRUE(second) << second.error().to_line();
    EXPECT_EQ(target.emails.size(), 10U);
    auto third = push_jmap(*archive, account, options);
    ASSERT_TRUE(third);
    EXPECT_EQ(third->changes(), 0U);
  }
}

TEST_F(PushJmap, AFlagThatChangesBehindAnImportWithoutAnAnswerIsCarried) {
  struct Killed {};
  for (const std::string place : {"import-begun", "import-answered"}) {
    source_->message("INBOX", place == "import-begun" ? 1 : 2, place);
    EXPECT_THROW((void)push_jmap(*archive_, account_,
                                 {.kill_point =
                                      [&](const char* at) {
                                        if (at == place) throw Killed();
                                      }}),
                 Killed);
    source_->flags("INBOX", place == "import-begun" ? 1 : 2, R"(["$flagged"])");
    push();
  }
  EXPECT_EQ(target_.content(),
            (std::multiset<std::string>{line("/Inbox", "import-begun", "$flagged "),
                                        line("/Inbox", "import-answered", "$flagged ")}));
  EXPECT_EQ(grade().grade, Grade::good);
}

// The next process looks for the import, does not find it, and only then the target runs it: at the
// next question for its state (1), or after that process was ended too (2).
TEST_F(PushJmap, AnImportThatRunsAfterItWasLookedForDoublesNothing) {
  for (const int states : {1, 2}) {
    SCOPED_TRACE(states);
    FakeMailTarget target;
    const TargetAccount account(target.client(), FakeMailTarget::account_id());
    auto archive = ArchiveFile::open(directory_.file(fmt::format("later{}.sqlite", states)));
    ASSERT_TRUE(archive);
    SourceBooks source(*archive);
    source.mailbox("INBOX", "inbox");
    for (std::uint32_t uid = 1; uid <= 3; ++uid)
      source.message("INBOX", uid, fmt::format("m{}", uid));
    target.faults = {Fault::run_later};
    target.states_until_late = states;
    ASSERT_FALSE(push_jmap(*archive, account, {}));
    if (states == 2) {
      PushOptions stopped;
      stopped.is_stop_requested = [] { return true; };
      ASSERT_FALSE(push_jmap(*archive, account, stopped));
    }
    const auto again = push_jmap(*archive, account, {});
    ASSERT_TRUE(again) << again.error().to_line();
    EXPECT_EQ(target.content(),
              (std::multiset<std::string>{line("/Inbox", "m1"), line("/Inbox", "m2"),
                                          line("/Inbox", "m3")}));
  }
}

TEST_F(PushJmap, AnEndAtAnyEffectIsRepaired) {
  // The process ends at each place where an intent is durable, by an exception that only tests
  // throw.
  struct Killed {};
  for (const std::string place : {"import-begun", "import-answered", "update-answered",
                                  "destroy-begun", "destroy-answered"}) {
    for (int pass = 1; pass <= 2; ++pass) {
      SCOPED_TRACE(place + std::to_string(pass));
      FakeMailTarget target;
      const TargetAccount account(target.client(), FakeMailTarget::account_id());
      const std::string file = directory_.file(place + std::to_string(pass));
      std::multiset<std::string> wanted;
      {
        auto archive = ArchiveFile::open(file);
        ASSERT_TRUE(archive);
        SourceBooks source(*archive);
        source.mailbox("INBOX", "inbox");
        for (std::uint32_t uid = 1; uid <= 6; ++uid)
          source.message("INBOX", uid, fmt::format("m{}", uid));
        if (place[0] != 'i') {
          ASSERT_TRUE(push_jmap(*archive, account));
        }
        for (std::uint32_t uid = 1; uid <= 3; ++uid) source.flags("INBOX", uid, R"(["$seen"])");
        source.expunge("INBOX", 6);
        int seen = 0;
        const PushOptions deadly{.import_batch = 2, .kill_point = [&](const char* at) {
                                   if (at == place && ++seen == pass) throw Killed();
                                 }};
        try {
          (void)push_jmap(*archive, account, deadly);
        } catch (const Killed&) {
        }
      }
      auto archive = ArchiveFile::open(file);
      ASSERT_TRUE(archive);
      auto again = push_jmap(*archive, account);
      ASSERT_TRUE(again) << again.error().to_line();
      for (std::uint32_t uid = 1; uid <= 5; ++uid)
        wanted.insert(line("/Inbox", fmt::format("m{}", uid), uid <= 3 ? "$seen " : ""));
      EXPECT_EQ(target.content(), wanted);
      auto graded = grade_target(*archive, account);
      ASSERT_TRUE(graded);
      EXPECT_EQ(graded->grade, Grade::perfect);
    }
  }
}

TEST_F(PushJmap, WhatTheTargetRefusesIsListedAndTheRestArrives) {
  target_.refused_blobs = {"bad"};
  target_.message_bytes_max = 100;
  source_->message("INBOX", 1, "good");
  source_->message("INBOX", 2, "bad");
  source_->message("INBOX", 3, std::string(101, 'x'));
  const PushReport report = push();
  EXPECT_EQ(report.created, 1U);
  ASSERT_EQ(report.problems.size(), 2U);
  EXPECT_EQ(report.problems[0].what, "INBOX uid 2");
  GradeReport graded = grade();
  EXPECT_EQ(graded.grade, Grade::investigate);
  target_.refused_blobs.clear();
  target_.message_bytes_max = 0;
  EXPECT_EQ(push().created, 2U);
  EXPECT_EQ(grade().grade, Grade::good);
}

TEST_F(PushJmap, AQuotaThatIsUsedUpStopsTheAccountWithItsReasonAndLosesNothing) {
  target_.quota_bytes = 10;
  for (std::uint32_t uid = 1; uid <= 5; ++uid)
    source_->message("INBOX", uid, fmt::format("mail{}", uid));
  const auto full = push_jmap(*archive_, account_, {});
  ASSERT_FALSE(full) << "what did not fit is not set aside message by message";
  EXPECT_TRUE(test::told_as("jmap-over-quota", full.error())) << "waiting makes no room";
  EXPECT_EQ(target_.content().size(), 2U);
  EXPECT_EQ(grade().grade, Grade::poor) << "nobody is moved to what is there so far";
  target_.quota_bytes = 100;
  EXPECT_EQ(push().created, 3U);
  std::multiset<std::string> wanted;
  for (int uid = 1; uid <= 5; ++uid) wanted.insert(line("/Inbox", fmt::format("mail{}", uid)));
  EXPECT_EQ(target_.content(), wanted);
  EXPECT_EQ(grade().grade, Grade::good);
}

TEST_F(PushJmap, AMessageThatIsLargerThanTheWholeQuotaIsSetAsideAndTheRestArrives) {
  target_.quota_bytes = 20;
  source_->message("INBOX", 1, "mail1");
  source_->message("INBOX", 2, std::string(21, 'x'));
  source_->message("INBOX", 3, "mail3");
  const PushReport report = push();
  EXPECT_EQ(report.created, 2U);
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_EQ(report.problems[0].what, "INBOX uid 2");
  EXPECT_EQ(report.problems[0].text,
            "overQuota: its 21 bytes are more than the account's whole quota of 20");
  const GradeReport graded = grade();
  EXPECT_EQ(graded.grade, Grade::investigate) << "somebody has to say that it may stay behind";
  ASSERT_FALSE(graded.differences.empty());
  EXPECT_NE(graded.differences[0].text.find("whole quota of 20"), std::string::npos)
      << graded.differences[0].text;
  target_.quota_bytes = 100;
  EXPECT_EQ(push().created, 1U) << "tried again when there is room";
  EXPECT_EQ(grade().grade, Grade::good);
}

TEST_F(PushJmap, ATargetThatDoesNotTellItsQuotaStopsTheAccount) {
  target_.quota_bytes = 20;
  target_.tells_quota = false;
  source_->message("INBOX", 1, std::string(21, 'x'));
  const auto full = push_jmap(*archive_, account_, {});
  ASSERT_FALSE(full);
  EXPECT_TRUE(full.error().is(net::jmap::errors::over_quota)) << full.error().to_line();
}

TEST_F(PushJmap, BytesThatAreNoProperMessageArriveAsTheyAre) {
  const std::string nul("From: a\r\n\r\nbefore\0behind\r\n", 26);
  const std::string broken =
      "Content-Type: multipart/mixed; boundary=\"never closed\r\nno colon\r\n\r\n\xff\xfe";
  source_->message("INBOX", 1, nul);
  source_->message("INBOX", 2, broken);
  source_->message("INBOX", 3, "");
  const PushReport report = push();
  EXPECT_TRUE(report.problems.empty());
  EXPECT_EQ(target_.content(),
            (std::multiset<std::string>{line("/Inbox", nul), line("/Inbox", broken),
                                        line("/Inbox", "")}));
  EXPECT_EQ(grade().proved, 3U) << "digest by digest";
  EXPECT_EQ(push().changes(), 0U);
}

TEST_F(PushJmap, AnEmptyMessageIsNotNullAndArrives) {
  // Where a peer reads such a blob back it gets a null pointer, or NULL from substr().
  source_->message("INBOX", 1, "");
  source_->message("INBOX", 2, "with text");
  auto stored = archive_->database().query_integer(
      "SELECT count(*) FROM blobs WHERE typeof(data) = 'blob' AND length(data) = 0");
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->value_or(0), 1);
  EXPECT_EQ(push().created, 2U);
  EXPECT_EQ(target_.content(),
            (std::multiset<std::string>{line("/Inbox", ""), line("/Inbox", "with text")}));
  EXPECT_EQ(push().changes(), 0U);
  const GradeReport graded = grade();
  EXPECT_EQ(graded.proved, 2U);
  EXPECT_LE(graded.grade, Grade::good);
}

TEST_F(PushJmap, WhatChangedAtTheTargetMeanwhileIsLeftAlone) {
  source_->message("INBOX", 1, "one");
  source_->message("INBOX", 2, "two");
  push();
  for (auto& [id, email] : target_.emails) email.keywords.insert("$flagged");
  source_->flags("INBOX", 1, R"(["$seen"])");
  source_->expunge("INBOX", 2);
  const PushReport report = push();
  EXPECT_EQ(report.updated + report.destroyed, 0U);
  EXPECT_EQ(report.problems.size(), 2U);
  EXPECT_EQ(target_.content(), (std::multiset<std::string>{line("/Inbox", "one", "$flagged "),
                                                           line("/Inbox", "two", "$flagged ")}));
}

TEST_F(PushJmap, AfterTheFlipOnlyStragglersAreCarried) {
  source_->message("INBOX", 1, "one");
  push();
  target_.add_email("a", "arrived by SMTP");
  target_.emails.begin()->second.keywords = {"$seen"};
  source_->flags("INBOX", 1, R"(["$flagged"])");
  source_->message("INBOX", 2, "straggler");
  const PushReport report = push({.is_source_authority = false});
  EXPECT_EQ(report.created, 1U);
  EXPECT_EQ(report.updated, 0U);
  EXPECT_EQ(target_.emails.size(), 3U);
  const GradeReport graded = grade({.is_delivery_allowed = true, .is_target_authority = true});
  EXPECT_EQ(graded.delivered, 1U);
  EXPECT_EQ(graded.grade, Grade::good);
}

TEST_F(PushJmap, TakesBackOnlyWhatItBrought) {
  source_->mailbox("A");
  source_->mailbox("A/B");
  source_->message("A/B", 1, "one");
  source_->script("s", "keep;", true);
  push();
  target_.add_email("a", "somebody else's");
  ASSERT_TRUE(take_back(*archive_, account_));
  EXPECT_EQ(target_.emails.size(), 1U);
  EXPECT_EQ(target_.mailboxes.size(), 5U);
  EXPECT_TRUE(target_.scripts.empty());
  ASSERT_TRUE(take_back(*archive_, account_)) << "may be repeated";
  EXPECT_EQ(push().created, 1U) << "and copied again";
}

TEST_F(PushJmap, WritesActivatesAndRemovesScripts) {
  source_->script("a", "keep;", true);
  source_->script("vacation", "discard;", false);
  PushReport report = push();
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_EQ(report.problems[0].what, "Sieve script vacation");
  ASSERT_EQ(target_.scripts.size(), 1U);
  EXPECT_TRUE(target_.scripts.begin()->second.is_active);
  EXPECT_EQ(grade().grade, Grade::investigate);
  source_->execute("DELETE FROM sieve_scripts");
  source_->script("b", "stop;", true);
  push();
  ASSERT_EQ(target_.scripts.size(), 1U);
  EXPECT_EQ(target_.scripts.begin()->second.name, "b");
  EXPECT_TRUE(target_.scripts.begin()->second.is_active);
  EXPECT_EQ(push().scripts, 0U);
}

TEST_F(PushJmap, ProvesBytesByReadingThemBackWhereTheTargetTellsNoDigest) {
  target_.has_digests = false;
  source_->message("INBOX", 1, "one");
  push();
  EXPECT_EQ(grade().proved, 1U);
  target_.blobs[target_.emails.begin()->second.blob_id] = "onE";
  EXPECT_EQ(grade().grade, Grade::good) << "what was proved once is not read again";
  EXPECT_EQ(grade({.is_everything_proved_again = true}).grade, Grade::poor);
}

TEST_F(PushJmap, BringsAgainWhatAnAccountThatWasMadeAnewHasLost) {
  source_->mailbox("A");
  source_->message("A", 1, "one");
  source_->message("INBOX", 1, "two");
  push();
  target_.emails.clear();
  target_.mailboxes.erase(target_.mailboxes.rbegin()->first);
  EXPECT_EQ(push().created, 2U);
  EXPECT_EQ(grade().grade, Grade::good);
}

TEST_F(PushJmap, GradesWhatIsMissingExtraOrElsewhere) {
  for (std::uint32_t uid = 1; uid <= 3; ++uid)
    source_->message("INBOX", uid, fmt::format("m{}", uid));
  EXPECT_EQ(grade().grade, Grade::not_checked) << "nothing was copied";
  push();
  EXPECT_EQ(grade().grade, Grade::good);
  const auto good = target_.emails;
  target_.emails.erase("m1");
  EXPECT_EQ(grade().grade, Grade::poor);
  target_.emails = good;
  target_.add_email("a", "extra");
  EXPECT_EQ(grade().grade, Grade::poor);
  target_.emails = good;
  target_.emails["m2"].mailbox_ids = {"b"};
  EXPECT_EQ(grade().grade, Grade::investigate);
  target_.emails = good;
  target_.emails["m2"].keywords = {"$seen"};
  EXPECT_EQ(grade().grade, Grade::investigate);
  target_.emails = good;
  target_.emails["m2"].received_at = "2025-05-12T08:00:01Z";
  EXPECT_EQ(grade().grade, Grade::investigate);
}

TEST_F(PushJmap, EndsWhereTheTargetChangesUnderEveryTry) {
  source_->message("INBOX", 1, "one");
  PushOptions options;
  options.kill_point = [this](const char* place) {
    if (std::string_view(place) != "import-begun") return;
    const std::lock_guard lock(target_.mutex);
    (void)target_.add_email("a", "by SMTP");
  };
  const auto pushed = push_jmap(*archive_, account_, options);
  ASSERT_FALSE(pushed);
  EXPECT_TRUE(test::told_as("target-changed-meanwhile", pushed.error()));
  EXPECT_EQ(push().created, 1U) << "it is quiet again";
}

TEST_F(PushJmap, EndsWhereTheTargetTakesNoFurtherMailbox) {
  source_->mailbox("Projects");
  source_->mailbox("Projects/2024");
  source_->message("Projects/2024", 1, "one");
  target_.mailboxes_max = 6;
  const auto pushed = push_jmap(*archive_, account_, {});
  ASSERT_FALSE(pushed);
  EXPECT_TRUE(test::told_as("mailbox-refused", pushed.error()));
  target_.mailboxes_max = 0;
  EXPECT_EQ(push().created, 1U) << "with the limit raised it goes on";
}

TEST_F(PushJmap, GivesEveryMailboxAPlaceOfItsOwn) {
  source_->mailbox("Deleted Items");  // the trash here is called Papierkorb
  source_->mailbox("deleted items");
  source_->mailbox("x" + std::string(400, 'y'));
  std::string deep = "d1";
  source_->mailbox(deep);
  for (int level = 2; level <= 13; ++level) {
    deep += fmt::format("/d{}", level);
    source_->mailbox(deep);
  }
  push();
  auto known = known_mailboxes(*archive_);
  ASSERT_TRUE(known);
  std::set<std::string> ids;
  for (const auto& [wire_name, id] : *known) {
    EXPECT_TRUE(ids.insert(id).second) << wire_name;
    const std::string path = target_.path_of(id);
    EXPECT_LE(std::count(path.begin(), path.end(), '/'), 10) << path;
  }
  EXPECT_EQ(ids.size(), 18U);
  EXPECT_EQ(push().mailboxes_created, 0U);
}
