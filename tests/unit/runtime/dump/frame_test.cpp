#include <gtest/gtest.h>
#include <lz4frame.h>
#include <sys/resource.h>

#include <array>
#include <csignal>
#include <random>

#include "runtime/dump/errors.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/frame_writer.h"
#include "runtime/dump/integers.h"
#include "runtime/dump/subspace.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/runtime/dump/dump_files.h"

namespace plan::dump {
namespace {

using test::read_all;
using test::real_dumps;
using test::TempDir;

std::unique_ptr<FrameReader> reader_of(std::string_view bytes, const ReadOptions& options = {}) {
  return std::make_unique<FrameReader>(std::make_unique<MemorySource>(bytes), options);
}

std::string_view fault_of(FrameReader& reader) {
  while (true) {
    const auto is_there = reader.next();
    if (!is_there || !*is_there) break;
  }
  return reader.fault() ? to_string(reader.fault()->kind) : "none";
}

std::string bytes_of(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

/// The test vector of reference/stalwart-store.md 5.1.
const std::string kSchemaRow =
    bytes_of({0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 0x0d, 0x00, 0x00, 0x80, 0x7b,
              0x70, 0x05, 0x00, 0x00, 0x00, 0x01, 0x00, 0x04, 0x00, 0x00, 0x00, 0x05});

TEST(DumpFrame, ReadsAndWritesTheTestVector) {
  const auto reader = reader_of(kSchemaRow);
  ASSERT_TRUE(reader->header());
  EXPECT_EQ(reader->header()->letter, 'p');
  EXPECT_EQ(reader->header()->schema, kSchema15);
  const auto record = reader->next_record();
  ASSERT_TRUE(record && *record);
  EXPECT_EQ((*record)->key, bytes_of({0}));
  EXPECT_EQ((*record)->value, bytes_of({0, 0, 0, 5}));
  EXPECT_EQ(fault_of(*reader), "none");
  EXPECT_EQ(reader->frame().end, FrameEnd::open);

  const TempDir folder;
  auto writer = FrameWriter::create(folder.file("subspace_p"), {.letter = 'p', .schema = 5});
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->append({.key = bytes_of({0}), .value = bytes_of({0, 0, 0, 5})}));
  ASSERT_TRUE((*writer)->finish());
  EXPECT_EQ(read_all(folder.file("subspace_p")), kSchemaRow);
}

TEST(DumpFrame, ReadsEveryRealDumpToItsCountsAndDigests) {
  PLAN_SHARED(dumps, "data/dumps");
  std::size_t files = 0;
  for (const auto& dump : real_dumps(dumps))
    for (const ir::Value& expected : dump.expected["files"].items()) {
      const std::string path = dump.folder / expected["name"].string_or("");
      for (const bool is_ahead : {false, true}) {
        auto reader = FrameReader::open(
            path, {.is_file_digested = true, .is_stream_digested = true, .is_ahead = is_ahead});
        ASSERT_TRUE(reader) << reader.error().to_line();
        EXPECT_EQ(fault_of(**reader), "none") << path;
        EXPECT_EQ(std::string(1, (*reader)->header()->letter), expected["letter"].string_or(""));
        EXPECT_EQ((*reader)->header()->schema, expected["schema"].integer_or(0));
        EXPECT_EQ((*reader)->records(), expected["records"].integer_or(-1)) << path;
        EXPECT_EQ((*reader)->key_bytes(), expected["keyBytes"].integer_or(-1)) << path;
        EXPECT_EQ((*reader)->value_bytes_total(), expected["valueBytes"].integer_or(-1)) << path;
        EXPECT_EQ((*reader)->frame().blocks, expected["lz4"]["blocks"].integer_or(-1)) << path;
        EXPECT_EQ((*reader)->frame().end, FrameEnd::open) << path;
        EXPECT_EQ((*reader)->file_digest().hex(), expected["sha256"].string_or("")) << path;
        EXPECT_EQ((*reader)->stream_digest().hex(), expected["recordStreamSha256"].string_or(""));
      }
      ++files;
    }
  EXPECT_GE(files, 150U);
}

TEST(DumpFrame, WritesEveryRealDumpAgainWithTheSameRecords) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  int number = 0;
  for (const auto& dump : real_dumps(dumps))
    for (const ir::Value& expected : dump.expected["files"].items()) {
      const WriteOptions options{.has_end_mark = number % 2 == 1,
                                 .has_checksum = number % 3 == 1,
                                 .is_behind = number % 5 < 2};
      auto reader = FrameReader::open(dump.folder / expected["name"].string_or(""));
      ASSERT_TRUE(reader);
      const std::string copy = folder.file(std::to_string(number++));
      auto writer = FrameWriter::create(copy, *(*reader)->header(), options);
      ASSERT_TRUE(writer);
      while (true) {
        const auto is_there = (*reader)->next();
        ASSERT_TRUE(is_there);
        if (!*is_there) break;
        ASSERT_TRUE((*writer)->begin_record((*reader)->key(), (*reader)->value_bytes()));
        while (true) {
          const auto piece = (*reader)->value_piece();
          ASSERT_TRUE(piece);
          if (piece->empty()) break;
          ASSERT_TRUE((*writer)->append_value(*piece));
        }
      }
      const auto written = (*writer)->finish();
      ASSERT_TRUE(written);
      EXPECT_EQ(written->stream_digest.hex(), expected["recordStreamSha256"].string_or(""));
      EXPECT_EQ(written->records, expected["records"].integer_or(-1));
      EXPECT_EQ(written->file_digest.hex(), ir::sha256(read_all(copy)).hex());
      const std::string bytes = read_all(copy);
      const auto again = reader_of(bytes, {.is_stream_digested = true});
      EXPECT_EQ(fault_of(*again), "none");
      EXPECT_EQ(again->stream_digest().hex(), expected["recordStreamSha256"].string_or(""));
      EXPECT_EQ(again->frame().end,
                options.has_end_mark || options.has_checksum ? FrameEnd::marked : FrameEnd::open);
    }
}

/// A file whose values are larger than a block, than a batch, and than what is taken whole.
TEST(DumpFrame, HandsOutLargeValuesInPieces) {
  const TempDir folder;
  const std::string path = folder.file("subspace_t");
  std::mt19937 random(7);
  std::string large(std::size_t{5} << 20U, '\0');
  for (char& c : large) c = static_cast<char>(random() % 7);
  auto writer = FrameWriter::create(path, {.letter = 't', .schema = 6}, {.is_behind = true});
  ASSERT_TRUE(writer);
  for (const std::string key : {"a", "b", "c"})
    ASSERT_TRUE((*writer)->append({.key = std::string(40, key[0]), .value = large}));
  ASSERT_TRUE((*writer)->append({.key = "d", .value = "small"}));
  ASSERT_TRUE((*writer)->finish());
  for (const bool is_ahead : {false, true}) {
    auto opened = FrameReader::open(path, {.is_ahead = is_ahead});
    ASSERT_TRUE(opened);
    FrameReader& reader = **opened;
    ASSERT_TRUE(*reader.next());
    std::string pieces;
    while (true) {
      const auto piece = reader.value_piece();
      ASSERT_TRUE(piece);
      if (piece->empty()) break;
      pieces += *piece;
      EXPECT_EQ(reader.key(), std::string(40, 'a'));
    }
    EXPECT_EQ(pieces, large);
    ASSERT_TRUE(*reader.next());
    const auto refused = reader.value(1000);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(errors::value_too_large));
    EXPECT_EQ(*reader.value(), large);
    ASSERT_TRUE(*reader.next());
    EXPECT_EQ(reader.key(), std::string(40, 'c'));
    const auto last = reader.next_record();  // past what was not read
    ASSERT_TRUE(last && *last);
    EXPECT_EQ((*last)->value, "small");
    EXPECT_FALSE(*reader.next());
    EXPECT_EQ(reader.records(), 4U);
  }
}

