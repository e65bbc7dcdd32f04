#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "compiler/ir/json.h"
#include "tests/support/shared_data.h"

namespace plan::test {

/// The whole and partial dumps of ../shared/data/dumps with what is expected of them; the damaged
/// files are not among them.
struct RealDump {
  std::filesystem::path folder;
  ir::Value expected;
};

inline std::vector<RealDump> real_dumps(const std::filesystem::path& dumps) {
  std::vector<RealDump> all;
  for (const auto& entry : std::filesystem::directory_iterator(dumps)) {
    if (!entry.is_directory() || entry.path().filename() == "0.16.15-damaged") continue;
    const auto expected = ir::parse_json(read_all(entry.path().string() + ".expected.json"));
    EXPECT_TRUE(expected) << entry.path();
    if (expected) all.push_back({entry.path(), *expected});
  }
  return all;
}

}  // namespace plan::test
