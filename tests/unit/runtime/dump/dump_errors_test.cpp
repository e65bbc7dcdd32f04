// What each error of dumps tells: dumps of a few records that this test makes, brought into the
// state that the error is about.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

#include "runtime/dump/contents.h"
#include "runtime/dump/diff.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/frame_writer.h"
#include "runtime/dump/known_account.h"
#include "runtime/dump/manifest.h"
#include "runtime/dump/output_folder.h"
#include "runtime/dump/proof.h"
#include "runtime/dump/rewrite.h"
#include "runtime/dump/store/import_store.h"
#include "runtime/dump/subspace.h"
#include "runtime/dump/verify.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;
using test::told_as;

const Record kSchemaRow{.key = std::string_view("\0", 1), .value = std::string_view("\0\0\0\6", 4)};
// An account, a collection and a number of the change log: 13 bytes.
constexpr std::string_view kFirst{"\0\0\0\1\0\0\0\0\0\0\0\0\1", 13};
constexpr std::string_view kSecond{"\0\0\0\1\0\0\0\0\0\0\0\0\2", 13};
const Sink kNowhere = [](std::string_view) -> Outcome { return {}; };

class DumpErrors : public ::testing::Test {
 protected:
  /// A dump of 0.16: the schema version and two entries of the change log, and their manifest.
  void SetUp() override {
    dump_ = folder_.file("dump");
    fs::create_directory(dump_);
    const std::vector<WrittenFile> files = {
        write(dump_, 'p', {kSchemaRow}),
        write(dump_, 'l', {{.key = kFirst, .value = "1"}, {.key = kSecond, .value = "22"}})};
    ASSERT_TRUE(write_manifest(manifest_of(files), manifest_path_of(dump_)));
  }
  static WrittenFile write(const std::string& dump, char letter,
                           const std::vector<Record>& records) {
    const std::string path = dump + "/" + file_name_of(letter);
    fs::remove(path);
    auto writer = FrameWriter::create(path, {.letter = letter, .schema = kSchema16});
    EXPECT_TRUE(writer) << writer.error().to_line();
    if (!writer) return {};
    for (const Record& record : records) EXPECT_TRUE((*writer)->append(record));
    auto written = (*writer)->finish();
    EXPECT_TRUE(written) << written.error().to_line();
    return written ? *written : WrittenFile{};
  }
  [[nodiscard]] std::string copy(const std::string& name) const {
    fs::copy(dump_, folder_.file(name));
    return folder_.file(name);
  }

  test::TempDir folder_;
  std::string dump_;
};

TEST_F(DumpErrors, a_file_that_was_cut_is_told_with_the_place) {
  const std::string cut = copy("cut");
  fs::resize_file(cut + "/subspace_l", fs::file_size(cut + "/subspace_l") - 1);
  const auto refused = rewrite_dumps({cut}, folder_.file("out"), {});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dump-damaged", refused.error()));
}

TEST_F(DumpErrors, a_folder_without_a_file_holds_no_dump) {
  fs::create_directory(folder_.file("empty"));
  const auto refused = verify_dump(folder_.file("empty"));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dump-foreign", refused.error()));
}

TEST_F(DumpErrors, a_path_that_is_not_there_is_told_as_such) {
  const auto refused = verify_dump(folder_.file("none"));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dump-unreadable", refused.error()));
}

TEST_F(DumpErrors, an_output_below_a_file_cannot_be_written) {
  std::ofstream(folder_.file("file")) << "mine";
  const auto refused = rewrite_dumps({dump_}, folder_.file("file/out"), {});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dump-unwritable", refused.error()));
}

TEST_F(DumpErrors, an_output_with_a_file_in_it_is_refused) {
  fs::create_directory(folder_.file("out"));
  std::ofstream(folder_.file("out/notes.txt")) << "mine";
  const auto refused = rewrite_dumps({dump_}, folder_.file("out"), {});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dump-exists", refused.error()));
}

TEST_F(DumpErrors, what_a_killed_run_left_is_no_dump) {
  fs::create_directory(dump_ + "/" + std::string(kUnfinishedFolder));
  const auto refused = rewrite_dumps({dump_}, folder_.file("out"), {});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dump-unfinished", refused.error()));
}

TEST_F(DumpErrors, an_output_inside_the_dump_is_refused) {
  const auto refused = rewrite_dumps({dump_}, dump_ + "/out", {});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("output-in-dump", refused.error()));
}

TEST_F(DumpErrors, a_file_that_is_not_that_of_the_manifest_is_named) {
  write(dump_, 'l', {{.key = kFirst, .value = "1"}});
  const auto refused = make_manifest(dump_, "");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("manifest-differs", refused.error()));
}