TEST(DumpFrame, TellsABlockBoundaryFromACutInside) {
  const std::string file = kSchemaRow;
  const auto kind_after = [&](std::size_t bytes) {
    const std::string cut = file.substr(0, bytes);
    const auto reader = reader_of(cut);
    return std::string(fault_of(*reader));
  };
  EXPECT_EQ(kind_after(file.size()), "none");
  EXPECT_EQ(kind_after(file.size() - 1), "cut-in-block");
  EXPECT_EQ(kind_after(9), "cut-in-block-length");
  EXPECT_EQ(kind_after(7), "cut-in-header");
  EXPECT_EQ(kind_after(5), "too-short");
  EXPECT_EQ(kind_after(0), "too-short");
}

TEST(DumpFrame, RefusesLengthsThatNoFileCanHold) {
  const auto file_with = [](const std::string& records) {
    const std::string content = bytes_of({0x7b, 'l', 6, 0, 0, 0}) + records;
    return kSchemaRow.substr(0, 7) + bytes_of({static_cast<int>(content.size()), 0, 0, 0x80}) +
           content;
  };
  const auto kind_of = [&](const std::string& records) {
    const std::string file = file_with(records);
    const auto reader = reader_of(file);
    return std::string(fault_of(*reader));
  };
  EXPECT_EQ(kind_of(bytes_of({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})),
            "bad-length");
  EXPECT_EQ(kind_of(bytes_of({0xff, 0xff, 0xff, 0xff, 0x1f})), "bad-length");
  EXPECT_EQ(kind_of(bytes_of({0xff, 0xff, 0xff, 0xff, 0x0f})), "key-too-long");
  EXPECT_EQ(kind_of(bytes_of({0x01, 'a', 0xff, 0xff, 0xff, 0xff, 0x0f})), "cut-in-value");
  EXPECT_EQ(kind_of(bytes_of({0x01, 'a'})), "cut-before-value-length");
  EXPECT_EQ(kind_of(bytes_of({0x02, 'a'})), "cut-in-key");
  EXPECT_EQ(kind_of(bytes_of({0x81})), "cut-in-key-length");
  EXPECT_EQ(kind_of(bytes_of({0x81, 0x00, 'a', 0x00})), "none");
}

