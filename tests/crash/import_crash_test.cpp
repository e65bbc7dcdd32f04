// A dump import killed with SIGKILL at each of its durable points, and at moments in between,
// against every kind of store; then the same call again, and both sides compared. Every import runs
// in a process of its own, so that this one never loads RocksDB (threads do not survive a fork).
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>

#include "runtime/dump/store/import_store.h"
#include "runtime/dump/store/sql_connections.h"
#include "tests/support/database_server.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"

namespace plan::dump {
namespace {

using namespace std::chrono_literals;

constexpr int kGood = 0;
constexpr int kRefused = 9;

/// Runs in a child; the result is its exit code, or -1 when it was killed.
int in_child(const std::function<bool()>& work, std::chrono::milliseconds kill_after = 0ms) {
  const pid_t child = fork();
  if (child == 0) _exit(work() ? kGood : kRefused);
  if (kill_after > 0ms) {
    std::this_thread::sleep_for(kill_after);
    kill(child, SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class ImportCrashTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto dump = test::shared_data("data/dumps/0.15.5-rocksdb-small");
    if (!dump) GTEST_SKIP() << "this clone has no ../shared/data/dumps";
    dump_ = dump->string();
  }

  [[nodiscard]] ImportOptions options() const {
    ImportOptions options;
    options.folder = dump_;
    options.commit_records = 150;  // many transactions also for a small dump
    return options;
  }

  static bool says(const Outcome& outcome) {
    if (!outcome) fprintf(stderr, "%s\n", outcome.error().to_line().c_str());
    return outcome.has_value();
  }

  /// Kills at each point from `first` on, `step` apart, until an import ends without reaching it.
  void kill_at_each_point(const std::function<StoreAddress(int)>& new_target, int first, int step) {
    int killed = 0;
    for (int point = first; point < 500; point += step) {
      SCOPED_TRACE(point);
      const StoreAddress target = new_target(point);
      const int code = in_child([&] {
        ImportOptions killing = options();
        std::atomic<int> left{point};
        killing.after_durable = [&left] {
          if (--left == 0) kill(getpid(), SIGKILL);
        };
        return says(import_store(target, killing).transform([](const ImportReport&) {}));
      });
      if (code == kGood) break;
      ASSERT_EQ(code, -1) << "the import failed by itself";
      ++killed;
      const int again = in_child([&] {
        const auto report = import_store(target, options());
        // The very last point is behind the end: then the target is full, and refuses.
        if (!report && report.error().code().name == "target-not-empty") {
          return says(compare_with_store(target, dump_, {}, 1));
        }
        return report.has_value() ? says(compare_with_store(target, dump_, {}, 1))
                                  : says(Outcome(report.error()));
      });
      ASSERT_EQ(again, kGood);
    }
    EXPECT_GE(killed, 18 / step) << "too few points were reached to mean anything";
  }

  void kill_in_between(const std::function<StoreAddress(int)>& new_target) {
    for (int i = 0; i < 8; ++i) {
      SCOPED_TRACE(i);
      const StoreAddress target = new_target(10'000 + i);
      // Killed again and again, each time a little later, until it gets through.
      for (int round = 0; round < 40; ++round) {
        const int code = in_child(
            [&] { return says(import_store(target, options()).transform([](const auto&) {})); },
            std::chrono::milliseconds(5 + 7 * i + 25 * round));
        if (code == kGood) break;
        if (code == kRefused) break;  // it was through just before, and the target is full
      }
      EXPECT_EQ(in_child([&] { return says(compare_with_store(target, dump_, {}, 1)); }), kGood);
    }
  }

  test::TempDir folder_;
  std::string dump_;
};

TEST_F(ImportCrashTest, sqlite_at_each_durable_point) {
  const auto target = [this](int n) {
    StoreAddress address;
    address.path = folder_.file(std::to_string(n));
    return address;
  };
  kill_at_each_point(target, 1, 1);
  kill_in_between(target);
}

TEST_F(ImportCrashTest, rocksdb_at_each_durable_point) {
  std::string why;
  const std::string library = test::rocksdb_library(why);
  if (library.empty()) GTEST_SKIP() << why;
  const auto target = [&](int n) {
    StoreAddress address;
    address.kind = StoreKind::rocksdb;
    address.path = folder_.file(std::to_string(n));
    address.rocksdb_library = library;
    return address;
  };
  kill_at_each_point(target, 1, 2);
  kill_in_between(target);
}

TEST_F(ImportCrashTest, postgresql_at_durable_points) {
  std::string why;
  const auto server = test::PostgresServer::start(why);
  if (!server) GTEST_SKIP() << why;
  const auto target = [&](int n) {
    auto address = parse_store_address(server->new_database("crash" + std::to_string(n)));
    EXPECT_TRUE(address);
    return address ? std::move(*address) : StoreAddress();
  };
  kill_at_each_point(target, 1, 3);
}

TEST_F(ImportCrashTest, mysql_at_durable_points) {
  std::string why;
  const auto server = test::MariaServer::start(why);
  if (!server) GTEST_SKIP() << why;
  const auto target = [&](int n) {
    auto address = parse_store_address(server->new_database("crash" + std::to_string(n)));
    EXPECT_TRUE(address);
    return address ? std::move(*address) : StoreAddress();
  };
  kill_at_each_point(target, 1, 3);
}

}  // namespace
}  // namespace plan::dump