/// An export that still writes.
TEST_F(DumpErrors, a_file_that_grows_while_it_is_read_is_told) {
  const std::string path = dump_ + "/subspace_l";
  std::mt19937 random(7);
  std::string noise(std::size_t{16} << 20U, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  write(dump_, 'l', {{.key = kFirst, .value = noise}});
  auto reader = FrameReader::open(path);
  ASSERT_TRUE(reader) << reader.error().to_line();
  ASSERT_TRUE(*(*reader)->next());
  const auto bytes = fs::file_size(path);
  std::ofstream(path, std::ios::app) << "more of it";
  const auto changed = (*reader)->next();
  ASSERT_FALSE(changed);
  EXPECT_TRUE(changed.error().is(errors::dump_changed)) << changed.error().to_line();
  EXPECT_NE(
      changed.error().message().find(fmt::format("it had {} bytes and has {}", bytes, bytes + 10)),
      std::string::npos)
      << changed.error().to_line();
}

TEST_F(DumpErrors, a_dump_that_changes_between_its_check_and_its_import_is_told) {
  fs::remove(dump_ + ".manifest.json");
  StoreAddress target;
  target.path = folder_.file("store.sqlite");
  const auto refused =
      import_store(target, {.folder = dump_, .parallel = 1, .after_durable = [this] {
                              write(dump_, 'l', {{.key = kFirst, .value = "1"}});
                            }});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dump-changed", refused.error()));
}

/// A value that compresses well: 200 MB are a small file.
TEST_F(DumpErrors, a_value_that_is_not_taken_whole_is_told_with_its_size) {
  const std::string path = dump_ + "/subspace_q";
  constexpr std::uint64_t kBytes = 200'000'000;
  {
    auto writer = FrameWriter::create(path, {.letter = 'q', .schema = kSchema16});
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->begin_record("k", kBytes));
    const std::string zeros(1'000'000, '\0');
    for (std::uint64_t i = 0; i < kBytes; i += zeros.size())
      ASSERT_TRUE((*writer)->append_value(zeros));
    ASSERT_TRUE((*writer)->finish());
  }
  auto reader = FrameReader::open(path);
  ASSERT_TRUE(reader && *(*reader)->next());
  const auto refused = (*reader)->value();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("value-too-large", refused.error()));
}

TEST_F(DumpErrors, a_letter_that_the_version_does_not_have_is_refused) {
  const auto refused = get_record(dump_, "c", "00", kNowhere);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("unknown-subspace", refused.error()));
}

TEST_F(DumpErrors, an_account_that_has_no_record_is_unknown) {
  const auto refused = known_account(dump_, "nobody@example.org");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dump-unknown-account", refused.error()));
}

TEST_F(DumpErrors, a_key_that_is_not_there_is_named) {
  const auto refused = get_record(dump_, "l", "ff01", kNowhere);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("not-in-dump", refused.error()));
}

TEST_F(DumpErrors, a_key_of_odd_length_is_no_key) {
  const auto refused = get_record(dump_, "l", "ff0", kNowhere);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dump-bad-id", refused.error()));
}

TEST_F(DumpErrors, a_manifest_that_was_edited_proves_nothing) {
  std::string text;
  {
    std::ifstream file(dump_ + ".manifest.json");
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  const std::size_t at = text.find("\"records\": 2");
  ASSERT_NE(at, std::string::npos) << text;
  text[at + 11] = '3';
  std::ofstream(dump_ + ".manifest.json") << text;
  const auto refused = verify_dump(dump_);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("manifest-unusable", refused.error()));
}

TEST_F(DumpErrors, two_values_under_one_key_are_not_merged) {
  const std::string other = copy("other");
  write(other, 'l', {{.key = kFirst, .value = "another"}});
  const auto refused = rewrite_dumps({dump_, other}, folder_.file("out"), {});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dumps-disagree", refused.error()));
}

/// Files of 0.8 to 0.14 begin with 7B and their version (reference/stalwart-store.md 6).
TEST_F(DumpErrors, files_of_old_versions_are_not_compared) {
  fs::create_directory(folder_.file("old"));
  std::ofstream(folder_.file("old/blob"), std::ios::binary)
      << std::string("\x7b\x02\x00\x03\x03\x00\x00\x00\x07", 9);
  const auto refused = diff_dumps(folder_.file("old"), folder_.file("old"));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("old-dump", refused.error()));
}

TEST_F(DumpErrors, nothing_goes_back_to_an_older_version) {
  const auto refused = convert_dump(dump_, folder_.file("out"), {.to = "0.15.5"}, {});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("no-conversion", refused.error()));
}

}  // namespace
}  // namespace plan::dump
