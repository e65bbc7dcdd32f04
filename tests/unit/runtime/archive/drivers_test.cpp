// The four steps of a move that touch content, from a real Dovecot to a target with books of its
// own.
#include <regex>

#include "tests/support/told_error.h"
#include "tests/unit/runtime/archive/drivers_fixture.h"

using namespace plan;
using ir::Value;
using test::ArchiveDrivers;

TEST_F(ArchiveDrivers, MoveAnAccountWhileMailArrives) {
  for (int index = 0; index < 30; ++index)
    append("INBOX", fmt::format("Subject: m\r\n\r\nnumber {}\r\n", index));
  ASSERT_TRUE(user_->create("Projects/2024"));
  append("Projects/2024", "Subject: p\r\n\r\np\r\n", {"\\Seen"});
  auto looking = context(ir::StepKind::archive_copy);
  auto seen = drivers_.find(ir::StepKind::archive_copy)->observe(looking);
  ASSERT_TRUE(seen) << seen.error().to_line();
  EXPECT_EQ(seen->messages, 31U);
  auto in_the_hold = context(ir::StepKind::archive_delta);
  auto predicted = drivers_.find(ir::StepKind::archive_delta)->observe(in_the_hold);
  ASSERT_TRUE(predicted) << predicted.error().to_line();
  EXPECT_GT(predicted->hold_ms.value_or(0), 0U);
  EXPECT_NE(predicted->hold_basis.find("mailboxes opened in"), std::string::npos);

  auto copied = apply(ir::StepKind::archive_copy);
  ASSERT_TRUE(copied) << copied.error().to_line();
  EXPECT_EQ((*copied)["messages"].integer_or(0), 31);
  EXPECT_EQ(target_.emails.size(), 31U);

  append("INBOX", "Subject: late\r\n\r\nlate\r\n");
  ASSERT_TRUE(user_->select("INBOX", {.is_read_only = false}));
  ASSERT_TRUE(user_->store("1:3", "+FLAGS.SILENT", {"\\Flagged"}));
  ASSERT_TRUE(user_->store("4", "+FLAGS.SILENT", {"\\Deleted"}));
  ASSERT_TRUE(user_->expunge("4"));
  auto graded = apply(ir::StepKind::archive_grade);
  ASSERT_TRUE(graded) << graded.error().to_line();
  EXPECT_EQ((*graded)["grade"].string_or(""), "not-checked") << "the source is ahead";

  auto carried = apply(ir::StepKind::archive_delta);
  ASSERT_TRUE(carried) << carried.error().to_line();
  EXPECT_EQ((*carried)["messages"].integer_or(0), 5);
  graded = apply(ir::StepKind::archive_grade);
  ASSERT_TRUE(graded) << graded.error().to_line();
  EXPECT_EQ((*graded)["messages"].integer_or(0), 31);
  EXPECT_EQ((*graded)["proved"].integer_or(0), 31);

  // The flip. One message comes to the target, one straggler to the source.
  (void)target_.add_email("a", "Subject: new\r\n\r\nby SMTP\r\n");
  append("INBOX", "Subject: straggler\r\n\r\nstraggler\r\n");
  full_looks_ = 3;
  auto swept = apply(ir::StepKind::archive_sweep);
  ASSERT_TRUE(swept) << swept.error().to_line();
  EXPECT_EQ((*swept)["messages"].integer_or(0), 1);
  EXPECT_EQ(target_.emails.size(), 33U);
  EXPECT_GE(clock_.slept, std::chrono::milliseconds(120'000)) << "twice quiet, a minute apart";
  swept = apply(ir::StepKind::archive_sweep);
  ASSERT_TRUE(swept);
  EXPECT_EQ((*swept)["messages"].integer_or(0), 0);
  EXPECT_EQ(target_.emails.size(), 33U);
  graded = apply(ir::StepKind::archive_grade);
  ASSERT_TRUE(graded) << graded.error().to_line();
  EXPECT_EQ((*graded)["delivered"].integer_or(0), 1);
}

TEST_F(ArchiveDrivers, InTheHoldOnlyWhatChangedIsComparedAndEveryDifferenceIsFound) {
  for (int index = 0; index < 40; ++index)
    append("INBOX", fmt::format("Subject: m\r\n\r\nnumber {}\r\n", index));
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  append("INBOX", "Subject: late\r\n\r\nlate\r\n");
  ASSERT_TRUE(user_->select("INBOX", {.is_read_only = false}));
  ASSERT_TRUE(user_->store("1:2", "+FLAGS.SILENT", {"\\Flagged"}));
  ASSERT_TRUE(apply(ir::StepKind::archive_delta, "run"));
  target_.emails_read = 0;
  target_.listings = 0;
  auto graded = apply(ir::StepKind::archive_grade, "run");
  ASSERT_TRUE(graded) << graded.error().to_line();
  EXPECT_EQ((*graded)["messages"].integer_or(0), 41);
  EXPECT_EQ((*graded)["proved"].integer_or(0), 41);
  EXPECT_EQ(target_.emails_read, 3U) << "the new one and two with other flags";
  EXPECT_EQ(target_.listings, 1U) << "one question for the count, no list of everything";

  const std::string some = target_.emails.begin()->first;
  const test::FakeEmail as_it_was = target_.emails.at(some);
  const auto grade_after = [&](auto change) {
    change();
    const auto result = apply(ir::StepKind::archive_grade, "run");
    target_.emails[some] = as_it_was;
    return result ? std::string((*result)["grade"].string_or("")) : result.error().to_line();
  };
  EXPECT_NE(grade_after([&] { target_.emails[some].keywords = {"changed"}; }).find("investigate"),
            std::string::npos);
  EXPECT_NE(grade_after([&] { target_.emails.erase(some); }).find("poor"), std::string::npos);
  std::string foreign;
  EXPECT_NE(grade_after([&] { foreign = target_.add_email("a", "whose is this"); }).find("poor"),
            std::string::npos);
  EXPECT_NE(grade_after([&] {
              target_.emails.erase(some);  // one gone and one too many: the count alone is right
            }).find("poor"),
            std::string::npos);
  target_.emails.erase(foreign);
  EXPECT_EQ(grade_after([] {}), "good") << "Junk has another name there, nothing else differs";
}

TEST_F(ArchiveDrivers, WhatIsCopiedIsToldForTheRateOfEachHost) {
  std::uint64_t bytes = 0;
  for (int index = 0; index < 20; ++index) {
    const std::string message =
        fmt::format("Subject: m\r\n\r\n{}\r\n", std::string(1000, static_cast<char>('a' + index)));
    append("INBOX", message);
    bytes += message.size();
  }
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  EXPECT_EQ(moved_["source"], bytes);
  EXPECT_EQ(moved_["target"], bytes);
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  EXPECT_EQ(moved_["source"], bytes) << "nothing is read twice";
}

TEST_F(ArchiveDrivers, APostponedAccountIsKeptInStepUntilItsTime) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  arguments_.set("keep_until_ms", 10 * 3'600'000);
  arguments_.set("keep_apart_ms", 3'600'000);
  int hours = 0;
  clock_.on_sleep = [&] {
    append("INBOX", fmt::format("Subject: hour\r\n\r\nhour {}\r\n", ++hours));
  };
  const auto copied = apply(ir::StepKind::archive_copy);
  clock_.on_sleep = {};
  ASSERT_TRUE(copied) << copied.error().to_line();
  EXPECT_EQ(hours, 10) << "a pass an hour, and no thread in between";
  EXPECT_EQ((*copied)["messages"].integer_or(0), 11);
  EXPECT_EQ(target_.emails.size(), 11U);
}

TEST_F(ArchiveDrivers, ASweepAfterAnErrorWaitsForTheRestOfItsMinute) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  auto at = context(ir::StepKind::archive_sweep);
  const auto sweep = drivers_.find(ir::StepKind::archive_sweep);
  ASSERT_FALSE(sweep->apply(at));
  clock_.sleep_for(std::chrono::milliseconds(20'000));
  auto early = context(ir::StepKind::archive_sweep);
  const auto again = sweep->apply(early);
  ASSERT_FALSE(again);
  ASSERT_TRUE(again.error().is(step::errors::not_yet)) << again.error().to_line();
  EXPECT_GT(again.error().retry_after(), std::chrono::milliseconds(35'000));
  clock_.sleep_for(again.error().retry_after());
  auto later = context(ir::StepKind::archive_sweep);
  EXPECT_TRUE(sweep->apply(later));
}

TEST_F(ArchiveDrivers, ACopyThatIsUndoneLeavesTheAccountAsItWas) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  auto at = context(ir::StepKind::archive_copy);
  const auto undone = drivers_.find(ir::StepKind::archive_copy)->undo(at);
  ASSERT_TRUE(undone) << undone.error().to_line();
  EXPECT_TRUE(target_.emails.empty());
  EXPECT_EQ(target_.mailboxes.size(), 5U);
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  EXPECT_EQ(target_.emails.size(), 1U);
}

TEST_F(ArchiveDrivers, ForeignMailAtTheTargetBeforeTheFlipStopsTheMove) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  (void)target_.add_email("a", "whose is this");
  const auto copied = apply(ir::StepKind::archive_copy);
  ASSERT_FALSE(copied);
  EXPECT_TRUE(test::told_as("grade-too-low", copied.error()));
}

TEST_F(ArchiveDrivers, AnAccountThatIsGoneAtTheTargetIsNotTakenForAnEmptyOne) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  account_id_.clear();
  const auto carried = apply(ir::StepKind::archive_delta, "run");
  ASSERT_FALSE(carried);
  EXPECT_TRUE(test::told_as("target-account-gone", carried.error()));
}

TEST_F(ArchiveDrivers, ASweepEndsWhenAQueueIsNotEmptiedInTime) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  full_looks_ = 1000;
  const auto swept = apply(ir::StepKind::archive_sweep);
  ASSERT_FALSE(swept);
  EXPECT_TRUE(test::told_as("stragglers-left", swept.error()));
  EXPECT_GE(clock_.slept, std::chrono::minutes(3));
}

