#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/flow/model.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/flow/pair.h"

// The model against what both real servers did: every line of
// ../shared/data/transcripts/split-delivery that says where mail went, and of every other one why
// it says nothing of that.

namespace plan::flow {

using ir::Value;
using test::ended;
using test::recorded_pair;

inline constexpr std::string_view kSource = "10.9.0.2";

inline std::vector<Value> lines_of(const std::filesystem::path& path) {
  std::vector<Value> lines;
  const std::string text = test::read_all(path);
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    auto parsed = ir::parse_json(line);
    EXPECT_TRUE(parsed.has_value()) << line;
    if (parsed) lines.push_back(std::move(*parsed));
  }
  return lines;
}

inline std::string joined(std::vector<std::string> ends) {
  std::sort(ends.begin(), ends.end());
  std::string text;
  for (const std::string& end : ends) text += (text.empty() ? "" : ", ") + end;
  return text;
}

/// The folder, and which of its rows were compared with the model.
class Recordings : public testing::Test {
 protected:
  void SetUp() override {
    PLAN_SHARED(folder, "data/transcripts/split-delivery");
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() == ".jsonl") {
        rows_[name] = lines_of(entry.path());
      } else {
        others_.push_back(name);
      }
    }
  }
  /// Of move-steps.jsonl: the observations whose names begin so.
  [[nodiscard]] std::vector<const Value*> named(std::string_view begin) const {
    std::vector<const Value*> found;
    for (const Value& one : rows_.at("move-steps.jsonl")) {
      if (one["case"].string_or("").starts_with(begin)) found.push_back(&one);
    }
    EXPECT_FALSE(found.empty()) << begin;
    return found;
  }
  void note_compared(const Value& row) { compared_.insert(&row); }

  void compare_observations();
  void compare_queues();
  void compare_hold_variants();
  void compare_runs_under_load();
  void compare_the_drain();
  void compare_a_full_source_and_throttles();
  void compare_doors_of_the_users();
  void compare_lists_alarms_and_probes();
  void compare_invitations();
  void compare_proxies_in_front_of_the_source();

  std::map<std::string, std::vector<Value>> rows_;  // by file
  std::vector<std::string> others_;                 // files without rows
  std::set<const Value*> compared_;
};

}  // namespace plan::flow
