#pragma once
#include <string_view>

#include "compiler/facts/measurement.h"

namespace plan::facts {

/// The measurement by which the keys of `account/ADDRESS/hash-digest` are told apart: a digest of
/// its own name.
inline constexpr std::string_view kDigestKey = "source/hash-digest-key";

/// The digests were made with different keys (`.plan/seal.key` went and was made anew), so no
/// password of one can be compared with the other's.
[[nodiscard]] bool is_other_digest_key(const Measurements& before, const Measurements& now);

}  // namespace plan::facts
