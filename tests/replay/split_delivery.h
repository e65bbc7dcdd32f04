#pragma once
#include <filesystem>
#include <vector>

#include "listed.h"
#include "score.h"

namespace plan::replay {

/// Plays the recordings of split delivery: the calls of configuration, queue, cases, sieve and
/// source-hold with the mails of observations.jsonl between them, at the places of the
/// configuration that they were sent under; then the steps of the move.
[[nodiscard]] std::vector<Score> play_split_delivery(const std::filesystem::path& folder,
                                                     const std::filesystem::path& scratch,
                                                     const Listed& listed);

}  // namespace plan::replay
