// `plan archive import` and `export`: onto a target that has some of it already, into a file, and
// what a hostile archive comes to.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "compiler/ir/json.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/tool.h"
#include "tests/support/shared_data.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/archive/archive_world.h"
#include "tests/unit/runtime/archive/dovecot_source.h"

namespace plan::archive {
namespace {

class ArchiveTransfer : public testing::Test {
 protected:
  /// As Vandelay leaves it: object tables and nothing of plan.
  void fill(const std::vector<std::string>& bodies) {
    run("INSERT INTO mailboxes (id, name, role) VALUES (1, 'INBOX', 'inbox'), (2, 'Work', NULL)");
    for (std::size_t index = 0; index < bodies.size(); ++index) put(index + 1, bodies[index]);
  }
  void put(std::size_t id, const std::string& body, const std::string& mailboxes = "[2]") {
    auto archive = ArchiveFile::open(path_, {.has_provenance = false});
    ASSERT_TRUE(archive) << archive.error().to_line();
    auto email = archive->database().prepare(
        "INSERT OR REPLACE INTO emails (id, blob_id, received_at, mailbox_ids) VALUES (?, ?, "
        "'2025-05-12T08:00:00Z', ?)");
    const auto blob = archive->put_blob(body);
    ASSERT_TRUE(email && blob);
    email->bind(1, static_cast<std::int64_t>(id)).bind(2, blob->id).bind(3, mailboxes);
    ASSERT_TRUE(email->run());
  }
  void run(const std::string& sql) {
    auto archive = ArchiveFile::open(path_, {.has_provenance = false});
    ASSERT_TRUE(archive) << archive.error().to_line();
    const Outcome done = archive->database().execute(sql);
    ASSERT_TRUE(done) << done.error().to_line();
  }
  Result<ir::Value> exported(bool is_present_taken = true) {
    return export_archive(path_,
                          TargetAccount(target_.client(), test::FakeMailTarget::account_id()),
                          {.is_present_taken = is_present_taken});
  }
  /// Plan knows nothing of what it brought: as if another program had brought it.
  void forget_provenance() {
    run("DROP TABLE plan_item; DROP TABLE plan_mailbox; DROP TABLE plan_target_mailbox; DROP TABLE "
        "plan_fact");
  }
  static std::int64_t number(const ir::Value& document, std::string_view member) {
    return document[member].integer_or(-1);
  }

