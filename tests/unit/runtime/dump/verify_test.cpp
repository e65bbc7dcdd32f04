#include "runtime/dump/verify.h"

#include <gtest/gtest.h>
#include <lz4.h>
#include <sys/stat.h>

#include <map>
#include <set>

#include "runtime/dump/diff.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_writer.h"
#include "runtime/dump/integers.h"
#include "runtime/dump/proof.h"
#include "runtime/dump/references.h"
#include "runtime/dump/repair.h"
#include "runtime/dump/salvage.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/runtime/dump/dump_files.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;
using test::read_all;
using test::real_dumps;
using test::TempDir;

/// A copy that may be changed.
void copy_dump(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    fs::copy_file(entry.path(), to / entry.path().filename());
    fs::permissions(to / entry.path().filename(), fs::perms::owner_write, fs::perm_options::add);
  }
}

/// Rewrites a file of a dump with only those records that `is_kept`.
void keep_records(const fs::path& path,
                  const std::function<bool(std::uint64_t number, std::string_view key)>& is_kept) {
  const std::string copy = path.string() + ".copy";
  {
    auto reader = FrameReader::open(path);
    ASSERT_TRUE(reader);
    auto writer = FrameWriter::create(copy, *(*reader)->header());
    ASSERT_TRUE(writer);
    for (std::uint64_t number = 0;; ++number) {
      const auto record = (*reader)->next_record();
      ASSERT_TRUE(record);
      if (!*record) break;
      if (is_kept(number, (*record)->key)) {
        ASSERT_TRUE((*writer)->append(**record));
      }
    }
    ASSERT_TRUE((*writer)->finish());
  }
  fs::rename(copy, path);
}

/// Rewrites a file with other values under the same keys.
void change_values(const fs::path& path,
                   const std::function<void(std::string_view key, std::string& value)>& change) {
  const std::string copy = path.string() + ".copy";
  {
    auto reader = FrameReader::open(path);
    ASSERT_TRUE(reader);
    auto writer = FrameWriter::create(copy, *(*reader)->header());
    ASSERT_TRUE(writer);
    while (true) {
      const auto record = (*reader)->next_record();
      ASSERT_TRUE(record);
      if (!*record) break;
      std::string value((*record)->value);
      change((*record)->key, value);
      ASSERT_TRUE((*writer)->append({.key = (*record)->key, .value = value}));
    }
    ASSERT_TRUE((*writer)->finish());
  }
  fs::rename(copy, path);
}

std::string kinds_of(const FaultList& faults) {
  std::string text;
  for (const auto& counted : faults.kinds()) {
    if (!text.empty()) text += ' ';
    text += to_string(counted.kind);
  }
  return text;
}

std::string all_faults(const DumpReport& report) {
  std::string text = kinds_of(report.faults);
  for (const FileReport& file : report.files)
    if (!file.faults.empty()) text += " " + file.name + ": " + kinds_of(file.faults);
  return text;
}

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(DumpVerify, FindsNothingWrongWithAnyRealDump) {
  PLAN_SHARED(dumps, "data/dumps");
  for (const auto& dump : real_dumps(dumps)) {
    const auto report = verify_dump(dump.folder);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->grade, Grade::unprovable) << dump.folder;
    // A dump without family data cannot be imported alone; that is the only doubt.
    const std::string faults = all_faults(*report);
    EXPECT_EQ(faults, report->find('p') == nullptr ? "missing-data" : "") << dump.folder;
    EXPECT_EQ(report->schema, dump.expected["schema"].integer_or(0));
    for (const ir::Value& expected : dump.expected["files"].items()) {
      const FileReport* file = report->find(expected["letter"].string_or(" ")[0]);
      ASSERT_NE(file, nullptr);
      const ir::Value value = file->to_value(false);
      EXPECT_EQ(value["name"], expected["name"]);
      EXPECT_EQ(value["records"], expected["records"]);
      EXPECT_EQ(value["key_bytes"], expected["keyBytes"]);
      EXPECT_EQ(value["value_bytes"], expected["valueBytes"]);
      EXPECT_EQ(value["sha256"], expected["sha256"]);
      EXPECT_EQ(value["record_stream_sha256"], expected["recordStreamSha256"]);
    }
  }
}

