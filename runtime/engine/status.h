#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/engine/journal.h"
#include "runtime/report/run_record.h"

namespace plan::engine {

/// Where everything stands, from the journal alone (also while another process runs): for `plan
/// status`, `report`, `watch`. `with_timeline` adds every recorded moment. Errors: journal-missing
/// when no run was ever begun.
[[nodiscard]] Result<report::RunRecord> run_record(Journal& journal, bool with_timeline = false);
/// The same as a document (report::to_document).
[[nodiscard]] Result<ir::Value> status(Journal& journal);

/// Everything that was done to one account, in order: `plan trace ACCOUNT`.
[[nodiscard]] Result<std::vector<report::MomentRecord>> trace(Journal& journal,
                                                              std::string_view account);

}  // namespace plan::engine
