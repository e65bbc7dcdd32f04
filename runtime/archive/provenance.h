#pragma once
#include <cstdint>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"

namespace plan::archive {

// Which message of the source is which message of the target: plan_item. Three ways lead there: an
// import at the target (push_jmap), a message that changed its place at the source (adopt_moved),
// and one that was carried back (link_carried).

/// A message that is gone in one place of the source and new in another, or under a new
/// UIDVALIDITY, with the same bytes and date: the object at the target changes hands, in one
/// transaction. How many did. Without a word to anybody.
[[nodiscard]] Result<std::uint64_t> adopt_moved(ArchiveFile& archive);

/// The fact that link_carried leaves: one message of the target may stand for several of the source
/// until split_shared finds none any more.
inline constexpr std::string_view kLinked = "linked";

/// After a pass over the source: gives every message that carry_back appended there its target id.
/// By mailbox, UIDVALIDITY and UID where the source told them; by digest and date, each stored
/// message once, where the reply was lost. What is not there was never appended and is forgotten.
/// How many were linked. Must come between any pass over the source and any push to the target.
[[nodiscard]] Result<std::uint64_t> link_carried(ArchiveFile& archive);

}  // namespace plan::archive
