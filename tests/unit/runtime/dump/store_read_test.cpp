#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "runtime/dump/frame_writer.h"
#include "runtime/dump/store/blob_encoding.h"
#include "runtime/dump/store/dump_rows.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/store_reader.h"
#include "runtime/store/errors.h"
#include "runtime/store/rocks_loaded.h"
#include "runtime/store/sqlite.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/dump/real_stores.h"

namespace plan::dump {
namespace {

struct Stream {
  std::uint64_t records = 0;
  std::uint64_t key_bytes = 0;
  std::uint64_t value_bytes = 0;
  std::string sha256 = {};
};

// The digest as ../shared/data/dumps/README.md defines it: lengths and bytes of every record.
Stream stream_of(RecordCursor& rows) {
  Stream stream;
  ir::Sha256Stream digest;
  Record record;
  std::array<char, 10> length{};
  const auto add = [&](std::string_view bytes) {
    digest.update({length.data(), write_length(bytes.size(), length.data())});
    digest.update(bytes);
  };
  while (true) {
    const auto has_row = rows.next(record);
    EXPECT_TRUE(has_row) << has_row.error().to_line();
    if (!has_row || !*has_row) break;
    ++stream.records;
    stream.key_bytes += record.key.size();
    stream.value_bytes += record.value.size();
    add(record.key);
    add(record.value);
  }
  stream.sha256 = digest.finish().hex();
  return stream;
}

class RealStoreTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const auto stores = test::shared_data("data/stores");
    if (!stores) GTEST_SKIP() << "this clone has no ../shared/data/stores";
    store_ = test::unpack_store(*stores, GetParam(), folder_);
    if (store_.address.kind == StoreKind::rocksdb && store_.address.rocksdb_library.empty()) {
      GTEST_SKIP() << "no RocksDB library that reads current stores";
    }
  }
  test::TempDir folder_;
  test::RealStore store_;
};

TEST_P(RealStoreTest, gives_every_record_of_every_subspace_and_changes_not_one_byte) {
  const auto before = test::digests_below(folder_.path());
  {
    auto reader = open_store_reader(store_.address);
    ASSERT_TRUE(reader) << reader.error().to_line();
    const auto schema = schema_of_store(**reader);
    ASSERT_TRUE(schema) << schema.error().to_line();
    EXPECT_EQ(*schema, store_.expected["schema"].integer_or(0));
    std::size_t compared = 0;
    for (const auto& [letter, expected] : store_.expected["subspaces"].members()) {
      auto rows = (*reader)->open(letter[0]);
      ASSERT_TRUE(rows) << rows.error().to_line();
      ASSERT_NE(*rows, nullptr) << letter;
      const Stream stream = stream_of(**rows);
      EXPECT_EQ(stream.records, expected["records"].integer_or(-1)) << letter;
      EXPECT_EQ(stream.key_bytes, expected["keyBytes"].integer_or(-1)) << letter;
      EXPECT_EQ(stream.value_bytes, expected["valueBytes"].integer_or(-1)) << letter;
      EXPECT_EQ(stream.sha256, expected["rawStreamSha256"].string_or("")) << letter;
      const Outcome counted = (*reader)->check_count(letter[0], stream.records);
      EXPECT_TRUE(counted) << counted.error().to_line();
      ++compared;
    }
    EXPECT_GE(compared, 18U);

    BlobFaults faults;
    auto blobs = open_dump_rows(**reader, store_.address, 't', {*schema, false}, faults);
    ASSERT_TRUE(blobs) << blobs.error().to_line();
    const ir::Value& expected = store_.expected["subspaces"]["t"];
    EXPECT_EQ(stream_of(**blobs).sha256, expected["decodedStreamSha256"].string_or(""));
    EXPECT_EQ(faults.missing, 0U);
  }
  EXPECT_EQ(test::digests_below(folder_.path()), before);
}

INSTANTIATE_TEST_SUITE_P(stores, RealStoreTest,
                         ::testing::Values("0.15.5-sqlite-small", "0.16.15-sqlite-small",
                                           "0.15.5-rocksdb-small-wal", "0.15.5-rocksdb-small-sst",
                                           "0.16.15-rocksdb-small-wal", "0.16.15-rocksdb-small-sst",
                                           "0.16.15-rocksdb-full-sst"),
                         [](const auto& of) {
                           std::string name = of.param;
                           for (char& c : name) {
                             if (c == '.' || c == '-') c = '_';
                           }
                           return name;
                         });

