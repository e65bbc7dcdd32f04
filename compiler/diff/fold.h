#pragma once
#include <map>
#include <string>
#include <vector>

#include "compiler/diff/change.h"

namespace plan::diff {

// What the text and Markdown renderings show once instead of many times. A document for programs
// keeps everything.

/// Steps [first, first + count) of one list that differ in their names only.
struct StepRun {
  std::size_t first = 0;
  std::size_t count = 1;
};

/// The list in order, cut into runs of steps that are alike; fewer than four are not folded.
[[nodiscard]] std::vector<StepRun> runs_of(const std::vector<StepChange>& steps);

/// What is common to all steps of a run: `finalize/key/` and how many, with the first and the last.
[[nodiscard]] std::string name_of(const std::vector<StepChange>& steps, const StepRun& run);

/// Accounts of one wave whose steps are alike: the same kinds in the same order, standing alike,
/// with differences at the same places. Names, numbers and what would be written may differ; what
/// would be overwritten may not.
struct AccountGroup {
  std::vector<std::size_t> accounts = {};  ///< indices in the wave, in order
  std::string key = {};                    ///< equal for groups that are alike, in any wave
};
[[nodiscard]] std::vector<AccountGroup> groups_of(const WaveChange& wave);

/// "9 accounts", "7 of 9 accounts", or the only one's name.
[[nodiscard]] std::string who(const WaveChange& wave, const AccountGroup& group);

/// More kinds of accounts than these in one wave are no summary any more.
inline constexpr std::size_t kGroupsMax = 8;

/// Which steps were shown already, and with which account: a later wave refers to it.
using Shown = std::map<std::string, std::string>;

/// "create" of "account/alice@example.org/create".
[[nodiscard]] std::string_view last_segment(std::string_view id);

}  // namespace plan::diff
