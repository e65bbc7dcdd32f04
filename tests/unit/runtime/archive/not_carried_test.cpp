// Traps of the peers that are about more than mail and scripts. An export of another program's
// archive carries none of it, so the trap to avoid is to be silent about it: every one of these
// stays where it is, untouched, and is named.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "runtime/archive/tool.h"
#include "tests/unit/runtime/archive/archive_world.h"

namespace plan::archive {
namespace {

class NotCarried : public testing::Test {
 protected:
  void SetUp() override {
    auto archive = ArchiveFile::open(path_);
    ASSERT_TRUE(archive) << archive.error().to_line();
    SourceBooks source(*archive);
    source.mailbox("INBOX", "inbox");
    source.message("INBOX", 1, "Subject: m\r\n\r\none\r\n");
  }
  void add(const std::string& sql) {
    auto archive = ArchiveFile::open(path_);
    ASSERT_TRUE(archive) << archive.error().to_line();
    const Outcome added = archive->database().execute(sql);
    ASSERT_TRUE(added) << added.error().to_line();
  }
  ir::Value exported() {
    auto result =
        export_archive(path_, TargetAccount(target_.client(), test::FakeMailTarget::account_id()));
    EXPECT_TRUE(result) << (result ? "" : result.error().to_line());
    return result ? *result : ir::Value();
  }
  std::int64_t count_of(const ir::Value& result, std::string_view what) {
    for (const ir::Value& one : result["not_carried"].items())
      if (one["what"].string_or("") == what) return one["count"].integer_or(-1);
    return 0;
  }
  std::string stored(const std::string& sql) {
    auto archive = ArchiveFile::open(path_);
    auto row = archive->database().prepare(sql);
    return row && *row->step() ? std::string(row->text(0)) : std::string();
  }

  test::TempDir directory_;
  std::string path_ = directory_.file("a.sqlite");
  test::FakeMailTarget target_;
};

TEST_F(NotCarried, AnArchiveOfMailHasNothingToName) {
  const ir::Value result = exported();
  EXPECT_EQ(result["created"].integer_or(0), 1);
  EXPECT_EQ(result["not_carried"].size(), 0U);
}

// archive 9: a vCard 3.0 photo becomes `data:base64,...` without a media type, an inline ATTACH a
// `href` of the decoded text.
TEST_F(NotCarried, PhotosOfCardsAndAttachmentsOfEventsKeepTheirForm) {
  const std::string card = R"({"media":{"p":{"uri":"data:image/png;base64,iVBORw0KGgo="}}})";
  const std::string event = R"({"links":{"a":{"href":"data:text/plain;base64,SGVsbG8="}}})";
  add("INSERT INTO contact_cards (uid, address_book_ids, data) VALUES ('u1', '[]', '" + card +
      "'); INSERT INTO calendar_events (calendar_ids, data) VALUES ('[]', '" + event + "')");
  const ir::Value result = exported();
  EXPECT_EQ(count_of(result, "contact_cards"), 1);
  EXPECT_EQ(count_of(result, "calendar_events"), 1);
  EXPECT_EQ(stored("SELECT data FROM contact_cards"), card);
  EXPECT_EQ(stored("SELECT data FROM calendar_events"), event);
}

// both 6: the identity of an old address is skipped without a word, the same uid in a second
// calendar and a file name with a forbidden character are refused.
TEST_F(NotCarried, IdentitiesEventsAndFilesAreNamedAndNotHalfDone) {
  add("INSERT INTO participant_identities (calendar_address) VALUES ('mailto:old@example.org'); "
      "INSERT INTO identities (email) VALUES ('old@example.org'); "
      "INSERT INTO calendars (name) VALUES ('one'), ('two'); "
      "INSERT INTO calendar_events (calendar_ids, data) VALUES ('[1]', '{\"uid\":\"e\"}'), "
      "('[2]', '{\"uid\":\"e\"}'); "
      "INSERT INTO file_nodes (node_type, name, created) VALUES ('directory', 'a/b', "
      "'2025-01-01T00:00:00Z')");
  const ir::Value result = exported();
  EXPECT_EQ(count_of(result, "participant_identities"), 1);
  EXPECT_EQ(count_of(result, "identities"), 1);
  EXPECT_EQ(count_of(result, "calendars"), 2);
  EXPECT_EQ(count_of(result, "calendar_events"), 2) << "also the second one with that uid";
  EXPECT_EQ(count_of(result, "file_nodes"), 1);
  EXPECT_EQ(result["problems"].size(), 0U) << "nothing of it was tried";
  EXPECT_EQ(target_.emails.size(), 1U);
}

// both 8: read over JMAP from 0.15 every file fails and cards without a uid do, and the run that
// lacks them counts what it has.
TEST_F(NotCarried, FilesAndCardsAreCountedInEveryRun) {
  add("INSERT INTO file_nodes (node_type, name, created) VALUES ('directory', 'f', "
      "'2025-01-01T00:00:00Z'); INSERT INTO contact_cards (uid, address_book_ids, data) VALUES "
      "('u1', '[]', '{}'), ('u2', '[]', '{}')");
  for (int run = 0; run < 2; ++run) {
    const ir::Value result = exported();
    EXPECT_EQ(count_of(result, "file_nodes"), 1);
    EXPECT_EQ(count_of(result, "contact_cards"), 2);
  }
}

}  // namespace
}  // namespace plan::archive
