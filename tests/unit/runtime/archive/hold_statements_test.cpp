// What the archive's statements cost while users wait: it must follow what changed, not the size of
// the mailbox. SQLite counts the steps of each statement; the same hold is looked at with few and
// with many messages behind it.
#include <sqlite3.h>

#include <cstdlib>
#include <mutex>

#include "runtime/archive/limits.h"
#include "tests/unit/runtime/archive/drivers_fixture.h"

namespace plan::test {
namespace {

/// Steps of SQLite's machine by statement, of every database that is opened while it lives.
class StepCount {
 public:
  StepCount() {
    current = this;
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(&StepCount::attach));
  }
  ~StepCount() {
    sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(&StepCount::attach));
    current = nullptr;
  }
  StepCount(const StepCount&) = delete;
  StepCount& operator=(const StepCount&) = delete;

  std::map<std::string, std::int64_t> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(steps_, {});
  }
  /// Transactions that changed something and are durable.
  int take_writes() {
    const std::lock_guard lock(mutex_);
    return std::exchange(writes_, 0);
  }

 private:
  static int attach(sqlite3* database, char**, const sqlite3_api_routines*) {
    return sqlite3_trace_v2(database, SQLITE_TRACE_PROFILE, &StepCount::on_end, nullptr);
  }
  static int on_end(unsigned, void*, void* statement, void*) {
    auto* ended = static_cast<sqlite3_stmt*>(statement);
    const int steps = sqlite3_stmt_status(ended, SQLITE_STMTSTATUS_VM_STEP, 1);
    if (current == nullptr) return 0;
    sqlite3* database = sqlite3_db_handle(ended);
    const bool is_committed = sqlite3_get_autocommit(database) != 0;
    const int changes = sqlite3_total_changes(database);
    const std::lock_guard lock(current->mutex_);
    std::int64_t& most = current->steps_[sqlite3_sql(ended)];
    most = std::max<std::int64_t>(most, steps);
    int& before = current->changes_[database];
    if (!is_committed || changes == before) return 0;
    if (changes > before) ++current->writes_;
    before = changes;  // fewer: another database in the same place
    return 0;
  }

  static inline StepCount* current = nullptr;
  std::mutex mutex_;
  std::map<std::string, std::int64_t> steps_;
  std::map<sqlite3*, int> changes_;
  int writes_ = 0;
};

constexpr int kFew = 40;
constexpr int kMany = 440;
/// What a statement may cost more with ten times the messages: a deeper tree, never a row each.
constexpr std::int64_t kMoreMax = (kMany - kFew) / 2;
/// Messages are counted in an index, without a look at any of them.
constexpr std::int64_t kCountedMoreMax = (kMany - kFew) * 4;

class HoldStatements : public ArchiveDrivers {
 protected:
  void fill(int from, int to) {
    for (int index = from; index < to; ++index)
      append("INBOX", fmt::format("Subject: m\r\n\r\nnumber {}\r\n", index));
  }
  /// Four messages with other flags, one new, one gone: then the two steps of the hold.
  std::map<std::string, std::int64_t> hold(StepCount& count, int round) {
    EXPECT_TRUE(apply(ir::StepKind::archive_copy));
    append("INBOX", fmt::format("Subject: late\r\n\r\nlate {}\r\n", round));
    EXPECT_TRUE(user_->select("INBOX", {.is_read_only = false}));
    EXPECT_TRUE(user_->store("2:5", round == 0 ? "+FLAGS.SILENT" : "-FLAGS.SILENT", {"\\Flagged"}));
    EXPECT_TRUE(user_->store("1", "+FLAGS.SILENT", {"\\Deleted"}));
    EXPECT_TRUE(user_->expunge("1"));
    static_cast<void>(count.take());
    delta_ = done(count, ir::StepKind::archive_delta);
    grade_ = done(count, ir::StepKind::archive_grade);
    return count.take();
  }

