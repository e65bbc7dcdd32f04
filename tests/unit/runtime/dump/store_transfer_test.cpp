#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/dump/errors.h"
#include "runtime/dump/manifest.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/export_store.h"
#include "runtime/dump/store/import_store.h"
#include "runtime/dump/store/sql_connections.h"
#include "runtime/dump/store/store_look.h"
#include "runtime/dump/store/store_reader.h"
#include "runtime/dump/store/store_writer.h"
#include "runtime/dump/subspace.h"
#include "runtime/dump/verify.h"
#include "runtime/store/errors.h"
#include "runtime/store/rocks_loaded.h"
#include "runtime/store/sqlite.h"
#include "tests/unit/runtime/dump/dump_files.h"
#include "tests/unit/runtime/dump/real_stores.h"

namespace plan::dump {
namespace {

// What a dump holds, whatever its files look like: digest of the records by letter.
std::map<std::string, std::string> records_of(const std::string& folder) {
  std::map<std::string, std::string> digests;
  const auto manifest = read_manifest(manifest_path_of(folder));
  EXPECT_TRUE(manifest) << manifest.error().to_line();
  if (!manifest) return digests;
  for (const Manifest::File& file : manifest->files) {
    digests[file.name] = fmt::format("{} {}", file.records, file.record_stream_sha256);
  }
  return digests;
}

Outcome exported(const StoreAddress& address, const std::string& folder) {
  PLAN_TRY(report, export_store(address, {.folder = folder}));
  EXPECT_FALSE(report.files.empty());
  return {};
}

Outcome imported(const StoreAddress& address, const std::string& folder) {
  PLAN_TRY(report, import_store(address, {.folder = folder}));
  EXPECT_TRUE(report.is_proved);
  return {};
}

StoreAddress sqlite_at(const std::string& path) {
  StoreAddress address;
  address.path = path;
  return address;
}

class TransferTest : public ::testing::Test {
 protected:
  // The folder of the small dump of 0.16.15 (SQLite), or a skip.
  void SetUp() override {
    const auto dumps = test::shared_data("data/dumps");
    if (!dumps) GTEST_SKIP() << "this clone has no ../shared/data/dumps";
    dump_ = (*dumps / "0.16.15-sqlite-small").string();
  }
  // A dump without a manifest, which the tests may change.
  [[nodiscard]] std::string copied_dump() const {
    const std::string copy = folder_.file("copy");
    std::filesystem::copy(dump_, copy);
    return copy;
  }
  test::TempDir folder_;
  std::string dump_;
};

TEST_F(TransferTest, exports_of_real_stores_are_the_real_dumps) {
  PLAN_SHARED(stores, "data/stores");
  std::size_t compared = 0;
  std::size_t left_out = 0;
  for (const char* name :
       {"0.15.5-sqlite-small", "0.16.15-sqlite-small", "0.15.5-rocksdb-small-sst",
        "0.15.5-rocksdb-small-wal", "0.16.15-rocksdb-small-sst", "0.16.15-rocksdb-small-wal",
        "0.16.15-rocksdb-full-sst"}) {
    test::TempDir folder;
    const auto store = test::unpack_store(stores, name, folder);
    if (store.address.kind == StoreKind::rocksdb && store.address.rocksdb_library.empty()) {
      ++left_out;
      continue;
    }
    const auto before = test::digests_below(folder.path());
    const std::string dump = folder_.file(name);
    const auto report = export_store(store.address, {.folder = dump});
    ASSERT_TRUE(report) << name << report.error().to_line();
    EXPECT_EQ(test::digests_below(folder.path()), before) << name;
    const auto expected = ir::parse_json(test::read_all(
        stores.parent_path() / "dumps" /
        (std::string(store.expected["sameContentAsDump"].string_or("")) + ".expected.json")));
    ASSERT_TRUE(expected) << name;
    // A store of SQLite has the content of its dump in every letter.
    const std::string equal(store.expected["lettersEqualToDump"].string_or("abdefghijklnopqrstux"));
    std::map<char, std::string> digests;
    for (const WrittenFile& file : report->files) {
      digests[file.header.letter] = file.stream_digest.hex();
    }
    EXPECT_EQ(digests.size(), (*expected)["files"].size()) << name;
    for (const ir::Value& file : (*expected)["files"].items()) {
      const char letter = file["letter"].string_or("?")[0];
      if (equal.find(letter) == std::string::npos) continue;
      EXPECT_EQ(digests[letter], file["recordStreamSha256"].string_or("")) << name << letter;
      ++compared;
    }
  }
  if (left_out > 0) GTEST_SKIP() << "no RocksDB library for " << left_out << " of the stores";
  EXPECT_EQ(compared, 129U);
}

TEST_F(TransferTest, a_store_goes_through_every_kind_and_comes_out_the_same) {
  std::string why;
  const auto postgres = test::PostgresServer::start(why);
  if (!postgres) GTEST_SKIP() << why;
  const auto maria = test::MariaServer::start(why);
  if (!maria) GTEST_SKIP() << why;
  const std::string library = test::rocksdb_library(why);
  if (library.empty()) GTEST_SKIP() << why;
  for (const std::string version : {"0.15.5", "0.16.15"}) {
    SCOPED_TRACE(version);
    PLAN_SHARED(stores, "data/stores");
    test::TempDir folder;
    const auto source = test::unpack_store(stores, version + "-sqlite-small", folder);
    const std::string name = version == "0.15.5" ? "old" : "new";
    auto postgresql = parse_store_address(postgres->new_database(name));
    auto mysql = parse_store_address(maria->new_database(name));
    ASSERT_TRUE(postgresql && mysql);
    StoreAddress rocksdb;
    rocksdb.kind = StoreKind::rocksdb;
    rocksdb.path = folder.file("rocks");
    rocksdb.rocksdb_library = library;
    const std::string first = folder.file("first");
    ASSERT_TRUE(exported(source.address, first));
    std::string last = first;
    for (const auto& [target, step] :
         {std::pair<const StoreAddress*, std::string>{&*postgresql, "postgresql"},
          {&*mysql, "mysql"},
          {&rocksdb, "rocksdb"}}) {
      SCOPED_TRACE(step);
      const auto in = import_store(*target, {.folder = last});
      ASSERT_TRUE(in) << in.error().to_line();
      EXPECT_TRUE(in->is_proved);
      last = folder.file("after-" + step);
      const auto out = export_store(*target, {.folder = last});
      ASSERT_TRUE(out) << out.error().to_line();
      EXPECT_EQ(records_of(last), records_of(first));
    }
    const Outcome back = imported(sqlite_at(folder.file("back.sqlite")), last);
    ASSERT_TRUE(back) << back.error().to_line();
  }
}

TEST_F(TransferTest, a_second_import_is_refused_and_doubles_nothing) {
  const StoreAddress target = sqlite_at(folder_.file("store.sqlite"));
  const auto first = import_store(target, {.folder = dump_});
  ASSERT_TRUE(first) << first.error().to_line();
  const auto second = import_store(target, {.folder = dump_});
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().is(errors::target_not_empty)) << second.error().to_line();
  EXPECT_TRUE(compare_with_store(target, dump_, {}, 2));
}

TEST_F(TransferTest, a_target_with_the_beginning_of_another_import_is_refused) {
  const StoreAddress target = sqlite_at(folder_.file("store.sqlite"));
  {
    auto writer = open_store_writer(target);
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->prepare(6, "somebody else's dump"));
  }
  const auto report = import_store(target, {.folder = dump_});
  ASSERT_FALSE(report);
  EXPECT_TRUE(report.error().is(errors::target_not_ours)) << report.error().to_line();
}

