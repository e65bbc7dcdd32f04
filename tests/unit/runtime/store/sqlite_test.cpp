#include "runtime/store/sqlite.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "runtime/store/errors.h"
#include "runtime/store/fault_vfs.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"

namespace plan::store {
namespace {

constexpr std::int64_t kApplication = 0x504C414E;
constexpr const char* kSchema =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, body BLOB) STRICT";

class SqliteTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name = "a.sqlite") const {
    return folder_.file(name);
  }
  test::TempDir folder_;
};

TEST_F(SqliteTest, reads_back_every_type_that_was_bound) {
  auto db = Database::open(path());
  ASSERT_TRUE(db);
  ASSERT_TRUE(db->execute("CREATE TABLE v (i INTEGER, d REAL, s TEXT, b BLOB, n TEXT)"));
  auto insert = db->prepare("INSERT INTO v VALUES (?, ?, ?, ?, ?)");
  ASSERT_TRUE(insert);
  const std::string bytes("a\0b", 3);
  insert->bind(1, std::int64_t{-5})
      .bind(2, 1.5)
      .bind(3, bytes)
      .bind_blob(4, bytes)
      .bind(5, std::optional<std::string>());
  ASSERT_TRUE(insert->run());
  EXPECT_EQ(db->changes(), 1);
  auto select = db->prepare("SELECT i, d, s, b, n FROM v");
  ASSERT_TRUE(select->step().value());
  EXPECT_EQ(select->integer(0), -5);
  EXPECT_EQ(select->number(1), 1.5);
  EXPECT_EQ(select->text(2), bytes);
  EXPECT_EQ(select->blob(3), bytes);
  EXPECT_TRUE(select->is_null(4));
  EXPECT_EQ(select->text_if_any(4), std::nullopt);
  EXPECT_EQ(select->integer_if_any(0), -5);
  EXPECT_FALSE(select->step().value());
}

TEST_F(SqliteTest, a_pipe_is_refused_and_not_waited_for) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  for (const SqliteOptions& options :
       {SqliteOptions{}, SqliteOptions{.is_read_only = true, .leaves_no_trace = true}}) {
    const auto refused = Database::open(path(), options);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(errors::store_unreadable)) << refused.error().to_line();
  }
}

TEST_F(SqliteTest, a_transaction_that_is_not_committed_leaves_nothing) {
  auto db = Database::open(path());
  ASSERT_TRUE(db->ensure_schema(kApplication, 1, kSchema));
  {
    auto transaction = db->begin();
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(db->execute("INSERT INTO t (name) VALUES ('x')"));
  }
  EXPECT_EQ(db->query_integer("SELECT count(*) FROM t").value(), 0);
  auto transaction = db->begin();
  ASSERT_TRUE(db->execute("INSERT INTO t (name) VALUES ('x')"));
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(db->query_integer("SELECT count(*) FROM t").value(), 1);
}

TEST_F(SqliteTest, a_broken_rule_is_reported_with_its_extended_code) {
  auto db = Database::open(path());
  ASSERT_TRUE(db->ensure_schema(kApplication, 1, kSchema));
  ASSERT_TRUE(db->execute("INSERT INTO t (name) VALUES ('x')"));
  const auto again = db->execute("INSERT INTO t (name) VALUES ('x')");
  ASSERT_FALSE(again);
  EXPECT_TRUE(test::told_as("store-constraint", again.error()));
}

TEST_F(SqliteTest, a_table_that_is_gone_is_named) {
  auto db = Database::open(path());
  ASSERT_TRUE(db->ensure_schema(kApplication, 1, kSchema));
  ASSERT_TRUE(Database::open(path())->execute("DROP TABLE t"));
  const auto gone = db->execute("INSERT INTO t (name) VALUES ('x')");
  ASSERT_FALSE(gone);
  EXPECT_TRUE(test::told_as("store-failed", gone.error()));
}

