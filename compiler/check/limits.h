#pragma once
#include <cstddef>

namespace plan::check {

/// Names that one diagnostic spells out; more are counted.
constexpr std::size_t kExamplesMax = 3;
/// Candidates that "did you mean" looks through.
constexpr std::size_t kNearestCandidatesMax = 5'000;
/// Members of all lists together, after nested lists were flattened.
constexpr std::size_t kListMembersMax = 5'000'000;

}  // namespace plan::check
