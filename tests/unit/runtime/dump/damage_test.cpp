#include <gtest/gtest.h>
#include <stdlib.h>

#include <random>

#include "runtime/dump/verify.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/runtime/dump/dump_files.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;
using test::read_all;

/// PLAN_LONG=1 (tests/long) takes every place; else a sample that takes a few seconds.
bool is_long() { return ::getenv("PLAN_LONG") != nullptr; }

struct KnownFile {
  std::string name;
  std::string bytes;
};

/// A real dump and the manifest that was made of it while it was untouched.
class DumpDamage : public testing::Test {
 protected:
  void SetUp() override {
    const auto dump = test::shared_data("data/dumps/0.16.15-rocksdb-small");
    if (!dump) GTEST_SKIP() << "this clone has no ../shared/data/dumps";
    const test::TempDir folder;
    ASSERT_TRUE(make_manifest(*dump, folder.file("m")));
    auto manifest = read_manifest(folder.file("m"));
    ASSERT_TRUE(manifest);
    manifest_ = *manifest;
    for (const auto& entry : fs::directory_iterator(*dump))
      files_.push_back({entry.path().filename(), read_all(entry.path())});
    std::sort(files_.begin(), files_.end(),
              [](const auto& left, const auto& right) { return left.name < right.name; });
  }

  /// With the manifest it is damaged; without it is read without harm.
  void expect_told(const std::string& name, const std::string& bytes, const std::string& what) {
    ASSERT_EQ(verify_bytes(name, bytes, &manifest_).grade, Grade::damaged) << name << " " << what;
    const FileReport bare = verify_bytes(name, bytes, nullptr);
    // These dumps have no end mark and no checksum: nothing of them can be called intact.
    ASSERT_TRUE(bare.grade == Grade::unprovable || bare.grade == Grade::damaged ||
                bare.frame.end == FrameEnd::marked)
        << name << " " << what;
  }

  void expect_flip_told(const KnownFile& file, std::size_t at, std::mt19937& random) {
    std::string bytes = file.bytes;
    bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1U << (random() % 8)));
    expect_told(file.name, bytes, "flipped at " + std::to_string(at));
  }

  Manifest manifest_;
  std::vector<KnownFile> files_;
};

TEST_F(DumpDamage, LeavesAnUntouchedFileProved) {
  for (const KnownFile& file : files_)
    EXPECT_EQ(verify_bytes(file.name, file.bytes, &manifest_).grade, Grade::proved) << file.name;
}

TEST_F(DumpDamage, TellsACutAtEachOfTheLast4096Bytes) {
  for (const KnownFile& file : files_) {
    const std::size_t cuts = std::min<std::size_t>(4096, file.bytes.size());
    const std::size_t step = is_long() ? 1 : std::max<std::size_t>(1, cuts / 40);
    for (std::size_t cut = 1; cut <= cuts; cut += step)
      ASSERT_NO_FATAL_FAILURE(expect_told(file.name, file.bytes.substr(0, file.bytes.size() - cut),
                                          "cut by " + std::to_string(cut)));
  }
}

TEST_F(DumpDamage, TellsEveryFlippedByteOfFramesHeadersAndEnds) {
  std::mt19937 random(6);
  for (const KnownFile& file : files_) {
    std::vector<std::size_t> places;
    const std::size_t size = file.bytes.size();
    for (std::size_t i = 0; i < size; ++i)
      if (size <= 8192 || i < 4096 || i + 4096 >= size) places.push_back(i);
    // Headers of the blocks between.
    for (std::size_t at = 7; at + 4 <= size;) {
      for (std::size_t i = 0; i < 4; ++i) places.push_back(at + i);
      std::uint32_t length = 0;
      for (std::size_t i = 4; i-- > 0;)
        length = length << 8U | static_cast<std::uint8_t>(file.bytes[at + i]);
      at += 4 + (length & 0x7FFFFFFFU);
    }
    const std::size_t step = is_long() ? 1 : std::max<std::size_t>(1, places.size() / 60);
    for (std::size_t i = 0; i < places.size(); i += step)
      ASSERT_NO_FATAL_FAILURE(expect_flip_told(file, places[i], random));
  }
}

TEST_F(DumpDamage, TellsFlippedBytesAnywhere) {
  std::mt19937 random(200'000);
  const int flips = is_long() ? 200'000 : 400;
  std::size_t total = 0;
  for (const KnownFile& file : files_) total += file.bytes.size();
  for (int i = 0; i < flips; ++i) {
    std::size_t at = random() % total;
    for (const KnownFile& file : files_) {
      if (at < file.bytes.size()) {
        ASSERT_NO_FATAL_FAILURE(expect_flip_told(file, at, random));
        break;
      }
      at -= file.bytes.size();
    }
  }
}

}  // namespace
}  // namespace plan::dump