// An open without the addition operator succeeds and gives 302 of 13,109 records, in silence.
TEST(RocksdbReading, refuses_a_log_that_was_replayed_in_part) {
  PLAN_SHARED(stores, "data/stores");
  test::TempDir folder;
  const auto store = test::unpack_store(stores, "0.16.15-rocksdb-small-wal", folder);
  if (store.address.rocksdb_library.empty()) GTEST_SKIP() << "no RocksDB library";
  const auto library = store::RocksLibrary::load(store.address.rocksdb_library);
  ASSERT_TRUE(library) << library.error().to_line();
  const auto without = store::LoadedRocks::open(*library, store.path, {.is_read_only = true});
  ASSERT_FALSE(without);
  EXPECT_TRUE(without.error().is(store::errors::store_read_short)) << without.error().to_line();
  const auto with = store::LoadedRocks::open(
      *library, store.path, {.is_read_only = true, .sum_families = {"n", "u", "y"}});
  EXPECT_TRUE(with) << with.error().to_line();
}

TEST(RocksdbReading, refuses_fewer_records_than_the_table_files_count) {
  PLAN_SHARED(stores, "data/stores");
  test::TempDir folder;
  const auto store = test::unpack_store(stores, "0.16.15-rocksdb-small-sst", folder);
  if (store.address.rocksdb_library.empty()) GTEST_SKIP() << "no RocksDB library";
  auto reader = open_store_reader(store.address);
  ASSERT_TRUE(reader) << reader.error().to_line();
  const Outcome short_read = (*reader)->check_count('p', 3);
  ASSERT_FALSE(short_read);
  EXPECT_TRUE(short_read.error().is(store::errors::store_read_short));
  EXPECT_FALSE((*reader)->check_count('p', 1'000'000));
}

/// A store of three records in the table files of one letter, as whichever library there is makes
/// it.
class OwnRocksdbTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    address_.kind = StoreKind::rocksdb;
    address_.path = folder_.file("store");
    address_.rocksdb_library = "librocksdb.so.7.8";
    if (!store::RocksLibrary::load(address_.rocksdb_library))
      address_.rocksdb_library = test::rocksdb_library(why);
    if (address_.rocksdb_library.empty()) GTEST_SKIP() << why;
    const auto library = store::RocksLibrary::load(address_.rocksdb_library);
    ASSERT_TRUE(library) << library.error().to_line();
    const auto opened = [&] {
      return store::LoadedRocks::open(*library, address_.path,
                                      {.is_read_only = false, .families = {"p"}});
    };
    {
      const auto store = opened();
      ASSERT_TRUE(store) << store.error().to_line();
      auto batch = (*store)->batch();
      for (const char* key : {"a", "b", "c"})
        batch.put(*(*store)->family("p"), key, std::string(100, 'v'));
      ASSERT_TRUE((*store)->write(batch, true));
    }
    // The next open moves what was in the log into a table file.
    ASSERT_TRUE(opened());
  }
  test::TempDir folder_;
  StoreAddress address_;
};

TEST_F(OwnRocksdbTest, fewer_records_than_the_files_hold_are_told_with_both_numbers) {
  auto reader = open_store_reader(address_);
  ASSERT_TRUE(reader) << reader.error().to_line();
  auto rows = (*reader)->open('p');
  ASSERT_TRUE(rows && *rows);
  EXPECT_EQ(stream_of(**rows).records, 3U);
  EXPECT_TRUE((*reader)->check_count('p', 3));
  const Outcome short_read = (*reader)->check_count('p', 1);
  ASSERT_FALSE(short_read);
  EXPECT_TRUE(test::told_as("store-read-short", short_read.error()));
}

/// RocksDB's words are "Corruption: block checksum mismatch": no lock is meant.
TEST_F(OwnRocksdbTest, a_damaged_block_is_no_lock_of_another_process) {
  for (const auto& entry : std::filesystem::directory_iterator(address_.path)) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(10);
    file << "damage";
  }
  auto reader = open_store_reader(address_);
  ASSERT_TRUE(reader) << reader.error().to_line();
  auto rows = (*reader)->open('p');
  ASSERT_TRUE(rows && *rows);
  Record record;
  const auto damaged = (*rows)->next(record);
  ASSERT_FALSE(damaged);
  EXPECT_TRUE(damaged.error().is(store::errors::store_damaged)) << damaged.error().to_line();
  EXPECT_TRUE(damaged.error().message().starts_with(address_.path)) << damaged.error().to_line();
}

