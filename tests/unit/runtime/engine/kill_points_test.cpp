// The list of kill points is the list of borders in the code: nothing is listed that nobody passes,
// and nothing is passed that is not listed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "runtime/engine/kill_point.h"
#include "tests/support/repository.h"

namespace plan::engine {
namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void find_all(const std::string& text, const std::string& pattern, const std::string& prefix,
              std::set<std::string>& names) {
  const std::regex wanted(pattern);
  for (std::sregex_iterator it(text.begin(), text.end(), wanted), end; it != end; ++it)
    names.insert(prefix + (*it)[1].str());
}

TEST(KillPoints, the_list_is_what_the_code_passes) {
  std::set<std::string> passed;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(test::repository() / "runtime")) {
    if (entry.path().extension() != ".cpp") continue;
    const std::string text = text_of(entry.path());
    find_all(text, "PLAN_KILL_POINT\\(\"([^\"]+)\"\\)", "", passed);
    // The archive has no engine below it: its borders are named by runtime/command/wiring.cpp.
    const std::string name = entry.path().filename().string();
    const char* prefix = name.starts_with("carry_")  ? "carry."
                         : name.starts_with("push_") ? "push."
                                                     : "";
    if (*prefix != '\0') find_all(text, "[^_]kill_point\\(\"([^\"]+)\"\\)", prefix, passed);
  }
  std::set<std::string> listed;
  for (const KillPoint& point : all_kill_points()) listed.insert(std::string(point.name));
  EXPECT_EQ(passed, listed);
}

}  // namespace
}  // namespace plan::engine