TEST_F(ArchiveDrivers, ADeltaThatNeverBeganInASecondMoveCarriesNothingBack) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  append("INBOX", "Subject: m\r\n\r\ntwo\r\n");
  const auto delta = drivers_.find(ir::StepKind::archive_delta);
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  ASSERT_TRUE(apply(ir::StepKind::archive_delta));
  auto back = context(ir::StepKind::archive_delta);
  const auto undone = delta->undo(back);
  ASSERT_TRUE(undone) << undone.error().to_line();
  // At home again the user deletes one; the next move is cut off with its delta only announced.
  ASSERT_TRUE(user_->select("INBOX", {.is_read_only = false}));
  ASSERT_TRUE(user_->store("1", "+FLAGS.SILENT", {"\\Deleted"}));
  ASSERT_TRUE(user_->expunge("1"));
  auto cut_off = context(ir::StepKind::archive_delta);
  const auto again = delta->undo(cut_off);
  ASSERT_TRUE(again) << again.error().to_line();
  const auto there = user_->status("INBOX");
  ASSERT_TRUE(there) << there.error().to_line();
  EXPECT_EQ(there->messages.value_or(99), 1U) << "the deleted message came back from the target";
}

// Deleted and made anew by the user, by an administrator's repair, or by a restore: same name,
// other UIDVALIDITY, and UIDs that mean other messages than before.
TEST_F(ArchiveDrivers, AMailboxWithANewUidValidityInTheHoldIsNeitherLostNorDoubledNorMixedUp) {
  append("INBOX", "Subject: m\r\n\r\nstays\r\n");
  const auto fill = [this](const std::vector<std::string>& bodies) {
    ASSERT_TRUE(user_->create("Projects"));
    for (const std::string& body : bodies) append("Projects", "Subject: p\r\n\r\n" + body + "\r\n");
  };
  const auto at_target = [this] {
    std::multiset<std::string> bodies;
    for (const auto& [id, email] : target_.emails) bodies.insert(target_.blobs.at(email.blob_id));
    return bodies;
  };
  const auto wanted = [](const std::vector<std::string>& bodies) {
    std::multiset<std::string> all = {"Subject: m\r\n\r\nstays\r\n"};
    for (const std::string& body : bodies) all.insert("Subject: p\r\n\r\n" + body + "\r\n");
    return all;
  };
  fill({"one", "two", "three"});
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  ASSERT_EQ(at_target(), wanted({"one", "two", "three"}));

  ASSERT_TRUE(user_->remove("Projects"));
  fill({"other", "two"});  // UID 1 is another message now, UID 2 the same
  ASSERT_TRUE(apply(ir::StepKind::archive_delta, "run"));
  auto graded = apply(ir::StepKind::archive_grade, "run");
  ASSERT_TRUE(graded) << graded.error().to_line();
  EXPECT_EQ((*graded)["messages"].integer_or(0), 3);
  EXPECT_EQ(at_target(), wanted({"other", "two"}));

  // Once more behind the delta: what was proved is not what is there, and the grade says so.
  ASSERT_TRUE(user_->remove("Projects"));
  fill({"late", "two"});
  graded = apply(ir::StepKind::archive_grade, "run");
  ASSERT_TRUE(graded) << graded.error().to_line();
  EXPECT_EQ((*graded)["grade"].string_or(""), "not-checked");
  // The account went back; the next try carries it.
  ASSERT_TRUE(apply(ir::StepKind::archive_delta, "again"));
  graded = apply(ir::StepKind::archive_grade, "again");
  ASSERT_TRUE(graded) << graded.error().to_line();
  EXPECT_EQ(at_target(), wanted({"late", "two"}));
}

