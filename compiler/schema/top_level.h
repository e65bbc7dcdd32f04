#pragma once
#include <cstdint>
#include <string_view>

namespace plan::schema {

/// Would the target take a domain for its end (reference/stalwart-admin.md 1.7)? It wants a known
/// public suffix or one of ten words. Whether a suffix is public is a question of its last label
/// alone: the public list has every top-level domain, and what is longer is below one of them.
enum class TopLevel : std::uint8_t {
  known,    ///< a top-level domain, or one of the ten words
  unknown,  ///< not known here; the target's list may be newer
  refused,  ///< reserved, so it is never on the public list
};

/// `domain`: lower case, A-labels.
[[nodiscard]] TopLevel top_level_of(std::string_view domain);

/// The day of the list: what was delegated later is unknown.
inline constexpr std::string_view kTopLevelsAsOf = "2026-09-30";
/// The words that the target takes besides, for a sentence.
inline constexpr std::string_view kInnerTopLevels =
    "test, localhost, local, internal, lan, home, corp, intranet, private, localdomain";

}  // namespace plan::schema