  test::TempDir directory_;
  std::string path_ = directory_.file("a.sqlite");
  test::FakeMailTarget target_;
};

TEST_F(ArchiveTransfer, what_another_program_brought_already_is_not_brought_twice) {
  fill({"Subject: 1\r\n\r\none\r\n", "Subject: 2\r\n\r\ntwo\r\n"});
  const auto first = exported();
  ASSERT_TRUE(first) << first.error().to_line();
  EXPECT_EQ(number(*first, "created"), 2);
  forget_provenance();
  put(3, "Subject: 3\r\n\r\nthree\r\n");
  const auto second = exported();
  ASSERT_TRUE(second) << second.error().to_line();
  EXPECT_EQ(number(*second, "present"), 2);
  EXPECT_EQ(number(*second, "created"), 1);
  EXPECT_EQ((*second)["grade"].string_or(""), "perfect") << ir::write_json(*second);
  EXPECT_EQ(target_.emails.size(), 3U);
}

TEST_F(ArchiveTransfer, equal_messages_are_as_many_as_the_archive_has) {
  fill({"Subject: same\r\n\r\nx\r\n"});
  ASSERT_TRUE(exported());
  forget_provenance();
  put(2, "Subject: same\r\n\r\nx\r\n");
  const auto second = exported();
  ASSERT_TRUE(second) << second.error().to_line();
  EXPECT_EQ(number(*second, "present"), 1);
  EXPECT_EQ(number(*second, "created"), 1);
  EXPECT_EQ(target_.emails.size(), 2U);
}

TEST_F(ArchiveTransfer, a_row_id_that_another_program_has_used_again_is_another_message) {
  fill({"Subject: 1\r\n\r\none\r\n", "Subject: 2\r\n\r\ntwo\r\n"});
  ASSERT_TRUE(exported());
  put(2, "Subject: 4\r\n\r\nfour\r\n");
  const auto second = exported();
  ASSERT_TRUE(second) << second.error().to_line();
  EXPECT_EQ(number(*second, "created"), 1);
  EXPECT_EQ(number(*second, "destroyed"), 1);
  EXPECT_EQ((*second)["grade"].string_or(""), "perfect") << ir::write_json(*second);
  std::multiset<std::string> bodies;
  for (const auto& [id, email] : target_.emails) bodies.insert(target_.blobs[email.blob_id]);
  EXPECT_EQ(bodies, (std::multiset<std::string>{"Subject: 1\r\n\r\none\r\n",
                                                "Subject: 4\r\n\r\nfour\r\n"}));
  const auto third = exported();
  ASSERT_TRUE(third);
  EXPECT_EQ(number(*third, "created"), 0);
  EXPECT_EQ(number(*third, "destroyed"), 0);
}

TEST_F(ArchiveTransfer, what_is_in_no_mailbox_or_has_no_name_is_named_with_its_number) {
  fill({"Subject: 1\r\n\r\none\r\n"});
  put(2, "Subject: 2\r\n\r\nnowhere\r\n", "[]");
  run("INSERT INTO sieve_scripts (name, blob_id) VALUES (NULL, 1)");
  const auto looked = look_before_export(path_);
  ASSERT_TRUE(looked) << looked.error().to_line();
  EXPECT_EQ(number(*looked, "messages"), 2);
  EXPECT_EQ(
      ir::write_json((*looked)["not_carried"]),
      R"([{"what":"emails in no mailbox","count":1},{"what":"sieve_scripts without a name","count":1}])");
  EXPECT_TRUE(target_.emails.empty());
}

TEST_F(ArchiveTransfer, an_archive_that_contradicts_itself_is_written_nowhere) {
  fill({"Subject: 1\r\n\r\none\r\n"});
  run("UPDATE mailboxes SET parent_id = 1 WHERE id = 2; UPDATE mailboxes SET parent_id = 2 WHERE "
      "id "
      "= 1");
  const auto refused = exported();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("archive-damaged", refused.error()));
  EXPECT_TRUE(target_.emails.empty());
  const std::string copy = directory_.file("copy.sqlite");
  ASSERT_FALSE(copy_archive(path_, copy));
  EXPECT_FALSE(std::filesystem::exists(copy));
  EXPECT_FALSE(std::filesystem::exists(copy + ".plan-unfinished"));
}

TEST_F(ArchiveTransfer, a_copy_is_the_same_archive_without_what_is_plans_own) {
  fill({"Subject: 1\r\n\r\none\r\n", "Subject: 2\r\n\r\ntwo\r\n"});
  ASSERT_TRUE(exported());
  const std::string copy = directory_.file("copy.sqlite");
  const auto copied = copy_archive(path_, copy);
  ASSERT_TRUE(copied) << copied.error().to_line();
  bool is_named = false;
  for (const ir::Value& one : (*copied)["not_carried"].items())
    is_named = is_named || (one["what"].string_or("") == "plan_item" && number(one, "count") == 2);
  EXPECT_TRUE(is_named) << ir::write_json(*copied);
  auto database = store::Database::open(copy, {.must_exist = true, .has_json_checks = true});
  ASSERT_TRUE(database);
  EXPECT_EQ(database->query_integer("SELECT count(*) FROM sqlite_master WHERE name GLOB 'plan*'")
                ->value_or(-1),
            0);
  const auto compared = diff_archives(path_, copy);
  ASSERT_TRUE(compared);
  EXPECT_TRUE((*compared)["is_equal"].bool_or(false)) << ir::write_json(*compared);
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(copy).permissions() & (perms::group_all | perms::others_all),
            perms::none);
}