TEST_F(ArchiveDrivers, AMailboxThatIsGoneInTheHoldIsGoneAtTheTargetToo) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  ASSERT_TRUE(user_->create("Leaving/Deep"));
  append("Leaving/Deep", "Subject: m\r\n\r\ntwo\r\n");
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  ASSERT_EQ(target_.emails.size(), 2U);
  ASSERT_TRUE(user_->remove("Leaving/Deep"));
  ASSERT_TRUE(apply(ir::StepKind::archive_delta, "run"));
  EXPECT_EQ(target_.emails.size(), 1U);
  const auto graded = apply(ir::StepKind::archive_grade, "run");
  ASSERT_TRUE(graded) << graded.error().to_line();
}

// With .plan lost, or brought back from before the move, a second run would import everything once
// more and give back what the user has deleted since.
TEST_F(ArchiveDrivers, AnAccountThatHasMovedIsNotMovedAgainByARunThatDoesNotKnow) {
  for (int index = 0; index < 5; ++index)
    append("INBOX", fmt::format("Subject: m\r\n\r\nnumber {}\r\n", index));
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  ASSERT_TRUE(apply(ir::StepKind::archive_delta, "run"));
  // Its life at the target.
  target_.emails.erase(target_.emails.begin());
  (void)target_.add_email("a", "Subject: new\r\n\r\nby SMTP\r\n");
  const auto lived = target_.content();

  bool has_moved = true;
  drivers_ = {};
  archive::add_archive_drivers(
      drivers_,
      {.open_target = [client = target_.client()](step::StepContext&) { return client; },
       .account_id = [](step::StepContext&) { return test::FakeMailTarget::account_id(); },
       .is_at_target = [&](step::StepContext&) -> Result<bool> { return has_moved; }});
  for (const bool is_lost : {false, true}) {
    if (is_lost) std::filesystem::remove_all(directory_.path() / "archives");
    for (const ir::StepKind kind : {ir::StepKind::archive_copy, ir::StepKind::archive_delta}) {
      const auto again = apply(kind, "another");
      ASSERT_FALSE(again);
      EXPECT_TRUE(test::told_as("moved-already", again.error()));
      EXPECT_EQ(target_.content(), lived);
    }
  }
  has_moved = false;
  const auto foreign = apply(ir::StepKind::archive_copy, "another");
  ASSERT_FALSE(foreign) << "without that word only the grade would have noticed";
  EXPECT_EQ(foreign.error().code().name, "grade-too-low");
}

