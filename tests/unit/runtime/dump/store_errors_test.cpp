// What each error of stores and their imports and exports tells: stores of a few rows that this
// test makes, brought into the state that the error is about.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime/dump/frame_writer.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/export_store.h"
#include "runtime/dump/store/import_store.h"
#include "runtime/dump/store/sql_connections.h"
#include "runtime/dump/store/store_look.h"
#include "runtime/dump/store/store_writer.h"
#include "runtime/dump/subspace.h"
#include "runtime/store/sqlite.h"
#include "tests/support/database_server.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;
using test::told_as;

constexpr std::string_view kSchemaKey{"\0", 1};
constexpr std::string_view kSchemaRow{"\0\0\0\6", 4};

class StoreErrors : public ::testing::Test {
 protected:
  /// A store of a 0.16 server with one row in its change log, as an import makes it.
  void SetUp() override {
    source_ = at("store.sqlite");
    auto writer = open_store_writer(source_);
    ASSERT_TRUE(writer) << writer.error().to_line();
    ASSERT_TRUE((*writer)->prepare(kSchema16, "a dump"));
    ASSERT_TRUE((*writer)->finish({{std::string(kSchemaKey), std::string(kSchemaRow)}}));
    writer->reset();
    run(source_, "INSERT INTO l (k, v) VALUES (x'0001', x'76')");
  }

  [[nodiscard]] StoreAddress at(const std::string& name) const {
    StoreAddress address;
    address.path = folder_.file(name);
    return address;
  }
  static void run(const StoreAddress& address, const std::string& sql) {
    auto database = store::Database::open(address.path, {.is_write_ahead = false});
    ASSERT_TRUE(database) << database.error().to_line();
    const Outcome done = database->execute(sql);
    ASSERT_TRUE(done) << done.error().to_line();
  }
  /// The dump of the store.
  [[nodiscard]] std::string exported() const {
    const std::string dump = folder_.file("dump");
    const auto report = export_store(source_, {.folder = dump});
    EXPECT_TRUE(report) << report.error().to_line();
    return dump;
  }
  [[nodiscard]] Error export_error(const ExportOptions& options = {}) const {
    ExportOptions into = options;
    into.folder = folder_.file("dump");
    const auto report = export_store(source_, into);
    EXPECT_FALSE(report);
    return report ? Error(errors::store_address_wrong, "no error") : report.error();
  }

  test::TempDir folder_;
  StoreAddress source_;
};

TEST_F(StoreErrors, a_path_alone_names_no_store) {
  const auto refused = parse_store_address("/srv/mail");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("store-address-wrong", refused.error()));
}

TEST_F(StoreErrors, foundationdb_is_left_to_the_program_of_the_server) {
  const auto refused = parse_store_address("foundationdb:/etc/foundationdb/fdb.cluster");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("store-not-supported", refused.error()));
}

TEST_F(StoreErrors, a_store_that_no_server_has_begun_has_no_schema) {
  run(source_, "DELETE FROM p");
  EXPECT_TRUE(told_as("store-has-no-schema", export_error()));
}

