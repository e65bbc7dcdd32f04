#pragma once
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/target_account.h"
#include "runtime/archive/target_shelf.h"

namespace plan::archive {

/// As read_shelf; what it finds is kept in the archive (plan_dav_entry) with the target's state
/// from before it.
[[nodiscard]] Result<TargetShelf> read_and_keep_shelf(ArchiveFile& archive,
                                                      const TargetAccount& target,
                                                      net::dav::Kind kind);

/// The same shelf as it is now, from what was kept and what the target says changed since
/// (CalendarEvent/changes, ContactCard/changes): the calls follow the changes, not the entries.
/// Only entries that changed have a body. Where nothing was kept, the target cannot tell, or has
/// another number of entries, everything is read as by read_and_keep_shelf. For the hold.
[[nodiscard]] Result<TargetShelf> read_shelf_since_kept(ArchiveFile& archive,
                                                        const TargetAccount& target,
                                                        net::dav::Kind kind);

/// Reads the bodies of those of the entries that have none; one that is not there any more stays
/// without.
[[nodiscard]] Outcome read_bodies(const TargetAccount& target, net::dav::Kind kind,
                                  TargetShelf& shelf, const std::vector<std::string>& ids);

}  // namespace plan::archive