TEST(DumpVerify, RelatesEverySubspaceOfAWholeDump) {
  PLAN_SHARED(dumps, "data/dumps");
  for (const std::string name : {"0.15.5-sqlite-full", "0.16.15-rocksdb-full"}) {
    const auto report = verify_dump(dumps / name);
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->not_checked.empty());
    const auto expected = ir::parse_json(read_all((dumps / name).string() + ".expected.json"));
    ASSERT_TRUE(expected);
    EXPECT_EQ(report->references["messages"], (*expected)["counts"]["fromP"]["messages"]);
    EXPECT_EQ(report->references["blobs"], (*expected)["counts"]["blobs"]);
    EXPECT_EQ(report->references["linked_blobs"], (*expected)["counts"]["distinctHashesInK"]);
  }
}

/// The verdict on each file of 0.16.15-damaged, alone and in its folder. docs/dump.md says where
/// the importer took what is damaged.
TEST(DumpVerify, GivesEachDamagedFileItsVerdict) {
  PLAN_SHARED(damaged, "data/dumps/0.16.15-damaged");
  const std::map<std::string, std::string> not_damaged = {
      {"ok-original", "unprovable"},
      {"ok-end-mark", "unprovable"},
      {"ok-content-checksum", "intact"},
      {"ok-stored-blocks", "unprovable"},
      {"ok-small-blocks", "unprovable"},
      {"ok-empty", "unprovable"},
      {"leb-non-minimal", "unprovable"},
      // These leave no trace in a file alone.
      {"cut-record-boundary", "unprovable"},
      {"cut-record-and-block-boundary", "unprovable"},
      {"flip-compressed", "unprovable"},
      {"flip-stored-value", "unprovable"},
  };
  const std::map<std::string, std::string> faults = {
      {"cut-before-value-length", "cut-before-value-length"},
      {"cut-in-block", "cut-in-block"},
      {"cut-in-block-length", "cut-in-block-length"},
      {"cut-in-key", "cut-in-key"},
      {"cut-in-key-length", "cut-in-key-length"},
      {"cut-in-value", "cut-in-value"},
      {"cut-last-block", "cut-in-value"},
      {"duplicate-key", "key-order"},
      {"flip-block-length", "cut-in-block"},
      {"flip-compressed-undecodable", "undecodable-block"},
      {"flip-frame-flags", "bad-frame-header"},
      {"flip-header-checksum", "bad-frame-header"},
      {"flip-key", "key-order"},
      {"garbage-after-end-mark", "trailing-bytes"},
      {"header-only", "cut-in-header"},
      {"index-short-key", "key-shape"},
      {"keys-out-of-order", "key-order"},
      {"leb-too-long", "bad-length"},
      {"letter-k-inside", "key-shape"},
      {"letter-unknown-inside", "unknown-letter"},
      {"letter-upper-inside", "unknown-letter"},
      {"short-content-header", "cut-in-header"},
      {"two-frames", "second-frame"},
      {"wrong-content-checksum", "wrong-content-checksum"},
      {"wrong-lz4-magic", "wrong-magic"},
      {"wrong-marker", "wrong-marker"},
      {"counter-4-bytes", "value-shape"},
      {"zero-bytes", "too-short"},
  };
  const auto folder = verify_dump(damaged);
  ASSERT_TRUE(folder);
  EXPECT_EQ(folder->grade, Grade::damaged);
  ASSERT_EQ(folder->files.size(), 45U);
  for (const FileReport& file : folder->files) {
    const auto known = not_damaged.find(file.name);
    const std::string wanted = known == not_damaged.end() ? "damaged" : known->second;
    EXPECT_EQ(to_string(file.grade), wanted) << file.name;
    const auto alone = verify_dump(file.path);
    ASSERT_TRUE(alone);
    // A file of 0.15 is a file of 0.15 when nothing stands beside it.
    EXPECT_EQ(to_string(alone->grade), file.name == "wrong-schema-5" ? "unprovable" : wanted)
        << file.name;
    const auto fault = faults.find(file.name);
    if (fault != faults.end()) {
      EXPECT_EQ(kinds_of(alone->files[0].faults), fault->second) << file.name;
    }
  }
}