TEST_F(TransferTest, a_store_that_somebody_has_open_is_refused) {
  const StoreAddress target = sqlite_at(folder_.file("store.sqlite"));
  ASSERT_TRUE(import_store(target, {.folder = dump_}));
  // Another process holds the file open, as a running server does.
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const int file = open(target.path.c_str(), O_RDONLY);
    if (file < 0 || write(ready[1], "x", 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const auto report = export_store(target, {.folder = folder_.file("dump")});
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  ASSERT_FALSE(report);
  EXPECT_TRUE(report.error().is(errors::store_in_use)) << report.error().to_line();
  EXPECT_NE(report.error().message().find(std::to_string(child)), std::string::npos);
  EXPECT_TRUE(export_store(target, {.folder = folder_.file("dump")}));
}

TEST_F(TransferTest, an_import_without_the_properties_is_refused_unless_wanted) {
  const StoreAddress target = sqlite_at(folder_.file("store.sqlite"));
  const auto refused = import_store(target, {.folder = dump_, .subspaces = {"blob", "queue"}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("0.15 erases"), std::string::npos);
  const auto wanted = import_store(
      target, {.folder = dump_, .subspaces = {"blob", "queue"}, .may_lack_properties = true});
  ASSERT_TRUE(wanted) << wanted.error().to_line();
  EXPECT_EQ(wanted->files.size(), 4U);  // e k q t
  // The rest of the store goes in as a second part, and only with a word.
  const std::vector<std::string> rest = {"data",   "registry", "changelog",
                                         "report", "tasks",    "telemetry"};
  EXPECT_FALSE(import_store(target, {.folder = dump_, .subspaces = rest}));
  const auto second = import_store(target, {.folder = dump_, .subspaces = rest, .may_add = true});
  ASSERT_TRUE(second) << second.error().to_line();
  EXPECT_TRUE(compare_with_store(target, dump_, {}, 2));
}

/// Links may come later, or were lost: each blob of the dump is read back all the same.
TEST_F(TransferTest, blobs_are_read_back_whether_anything_links_them_or_not) {
  for (const bool is_folder : {false, true}) {
    SCOPED_TRACE(is_folder);
    StoreAddress target = sqlite_at(folder_.file(is_folder ? "files.sqlite" : "rows.sqlite"));
    if (is_folder) target.blob_folder = folder_.file("blobs");
    const auto import_of = [&](std::string_view letter, bool is_second) {
      return import_store(target, {.folder = dump_,
                                   .subspaces = {std::string(letter)},
                                   .may_lack_properties = true,
                                   .may_add = is_second});
    };
    const auto blobs = import_of("t", false);
    ASSERT_TRUE(blobs) << blobs.error().to_line();
    EXPECT_TRUE(compare_with_store(target, dump_, {"t"}, 1));
    const auto links = import_of("k", true);
    ASSERT_TRUE(links) << links.error().to_line();
    EXPECT_TRUE(compare_with_store(target, dump_, {"t", "k"}, 1));
    // One that is gone, or changed, is told without its link too.
    auto database = store::Database::open(target.path, {});
    ASSERT_TRUE(database && database->execute("DELETE FROM k"));
    EXPECT_TRUE(compare_with_store(target, dump_, {"t"}, 1));
    if (is_folder) {
      std::filesystem::remove(test::digests_below(target.blob_folder).rbegin()->first);
    } else {
      ASSERT_TRUE(database->execute("DELETE FROM t WHERE rowid = (SELECT max(rowid) FROM t)"));
    }
    const Outcome lost = compare_with_store(target, dump_, {"t"}, 1);
    ASSERT_FALSE(lost);
    EXPECT_TRUE(lost.error().is(errors::import_differs)) << lost.error().to_line();
    EXPECT_NE(lost.error().message().find("is not in the store"), std::string::npos);
  }
}

TEST_F(TransferTest, a_damaged_dump_changes_no_target) {
  const std::string copy = copied_dump();
  std::filesystem::resize_file(copy + "/subspace_p",
                               std::filesystem::file_size(copy + "/subspace_p") - 100);
  const StoreAddress target = sqlite_at(folder_.file("store.sqlite"));
  const auto report = import_store(target, {.folder = copy});
  ASSERT_FALSE(report);
  EXPECT_FALSE(std::filesystem::exists(target.path));
}

TEST_F(TransferTest, a_stray_file_in_the_dump_is_refused) {
  const std::string copy = copied_dump();
  std::ofstream(copy + "/README") << "hello";
  const auto report = import_store(sqlite_at(folder_.file("s.sqlite")), {.folder = copy});
  ASSERT_FALSE(report);
  EXPECT_TRUE(report.error().is(errors::dump_foreign)) << report.error().to_line();
}

TEST_F(TransferTest, a_row_changed_in_the_target_is_found_when_reading_back) {
  const StoreAddress target = sqlite_at(folder_.file("store.sqlite"));
  ASSERT_TRUE(import_store(target, {.folder = dump_}));
  for (const char* sabotage : {"UPDATE n SET v = v * 2 WHERE rowid = (SELECT max(rowid) FROM n)",
                               "DELETE FROM l WHERE rowid = (SELECT max(rowid) FROM l)",
                               "INSERT INTO b (k) VALUES (x'FF')"}) {
    std::filesystem::copy_file(target.path, folder_.file("sabotaged.sqlite"),
                               std::filesystem::copy_options::overwrite_existing);
    {
      auto database = store::Database::open(folder_.file("sabotaged.sqlite"), {});
      ASSERT_TRUE(database && database->execute(sabotage));
    }
    const Outcome outcome =
        compare_with_store(sqlite_at(folder_.file("sabotaged.sqlite")), dump_, {}, 2);
    ASSERT_FALSE(outcome) << sabotage;
    EXPECT_TRUE(outcome.error().is(errors::import_differs)) << outcome.error().to_line();
  }
}

/// Who else may have the store open: every host that ever did has left a lease.
TEST_F(TransferTest, the_hosts_that_opened_a_store_are_named) {
  const StoreAddress address = sqlite_at(folder_.file("store.sqlite"));
  ASSERT_TRUE(import_store(address, {.folder = dump_}));
  const auto alone = look_at_store(address);
  ASSERT_TRUE(alone) << alone.error().to_line();
  EXPECT_EQ(alone->nodes, std::vector<std::string>{"mx.example.org"});
  {
    auto database = store::Database::open(address.path, {});
    ASSERT_TRUE(database &&
                // A time, and mx2.example.org.
                database->execute("INSERT INTO g VALUES (x'FFFFFFFF0007', x'000000006B0405B3"
                                  "6D78322E6578616D706C652E6F7267')"));
  }
  const auto both = look_at_store(address);
  ASSERT_TRUE(both) << both.error().to_line();
  EXPECT_EQ(store_look_from(to_value(*both)).nodes,
            (std::vector<std::string>{"mx.example.org", "mx2.example.org"}));
}

TEST_F(TransferTest, negative_counters_are_kept) {
  const StoreAddress first = sqlite_at(folder_.file("store.sqlite"));
  ASSERT_TRUE(import_store(first, {.folder = dump_}));
  {
    auto database = store::Database::open(first.path, {});
    ASSERT_TRUE(database && database->execute("UPDATE n SET v = -5"));
  }
  ASSERT_TRUE(exported(first, folder_.file("dump")));
  const StoreAddress second = sqlite_at(folder_.file("second.sqlite"));
  const Outcome in = imported(second, folder_.file("dump"));
  ASSERT_TRUE(in) << in.error().to_line();
  auto database = store::Database::open(second.path, {.is_read_only = true});
  ASSERT_TRUE(database);
  EXPECT_GT(database->query_integer("SELECT count(*) FROM n WHERE v = -5")->value_or(0), 50);
}

TEST_F(TransferTest, only_a_store_is_ever_emptied) {
  const auto refused = [](const StoreAddress& address) {
    const Outcome emptied = empty_store(address);
    return !emptied && std::filesystem::exists(std::filesystem::symlink_status(address.path));
  };
  const StoreAddress foreign = sqlite_at(folder_.file("users.sqlite"));
  {
    auto database = store::Database::open(foreign.path, {});
    ASSERT_TRUE(database && database->execute("CREATE TABLE users (name TEXT)"));
  }
  EXPECT_TRUE(refused(foreign)) << "a database of something else";
  const auto back = take_back_import(foreign, dump_, {});
  EXPECT_FALSE(back.has_value());
  EXPECT_TRUE(std::filesystem::exists(foreign.path));

  const StoreAddress letter = sqlite_at(folder_.file("letter.txt"));
  std::ofstream(letter.path) << "From: a@example.org\n\nno database\n";
  EXPECT_TRUE(refused(letter)) << "no database at all";

  const StoreAddress store = sqlite_at(folder_.file("store.sqlite"));
  ASSERT_TRUE(import_store(store, {.folder = dump_}));
  const StoreAddress link = sqlite_at(folder_.file("link.sqlite"));
  std::filesystem::create_symlink(store.path, link.path);
  EXPECT_TRUE(refused(link)) << "a link to a store";
  EXPECT_TRUE(empty_store(store));
  EXPECT_FALSE(std::filesystem::exists(store.path));

  const StoreAddress home{.kind = StoreKind::rocksdb, .path = folder_.file("home")};
  std::filesystem::create_directories(home.path + "/Documents");
  EXPECT_TRUE(refused(home)) << "a folder of something else";
}

/// An import beside the tables of another program would mix the two, and taking it back would be
/// refused.
TEST_F(TransferTest, nothing_is_imported_beside_what_no_server_makes) {
  const auto refused = [this](const StoreAddress& address, const std::string& named) {
    const auto report = import_store(address, {.folder = dump_});
    ASSERT_FALSE(report) << address.name();
    EXPECT_TRUE(report.error().is(errors::target_not_ours)) << report.error().to_line();
    EXPECT_NE(report.error().message().find(named), std::string::npos) << report.error().to_line();
    const auto look = look_at_store(address);
    ASSERT_TRUE(look) << look.error().to_line();
    ASSERT_FALSE(look->foreign.empty());
    EXPECT_TRUE(look->filled.empty());
    EXPECT_EQ(store_look_from(to_value(*look)).foreign, look->foreign);
  };
  for (const auto& [sql, named] :
       {std::pair<std::string, std::string>{"CREATE TABLE users (name TEXT)", "`users`"},
        {"CREATE TABLE p (id INTEGER PRIMARY KEY, body TEXT)", "`p`"},
        {"CREATE VIEW now AS SELECT datetime()", "`now`"},
        {"CREATE TABLE \"\x1b[31m\" (name TEXT)", "`\\x1b[31m`"},
        {"CREATE TABLE e1 (k); CREATE TABLE e2 (k); CREATE TABLE e3 (k); CREATE TABLE e4 (k)",
         "`e1`, `e2`, `e3` and 1 more"}}) {
    const test::TempDir folder;
    const StoreAddress sqlite = sqlite_at(folder.file("shared.sqlite"));
    {
      auto database = store::Database::open(sqlite.path, {.is_write_ahead = false});
      ASSERT_TRUE(database && database->execute(sql)) << sql;
    }
    const auto before = test::digests_below(folder.path());
    refused(sqlite, named);
    EXPECT_EQ(test::digests_below(folder.path()), before) << sql;
  }
  const StoreAddress home{.kind = StoreKind::rocksdb, .path = folder_.file("home")};
  std::filesystem::create_directories(home.path + "/Documents");
  const auto into_home = import_store(home, {.folder = dump_});
  ASSERT_FALSE(into_home);
  EXPECT_TRUE(into_home.error().is(store::errors::store_foreign)) << into_home.error().to_line();
  EXPECT_FALSE(look_at_store(home)) << "a folder of something else is no place for a store";

  std::string why;
  if (StoreAddress rocksdb{.kind = StoreKind::rocksdb, .path = folder_.file("rocksdb")};
      !(rocksdb.rocksdb_library = test::rocksdb_library(why)).empty()) {
    {
      const auto library = store::RocksLibrary::find(rocksdb.rocksdb_library);
      ASSERT_TRUE(library);
      ASSERT_TRUE(store::LoadedRocks::open(*library, rocksdb.path,
                                           {.is_read_only = false, .families = {"sessions"}}));
    }
    refused(rocksdb, "`sessions`");
  }
}

TEST_F(TransferTest, nothing_is_imported_into_a_database_that_is_shared) {
  const auto refused = [this](const StoreAddress& address) {
    const auto report = import_store(address, {.folder = dump_});
    ASSERT_FALSE(report) << address.name();
    EXPECT_TRUE(report.error().is(errors::target_not_ours)) << report.error().to_line();
    EXPECT_NE(report.error().message().find("`p`, `users`"), std::string::npos)
        << report.error().to_line();
  };
  std::string why;
  const auto postgres = test::PostgresServer::start(why);
  if (!postgres) GTEST_SKIP() << why;
  const auto maria = test::MariaServer::start(why);
  if (!maria) GTEST_SKIP() << why;
  constexpr std::string_view kShared[] = {"CREATE TABLE users (name TEXT)",
                                          "CREATE TABLE p (k INTEGER, body TEXT)",
                                          "CREATE TABLE s_email (id BIGINT)"};
  const auto postgresql = parse_store_address(postgres->new_database("shared"));
  const auto mysql = parse_store_address(maria->new_database("shared"));
  ASSERT_TRUE(postgresql && mysql);
  {
    auto connection = open_postgresql(*postgresql);
    ASSERT_TRUE(connection);
    for (const std::string_view sql : kShared) ASSERT_TRUE(connection->execute(std::string(sql)));
  }
  refused(*postgresql);
  // A letter's name makes no table a subspace: what is not the store's is not dropped with it.
  ASSERT_TRUE(empty_store(*postgresql));
  EXPECT_TRUE(open_postgresql(*postgresql)->query("SELECT body FROM p"));
  {
    auto connection = open_mysql(*mysql);
    ASSERT_TRUE(connection);
    for (const std::string_view sql : kShared) ASSERT_TRUE(connection->execute(std::string(sql)));
  }
  refused(*mysql);
  ASSERT_TRUE(empty_store(*mysql));
  EXPECT_TRUE(open_mysql(*mysql)->query("SELECT body FROM p"));
}

TEST_F(TransferTest, a_new_store_is_readable_by_its_owner_only) {
  using std::filesystem::perms;
  const auto mode_of = [](const std::string& path) {
    return std::filesystem::status(path).permissions() & (perms::group_all | perms::others_all);
  };
  const StoreAddress sqlite = sqlite_at(folder_.file("store.sqlite"));
  ASSERT_TRUE(import_store(sqlite, {.folder = dump_}));
  EXPECT_EQ(mode_of(sqlite.path), perms::none);
  std::string why;
  StoreAddress rocksdb{.kind = StoreKind::rocksdb, .path = folder_.file("rocksdb")};
  rocksdb.rocksdb_library = test::rocksdb_library(why);
  if (rocksdb.rocksdb_library.empty()) GTEST_SKIP() << why;
  ASSERT_TRUE(import_store(rocksdb, {.folder = dump_}));
  EXPECT_EQ(mode_of(rocksdb.path), perms::none);
}

TEST_F(TransferTest, blobs_go_into_a_folder_and_come_back) {
  StoreAddress target = sqlite_at(folder_.file("store.sqlite"));
  target.blob_folder = folder_.file("blobs");
  const auto in = import_store(target, {.folder = dump_});
  ASSERT_TRUE(in) << in.error().to_line();
  std::uint64_t blob_bytes = 0;
  std::size_t blobs = 0;
  for (const auto& [file, digest] : test::digests_below(target.blob_folder)) {
    blob_bytes += std::filesystem::file_size(file);
    ++blobs;
  }
  EXPECT_EQ(blobs, 60U);
  // What a dump with them needs beside the bytes of the store.
  const auto look = look_at_store(target);
  ASSERT_TRUE(look) << look.error().to_line();
  EXPECT_EQ(look->blob_bytes, blob_bytes);
  EXPECT_EQ(store_look_from(to_value(*look)).blob_bytes, blob_bytes);
  const auto out = export_store(target, {.folder = folder_.file("dump")});
  ASSERT_TRUE(out) << out.error().to_line();
  EXPECT_TRUE(compare_with_store(target, dump_, {"t"}, 1));
  // A pipe in a blob's place is not waited for.
  const std::filesystem::path first = test::digests_below(target.blob_folder).begin()->first;
  ASSERT_TRUE(std::filesystem::remove(first)) << first;
  ASSERT_EQ(::mkfifo(first.c_str(), 0600), 0);
  const auto refused = export_store(target, {.folder = folder_.file("piped")});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::blob_wrong)) << refused.error().to_line();
  std::filesystem::remove(first);
  // A second import into the same folder is refused, also with a new store.
  StoreAddress other = sqlite_at(folder_.file("other.sqlite"));
  other.blob_folder = target.blob_folder;
  const auto again = import_store(other, {.folder = dump_});
  ASSERT_FALSE(again);
  EXPECT_TRUE(again.error().is(errors::target_not_empty));
}

/// The server's blobs are in a folder or in S3, and nobody said so: a dump without any would be
/// taken for whole.
TEST_F(TransferTest, a_store_whose_blobs_are_all_elsewhere_is_refused) {
  StoreAddress source = sqlite_at(folder_.file("store.sqlite"));
  source.blob_folder = folder_.file("blobs");
  ASSERT_TRUE(import_store(source, {.folder = dump_}));
  StoreAddress unsaid = sqlite_at(source.path);
  StoreAddress wrong = sqlite_at(source.path);
  wrong.blob_folder = folder_.file("another");
  for (const StoreAddress* address : {&unsaid, &wrong}) {
    // The second time too: what the first run left is not taken for complete.
    for (int i = 0; i < 2; ++i) {
      const auto refused = export_store(*address, {.folder = folder_.file("dump")});
      ASSERT_FALSE(refused);
      EXPECT_TRUE(refused.error().is(errors::blobs_elsewhere)) << refused.error().to_line();
    }
    std::filesystem::remove_all(folder_.file("dump.partial"));
  }
  // Where they stay, the rest can be exported by itself.
  std::vector<std::string> others;
  for (const Subspace& subspace : subspaces(kSchema16))
    if (subspace.is_exported() && subspace.letter != 't') others.emplace_back(1, subspace.letter);
  const auto rest = export_store(unsaid, {.folder = folder_.file("rest"), .subspaces = others});
  ASSERT_TRUE(rest) << rest.error().to_line();
  EXPECT_EQ(rest->blobs.missing, 0U);
  EXPECT_TRUE(export_store(source, {.folder = folder_.file("whole")}));
}

/// Nobody writes into the pipe: whatever opens it would wait for ever.
TEST_F(TransferTest, a_pipe_in_the_place_of_a_store_is_refused) {
  const std::string pipe = folder_.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const StoreKind kind : {StoreKind::sqlite, StoreKind::rocksdb}) {
    StoreAddress address = sqlite_at(pipe);
    address.kind = kind;
    EXPECT_FALSE(export_store(address, {.folder = folder_.file("out")}));
    EXPECT_FALSE(import_store(address, {.folder = dump_}));
    const auto look = look_at_store(address);
    ASSERT_FALSE(look) << "it is not there, where it is in the way";
    EXPECT_TRUE(look.error().is(store::errors::store_unreadable)) << look.error().to_line();
  }
}