TEST_F(SqliteTest, a_file_of_a_newer_version_is_refused) {
  {
    auto db = Database::open(path());
    ASSERT_TRUE(db->ensure_schema(kApplication, 3, kSchema));
  }
  auto db = Database::open(path());
  EXPECT_EQ(db->ensure_schema(kApplication, 4, kSchema).value(), 3)
      << "an older one is the caller's to upgrade";
  const auto refused = db->ensure_schema(kApplication, 2, kSchema);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("store-too-new", refused.error()));
}

TEST_F(SqliteTest, a_file_of_another_application_is_refused) {
  {
    auto db = Database::open(path());
    ASSERT_TRUE(db->execute("CREATE TABLE other (x)"));
  }
  auto db = Database::open(path());
  const auto refused = db->ensure_schema(kApplication, 1, kSchema);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("store-foreign", refused.error()));
}

TEST_F(SqliteTest, a_file_that_is_no_database_is_called_damaged) {
  std::ofstream(path()) << std::string(5000, 'x');
  const auto db = Database::open(path());
  ASSERT_FALSE(db);
  EXPECT_TRUE(test::told_as("store-damaged", db.error()));
}

TEST_F(SqliteTest, a_missing_file_is_not_made_when_it_must_exist) {
  const auto db = Database::open(path("none.sqlite"), {.must_exist = true});
  ASSERT_FALSE(db);
  EXPECT_TRUE(test::told_as("store-unreadable", db.error()));
  EXPECT_FALSE(std::filesystem::exists(path("none.sqlite")));
  EXPECT_FALSE(Database::open(path("none.sqlite"), {.is_read_only = true}));
}

TEST_F(SqliteTest, the_integrity_check_finds_an_altered_page) {
  {
    auto db = Database::open(path(), {.is_write_ahead = false});
    ASSERT_TRUE(db->ensure_schema(kApplication, 1, kSchema));
    for (int i = 0; i < 500; ++i) {
      auto insert = db->prepare("INSERT INTO t (name, body) VALUES (?, zeroblob(200))");
      ASSERT_TRUE(insert->bind(1, "name " + std::to_string(i)).run());
    }
    EXPECT_TRUE(db->check_integrity());
  }
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096 * 3);
  file << std::string(4096, '\x7F');
  file.close();
  auto db = Database::open(path(), {.is_write_ahead = false});
  ASSERT_TRUE(db);
  const auto found = db->check_integrity();
  ASSERT_FALSE(found);
  EXPECT_TRUE(found.error().is(errors::store_damaged)) << found.error().to_line();
}

TEST_F(SqliteTest, a_second_writer_waits_and_then_reports_busy) {
  auto first = Database::open(path());
  ASSERT_TRUE(first->ensure_schema(kApplication, 1, kSchema));
  auto second = Database::open(path(), {.busy_timeout = std::chrono::milliseconds(50)});
  auto held = first->begin();
  ASSERT_TRUE(held);
  const auto refused = second->begin();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("store-busy", refused.error()));
  held->rollback();
  EXPECT_TRUE(second->begin());
}

TEST_F(SqliteTest, a_reader_sees_the_last_commit_while_another_writes) {
  auto writer = Database::open(path());
  ASSERT_TRUE(writer->ensure_schema(kApplication, 1, kSchema));
  auto reader = Database::open(path(), {.is_read_only = true});
  ASSERT_TRUE(reader);
  auto transaction = writer->begin();
  ASSERT_TRUE(writer->execute("INSERT INTO t (name) VALUES ('x')"));
  EXPECT_EQ(reader->query_integer("SELECT count(*) FROM t").value(), 0);
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(reader->query_integer("SELECT count(*) FROM t").value(), 1);
}

// --- the layer that loses data ---

class FaultTest : public SqliteTest {
 protected:
  FaultVfs vfs_{"fault-" +
                std::string(::testing::UnitTest::GetInstance()->current_test_info()->name())};
  [[nodiscard]] Result<Database> open() { return Database::open(path(), {.vfs = vfs_.name()}); }
};

