#include "runtime/engine/journal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "runtime/engine/errors.h"
#include "runtime/store/errors.h"
#include "runtime/store/fault_vfs.h"
#include "runtime/store/sqlite.h"
#include "tests/support/move_graph.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"

namespace plan::engine {
namespace {

class JournalTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return folder_.file("journal.sqlite"); }
  std::unique_ptr<Journal> open() {
    auto journal = open_journal(path());
    EXPECT_TRUE(journal) << journal.error().to_line();
    return journal ? std::move(*journal) : nullptr;
  }
  static RunInfo run(const ir::StepGraph& graph, const std::string& id = "r1") {
    return {.run_id = id,
            .plan_name = "p",
            .graph_digest = graph_digest(graph),
            .started_ms = 1,
            .boot_id = "b"};
  }
  test::TempDir folder_;
  ir::StepGraph graph_ = test::move_graph({.accounts = 1});
};

TEST_F(JournalTest, remembers_a_step_from_intent_to_outcome) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->begin_run(run(graph_), graph_));
    EXPECT_FALSE(journal->step("s").value());
    ASSERT_TRUE(
        journal->write({Intent{"s", "a@x", "d1", "k1", 1, ir::Value::map({{"on", false}})}}));
    EXPECT_EQ(journal->step("s").value()->state, StepState::started);
    ASSERT_TRUE(journal->write({Noted{"s", ir::Value("half")}}));
    ASSERT_TRUE(journal->write({Failed{
        .step = "s", .state = StepState::unknown, .error = {"c", "m", "unknown", "network"}}}));
    // A second attempt sees what the first did: the prior state is that of before the first.
    ASSERT_TRUE(journal->write({Intent{"s", "a@x", "d1", "k2", 2, std::nullopt}}));
    ASSERT_TRUE(journal->write({Done{"s", ir::Value::map({{"id", "x"}}), false}}));
  }
  auto journal = open();
  const StepRecord record = journal->step("s").value().value();
  EXPECT_EQ(record.state, StepState::done);
  EXPECT_EQ(record.attempts, 2U);
  EXPECT_EQ(record.effect_key, "k2");
  EXPECT_EQ(record.prior, ir::Value::map({{"on", false}}));
  EXPECT_EQ(record.outputs["id"].string_or(""), "x");
  EXPECT_EQ(record.notes.string_or(""), "half");
  EXPECT_EQ(record.graph_digest, graph_digest(graph_));
  EXPECT_FALSE(record.error) << "an error is over when the step is done";
  EXPECT_GT(record.sequence, 0);

  ASSERT_TRUE(journal->begin_run(run(graph_), graph_));
  ASSERT_TRUE(journal->write({UndoIntent{"s"}}));
  ASSERT_TRUE(journal->write({Undone{"s"}}));
  const StepRecord undone = journal->step("s").value().value();
  EXPECT_EQ(undone.state, StepState::undone);
  EXPECT_TRUE(undone.prior.is_null() && undone.notes.is_null() && undone.outputs.is_null());
  EXPECT_EQ(undone.attempts, 2U) << "keys of effects are never used again";
}

TEST_F(JournalTest, a_failure_before_any_intent_leaves_the_state_as_it_was) {
  auto journal = open();
  ASSERT_TRUE(journal->begin_run(run(graph_), graph_));
  const RecordedError error{"c", "could not look", "none", "network"};
  ASSERT_TRUE(
      journal->write({Failed{.step = "s", .account = "a@x", .had_intent = false, .error = error}}));
  EXPECT_EQ(journal->step("s").value()->state, StepState::waiting);
  EXPECT_EQ(journal->step("s").value()->error->message, "could not look");
  ASSERT_TRUE(journal->write({Intent{"s", "a@x", "d", "k", 1, ir::Value()}}));
  ASSERT_TRUE(journal->write({Failed{.step = "s", .had_intent = false, .error = error}}));
  EXPECT_EQ(journal->step("s").value()->state, StepState::started);
}