TEST_F(OwnRocksdbTest, a_store_that_is_open_is_busy) {
  const auto library = store::RocksLibrary::load(address_.rocksdb_library);
  ASSERT_TRUE(library);
  const auto first = store::LoadedRocks::open(*library, address_.path, {.is_read_only = false});
  ASSERT_TRUE(first) << first.error().to_line();
  const auto second = store::LoadedRocks::open(*library, address_.path, {.is_read_only = false});
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().is(store::errors::store_busy)) << second.error().to_line();
}

TEST(RocksdbReading, says_plainly_what_to_fetch_when_no_library_fits) {
  const auto missing = store::RocksLibrary::load("/nowhere/librocksdbjni-linux64.so");
  ASSERT_FALSE(missing);
  EXPECT_TRUE(test::told_as("rocksdb-library-missing", missing.error()));
  // A library, but not that one.
  const auto other = store::RocksLibrary::load("libz.so.1");
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message().find("has no function rocksdb_"), std::string::npos)
      << other.error().to_line();
}

// Debian 12's own: it loads, lists the families, and says at the open that the store is corrupt.
TEST(RocksdbReading, says_that_the_library_is_old_and_not_that_the_store_is_damaged) {
  const auto old = store::RocksLibrary::load("librocksdb.so.7.8");
  if (!old) GTEST_SKIP() << old.error().to_line();
  PLAN_SHARED(stores, "data/stores");
  test::TempDir folder;
  const auto store = test::unpack_store(stores, "0.16.15-rocksdb-small-sst", folder);
  const auto refused = store::LoadedRocks::open(
      *old, store.path, {.is_read_only = true, .sum_families = {"n", "u", "y"}});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(store::errors::rocksdb_library_missing))
      << refused.error().to_line();
  EXPECT_NE(refused.error().message().find("older than this store"), std::string::npos);
}

TEST(SqliteReading, reads_a_log_that_was_left_over_and_leaves_it) {
  test::TempDir folder;
  const std::string path = folder.file("store.sqlite");
  {
    auto database = store::Database::open(path, {});
    ASSERT_TRUE(database);
    ASSERT_TRUE(
        database->execute("PRAGMA wal_autocheckpoint=0;"
                          "CREATE TABLE p (k BLOB PRIMARY KEY, v BLOB NOT NULL);"
                          "INSERT INTO p VALUES (x'00', x'00000006'), (x'01', x'02')"));
    // As a server that was killed leaves it: with the log.
    std::filesystem::copy_file(path, folder.file("killed.sqlite"));
    std::filesystem::copy_file(path + "-wal", folder.file("killed.sqlite-wal"));
  }
  std::filesystem::remove(path);
  const auto before = test::digests_below(folder.path());
  {
    StoreAddress address;
    address.path = folder.file("killed.sqlite");
    auto reader = open_store_reader(address);
    ASSERT_TRUE(reader) << reader.error().to_line();
    auto rows = (*reader)->open('p');
    ASSERT_TRUE(rows) << rows.error().to_line();
    EXPECT_EQ(stream_of(**rows).records, 2U);
  }
  EXPECT_EQ(test::digests_below(folder.path()), before);
}

TEST(BlobEncoding, packs_as_each_version_does_and_unpacks_by_the_key) {
  const std::string content = std::string(1000, 'x') + "tail";
  // BLAKE3 is only known to the reader; a name has no digest to compare with.
  const std::string name = "STALWART_WEBADMIN";
  std::string room;
  const std::string packed(encode_blob(6, BlobCompression::none, content, room));
  EXPECT_EQ(packed.back(), '\xA1');
  EXPECT_LT(packed.size(), content.size());
  EXPECT_EQ(decode_blob(6, name, packed, room).value(), content);
  EXPECT_EQ(encode_blob(5, BlobCompression::none, content, room), content);
  EXPECT_EQ(decode_blob(6, name, content + std::string(1, '\0'), room).value(), content);
}

TEST(BlobEncoding, refuses_a_blob_that_is_not_what_its_key_says) {
  std::string room;
  const std::string key(32, 'k');
  for (const std::string_view stored :
       {std::string_view("abc"), std::string_view("\xFF\xFF\xFF\x7F\x10\xA1", 6),
        std::string_view("", 0), std::string_view("\xA1", 1)}) {
    for (const std::uint32_t schema : {5U, 6U}) {
      const auto content = decode_blob(schema, key, stored, room);
      ASSERT_FALSE(content);
      EXPECT_TRUE(content.error().is(errors::blob_wrong));
    }
  }
}