  struct Done {
    int calls = 0;
    int writes = 0;
  };
  Done done(StepCount& count, ir::StepKind kind) {
    static_cast<void>(count.take_writes());
    const std::uint64_t before = target_.requests;
    const auto outputs = apply(kind, "run");
    EXPECT_TRUE(outputs) << (outputs ? "" : outputs.error().to_line());
    return {static_cast<int>(target_.requests - before), count.take_writes()};
  }

  Done delta_ = {};
  Done grade_ = {};
};

TEST_F(HoldStatements, CostNoMoreForALargeMailbox) {
  StepCount count;
  fill(0, kFew);
  const auto few = hold(count, 0);
  fill(kFew, kMany);
  const auto many = hold(count, 1);
  ASSERT_GT(many.size(), 10U) << "the statements of the hold were seen";
  for (const auto& [sql, steps] : many) {
    const auto before = few.find(sql);
    const std::int64_t then = before == few.end() ? 0 : before->second;
    const bool is_count = sql.starts_with("SELECT count(*) FROM plan_item INDEXED BY");
    EXPECT_LE(steps, then + (is_count ? kCountedMoreMax : kMoreMax))
        << then << " -> " << steps << " steps: " << sql;
  }
}

// The diff predicts the hold from these; what is counted here is what a step really does.
TEST_F(HoldStatements, AreAboutAsManyAsTheDiffCountsWith) {
  StepCount count;
  fill(0, kFew);
  hold(count, 0);
  const auto expect_about = [](int seen, int predicted, const char* what) {
    EXPECT_GE(seen * 10, predicted * 7) << what << ": " << seen << " against " << predicted;
    EXPECT_LE(seen * 10, predicted * 13) << what << ": " << seen << " against " << predicted;
  };
  expect_about(delta_.calls, archive::kDeltaCalls, "calls of the target in the delta");
  expect_about(delta_.writes, archive::kDeltaWrites, "writes of the delta");
  expect_about(grade_.calls, archive::kGradeCalls, "calls of the target for the grade");
  expect_about(grade_.writes, archive::kGradeWrites, "writes of the grade");
}

TEST_F(HoldStatements, OfTheWayBackAreAboutAsManyAsARollbackCountsWith) {
  StepCount count;
  fill(0, kFew);
  hold(count, 0);
  const auto delta = drivers_.find(ir::StepKind::archive_delta);
  (void)target_.add_email(target_.emails.begin()->second.mailbox_ids.begin()->c_str(),
                          "Subject: there\r\n\r\nat the target\r\n");
  auto back = context(ir::StepKind::archive_delta);
  back.is_rollback = true;
  const auto seen = delta->observe(back);
  ASSERT_TRUE(seen) << seen.error().to_line();
  EXPECT_EQ(seen->messages.value_or(0), 1U);
  EXPECT_GT(seen->hold_ms.value_or(0), 0U);
  EXPECT_NE(seen->hold_basis.find("2 times "), std::string::npos) << seen->hold_basis;
  back.run_id = "run";
  ASSERT_TRUE(delta->before_undo(back));
  {
    const std::lock_guard lock(target_.mutex);
    for (auto& [id, email] : target_.emails) email.keywords = {"$seen"};
  }
  (void)target_.add_email(target_.emails.begin()->second.mailbox_ids.begin()->c_str(),
                          "Subject: late\r\n\r\nlate at the target\r\n");
  static_cast<void>(count.take_writes());
  const std::uint64_t before = target_.requests;
  const auto undone = delta->undo(back);
  ASSERT_TRUE(undone) << undone.error().to_line();
  const auto expect_about = [](int seen_now, int predicted, const char* what) {
    EXPECT_GE(seen_now * 10, predicted * 7) << what << ": " << seen_now << " against " << predicted;
    EXPECT_LE(seen_now * 10, predicted * 13)
        << what << ": " << seen_now << " against " << predicted;
  };
  expect_about(static_cast<int>(target_.requests - before), archive::kBackCalls,
               "calls of the target");
  expect_about(count.take_writes(), archive::kBackWrites, "writes");
}

}  // namespace
}  // namespace plan::test