/// What the importer did with the same files (recorded), against our verdict: where it took what is
/// damaged, or refused what is sound, docs/dump.md has a line that says so.
TEST(DumpVerify, DiffersFromTheImporterOnlyWhereTheDocumentSays) {
  PLAN_SHARED(dumps, "data/dumps");
  const std::string document = read_all(test::repository() / "docs/dump.md");
  const std::map<std::string, std::string> lines = {
      {"cut-record-boundary", "| cut between two records | takes it, half of the records |"},
      {"cut-record-and-block-boundary", "| cut between two records | takes it, half"},
      {"cut-in-key-length", "| cut inside a key's length | takes it, half of the records |"},
      {"flip-compressed", "| one byte changed in a block that still decodes"},
      {"flip-stored-value", "in a stored value | takes it, one record altered |"},
      {"flip-key", "| a changed key | takes it, one record altered |"},
      {"letter-k-inside", "| content of l with letter k inside | takes it as k"},
      {"letter-upper-inside", "| letter `L` inside | SQLite takes it as `l`; RocksDB panics |"},
      {"two-frames", "| two frames | takes the first, half of the records |"},
      {"garbage-after-end-mark", "| bytes after the end mark | takes it |"},
      {"duplicate-key", "| one key twice, keys out of order | takes it |"},
      {"keys-out-of-order", "| one key twice, keys out of order | takes it |"},
      {"counter-negative", "| a counter of -5 | SQLite drops it, RocksDB keeps it |"},
      {"index-unknown-collection", "| an index row of collection 99 | takes it as collection 14 |"},
      {"wrong-schema-5", "| schema 5 alone | refuses it"},
  };
  const auto expected = ir::parse_json(read_all(dumps / "0.16.15-damaged.expected.json"));
  ASSERT_TRUE(expected);
  std::set<std::string> differing;
  for (const ir::Value& file : (*expected)["files"].items()) {
    const std::string name(file["file"].string_or(""));
    const auto alone = verify_dump((dumps / "0.16.15-damaged" / name).string());
    ASSERT_TRUE(alone) << name;
    bool is_other = false;
    for (const auto& [store, done] : file["realImport"].members()) {
      const bool is_taken = done["exit"].integer_or(-1) == 0;
      const ir::Value& after = done["comparedWithOriginal"];
      const bool is_altered = after["missing"].integer_or(0) > 0 ||
                              after["extra"].integer_or(0) > 0 ||
                              after["differing"].integer_or(0) > 0;
      // An empty file is no damage: there is nothing in it that could be altered.
      is_other = is_other || is_taken != (alone->grade != Grade::damaged) ||
                 (is_taken && is_altered && name != "ok-empty");
    }
    if (is_other) differing.insert(name);
  }
  for (const std::string& name : differing) {
    const auto line = lines.find(name);
    if (line == lines.end())
      ADD_FAILURE() << name << " differs, and docs/dump.md does not say how";
    else
      EXPECT_NE(document.find(line->second), std::string::npos) << name << ": " << line->second;
  }
  EXPECT_EQ(differing.size(), lines.size());
}