/// Blobs that stay where they are: a dump of all else is whole by its manifest, and goes into a
/// store that says the same.
TEST_F(TransferTest, a_dump_without_the_blobs_is_proved_and_imported) {
  const StoreAddress all = sqlite_at(folder_.file("all.sqlite"));
  ASSERT_TRUE(import_store(all, {.folder = dump_}));
  const std::string dump = folder_.file("dump");
  std::vector<std::string> letters;
  for (const Subspace& subspace : subspaces(kSchema16))
    if (subspace.is_exported() && subspace.letter != 't') letters.emplace_back(1, subspace.letter);
  ASSERT_TRUE(export_store(all, {.folder = dump, .subspaces = letters}));
  const auto report = verify_dump(dump);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->grade, Grade::proved);
  EXPECT_EQ(std::count(report->notes.begin(), report->notes.end(),
                       "subspace_t is in neither this dump nor its manifest"),
            1);
  EXPECT_EQ(verify_dump(dump, {.manifest = "-"})->grade, Grade::damaged);
  const StoreAddress rest = sqlite_at(folder_.file("rest.sqlite"));
  ASSERT_TRUE(imported(rest, dump));
  const auto look = look_at_store(rest);
  ASSERT_TRUE(look);
  EXPECT_TRUE(look->has_blobs_elsewhere());
  EXPECT_FALSE(look_at_store(all)->has_blobs_elsewhere());
  std::filesystem::remove(dump + "/subspace_k");
  EXPECT_EQ(verify_dump(dump)->grade, Grade::damaged);
}

