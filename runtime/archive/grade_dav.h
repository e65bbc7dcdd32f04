#pragma once
#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/grade.h"
#include "runtime/archive/import_dav.h"
#include "runtime/archive/target_account.h"

namespace plan::archive {

/// Compares calendars and contacts of the archive with the target, entry by entry: what is missing
/// or extra is `poor`, what differs or was refused `investigate`. After the flip only what plan
/// brought and its user left alone can be compared; what he changed or deleted is his. `seen` is a
/// dry pass over the source: what changed there since it was read makes this part not checked, and
/// so does an account that the source's server does not know.
///
/// Nobody can be kept from writing to that server during the hold, so before the flip the part is
/// never more than compared (GradeReport::is_dav_checked stays false).
[[nodiscard]] Outcome grade_dav(ArchiveFile& archive, const TargetAccount& target,
                                const DavReport& seen, const GradeOptions& options,
                                GradeReport& report);

}  // namespace plan::archive
