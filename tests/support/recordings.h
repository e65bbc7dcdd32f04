#pragma once
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "compiler/ir/json.h"
#include "compiler/ir/value.h"

namespace plan::test {

/// One exchange of a recording with a real server (data/transcripts/*/README.md).
struct Recorded {
  std::string file = {};
  std::string scenario = {};
  std::string note = {};
  ir::Value request = {};
  ir::Value response = {};
  [[nodiscard]] std::string place() const { return file + ": " + scenario + ": " + note; }
};

/// The exchanges of all .jsonl files of a folder, in the order of file names; lines without a
/// request are left out. Read once; a test binary asks for the same folder many times.
[[nodiscard]] inline const std::vector<Recorded>& read_recordings(
    const std::filesystem::path& folder) {
  static std::map<std::filesystem::path, std::vector<Recorded>> known;
  const auto found = known.find(folder);
  if (found != known.end()) return found->second;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Recorded> exchanges;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    std::string line;
    while (std::getline(file, line)) {
      auto value = ir::parse_json(line);
      if (!value || !(*value)["request"].is_map()) continue;
      exchanges.push_back(Recorded{.file = path.filename().string(),
                                   .scenario = std::string((*value)["scenario"].string_or({})),
                                   .note = std::string((*value)["note"].string_or({})),
                                   .request = (*value)["request"],
                                   .response = (*value)["response"]});
    }
  }
  return known[folder] = std::move(exchanges);
}

}  // namespace plan::test
