// What `plan archive ...` says of a file that is no archive, and of one that is damaged.
#include "runtime/archive/tool.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "runtime/archive/archive_file.h"
#include "runtime/archive/errors.h"
#include "runtime/store/errors.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"

namespace plan::archive {
namespace {

class ArchiveToolTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name = "a.sqlite") const {
    return folder_.file(name);
  }
  test::TempDir folder_;
};

TEST_F(ArchiveToolTest, a_file_of_another_kind_is_no_archive_and_stays_as_it_is) {
  const auto expect_refused = [&](const Result<ir::Value>& refused) {
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(errors::archive_foreign)) << refused.error().to_line();
    EXPECT_NE(refused.error().message().find(path() + " is no archive"), std::string::npos);
  };
  const std::vector<std::string> contents = {"", "mails:\n  - a\n", "SQLite format 2",
                                             std::string(9000, 'x')};
  for (const std::string& content : contents) {
    SCOPED_TRACE(content.size());
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << content;
    expect_refused(inspect_archive(path()));
    expect_refused(verify_archive(path()));
    expect_refused(compact_archive(path()));
    expect_refused(diff_archives(path(), path()));
    EXPECT_EQ(test::read_all(path()), content);
  }
  EXPECT_TRUE(test::told_as("archive-foreign", inspect_archive(path()).error()));
}

TEST_F(ArchiveToolTest, an_archive_whose_pages_are_damaged_is_called_damaged) {
  {
    auto archive = ArchiveFile::open(path());
    ASSERT_TRUE(archive) << archive.error().to_line();
    ASSERT_TRUE(archive->database().checkpoint());
  }
  ASSERT_TRUE(inspect_archive(path()));
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file << std::string(3000, '\x7F');
  file.close();
  const auto refused = inspect_archive(path());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(store::errors::store_damaged)) << refused.error().to_line();
}

TEST_F(ArchiveToolTest, a_file_that_is_not_there_is_not_called_foreign) {
  const auto refused = inspect_archive(path("none.sqlite"));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(store::errors::store_unreadable)) << refused.error().to_line();
}

}  // namespace
}  // namespace plan::archive