TEST_F(JournalTest, entries_of_one_write_are_there_together_or_not_at_all) {
  store::FaultVfs vfs("journal-together");
  for (std::uint64_t at = 1; at < 12; ++at) {
    std::filesystem::remove_all(folder_.path());
    std::filesystem::create_directories(folder_.path());
    {
      auto journal = open_journal(path(), {.vfs = vfs.name()});
      ASSERT_TRUE((*journal)->begin_run(run(graph_), graph_));
      vfs.crash_after(at);
      static_cast<void>((*journal)
                            ->write({Intent{"a", "", "d", "k", 1, ir::Value()},
                                     Intent{"b", "", "d", "k", 1, ir::Value()},
                                     HoldBegun{"a@x", 1, "boot", 20'000, false}})
                            .has_value());
      vfs.crash();
    }
    vfs.lose_unsynced(at, 60);
    auto journal = open_journal(path(), {.vfs = vfs.name()});
    ASSERT_TRUE(journal) << journal.error().to_line();
    const bool has_a = (*journal)->step("a").value().has_value();
    EXPECT_EQ((*journal)->step("b").value().has_value(), has_a) << at;
    EXPECT_EQ((*journal)->holds().value().size(), has_a ? 1U : 0U) << at;
  }
}

TEST_F(JournalTest, writers_of_many_threads_share_commits_and_lose_nothing) {
  auto journal = open();
  ASSERT_TRUE(journal->begin_run(run(graph_), graph_));
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string step = std::to_string(t) + "/" + std::to_string(i);
        EXPECT_TRUE(journal->write({Intent{step, "", "d", "k", 1, ir::Value()}}));
        EXPECT_TRUE(journal->write({Done{step, ir::Value(), false}}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::size_t done = 0;
  std::int64_t last = 0;
  ASSERT_TRUE(journal->each_step([&](const StepRecord& record) {
    done += record.state == StepState::done ? 1U : 0U;
    EXPECT_GT(record.sequence, last) << "outcomes have one order";
    last = record.sequence;
  }));
  EXPECT_EQ(done, 400U);
}

TEST_F(JournalTest, after_a_failed_write_it_takes_no_more) {
  store::FaultVfs vfs("journal-broken");
  auto journal = open_journal(path(), {.vfs = vfs.name()});
  ASSERT_TRUE((*journal)->begin_run(run(graph_), graph_));
  vfs.limit_space(1);
  const auto failed =
      (*journal)->write({Intent{"a", "", "d", "k", 1, ir::Value(std::string(100'000, 'x'))}});
  ASSERT_FALSE(failed);
  EXPECT_TRUE(failed.error().is(store::errors::store_full)) << failed.error().to_line();
  vfs.limit_space(UINT64_MAX);
  const auto refused = (*journal)->write({Intent{"a", "", "d", "k", 1, ir::Value()}});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::journal_damaged));
  journal = open_journal(path(), {.vfs = vfs.name()});
  EXPECT_FALSE((*journal)->step("a").value());
}

TEST_F(JournalTest, a_journal_of_a_newer_plan_is_refused_to_read_and_to_write) {
  ASSERT_TRUE(open());
  {
    auto database = store::Database::open(path());
    ASSERT_TRUE(database->set_user_version(99));
  }
  const auto written = open_journal(path());
  ASSERT_FALSE(written);
  EXPECT_TRUE(written.error().is(store::errors::store_too_new)) << written.error().to_line();
  const auto read = open_journal(path(), {.is_read_only = true});
  ASSERT_FALSE(read);
  EXPECT_TRUE(read.error().is(store::errors::store_too_new));
}

TEST_F(JournalTest, a_format_that_no_plan_has_written_is_damage) {
  ASSERT_TRUE(open());
  for (const std::int64_t version : {0, -1}) {
    {
      auto database = store::Database::open(path());
      ASSERT_TRUE(database->set_user_version(version));
    }
    for (const bool is_read_only : {false, true}) {
      const auto opened = open_journal(path(), {.is_read_only = is_read_only});
      ASSERT_FALSE(opened) << version;
      EXPECT_TRUE(opened.error().is(errors::journal_damaged)) << opened.error().to_line();
    }
  }
}

TEST_F(JournalTest, a_missing_journal_is_not_made_by_reading) {
  const auto missing = open_journal(path(), {.is_read_only = true});
  ASSERT_FALSE(missing);
  EXPECT_TRUE(test::told_as("journal-missing", missing.error()));
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(JournalTest, a_damaged_journal_is_called_damaged_wherever_it_is_cut) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->begin_run(run(graph_), graph_));
    ASSERT_TRUE(journal->write({Intent{"s", "", "d", "k", 1, ir::Value()}}));
  }
  const auto size = std::filesystem::file_size(path());
  std::string whole(size, '\0');
  std::ifstream(path(), std::ios::binary).read(whole.data(), static_cast<std::streamsize>(size));
  for (std::size_t cut = 512; cut < size; cut += 1024) {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << whole.substr(0, cut);
    const auto journal = open_journal(path());
    if (journal) {
      // Only the unused end of the last page may be missing: then nothing is.
      EXPECT_GT(cut, size - 4096) << "cut at " << cut;
      EXPECT_TRUE((*journal)->step("s").value().has_value()) << "cut at " << cut;
      continue;
    }
    EXPECT_TRUE(journal.error().is(errors::journal_damaged))
        << cut << ": " << journal.error().to_line();
  }
}

TEST_F(JournalTest, states_that_do_not_exist_and_altered_graphs_are_damage) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->begin_run(run(graph_), graph_));
    ASSERT_TRUE(journal->write({Intent{"s", "", "d", "k", 1, ir::Value()}}));
  }
  {
    auto database = store::Database::open(path());
    ASSERT_TRUE(database->execute("UPDATE step SET state = 77"));
    ASSERT_TRUE(database->execute("UPDATE graph SET document = CAST('{}' AS BLOB)"));
  }
  auto journal = open();
  EXPECT_TRUE(test::told_as("journal-damaged", journal->step("s").error()));
  EXPECT_TRUE(journal->graph(graph_digest(graph_)).error().is(errors::journal_damaged));
}

TEST_F(JournalTest, keeps_the_graph_and_gives_it_back_the_same) {
  auto journal = open();
  ASSERT_TRUE(journal->begin_run(run(graph_), graph_));
  const auto graph = journal->graph(graph_digest(graph_));
  ASSERT_TRUE(graph) << graph.error().to_line();
  EXPECT_EQ(graph_digest(*graph), graph_digest(graph_));
}

TEST_F(JournalTest, the_lock_is_one_processs_and_ends_with_it) {
  auto first = open();
  auto second = open();
  EXPECT_FALSE(second->is_locked_by_somebody());
  ASSERT_TRUE(first->lock_for_run());
  EXPECT_TRUE(second->is_locked_by_somebody());
  const auto refused = second->lock_for_run();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("run-in-progress", refused.error()));
  first.reset();
  EXPECT_FALSE(second->is_locked_by_somebody());
  EXPECT_TRUE(second->lock_for_run());
}

TEST_F(JournalTest, requests_of_another_process_arrive_in_order_and_approvals_are_used_up) {
  auto engine = open();
  auto command = open();
  ASSERT_TRUE(command->add_request({.kind = RequestKind::pause}));
  ASSERT_TRUE(command->add_request({.kind = RequestKind::approve, .subject = "account:a@x"}));
  ASSERT_TRUE(command->add_request({.kind = RequestKind::throttle,
                                    .subject = "source",
                                    .parameters = ir::Value::map({{"connections", 4}})}));
  const auto requests = engine->requests(0);
  ASSERT_TRUE(requests);
  ASSERT_EQ(requests->size(), 3U);
  EXPECT_EQ((*requests)[2].parameters["connections"].integer_or(0), 4);
  EXPECT_TRUE(engine->requests((*requests)[2].id)->empty());
  EXPECT_TRUE(engine->is_approved("account:a@x").value());
  EXPECT_FALSE(engine->is_approved("account:b@x").value());
  ASSERT_TRUE(engine->use_approval("account:a@x"));
  EXPECT_FALSE(command->is_approved("account:a@x").value());
}

}  // namespace
}  // namespace plan::engine
