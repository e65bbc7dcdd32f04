// Archives that Vandelay wrote, read in place of our own: ../shared only.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/message_match.h"
#include "runtime/archive/tool.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"

using namespace plan;
using namespace plan::archive;

namespace {

std::vector<std::filesystem::path> archives_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".sqlite") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// Columns, keys, indexes and foreign keys of all tables that are not ours, without the DDL's
/// spelling.
std::multiset<std::string> shape_of(const std::string& path) {
  std::multiset<std::string> shape;
  auto database = store::Database::open(path, {.must_exist = true, .has_json_checks = true});
  EXPECT_TRUE(database);
  auto columns = database->prepare(
      "SELECT t.name || ' ' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || "
      "coalesce(c.dflt_value, '-') || ' ' || c.pk "
      "FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT "
      "LIKE 'plan%' AND t.name NOT LIKE 'sqlite%' UNION ALL "
      "SELECT t.name || ' index ' || i.name || ' ' || i.\"unique\" || ' ' || i.origin || ' ' || "
      "i.partial || ' ' || x.seqno || x.name "
      "FROM sqlite_master t, pragma_index_list(t.name) i, pragma_index_info(i.name) x WHERE t.type "
      "= 'table' AND t.name NOT LIKE 'plan%' AND t.name NOT LIKE 'sqlite%' UNION ALL "
      "SELECT t.name || ' refers ' || f.\"table\" || ' ' || f.\"from\" || ' ' || f.on_delete FROM "
      "sqlite_master t, "
      "pragma_foreign_key_list(t.name) f WHERE t.type = 'table' AND t.name NOT LIKE 'plan%'");
  EXPECT_TRUE(columns) << columns.error().to_line();
  while (columns && *columns->step()) shape.insert(std::string(columns->text(0)));
  return shape;
}

}  // namespace

TEST(VandelayFiles, OpenVerifyAndHaveTheExpectedRows) {
  PLAN_SHARED(folder, "data/archives");
  std::size_t count = 0;
  for (const std::filesystem::path& file : archives_in(folder)) {
    SCOPED_TRACE(file.filename().string());
    test::TempDir directory;
    const std::string copy = directory.file("a.sqlite");
    std::filesystem::copy_file(file, copy);
    const auto expected =
        ir::parse_json(test::read_all(folder / (file.stem().string() + ".expected.json")));
    ASSERT_TRUE(expected);
    const auto inspected = inspect_archive(copy);
    ASSERT_TRUE(inspected) << inspected.error().to_line();
    for (const auto& [table, rows] : (*inspected)["rows"].as_map())
      EXPECT_EQ(rows, (*expected)["rows"][table]) << table;
    const ir::Value& mailboxes = (*expected)["mailboxes"];
    ASSERT_EQ((*inspected)["mailboxes"].size(), mailboxes.size());
    std::multiset<std::string> paths, wanted;
    for (std::size_t index = 0; index < mailboxes.size(); ++index) {
      paths.insert(ir::write_json((*inspected)["mailboxes"].item(index)["path"]) +
                   ir::write_json((*inspected)["mailboxes"].item(index)["role"]));
      wanted.insert(ir::write_json(mailboxes.item(index)["path"]) +
                    ir::write_json(mailboxes.item(index)["role"]));
    }
    EXPECT_EQ(paths, wanted);
    const auto verified = verify_archive(copy);
    ASSERT_TRUE(verified);
    EXPECT_TRUE((*verified)["is_sound"].bool_or(false)) << ir::write_json(*verified);
    EXPECT_TRUE(
        (*diff_archives(copy, file.parent_path() == folder ? copy : copy))["is_equal"].bool_or(
            false));
    ++count;
  }
  EXPECT_GE(count, 22U);
}

TEST(VandelayFiles, OursHaveTheSameTablesColumnsKeysAndIndexes) {
  PLAN_SHARED(file, "data/archives/imap-basic.sqlite");
  test::TempDir directory;
  const std::string copy = directory.file("theirs.sqlite"), ours = directory.file("ours.sqlite");
  std::filesystem::copy_file(file, copy);
  { ASSERT_TRUE(ArchiveFile::open(ours)); }
  EXPECT_EQ(shape_of(ours), shape_of(copy));
}

