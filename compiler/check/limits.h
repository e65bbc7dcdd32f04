#pragma once
#include <cstddef>

namespace plan::check {

/// Names that one diagnostic spells out; more are counted.
constexpr std::size_t kExamplesMax = 3;
/// Candidates that "did you mean" looks through.
constexpr std::size_t kNearestCandidatesMax = 5'000;
/// Unknown accounts of one plan that the lock is searched for; where there are more, it is another
/// lock and not a misspelling.
constexpr std::size_t kUnknownSearchedMax = 100;
/// Members of all lists together, after nested lists were flattened.
constexpr std::size_t kListMembersMax = 5'000'000;
/// Recipients of one list from which on the target needs seconds for it, and from which on it
/// refuses it (reference/stalwart-admin.md 0a: 20,000 in 1.2 s, 100,000 in 30 s and then refused).
constexpr std::size_t kListSlow = 20'000;
constexpr std::size_t kListRefused = 100'000;

}  // namespace plan::check
