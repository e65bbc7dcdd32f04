#pragma once
#include <cstdint>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/import_imap.h"
#include "runtime/archive/source_tree.h"
#include "runtime/store/sqlite.h"

namespace plan::archive {

/// Gives each mailbox of the source its row (parents before children, as `mailboxes` has them), its
/// role and its subscription, in one transaction. Part of import_imap; new ones count in `report`.
[[nodiscard]] Outcome store_mailboxes(store::Database& database, std::int64_t source_id,
                                      const std::vector<SourceMailbox>& mailboxes,
                                      ImportReport& report);

}  // namespace plan::archive