// As a diff over a thousand accounts would do it, and the source's fail2ban would ban its own
// proxies.
TEST_F(ArchiveDrivers, AMasterPasswordThatWasChangedIsNotTriedForEveryAccount) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  secrets_.password = "of last week";
  std::string last;
  for (int account = 0; account < 6; ++account) {
    auto at = context(ir::StepKind::archive_copy);
    const auto seen = drivers_.find(ir::StepKind::archive_copy)->observe(at);
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().code().name, "login-refused") << seen.error().to_line();
    last = seen.error().message();
  }
  EXPECT_EQ(last,
            "the source refused 4 logins of the master user one after the other; no further one is "
            "tried");
}

TEST_F(ArchiveDrivers, ThatAPasswordIsNotCarriedIsSaidOfWhoeverWasAtTheTarget) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  const auto delta = drivers_.find(ir::StepKind::archive_delta);
  const auto way_back = [&](bool was_released) {
    EXPECT_TRUE(apply(ir::StepKind::archive_copy));
    EXPECT_TRUE(apply(ir::StepKind::archive_delta));
    std::string said;
    auto back = context(ir::StepKind::archive_delta);
    back.say = [&](const std::string& text) { said += text + "\n"; };
    if (was_released) {
      EXPECT_TRUE(delta->before_undo(back)) << "a rollback begins with this";
    }
    EXPECT_TRUE(delta->undo(back));
    return said;
  };
  const std::string of_the_held = way_back(false);
  EXPECT_EQ(of_the_held.find("password"), std::string::npos) << of_the_held;
  EXPECT_NE(of_the_held.find("carried back to the source: nothing"), std::string::npos);
  // No sweep has run since, and nothing came to the target.
  const std::string of_the_moved = way_back(true);
  EXPECT_NE(of_the_moved.find("a password that was changed at the target is not carried"),
            std::string::npos)
      << of_the_moved;
  EXPECT_EQ(way_back(false).find("password"), std::string::npos) << "the next move begins anew";
}