TEST(DumpVerify, LetsAReferenceTellOfALossThatLeavesNoTraceInItsFile) {
  PLAN_SHARED(dumps, "data/dumps");
  struct Loss {
    char letter;
    std::string faults;
  };
  for (const std::string name : {"0.15.5-rocksdb-small", "0.16.15-sqlite-small"}) {
    const bool is_16 = name.substr(0, 4) == "0.16";
    std::vector<Loss> losses = {
        {'t', "subspace_t: missing-blob"},
        {'k', "subspace_k: missing-object missing-link"},
        {'d', is_16 ? "subspace_d: missing-account subspace_s: missing-object"
                    : "subspace_d: missing-account"},
        {'e', "subspace_e: missing-object"},
        {'q', "subspace_q: missing-object"},
    };
    if (is_16) losses.push_back({'f', "subspace_f: missing-object"});
    for (const Loss& loss : losses) {
      const TempDir folder;
      copy_dump(dumps / name, folder.path() / "dump");
      const fs::path file = folder.path() / "dump" / file_name_of(loss.letter);
      std::uint64_t records = 0;
      keep_records(file, [&](std::uint64_t, std::string_view) { return ++records > 0; });
      keep_records(file,
                   [&](std::uint64_t number, std::string_view) { return number < records / 3; });
      const auto report = verify_dump((folder.path() / "dump").string());
      ASSERT_TRUE(report);
      EXPECT_EQ(report->grade, Grade::damaged) << name << loss.letter;
      EXPECT_NE(all_faults(*report).find(loss.faults), std::string::npos)
          << name << " " << loss.letter << ":" << all_faults(*report);
    }
    // p and n: other subspaces have rows of what is gone.
    for (const char letter : {'p', 'n'}) {
      const TempDir folder;
      copy_dump(dumps / name, folder.path() / "dump");
      keep_records(folder.path() / "dump" / file_name_of(letter),
                   [](std::uint64_t number, std::string_view) { return number < 20; });
      const auto report = verify_dump((folder.path() / "dump").string());
      ASSERT_TRUE(report);
      EXPECT_EQ(report->grade, Grade::damaged);
      EXPECT_NE(all_faults(*report).find(letter == 'p' ? "missing-property" : "wrong-counter"),
                std::string::npos)
          << all_faults(*report);
    }
  }
}

/// A queued message is nothing without its blob: neither the link nor the blob may be gone.
TEST(DumpVerify, ComparesTheQueueWithItsBlobs) {
  PLAN_SHARED(dumps, "data/dumps");
  constexpr std::size_t kQueueLinkBytes = 40;  // hash, id of the queued message
  for (const std::string name : {"0.15.5-sqlite-full", "0.16.15-rocksdb-full"}) {
    SCOPED_TRACE(name);
    for (const char letter : {'k', 't'}) {
      const TempDir folder;
      const fs::path dump = folder.path() / "dump";
      copy_dump(dumps / name, dump);
      std::set<std::string> queued;
      std::map<std::string, std::size_t> links;
      keep_records(dump / "subspace_k", [&](std::uint64_t, std::string_view key) {
        ++links[std::string(key.substr(0, kBlobHashBytes))];
        if (key.size() == kQueueLinkBytes) queued.emplace(key.substr(0, kBlobHashBytes));
        return true;
      });
      ASSERT_FALSE(queued.empty());
      if (letter == 'k') {
        keep_records(dump / "subspace_k", [&](std::uint64_t, std::string_view key) {
          return key.size() != kQueueLinkBytes;
        });
      } else {
        keep_records(dump / "subspace_t", [&](std::uint64_t, std::string_view key) {
          return !queued.contains(std::string(key));
        });
      }
      const auto report = verify_dump(dump.string());
      ASSERT_TRUE(report);
      EXPECT_EQ(report->grade, Grade::damaged);
      std::string told;
      for (const FaultList* faults : {&report->find('k')->faults, &report->find('t')->faults})
        for (const auto& counted : faults->kinds())
          for (const Fault& fault : counted.first) told += fault.text + "\n";
      if (letter == 'k') {
        EXPECT_NE(told.find("has no blob"), std::string::npos) << told;
      } else {
        for (const std::string& hash : queued)
          EXPECT_NE(told.find("blob " + ir::to_hex(hash)), std::string::npos) << told;
      }
    }
  }
}