TEST(BlobEncoding, names_files_as_the_server_does) {
  // All-zero key: hexadecimal folder names without padding, then 52 characters of base 32.
  EXPECT_EQ(blob_file("/b", 2, std::string(32, '\0')), "/b/0/0/" + std::string(52, 'a'));
  EXPECT_EQ(blob_file("/b", 1, std::string("\xA3\x05", 2)), "/b/a3/umcq");
}

TEST(StoreAddress, reads_every_form_and_refuses_a_password_in_it) {
  const auto postgres = parse_store_address("postgresql://mail@db.example.net:5433/store");
  ASSERT_TRUE(postgres) << postgres.error().to_line();
  EXPECT_EQ(postgres->host, "db.example.net");
  EXPECT_EQ(postgres->port, 5433);
  EXPECT_EQ(postgres->database, "store");
  EXPECT_EQ(postgres->user, "mail");
  EXPECT_EQ(parse_store_address("rocksdb:/srv/mail").value().path, "/srv/mail");
  const auto secret = parse_store_address("mysql://mail:geheim@db/store");
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().to_line().find("geheim"), std::string::npos);
  EXPECT_TRUE(parse_store_address("s3:bucket").error().is(errors::store_not_supported));
  EXPECT_TRUE(parse_store_address("/srv/mail").error().is(errors::store_address_wrong));
}

TEST(StoreAddress, reads_the_configuration_of_a_server) {
  test::TempDir folder;
  std::ofstream(folder.file("secret")) << "geheim\n";
  std::ofstream(folder.file("config.json")) << fmt::format(
      R"({{"@type": "PostgreSql", "host": "db", "database": "mail", "authUsername": "m",
           "authSecret": {{"@type": "File", "filePath": "{}"}}}})",
      folder.file("secret"));
  const auto address = parse_store_address("config:" + folder.file("config.json"));
  ASSERT_TRUE(address) << address.error().to_line();
  EXPECT_EQ(address->port, 5432);
  EXPECT_EQ(address->password.reveal_for("test"), "geheim");
  EXPECT_EQ(address->name(), "postgresql://m@db:5432/mail");
  std::ofstream(folder.file("fdb.json")) << R"({"@type": "FoundationDb"})";
  EXPECT_TRUE(parse_store_address("config:" + folder.file("fdb.json"))
                  .error()
                  .is(errors::store_not_supported));
}

TEST(StoreAddress, that_is_wrong_is_shown_without_its_password) {
  for (const std::string address :
       {"postgresql://mail:not-to-be-told@db", "postgresq://mail:not-to-be-told@db:5432/mail",
        "mysql://mail:not-to-be-t/old@db:3306/mail", "mysql://:not-to-be-told@db:3306/mail"}) {
    const auto refused = parse_store_address(address);
    ASSERT_FALSE(refused) << address;
    EXPECT_EQ(refused.error().to_line().find("not-to-be"), std::string::npos)
        << refused.error().to_line();
  }
  EXPECT_EQ(parse_store_address("postgresql://mail@db").error().message(),
            "postgresql://mail@db: names no database");
}

/// Containers mount secrets as links; a pipe would be waited for as long as nobody writes into it.
TEST(StoreAddress, follows_links_to_files_and_waits_for_no_pipe) {
  test::TempDir folder;
  std::ofstream(folder.file("config.json")) << R"({"@type": "Sqlite", "path": "/srv/mail.sqlite"})";
  std::filesystem::create_symlink("config.json", folder.file("link.json"));
  EXPECT_EQ(parse_store_address("config:" + folder.file("link.json")).value().path,
            "/srv/mail.sqlite");
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  std::ofstream(folder.file("piped.json")) << fmt::format(
      R"({{"@type": "PostgreSql", "host": "db", "authSecret": {{"@type": "File", "filePath": "{}"}}}})",
      folder.file("pipe"));
  std::ofstream(folder.file("long.json")) << std::string((1U << 20U) + 1, ' ');
  for (const auto& [name, why] : {std::pair<std::string, std::string>{"pipe", "no regular file"},
                                  {"piped.json", "no regular file"},
                                  {"", "no regular file"},
                                  {"absent", "No such file"},
                                  {"long.json", "longer than the 1 MiB"}}) {
    const auto refused = parse_store_address("config:" + folder.file(name));
    ASSERT_FALSE(refused) << name;
    EXPECT_TRUE(refused.error().is(errors::store_address_wrong)) << name;
    EXPECT_NE(refused.error().to_line().find(why), std::string::npos) << refused.error().to_line();
  }
}

}  // namespace
}  // namespace plan::dump
