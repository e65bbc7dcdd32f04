#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "runtime/dump/proof.h"
#include "runtime/dump/verify.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/runtime/dump/dump_files.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;
using test::read_all;

/// PLAN_LONG=1 (tests/long) takes 200,000 places anywhere, else some hundreds of them. The cuts,
/// the small files, headers and ends are whole in tests/run too.
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

  /// With the manifest it is damaged; without it is read without harm. What is wrong, or nothing.
  [[nodiscard]] std::string not_told(const std::string& name, const std::string& bytes) const {
    if (verify_bytes(name, bytes, &manifest_).grade != Grade::damaged)
      return "is not damaged against its manifest";
    const FileReport bare = verify_bytes(name, bytes, nullptr);
    // These dumps have no end mark and no checksum: nothing of them can be called intact.
    if (bare.grade != Grade::unprovable && bare.grade != Grade::damaged &&
        bare.frame.end != FrameEnd::marked)
      return "passes for intact without a manifest";
    return {};
  }

  /// One altered copy of a file.
  struct Damage {
    const KnownFile* file = nullptr;
    std::size_t cut = 0;  ///< bytes off its end; 0: a flipped bit instead
    std::size_t at = 0;
    unsigned bit = 0;
  };

  /// Looks at all of them, on every core: each is a file of its own.
  void expect_all_told(const std::vector<Damage>& all) const {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::string first;
    const auto work = [&] {
      for (std::size_t i = next.fetch_add(1); i < all.size(); i = next.fetch_add(1)) {
        const Damage& damage = all[i];
        std::string bytes = damage.file->bytes;
        if (damage.cut > 0) {
          bytes.resize(bytes.size() - damage.cut);
        } else {
          bytes[damage.at] =
              static_cast<char>(bytes[damage.at] ^ static_cast<char>(1U << damage.bit));
        }
        const std::string wrong = not_told(damage.file->name, bytes);
        if (wrong.empty()) continue;
        const std::lock_guard lock(mutex);
        if (first.empty()) {
          first = fmt::format("{} cut by {}, flipped at {} bit {}: {}", damage.file->name,
                              damage.cut, damage.at, damage.bit, wrong);
        }
        next.store(all.size());
      }
    };
    {
      std::vector<std::jthread> pool;
      for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
        pool.emplace_back(work);
    }
    EXPECT_EQ(first, "");
    EXPECT_FALSE(all.empty());
  }

  Manifest manifest_;
  std::vector<KnownFile> files_;
};

TEST_F(DumpDamage, LeavesAnUntouchedFileProved) {
  for (const KnownFile& file : files_)
    EXPECT_EQ(verify_bytes(file.name, file.bytes, &manifest_).grade, Grade::proved) << file.name;
}

TEST_F(DumpDamage, TellsACutAtEachOfTheLast4096Bytes) {
  std::vector<Damage> all;
  for (const KnownFile& file : files_) {
    for (std::size_t cut = 1; cut <= std::min<std::size_t>(4096, file.bytes.size()); ++cut)
      all.push_back({.file = &file, .cut = cut});
  }
  expect_all_told(all);
}

TEST_F(DumpDamage, TellsEveryFlippedByteOfSmallFilesHeadersAndEnds) {
  std::mt19937 random(6);
  std::vector<Damage> all;
  for (const KnownFile& file : files_) {
    const std::size_t size = file.bytes.size();
    const auto flip = [&](std::size_t at) {
      all.push_back({.file = &file, .at = at, .bit = static_cast<unsigned>(random() % 8)});
    };
    for (std::size_t i = 0; i < size; ++i)
      if (size <= 8192 || i < 4096 || i + 4096 >= size) flip(i);
    // Headers of the blocks between.
    for (std::size_t at = 7; at + 4 <= size;) {
      for (std::size_t i = 0; i < 4; ++i) flip(at + i);
      std::uint32_t length = 0;
      for (std::size_t i = 4; i-- > 0;)
        length = length << 8U | static_cast<std::uint8_t>(file.bytes[at + i]);
      at += 4 + (length & 0x7FFFFFFFU);
    }
  }
  expect_all_told(all);
}

TEST_F(DumpDamage, TellsFlippedBytesAnywhere) {
  std::mt19937 random(200'000);
  std::size_t total = 0;
  for (const KnownFile& file : files_) total += file.bytes.size();
  std::vector<Damage> all;
  for (int i = 0; i < (is_long() ? 200'000 : 400); ++i) {
    std::size_t at = random() % total;
    for (const KnownFile& file : files_) {
      if (at < file.bytes.size()) {
        all.push_back({.file = &file, .at = at, .bit = static_cast<unsigned>(random() % 8)});
        break;
      }
      at -= file.bytes.size();
    }
  }
  expect_all_told(all);
}

}  // namespace
}  // namespace plan::dump
