// Files beside the plan, as operators keep them: links into a shared folder, modes of their own,
// pipes and devices given by mistake.
#include "runtime/command/project_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "runtime/command/errors.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"

namespace plan::command {
namespace {

std::string content(const std::string& path) {
  const auto text = read_text_file(path, 1 << 20U);
  return text ? *text : text.error().to_line();
}

TEST(WriteTextFile, KeepsTheLinkAndTheModeOfWhatIsThere) {
  const test::TempDir folder;
  const std::string shared = folder.file("shared.lock");
  const std::string link = folder.file("migration.lock");
  ASSERT_TRUE(write_text_file(shared, "old\n", 0600));
  ASSERT_EQ(chmod(shared.c_str(), 0640), 0);
  ASSERT_EQ(symlink("shared.lock", link.c_str()), 0);
  ASSERT_TRUE(write_text_file(link, "new\n"));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(content(shared), "new\n");
  struct stat status {};
  ASSERT_EQ(stat(shared.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST(WriteTextFile, ALinkInACircleIsAnErrorAndLeavesNothing) {
  const test::TempDir folder;
  const std::string link = folder.file("migration.lock");
  ASSERT_EQ(symlink("migration.lock", link.c_str()), 0);
  const auto written = write_text_file(link, "new\n");
  ASSERT_FALSE(written);
  EXPECT_TRUE(test::told_as("file-unwritable", written.error()));
  const std::filesystem::directory_iterator files(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST(WriteTextFile, TwoThatWriteAtOnceLeaveOneWholeFileAndNothingBeside) {
  const test::TempDir folder;
  const std::string path = folder.file("migration.lock");
  const auto write_in_a_process = [&](char letter) {
    const pid_t child = fork();
    if (child != 0) return child;
    for (int i = 0; i < 20; ++i) {
      if (!write_text_file(path, std::string(100'000, letter))) _exit(1);
    }
    _exit(0);
  };
  const pid_t first = write_in_a_process('a');
  const pid_t second = write_in_a_process('b');
  for (const pid_t child : {first, second}) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const std::string text = content(path);
  EXPECT_EQ(text, std::string(100'000, text.at(0)));
  const std::filesystem::directory_iterator files(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST(ReadTextFile, TakesAPipeToItsEndAndWaitsForNoWriter) {
  const test::TempDir folder;
  const std::string pipe = folder.file("migration.yaml");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(content(pipe), "");
  const int keeps = open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(keeps, 0);
  std::thread writer([&] {
    const std::string text(200'000, 'x');  // more than a pipe holds
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t size = write(keeps, text.data() + at, text.size() - at);
      if (size <= 0) break;
      at += static_cast<std::size_t>(size);
    }
    close(keeps);
  });
  EXPECT_EQ(content(pipe).size(), 200'000U);
  writer.join();
}

TEST(ReadTextFile, IsBoundedWhateverStandsThere) {
  const test::TempDir folder;
  const auto device = read_text_file("/dev/zero", 100);
  ASSERT_FALSE(device);
  EXPECT_TRUE(device.error().is(errors::file_unreadable)) << device.error().to_line();
  const std::string path = folder.file("reviewed.plan");
  ASSERT_TRUE(write_text_file(path, std::string(1 << 20U, 'x')));
  const auto whole = read_text_file(path, 1 << 20U);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->size(), std::size_t{1} << 20U);
  const auto over = read_text_file(path, (1 << 20U) - 1);
  ASSERT_FALSE(over);
  EXPECT_TRUE(test::told_as("local-file-too-large", over.error()));
  // What is no saved plan is not read to its end to find that out.
  const auto other = read_text_file(path, 1 << 20U, "plan-saved ");
  ASSERT_TRUE(other);
  EXPECT_LT(other->size(), std::size_t{1} << 20U);
  EXPECT_FALSE(other->empty());
}

TEST(ReadFileIn, ALinkMayLeadElsewhereInTheFolderButNotOutOfIt) {
  const test::TempDir base;
  std::filesystem::create_directories(base.file("plan/lists"));
  std::filesystem::create_directories(base.file("plan-of-others"));
  ASSERT_TRUE(write_text_file(base.file("plan-of-others/secret"), "root:x:0:0\n"));
  ASSERT_TRUE(write_text_file(base.file("plan/lists/all.csv"), "address\n"));
  std::filesystem::create_symlink("lists/all.csv", base.file("plan/accounts.csv"));
  std::filesystem::create_symlink("../plan-of-others/secret", base.file("plan/other.csv"));
  std::filesystem::create_symlink(base.file("plan-of-others"), base.file("plan/others"));
  std::filesystem::create_symlink("circle.csv", base.file("plan/circle.csv"));
  std::filesystem::create_symlink("plan", base.file("link-to-plan"));
  for (const char* plan : {"plan/migration.yaml", "link-to-plan/migration.yaml"}) {
    const ProjectFolder folder = project_folder(base.file(plan));
    const auto read = [&](const char* path) {
      const auto text = read_file_in(folder, path, 1 << 20U);
      return text ? *text : std::string(text.error().code().name) + ": " + text.error().message();
    };
    EXPECT_EQ(read("lists/all.csv"), "address\n");
    EXPECT_EQ(read("accounts.csv"), "address\n");
    EXPECT_EQ(read("other.csv"), "local-file-unreadable: it leads out of the folder");
    EXPECT_EQ(read("others/secret"), "local-file-unreadable: it leads out of the folder");
    EXPECT_EQ(read("../plan-of-others/secret"),
              "local-file-unreadable: it leads out of the folder");
    EXPECT_EQ(read("circle.csv").substr(0, 22), "local-file-unreadable:");
    EXPECT_EQ(read("missing.csv").substr(0, 13), "file-missing:");
  }
}

}  // namespace
}  // namespace plan::command