TEST_F(TransferTest, a_damaged_blob_stops_the_export_unless_it_shall_go_on) {
  StoreAddress source = sqlite_at(folder_.file("store.sqlite"));
  ASSERT_TRUE(import_store(source, {.folder = dump_}));
  {
    auto database = store::Database::open(source.path, {});
    ASSERT_TRUE(database && database->execute("UPDATE t SET v = x'0102A1' WHERE rowid = 7"));
    ASSERT_TRUE(database->execute("DELETE FROM t WHERE rowid = 9"));
  }
  const auto refused = export_store(source, {.folder = folder_.file("dump")});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::blob_wrong)) << refused.error().to_line();
  const auto report =
      export_store(source, {.folder = folder_.file("dump"), .skips_damaged_blobs = true});
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(report->blobs.damaged, 1U);
  EXPECT_EQ(report->blobs.missing, 1U);
}

TEST_F(TransferTest, an_export_that_was_killed_goes_on_with_what_is_whole) {
  const StoreAddress source = sqlite_at(folder_.file("store.sqlite"));
  ASSERT_TRUE(import_store(source, {.folder = dump_}));
  const pid_t child = fork();
  if (child == 0) {
    int left = 5;
    const auto report = export_store(
        source, {.folder = folder_.file("dump"), .parallel = 1, .after_durable = [&left] {
                   if (--left == 0) kill(getpid(), SIGKILL);
                 }});
    _exit(report ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(std::filesystem::exists(folder_.file("dump")));
  const auto report = export_store(source, {.folder = folder_.file("dump")});
  ASSERT_TRUE(report) << report.error().to_line();
  EXPECT_EQ(report->kept.size(), 5U);
  EXPECT_EQ(report->files.size(), 19U);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("dump.partial")));
  EXPECT_TRUE(compare_with_store(source, folder_.file("dump"), {}, 2));
}

TEST_F(TransferTest, an_export_into_a_folder_with_files_is_refused) {
  const StoreAddress source = sqlite_at(folder_.file("store.sqlite"));
  ASSERT_TRUE(import_store(source, {.folder = dump_}));
  std::filesystem::create_directory(folder_.file("dump"));
  std::ofstream(folder_.file("dump/notes.txt")) << "mine";
  const auto report = export_store(source, {.folder = folder_.file("dump")});
  ASSERT_FALSE(report);
  EXPECT_TRUE(report.error().is(errors::export_folder_in_use));
  EXPECT_EQ(test::read_all(folder_.file("dump/notes.txt")), "mine");
}

}  // namespace
}  // namespace plan::dump