TEST_F(FaultTest, commits_survive_a_power_cut_and_what_was_not_committed_does_not) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::filesystem::remove_all(folder_.path());
    std::filesystem::create_directories(folder_.path());
    {
      auto db = open();
      ASSERT_TRUE(db) << db.error().to_line();
      ASSERT_TRUE(db->ensure_schema(kApplication, 1, kSchema));
      for (int i = 0; i < 10; ++i) {
        auto transaction = db->begin();
        ASSERT_TRUE(db->execute("INSERT INTO t (name) VALUES ('row " + std::to_string(i) + "')"));
        ASSERT_TRUE(transaction->commit());
      }
      auto open_transaction = db->begin();
      ASSERT_TRUE(db->execute("INSERT INTO t (name) VALUES ('never')"));
      vfs_.crash();
    }
    vfs_.lose_unsynced(seed, static_cast<unsigned>(seed * 5));
    auto db = open();
    ASSERT_TRUE(db) << db.error().to_line();
    EXPECT_TRUE(db->check_integrity()) << "seed " << seed;
    EXPECT_EQ(db->query_integer("SELECT count(*) FROM t").value(), 10) << "seed " << seed;
  }
}

TEST_F(FaultTest, a_crash_at_any_write_keeps_exactly_the_commits_that_returned) {
  for (std::uint64_t at = 1; at < 60; ++at) {
    std::filesystem::remove_all(folder_.path());
    std::filesystem::create_directories(folder_.path());
    std::int64_t committed = 0;
    bool is_last_unknown = false;
    {
      auto db = open();
      ASSERT_TRUE(db->ensure_schema(kApplication, 1, kSchema));
      vfs_.crash_after(at);
      for (int i = 0; i < 8; ++i) {
        auto transaction = db->begin();
        if (!transaction) break;
        if (!db->execute("INSERT INTO t (name, body) VALUES ('row " + std::to_string(i) +
                         "', zeroblob(3000))"))
          break;
        const auto outcome = transaction->commit();
        if (!outcome) {
          is_last_unknown = outcome.error().effect() == Effect::unknown;
          break;
        }
        ++committed;
      }
      vfs_.crash();
    }
    vfs_.lose_unsynced(at, 50);
    auto db = open();
    ASSERT_TRUE(db) << db.error().to_line();
    EXPECT_TRUE(db->check_integrity());
    const std::int64_t found = db->query_integer("SELECT count(*) FROM t").value().value_or(-1);
    EXPECT_GE(found, committed) << "crash at operation " << at;
    EXPECT_LE(found, committed + (is_last_unknown ? 1 : 0)) << "crash at operation " << at;
  }
}

TEST_F(FaultTest, a_disk_that_ignores_syncs_loses_commits) {
  {
    auto db = open();
    ASSERT_TRUE(db->ensure_schema(kApplication, 1, kSchema));
    vfs_.ignore_syncs(true);
    ASSERT_TRUE(db->execute("INSERT INTO t (name) VALUES ('x')"));
    vfs_.crash();
  }
  vfs_.lose_unsynced(1);
  auto db = open();
  ASSERT_TRUE(db);
  EXPECT_EQ(db->query_integer("SELECT count(*) FROM t").value(), 0)
      << "otherwise the layer proves nothing";
}

TEST_F(FaultTest, a_full_disk_is_reported_as_such_and_leaves_what_was_there) {
  auto db = open();
  ASSERT_TRUE(db->ensure_schema(kApplication, 1, kSchema));
  ASSERT_TRUE(db->execute("INSERT INTO t (name) VALUES ('x')"));
  vfs_.limit_space(40'000);
  Outcome outcome;
  int written = 0;
  while (outcome && written < 1000) {
    outcome = db->execute("INSERT INTO t (name, body) VALUES ('n" + std::to_string(written++) +
                          "', zeroblob(3000))");
  }
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(test::told_as("store-full", outcome.error()));
  EXPECT_EQ(db->query_integer("SELECT count(*) FROM t").value(), written);
  vfs_.limit_space(UINT64_MAX);
  EXPECT_TRUE(db->execute("INSERT INTO t (name) VALUES ('after')"));
  EXPECT_TRUE(db->check_integrity());
}

}  // namespace
}  // namespace plan::store