// Deleted there, or renamed to something that the plan does not know, after `plan fetch` saw it.
TEST_F(ArchiveDrivers, AnAccountThatIsGoneAtTheSourceFailsAloneAndTheOthersGoOn) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  ASSERT_TRUE(apply(ir::StepKind::archive_copy)) << "the source has taken the master user once";
  const Value of_alice = arguments_;
  arguments_.set("account", "gone@example.org");
  arguments_.set("file", "archives/gone.sqlite");
  const std::size_t before = target_.emails.size();
  for (const ir::StepKind kind : {ir::StepKind::archive_copy, ir::StepKind::archive_copy}) {
    const auto copied = apply(kind);
    ASSERT_FALSE(copied);
    EXPECT_EQ(copied.error().code().name, "login-refused") << copied.error().to_line();
    EXPECT_EQ(copied.error().retry(), Retry::never);
  }
  EXPECT_EQ(target_.emails.size(), before) << "nothing is taken for an empty mailbox";
  arguments_ = of_alice;
  append("INBOX", "Subject: m\r\n\r\ntwo\r\n");
  EXPECT_TRUE(apply(ir::StepKind::archive_copy)) << "no wrong master password was seen in it";
  EXPECT_EQ(target_.emails.size(), before + 1);
}

namespace {

class SourceThatIsFull : public ArchiveDrivers {
 protected:
  SourceThatIsFull() {
    settings_ =
        "mail_plugins = quota\n"
        "plugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=2K\n"
        "  quota_exceeded_message = no room for it\n}\n";
  }
};

}  // namespace

TEST_F(SourceThatIsFull, KeepsARollbackFromTakingTheAccountFromTheTarget) {
  append("INBOX", "Subject: m\r\n\r\none\r\n");
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  ASSERT_TRUE(apply(ir::StepKind::archive_delta, "run"));
  (void)target_.add_email("a", "Subject: large\r\n\r\n" + std::string(5000, 'x') + "\r\n");
  const auto lived = target_.content();
  auto back = context(ir::StepKind::archive_delta);
  const auto carried = drivers_.find(ir::StepKind::archive_delta)->before_undo(back);
  ASSERT_FALSE(carried);
  // Dovecot says how long it took.
  static const std::regex kTook(R"( \([0-9. +]+ secs\)\.)");
  std::smatch took;
  ASSERT_TRUE(std::regex_search(carried.error().detail(), took, kTook))
      << carried.error().to_line();
  EXPECT_TRUE(test::told_as("carry-back-refused", carried.error(), {{took.str(), ""}}));
  EXPECT_EQ(target_.content(), lived);
}

namespace {

class SourceWithoutQresync : public ArchiveDrivers {
 protected:
  SourceWithoutQresync() {
    capability_ =
        "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ NAMESPACE UIDPLUS "
        "LIST-EXTENDED SPECIAL-USE";
  }
};

}  // namespace

// Nobody says what changed: every message is looked at, and nothing is missed.
TEST_F(SourceWithoutQresync, IsComparedMessageByMessageAndSaysSo) {
  for (int index = 0; index < 12; ++index)
    append("INBOX", fmt::format("Subject: m\r\n\r\nnumber {}\r\n", index));
  auto looking = context(ir::StepKind::archive_copy);
  const auto seen = drivers_.find(ir::StepKind::archive_copy)->observe(looking);
  ASSERT_TRUE(seen) << seen.error().to_line();
  EXPECT_NE(seen->remark.find("no QRESYNC"), std::string::npos) << seen->remark;
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  append("INBOX", "Subject: late\r\n\r\nlate\r\n");
  ASSERT_TRUE(user_->select("INBOX", {.is_read_only = false}));
  ASSERT_TRUE(user_->store("1:3", "+FLAGS.SILENT", {"\\Flagged"}));
  ASSERT_TRUE(user_->store("4", "+FLAGS.SILENT", {"\\Deleted"}));
  ASSERT_TRUE(user_->expunge("4"));
  const auto carried = apply(ir::StepKind::archive_delta, "run");
  ASSERT_TRUE(carried) << carried.error().to_line();
  EXPECT_EQ((*carried)["messages"].integer_or(0), 5);
  const auto graded = apply(ir::StepKind::archive_grade, "run");
  ASSERT_TRUE(graded) << graded.error().to_line();
  EXPECT_EQ((*graded)["grade"].string_or(""), "good") << (*graded)["reason"].string_or("");
  EXPECT_EQ((*graded)["messages"].integer_or(0), 12);
}