TEST(VandelayFiles, BlobsAndMatchesAreComputedAlike) {
  PLAN_SHARED(vectors, "data/archives/match-vectors.jsonl");
  PLAN_SHARED(mail, "data/mail/eml");
  std::size_t count = 0, same_ids = 0, same_fingerprint = 0;
  const std::string table = test::read_all(vectors);
  for (const std::string_view line : split(table, '\n')) {
    const auto expected = ir::parse_json(line);
    if (!expected || !(*expected)["file"].is_string()) continue;
    const std::string name(
        std::filesystem::path(std::string((*expected)["file"].string_or(""))).filename().string());
    const std::string bytes = test::read_all(mail / name);
    ++count;
    const std::string hash((*expected)["blake3"].string_or(""));
    EXPECT_EQ(ir::to_hex(blake3(bytes)), hash);
    const MessageMatch match = match_of(bytes);
    const ir::Value& wanted =
        (*expected)["match"].is_map() ? (*expected)["match"] : (*expected)["message_match"];
    const auto got = ir::parse_json(match.to_json());
    if ((*got)["m"] == wanted["m"]) ++same_ids;
    if (wanted["f"].string_or("") == match.fingerprint) ++same_fingerprint;
  }
  EXPECT_GT(count, 3000U);
  EXPECT_GT(same_ids, count * 99 / 100) << same_ids << " of " << count;
  EXPECT_GT(same_fingerprint, count * 90 / 100) << same_fingerprint << " of " << count;
}

TEST(ArchiveFile, RefusesDatabasesOfOthersAndTriggers) {
  test::TempDir directory;
  const std::string path = directory.file("x.sqlite");
  {
    auto database = store::Database::open(path);
    ASSERT_TRUE(database->execute("CREATE TABLE t (a)"));
  }
  auto opened = ArchiveFile::open(path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code().name, "archive-foreign");
  const std::string trapped = directory.file("y.sqlite");
  {
    auto archive = ArchiveFile::open(trapped);
    ASSERT_TRUE(archive);
    ASSERT_TRUE(archive->database().execute(
        "CREATE TRIGGER t AFTER INSERT ON blobs BEGIN DELETE FROM blobs; END"));
  }
  EXPECT_FALSE(ArchiveFile::open(trapped));
}

TEST(ArchiveFile, IsOfOneAccountOnly) {
  test::TempDir directory;
  auto archive = ArchiveFile::open(directory.file("x.sqlite"));
  ASSERT_TRUE(archive);
  SourceIdentity identity{.kind = "imap"};
  identity.session_url = "imap://mail.example.org:143";
  identity.account_id = "alice@example.org";
  ASSERT_TRUE(archive->source(identity, false));
  identity.account_id = "bob@example.org";
  const auto other = archive->source(identity, false);
  ASSERT_FALSE(other);
  EXPECT_TRUE(test::told_as("source-conflict", other.error()));
  EXPECT_TRUE(archive->source(identity, true)) << "who allows it may";
}

TEST(ArchiveFile, NoticesABlobThatIsNotWhatItsDigestSays) {
  test::TempDir directory;
  const std::string path = directory.file("x.sqlite");
  auto archive = ArchiveFile::open(path);
  ASSERT_TRUE(archive->put_blob("keep;"));
  EXPECT_TRUE(archive->verify()->empty());
  ASSERT_TRUE(archive->database().execute("UPDATE blobs SET data = 'kept;'"));
  EXPECT_EQ(archive->verify()->size(), 1U);
}

TEST(Digest, AgreesWithTheVectorsOfTheFormat) {
  EXPECT_EQ(ir::to_hex(blake3("")),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(ir::to_hex(blake3("keep;")),
            "f7cab6d5307cb0cc602a99cceabff2e47ce9ecfbfd56c5622d027c303524658d");
}