TEST_F(ArchiveTransfer, what_is_there_is_never_replaced) {
  fill({"Subject: 1\r\n\r\none\r\n"});
  const std::string copy = directory_.file("copy.sqlite");
  const auto expect_refused = [&] {
    const auto refused = copy_archive(path_, copy);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(test::told_as("archive-there", refused.error()));
  };
  std::ofstream(copy) << "somebody's work";
  expect_refused();
  EXPECT_EQ(test::read_all(copy), "somebody's work");
  std::filesystem::remove(copy);
  std::filesystem::create_symlink(directory_.file("nowhere"), copy);
  expect_refused();
  EXPECT_FALSE(std::filesystem::exists(directory_.file("nowhere")));
}

TEST_F(ArchiveTransfer, archives_of_vandelay_go_to_a_target_and_into_a_file_whole) {
  PLAN_SHARED(folder, "data/archives");
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".sqlite") continue;
    SCOPED_TRACE(entry.path().filename().string());
    test::TempDir directory;
    const std::string theirs = directory.file("a.sqlite"), copy = directory.file("b.sqlite");
    std::filesystem::copy_file(entry.path(), theirs);
    ASSERT_TRUE(copy_archive(theirs, copy));
    EXPECT_TRUE((*diff_archives(theirs, copy))["is_equal"].bool_or(false));
    ++count;
    // One of each kind of source: all of them take long where nothing is optimised.
    const std::set<std::string> kinds = {"imap-basic", "jmap", "takeout", "mixed", "dav-cyrus"};
    if (kinds.count(entry.path().stem().string()) == 0) continue;
    test::FakeMailTarget target;
    const auto looked = look_before_export(theirs);
    ASSERT_TRUE(looked) << looked.error().to_line();
    const auto result =
        export_archive(theirs, TargetAccount(target.client(), test::FakeMailTarget::account_id()),
                       {.is_present_taken = true});
    ASSERT_TRUE(result) << result.error().to_line();
    EXPECT_EQ(ir::write_json((*result)["not_carried"]), ir::write_json((*looked)["not_carried"]));
    const auto again =
        export_archive(theirs, TargetAccount(target.client(), test::FakeMailTarget::account_id()),
                       {.is_present_taken = true});
    ASSERT_TRUE(again) << again.error().to_line();
    EXPECT_EQ(number(*again, "created"), 0);
    EXPECT_EQ(number(*again, "destroyed"), 0);
  }
  EXPECT_GE(count, 22U);
}

TEST_F(ArchiveTransfer, an_import_fills_a_file_and_a_refused_login_leaves_none) {
  std::string why;
  const auto dovecot = test::Dovecot::start({"alice@example.org"}, why);
  if (!dovecot) GTEST_SKIP() << why;
  MasterPassword secrets;
  const auto refused =
      import_archive(path_, dovecot_source(*dovecot, "nobody@example.org", secrets));
  ASSERT_FALSE(refused);
  EXPECT_FALSE(std::filesystem::exists(path_));
  auto user = dovecot->login("alice@example.org");
  ASSERT_TRUE(user) << user.error().to_line();
  ASSERT_TRUE((*user)->append("INBOX", {.body = "Subject: 1\r\n\r\none\r\n"}));
  AccountSource source = dovecot_source(*dovecot, "alice@example.org", secrets);
  source.has_sieve = false;
  source.dav_server = "sogo";
  for (const std::int64_t created : {1, 0}) {
    const auto result = import_archive(path_, source);
    ASSERT_TRUE(result) << result.error().to_line();
    EXPECT_EQ(number(*result, "messages"), 1);
    EXPECT_EQ(number(*result, "created"), created);
    ASSERT_EQ((*result)["not_carried"].size(), 2U) << ir::write_json(*result);
    EXPECT_TRUE((*result)["not_carried"].item(1)["count"].is_null()) << "nobody counted";
    EXPECT_EQ((*result)["not_carried"].item(1)["what"].string_or(""),
              "calendars and contacts of sogo");
  }
  const auto exported_result = exported();
  ASSERT_TRUE(exported_result) << exported_result.error().to_line();
  EXPECT_EQ(target_.emails.size(), 1U);
}

}  // namespace
}  // namespace plan::archive
