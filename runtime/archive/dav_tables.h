#pragma once
#include <cstdint>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/import_dav.h"

namespace plan::archive {

/// Writes the calendars, events, address books and cards that plan has of a source into the tables
/// of the archive's own layout, where other programs look for them (account-archive.md 2.3 to 2.5),
/// in place of what was written there before. What the target cannot read as an event or a card has
/// no object and no row; a card whose UID another one has in the archive has none either, as the
/// layout takes each UID once. Its text stays in plan_dav_item.
[[nodiscard]] Outcome write_dav_tables(ArchiveFile& archive, const DavSource& source);

/// Writes them when something changed, now or at an earlier call with `is_held`: they are for other
/// programs and written whole, so that they wait while anybody does.
[[nodiscard]] Outcome refresh_dav_tables(ArchiveFile& archive, const DavSource& source,
                                         std::uint64_t changes, bool is_held);

}  // namespace plan::archive
