// An account of an old Stalwart as the archive reads it. Its IMAP is played by a real Dovecot,
// whose master user has the same separator.
#include "runtime/archive/import_imap.h"
#include "runtime/archive/source_block.h"
#include "tests/unit/runtime/archive/drivers_fixture.h"

namespace plan::archive {
namespace {

using ir::Value;

Value old_block(std::uint16_t imap_port) {
  return Value::map(
      {{"kind", "stalwart-0.15"},
       {"address", "127.0.0.1"},
       {"imap", Value::map({{"port", std::int64_t{imap_port}}, {"security", "none"}})},
       {"sieve", Value::map({{"port", 4190}, {"security", "none"}})},
       {"master_user", Value::map({{"name", "master"},
                                   {"separator", "*"},  // what a plan has that says nothing
                                   {"password", ir::SecretRef{"env", "X"}}})},
       {"stalwart", Value::map({{"url", "https://old.example.org/"}})}});
}

TEST(OldStalwartSource, IsReadByTheNameOfTheLogin) {
  test::OnePassword secrets;
  const auto source =
      account_source(old_block(143), {.address = "bob@example.org", .login = "bob"}, secrets);
  ASSERT_TRUE(source) << source.error().to_line();
  EXPECT_EQ(source->imap.identity.account_id, "bob%master");
  EXPECT_EQ(source->sieve.identity.account_id, "bob%master");
  EXPECT_TRUE(source->has_sieve);
  EXPECT_EQ(source->imap.shared_prefix, "Shared Folders/");
  ASSERT_TRUE(source->dav);
  EXPECT_EQ(source->dav->url, "https://old.example.org");
  EXPECT_EQ(source->dav->homes.calendars, "/dav/cal/bob/");
  EXPECT_EQ(source->dav->homes.address_books, "/dav/card/bob/");
  EXPECT_EQ(source->dav->account, "bob@example.org");
  EXPECT_EQ(source->dav_server, "stalwart");
}

TEST(OldStalwartSource, HasItsAddressInItsPlacesWhereThatIsTheLogin) {
  test::OnePassword secrets;
  const auto source = account_source(old_block(143), {.address = "a@example.org"}, secrets);
  ASSERT_TRUE(source) << source.error().to_line();
  EXPECT_EQ(source->imap.identity.account_id, "a@example.org%master");
  EXPECT_EQ(source->dav->homes.calendars, "/dav/cal/a%40example.org/");
}

TEST(OldStalwartSource, LeavesWhatThePlanLeaves) {
  test::OnePassword secrets;
  Value block = old_block(143);
  block.set("dav", Value::map({{"server", "radicale"}, {"stays_behind", true}}));
  const auto source = account_source(block, {.address = "a@example.org"}, secrets);
  ASSERT_TRUE(source) << source.error().to_line();
  EXPECT_FALSE(source->dav);
  EXPECT_TRUE(source->is_dav_left);
  EXPECT_EQ(source->dav_server, "radicale");
}

class OldStalwartImport : public test::ArchiveDrivers {};

TEST_F(OldStalwartImport, MailboxesOfGroupsAreNotTheUsers) {
  append("INBOX", "Subject: mine\r\n\r\nx\r\n");
  ASSERT_TRUE(user_->create("Shared Folders/team/INBOX"));
  append("Shared Folders/team/INBOX", "Subject: of the team\r\n\r\nx\r\n");
  const auto source =
      account_source(old_block(dovecot_->imap_port()), {.address = "alice@example.org"}, secrets_);
  ASSERT_TRUE(source) << source.error().to_line();
  auto archive = ArchiveFile::open(directory_.file("a.sqlite"));
  ASSERT_TRUE(archive);
  const auto report = import_imap(*archive, source->imap);
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(report->messages, 1U);
  const auto shared = archive->database().query_integer(
      "SELECT count(*) FROM plan_mailbox WHERE wire_name LIKE "
      "'Shared%'");
  ASSERT_TRUE(shared);
  EXPECT_EQ(shared->value_or(-1), 0);
}

/// The right to write is asked for around what a way back writes before the hold, and given for
/// good in it, where its own step takes over.
TEST_F(OldStalwartImport, AWayBackAsksForTheRightToWrite) {
  append("INBOX", "Subject: mine\r\n\r\nx\r\n");
  ASSERT_TRUE(apply(ir::StepKind::archive_copy));
  ASSERT_TRUE(apply(ir::StepKind::archive_delta));
  EXPECT_EQ(writing_, "") << "on the way there nothing is written at the source";
  const auto delta = drivers_.find(ir::StepKind::archive_delta);
  for (const bool is_taken : {true, false}) {
    writing_.clear();
    is_writing_taken_ = is_taken;
    auto early = context(ir::StepKind::archive_delta);
    early.is_rollback = true;
    const Outcome before = delta->before_undo(early);
    ASSERT_TRUE(before) << before.error().to_line();
    EXPECT_EQ(writing_, is_taken ? "begun ended " : "begun ");
  }
  writing_.clear();
  is_writing_taken_ = true;
  auto back = context(ir::StepKind::archive_delta);
  back.is_rollback = true;
  const Outcome undone = delta->undo(back);
  ASSERT_TRUE(undone) << undone.error().to_line();
  EXPECT_EQ(writing_, "begun ");
}

}  // namespace
}  // namespace plan::archive