/// The importer takes every frame that LZ4 knows, so do we: liblz4 writes them here.
TEST(DumpFrame, ReadsFramesOfOtherKinds) {
  std::mt19937 random(3);
  std::string content = bytes_of({0x7b, 's', 6, 0, 0, 0});
  std::string sample;
  while (content.size() < 9'000'000) {
    std::string key;
    key += std::string(2, static_cast<char>(0));
    append_big(key, content.size(), 8);
    sample.append(1 + random() % 40, static_cast<char>('a' + random() % 26));
    const std::string value =
        sample.substr(sample.size() - std::min<std::size_t>(sample.size(), 900));
    std::array<char, 10> length = {};
    content += static_cast<char>(key.size());
    content += key;
    content.append(length.data(), write_length(value.size(), length.data()));
    content += value;
  }
  const std::string digest = ir::sha256(std::string_view(content).substr(6)).hex();
  for (const LZ4F_blockSizeID_t size : {LZ4F_max64KB, LZ4F_max256KB, LZ4F_max4MB})
    for (const LZ4F_blockMode_t mode : {LZ4F_blockIndependent, LZ4F_blockLinked})
      for (const bool has_checks : {false, true}) {
        LZ4F_preferences_t preferences = {};
        preferences.frameInfo.blockSizeID = size;
        preferences.frameInfo.blockMode = mode;
        if (has_checks) {
          preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
          preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
          preferences.frameInfo.contentSize = content.size();
        }
        std::string file(LZ4F_compressFrameBound(content.size(), &preferences), '\0');
        const std::size_t written = LZ4F_compressFrame(file.data(), file.size(), content.data(),
                                                       content.size(), &preferences);
        ASSERT_FALSE(LZ4F_isError(written));
        file.resize(written);
        const auto reader = reader_of(file, {.is_stream_digested = true, .is_ahead = true});
        EXPECT_EQ(fault_of(*reader), "none");
        EXPECT_EQ(reader->frame().end, FrameEnd::marked);
        EXPECT_EQ(reader->stream_digest().hex(), digest);
        if (!has_checks) continue;
        // A byte changed anywhere is told by one of the checksums.
        for (int i = 0; i < 5; ++i) {
          std::string flipped = file;
          const std::size_t at = 15 + random() % (flipped.size() - 15);
          flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
          const auto damaged = reader_of(flipped);
          EXPECT_NE(fault_of(*damaged), "none") << at;
        }
      }
}