/// Counts are recomputed as far as records tell: bytes from below and above, ids from below.
TEST(DumpVerify, RecomputesCountersAndUsedBytes) {
  PLAN_SHARED(dumps, "data/dumps");
  struct Change {
    std::string dump;
    char letter;
    std::function<void(std::string_view key, std::string& value)> change;
    std::string faults;
    std::uint64_t count;
  };
  const auto doubled = [](std::string_view key, std::string& value) {
    if (key.size() == 10) return;  // next UIDs, of which nothing is known
    const std::uint64_t number = little_u64(value);
    value.clear();
    append_little(value, 2 * number, 8);
  };
  const auto set_to = [](std::string wanted, std::uint64_t number) {
    return [wanted, number](std::string_view key, std::string& value) {
      if (key != wanted) return;
      value.clear();
      append_little(value, number, 8);
    };
  };
  const Change changes[] = {
      // As after a second import: every account has more than it can have.
      {"0.15.5-sqlite-full", 'u', doubled, "odd-count", 7},
      {"0.16.15-sqlite-full", 'n', doubled, "odd-count", 7},
      {"0.16.15-rocksdb-small", 'u',
       [](std::string_view key, std::string& value) {
         if (key.front() == '\0') value[0] = '\x04';
       },
       "odd-count", 2},
      // Seven accounts and two domains.
      {"0.16.15-sqlite-small", 'n', set_to(std::string("\x00\x00", 2), 6), "odd-count", 1},
      {"0.16.15-sqlite-small", 'n', set_to(std::string("\x00\x25", 2), 1), "odd-count", 1},
      {"0.15.5-sqlite-small", 'n', set_to("\xFF\xFF\xFF\xFF\x07", 11), "wrong-counter", 1},
      // Used bytes of one account below those of its messages, and none at all.
      {"0.15.5-sqlite-small", 'u', set_to("\x04\x05", 43'033), "wrong-quota", 1},
      {"0.16.15-sqlite-small", 'n', set_to(std::string("\x00\x00\x00\x03\xFF", 5), 0),
       "wrong-quota", 1},
      // Enough for the messages of one account, and not for its files and events.
      {"0.15.5-sqlite-full", 'u', set_to("\x04\x04", 1'278'100), "odd-count", 1},
      {"0.16.15-sqlite-small", 'n', set_to(std::string("\x00\x00\x00\x02\xFF", 5), 100'300),
       "odd-count", 1},
  };
  for (const Change& change : changes) {
    SCOPED_TRACE(change.dump + " " + change.letter + " " + change.faults);
    const TempDir folder;
    const fs::path dump = folder.path() / "dump";
    copy_dump(dumps / change.dump, dump);
    change_values(dump / file_name_of(change.letter), change.change);
    const auto report = verify_dump(dump.string());
    ASSERT_TRUE(report);
    EXPECT_EQ(all_faults(*report), " " + file_name_of(change.letter) + ": " + change.faults);
    EXPECT_EQ(report->grade, change.faults == "odd-count" ? Grade::unprovable : Grade::damaged);
    ASSERT_EQ(report->find(change.letter)->faults.kinds().size(), 1U);
    EXPECT_EQ(report->find(change.letter)->faults.kinds()[0].count, change.count);
    EXPECT_EQ(report->references["used_bytes_compared"], ir::Value(std::int64_t{7}));
  }
}

TEST(DumpVerify, ProvesAnUntouchedDumpByItsManifestAndNoOther) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  const fs::path dump = folder.path() / "dump";
  copy_dump(dumps / "0.16.15-rocksdb-small", dump);
  ASSERT_TRUE(make_manifest(dump, ""));
  EXPECT_TRUE(fs::exists(folder.path() / "dump.manifest.json"));
  auto report = verify_dump(dump);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->grade, Grade::proved);
  for (const FileReport& file : report->files) EXPECT_EQ(file.grade, Grade::proved);
  EXPECT_EQ(verify_dump((dump / "subspace_l").string())->grade, Grade::proved);
  EXPECT_EQ(verify_dump(dump, {.manifest = "-"})->grade, Grade::unprovable);

  // The same records in another frame are not the file that was exported.
  keep_records(dump / "subspace_p", [](std::uint64_t, std::string_view) { return true; });
  report = verify_dump(dump);
  EXPECT_EQ(report->grade, Grade::damaged);
  EXPECT_EQ(report->find('l')->grade, Grade::proved);

  fs::remove(dump / "subspace_x");
  report = verify_dump(dump);
  EXPECT_EQ(kinds_of(report->faults), "missing-file");

  const std::string manifest = (folder.path() / "dump.manifest.json").string();
  std::string text = read_all(manifest);
  text[text.find("\"records\": ") + 11] ^= 1;
  write_file(manifest, text);
  EXPECT_FALSE(verify_dump(dump));
}

TEST(DumpVerify, RefusesAManifestOfADamagedDump) {
  PLAN_SHARED(damaged, "data/dumps/0.16.15-damaged");
  const TempDir folder;
  const auto refused = make_manifest(damaged / "two-frames", folder.file("m.json"));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::dump_damaged));
  EXPECT_FALSE(fs::exists(folder.file("m.json")));
}