TEST_F(StoreErrors, the_process_that_has_the_store_open_is_named) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const int file = open(source_.path.c_str(), O_RDONLY);
    if (file < 0 || write(ready[1], "x", 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  close(ready[1]);
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const Error refused = export_error();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  const std::string program = fs::read_symlink("/proc/self/exe").filename().string();
  EXPECT_TRUE(
      told_as("store-in-use", refused,
              {{fmt::format("process {} ({})", child, program), "process <number> (<program>)"}}));
}

TEST_F(StoreErrors, a_store_that_is_written_to_during_its_export_gives_no_dump) {
  bool is_written = false;
  const Error refused = export_error({.parallel = 1, .after_durable = [&] {
                                        if (!std::exchange(is_written, true)) {
                                          run(source_,
                                              "INSERT INTO q (k, v) VALUES (x'01', "
                                              "zeroblob(20000))");
                                        }
                                      }});
  EXPECT_TRUE(told_as("store-changed", refused));
  EXPECT_FALSE(fs::exists(folder_.file("dump")));
}

/// SQLite puts text in front of bytes, and a column of bytes takes both: somebody's hand.
TEST_F(StoreErrors, a_row_that_stands_in_the_wrong_place_is_named) {
  run(source_, "INSERT INTO l (k, v) VALUES ('zebra', x'76')");
  EXPECT_TRUE(told_as("store-row-wrong", export_error()));
}

TEST_F(StoreErrors, a_blob_that_is_not_its_content_stops_the_export) {
  const std::string hash(64, 'a');
  run(source_, fmt::format("INSERT INTO k (k, v) VALUES (x'{}00000001', x'');"
                           "INSERT INTO t (k, v) VALUES (x'{}', x'0102A1')",
                           hash, hash));
  EXPECT_TRUE(told_as("blob-wrong", export_error()));
}

TEST_F(StoreErrors, a_store_with_links_and_no_blob_is_not_exported_as_whole) {
  run(source_, fmt::format("INSERT INTO k (k, v) VALUES (x'{}00000001', x''), (x'{}00000001', x'')",
                           std::string(64, 'a'), std::string(64, 'b')));
  EXPECT_TRUE(told_as("blobs-elsewhere", export_error()));
}

TEST_F(StoreErrors, a_folder_with_something_else_takes_no_export) {
  fs::create_directory(folder_.file("dump"));
  std::ofstream(folder_.file("dump/notes.txt")) << "mine";
  EXPECT_TRUE(told_as("export-folder-in-use", export_error()));
}

TEST_F(StoreErrors, a_second_import_is_refused_with_what_is_there) {
  const auto refused = import_store(source_, {.folder = exported()});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("target-not-empty", refused.error()));
}

TEST_F(StoreErrors, a_database_of_another_program_takes_no_import) {
  const StoreAddress target = at("other.sqlite");
  run(target, "CREATE TABLE users (name TEXT); CREATE TABLE orders (id INTEGER)");
  const auto refused = import_store(target, {.folder = exported()});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("target-not-ours", refused.error()));
}

TEST_F(StoreErrors, a_value_that_became_another_is_found_by_the_comparison) {
  const std::string dump = exported();
  const StoreAddress target = at("target.sqlite");
  const auto in = import_store(target, {.folder = dump});
  ASSERT_TRUE(in) << in.error().to_line();
  run(target, "UPDATE l SET v = x'77'");
  const Outcome differs = compare_with_store(target, dump, {}, 1);
  ASSERT_FALSE(differs);
  EXPECT_TRUE(told_as("import-differs", differs.error()));
}

/// The dump's own damage, whatever store it goes into.
TEST_F(StoreErrors, a_counter_of_a_dump_that_is_none_is_damage_of_the_dump) {
  const std::string dump = exported();
  fs::remove(dump + "/subspace_n");
  fs::remove(dump + ".manifest.json");
  {
    auto writer = FrameWriter::create(dump + "/subspace_n", {.letter = 'n', .schema = kSchema16});
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append({.key = "k", .value = "123"}));
    ASSERT_TRUE((*writer)->finish());
  }
  const auto refused = import_store(at("target.sqlite"), {.folder = dump});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().to_line(),
            "subspace n: the counter of key 6b has 3 bytes, not 8 [dump-damaged]");
}

/// What cannot be put into a MySQL server, whatever is done there.
TEST_F(StoreErrors, what_mysql_cannot_hold_is_told_with_the_sizes) {
  std::string why;
  const auto server = test::MariaServer::start(why);
  if (!server) GTEST_SKIP() << why;
  const auto import_error = [this](const StoreAddress& target) {
    const auto report = import_store(target, {.folder = exported()});
    EXPECT_FALSE(report);
    fs::remove_all(folder_.file("dump"));
    return report ? Error(errors::store_address_wrong, "no error") : report.error();
  };
  const auto target = parse_store_address(server->new_database("target"));
  ASSERT_TRUE(target) << target.error().to_line();
  run(source_, "INSERT INTO q (k, v) VALUES (zeroblob(300), x'76')");
  EXPECT_TRUE(told_as("target-key-too-long", import_error(*target)));

  const auto second = parse_store_address(server->new_database("second"));
  ASSERT_TRUE(second) << second.error().to_line();
  {
    auto connection = open_mysql(*second);
    ASSERT_TRUE(connection) << connection.error().to_line();
    ASSERT_TRUE(connection->execute("SET GLOBAL max_allowed_packet = 1048576"));
  }
  run(source_, "UPDATE q SET k = x'01', v = zeroblob(1500000)");
  EXPECT_TRUE(told_as("packet-too-small", import_error(*second)));
}

}  // namespace
}  // namespace plan::dump