/// 200 MB of zeros in less than 1 MB of file: read in pieces, and never taken whole.
TEST(DumpFrame, LetsNoBombIntoMemory) {
  const TempDir folder;
  const std::string path = folder.file("subspace_p");
  constexpr std::uint64_t kBytes = 200'000'000;
  auto writer = FrameWriter::create(path, {.letter = 'p', .schema = 6});
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->begin_record(std::string(10, 'k'), kBytes));
  const std::string zeros(1'000'000, '\0');
  for (std::uint64_t i = 0; i < kBytes; i += zeros.size()) {
    ASSERT_TRUE((*writer)->append_value(zeros));
  }
  ASSERT_TRUE((*writer)->finish());
  EXPECT_LT(std::filesystem::file_size(path), 1'000'000U);
  auto reader = FrameReader::open(path);
  ASSERT_TRUE(reader);
  ASSERT_TRUE(*(*reader)->next());
  const auto whole = (*reader)->value();
  ASSERT_FALSE(whole);
  EXPECT_TRUE(whole.error().is(errors::value_too_large));
  EXPECT_FALSE(*(*reader)->next());
  EXPECT_EQ((*reader)->value_bytes_total(), kBytes);
}

/// Compression and disk work behind the caller: given up in the middle, or while the disk refuses
/// more, the threads end and nothing is left. Also what ThreadSanitizer looks at (tests/long tsan).
TEST(DumpFrame, EndsItsThreadsWhereverItStops) {
  const TempDir folder;
  const std::string path = folder.file("subspace_t");
  std::mt19937 random(11);
  std::string noise(std::size_t{1} << 20U, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  for (int pieces = 0; pieces < 6; ++pieces) {
    auto writer = FrameWriter::create(path, {.letter = 't', .schema = 6}, {.is_behind = true});
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->begin_record(std::string(32, 'k'), noise.size() * 6));
    for (int i = 0; i < pieces; ++i) {
      ASSERT_TRUE((*writer)->append_value(noise));
    }
    writer->reset();
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_signal = ::signal(SIGXFSZ, SIG_IGN);
  rlimit few = before;
  few.rlim_cur = 3'000'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &few), 0);
  Outcome outcome;
  {
    auto writer = FrameWriter::create(path, {.letter = 't', .schema = 6}, {.is_behind = true});
    if (writer) {
      outcome = (*writer)->begin_record(std::string(32, 'k'), noise.size() * 8);
      for (int i = 0; i < 8 && outcome; ++i) outcome = (*writer)->append_value(noise);
      if (outcome) {
        const auto finished = (*writer)->finish();
        if (!finished) outcome = finished.error();
      }
    }
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  (void)::signal(SIGXFSZ, old_signal);
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::dump_unwritable)) << outcome.error().to_line();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(DumpFrame, RemovesWhatWasNotFinished) {
  const TempDir folder;
  const std::string path = folder.file("subspace_l");
  {
    auto writer = FrameWriter::create(path, {.letter = 'l', .schema = 6});
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append({.key = "k", .value = "v"}));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  std::ofstream(path) << "other";
  const auto refused = FrameWriter::create(path, {.letter = 'l', .schema = 6});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::dump_exists));
  EXPECT_EQ(read_all(path), "other");
}

}  // namespace
}  // namespace plan::dump