TEST(DumpVerify, NamesWhatIsNoFileAndReportsTheRest) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  const fs::path dump = folder.path() / "dump";
  copy_dump(dumps / "0.16.15-rocksdb-changelog", dump);
  fs::create_symlink(dump / "subspace_l", dump / "subspace_a");
  ASSERT_EQ(::mkfifo((dump / "subspace_b").c_str(), 0600), 0);
  write_file(dump / "README", "not a dump\n");
  write_file(dump / ".hidden", "");
  fs::create_directory(dump / "folder");
  const auto report = verify_dump(dump);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->files.size(), 5U);
  std::map<std::string, std::string> faults;
  for (const FileReport& file : report->files) faults[file.name] = kinds_of(file.faults);
  EXPECT_EQ(faults["subspace_a"], "not-a-file");
  EXPECT_EQ(faults["subspace_b"], "not-a-file");
  EXPECT_EQ(faults["README"], "wrong-magic");
  EXPECT_EQ(faults[".hidden"], "too-short");
  EXPECT_EQ(faults["subspace_l"], "");
  EXPECT_EQ(report->find('l')->records, 298U);
  EXPECT_FALSE(verify_dump(folder.file("nothing")));
}

TEST(DumpVerify, SaysThatAFileGrewWhileItWasRead) {
  const TempDir folder;
  const std::string path = folder.file("subspace_l");
  auto writer = FrameWriter::create(path, {.letter = 'l', .schema = 6});
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->append({.key = std::string(13, 'k'), .value = "v"}));
  ASSERT_TRUE((*writer)->finish());
  auto source = std::make_unique<FileSource>(path);
  std::ofstream(path, std::ios::app) << "more";
  FrameReader reader(std::move(source), {});
  while (true) {
    const auto is_there = reader.next();
    if (!is_there || !*is_there) break;
  }
  ASSERT_TRUE(reader.fault());
  EXPECT_EQ(to_string(reader.fault()->kind), "changed-while-read");
}

