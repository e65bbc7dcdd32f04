#pragma once
#include <string>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/dump/verify.h"

namespace plan::dump {

/// Writes a dump with what can be read of a damaged one (a folder, or one file of it) into a new
/// folder: what can be read of each is taken (salvage.h), their records sorted, and of
/// two under one key the first taken. {output, files: [{name, letter, from: "sound"|"salvaged"|
/// "given-up", records, records_before, gaps: [...], dropped: [...], ...}], result: what
/// verify_dump says of the new dump, so also what refers to what is gone}. It cannot bring back
/// what is not there, and makes nothing up.
[[nodiscard]] Result<ir::Value> repair_dump(const std::string& dump, const std::string& output,
                                            const OnProgress& on_progress = {});

}  // namespace plan::dump