/// A billion records of nothing in a file of 8 MB, and one good record behind them: counted, not
/// kept, and what follows is still found.
TEST(DumpVerify, CountsABillionEmptyRecords) {
  const TempDir folder;
  const std::string path = folder.file("subspace_s");
  constexpr std::size_t kBlockBytes = std::size_t{64} << 10U;
  constexpr std::uint64_t kBlocks = 30'520;
  constexpr std::uint64_t kRecords = kBlocks * kBlockBytes / 2;
  static_assert(kRecords > 1'000'000'000);
  const auto block_of = [](const std::string& content) {
    std::string packed(static_cast<std::size_t>(LZ4_compressBound(int(kBlockBytes))), '\0');
    packed.resize(static_cast<std::size_t>(LZ4_compress_default(
        content.data(), packed.data(), int(content.size()), int(packed.size()))));
    std::string block;
    append_little(block, packed.size(), 4);
    return block + packed;
  };
  const std::string zeros = block_of(std::string(kBlockBytes, '\0'));
  std::string file("\x04\x22\x4D\x18\x60\x40\x82", 7);
  file += block_of(std::string("\x7B\x73\x06\0\0\0", 6));
  for (std::uint64_t i = 0; i < kBlocks; ++i) file += zeros;
  file += block_of(std::string("\x0A", 1) + std::string(10, 'k') + std::string("\x01v", 2));
  EXPECT_LT(file.size(), 10'000'000U);
  write_file(path, file);
  const auto report = verify_dump(path, {.is_digested = false});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->grade, Grade::damaged);
  EXPECT_EQ(report->files[0].records, kRecords + 1);
  EXPECT_EQ(report->files[0].key_bytes, 10U);
  EXPECT_EQ(kinds_of(report->files[0].faults), "key-shape key-order");
  for (const auto& counted : report->files[0].faults.kinds()) {
    EXPECT_LE(counted.first.size(), FaultList::kListedPerKind);
    EXPECT_EQ(counted.count, counted.kind == FaultKind::key_shape ? kRecords : kRecords - 1);
  }
  std::uint64_t salvaged = 0;
  const auto found = salvage_file(path, {.letter = 's', .schema = 6},
                                  [&](const FileHeader&, const Record& record) -> Outcome {
                                    EXPECT_EQ(record.value, "v");
                                    ++salvaged;
                                    return {};
                                  });
  ASSERT_TRUE(found) << found.error().to_line();
  EXPECT_EQ(salvaged, 1U);
  ASSERT_EQ(found->gaps.size(), 1U);
  EXPECT_EQ(found->gaps[0].bytes_skipped, 2 * kRecords);
}

/// Empty records between others, one of them cut: as many as there are, however they lie.
TEST(DumpVerify, CountsEmptyRecordsBetweenOthers) {
  const std::string record = std::string("\x0A", 1) + std::string(10, 'k') + std::string("\0", 1);
  for (const std::size_t zeros : {1U, 2U, 3U, 8U, 4096U, 4097U, 8193U}) {
    std::string content = std::string("\x7B\x73\x06\0\0\0", 6) + record;
    content += std::string(zeros, '\0');
    std::string file("\x04\x22\x4D\x18\x60\x40\x82", 7);
    append_little(file, content.size() | 0x80000000U, 4);
    const FileReport report = verify_bytes("subspace_s", file + content, nullptr);
    EXPECT_EQ(report.records, 1 + zeros / 2) << zeros;
    EXPECT_EQ(report.faults.has(FaultKind::cut_before_value), zeros % 2 == 1) << zeros;
  }
}

/// More accounts than the book has room for: what cannot be judged is said, and what can be is.
TEST(DumpVerify, SaysWhatItHadNoRoomFor) {
  FaultList faults;
  ReferenceBook book(kSchema16);
  book.begin(*find_subspace('p', kSchema16), faults);
  constexpr std::uint32_t kAccounts = 330'000;
  std::string key;
  for (std::uint32_t account = 1; account <= kAccounts; ++account) {
    key.clear();
    append_big(key, account, 4);
    key += std::string("\x01\x32\0\0\0\1", 6);  // its mailbox 1
    book.add({.key = key, .value = {}, .value_bytes = 0});
  }
  book.begin(*find_subspace('n', kSchema16), faults);
  std::vector<std::string> not_checked;
  book.finish(not_checked);
  std::string lines;
  for (const std::string& line : not_checked) lines += line + "\n";
  EXPECT_NE(lines.find("used bytes of the later accounts: there is room for"), std::string::npos)
      << lines;
  EXPECT_EQ(lines.find("documents"), std::string::npos) << lines;
  ASSERT_EQ(faults.kinds().size(), 1U);
  EXPECT_EQ(faults.kinds()[0].kind, FaultKind::wrong_counter);
  EXPECT_EQ(faults.kinds()[0].count, kAccounts);
}

/// A dump of 0.8 to 0.14 (reference/stalwart-store.md 6), written by hand.
TEST(DumpVerify, ReadsThePerFamilyFilesOfOlderVersions) {
  const TempDir folder;
  // BLAKE3 of "value".
  bool is_hex = true;
  const std::string hash = ir::from_base64("BkRKSRbub+zSZm63kLBu3WM7tLWChyRFea1t71/ZXgs=", &is_hex);
  const std::string blob = std::string("\x7b\x02", 2) + std::string("\x00\x03", 2) +  // family blob
                           std::string("\x03\x00\x00\x00\x07", 5) +                   // account 7
                           std::string("\x04\x00", 2) +                               // email
                           std::string("\x05\x00\x00\x00\x01", 5) +                   // document 1
                           std::string("\x02\x00\x00\x00\x20", 5) + hash +            // a link
                           std::string("\x01\x00\x00\x00\x20", 5) + hash +
                           std::string("\x00\x00\x00\x05value", 9);
  std::string changed = blob;
  changed.back() = 'E';
  write_file(folder.path() / "blob", blob);
  write_file(folder.path() / "changed", changed);
  write_file(folder.path() / "cut", blob.substr(0, blob.size() - 2));
  write_file(folder.path() / "log", blob);
  const auto report = verify_dump(folder.path().string());
  ASSERT_TRUE(report);
  ASSERT_EQ(report->files.size(), 4U);
  EXPECT_EQ(kinds_of(report->files[0].faults), "");
  EXPECT_EQ(report->files[0].family, "blob");
  EXPECT_EQ(report->files[0].records, 2U);
  EXPECT_EQ(report->files[0].value_bytes, 5U);
  EXPECT_EQ(report->files[0].hashed, 1U);
  EXPECT_EQ(report->files[0].grade, Grade::unprovable);
  EXPECT_EQ(report->files[0].sha256, ir::sha256(blob).hex());
  EXPECT_EQ(kinds_of(report->files[1].faults), "wrong-hash");
  EXPECT_EQ(kinds_of(report->files[2].faults), "cut-in-value");
  EXPECT_EQ(kinds_of(report->files[3].faults), "another-letter");

  // Nothing is made of such files, and the reason is told.
  const auto is_refused = [](const auto& result) {
    return !result && result.error().is(errors::old_dump);
  };
  EXPECT_TRUE(is_refused(repair_dump(folder.path().string(), folder.file("out"))));
  EXPECT_TRUE(is_refused(repair_dump(folder.file("cut"), folder.file("out"))));
  EXPECT_FALSE(fs::exists(folder.file("out")));
  EXPECT_TRUE(is_refused(diff_dumps(folder.path().string(), folder.path().string())));
  EXPECT_TRUE(is_refused(diff_dumps(folder.file("blob"), folder.file("log"))));
}

/// A length that a file announces and does not have is no size of anything.
TEST(DumpVerify, CountsNothingThatIsOnlyAnnounced) {
  const TempDir folder;
  const std::string huge = std::string("\x7b\x02", 2) + std::string("\x00\x04", 2) +
                           std::string(
                               "\x01\x00\x00\x00\x01k\xff\xff\xff\xff"
                               "abc",
                               13);
  write_file(folder.path() / "config", huge);
  for (const bool is_checked : {false, true}) {
    const auto report = verify_dump(folder.file("config"), {.is_checked = is_checked});
    ASSERT_TRUE(report);
    EXPECT_EQ(report->files[0].records, 0U);
    EXPECT_EQ(report->files[0].value_bytes, 0U);
    EXPECT_EQ(kinds_of(report->files[0].faults), "cut-in-value");
    EXPECT_NE(report->files[0].faults.kinds()[0].first[0].text.find(
                  "it announces 4294967295 bytes, 3 are there"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace plan::dump
