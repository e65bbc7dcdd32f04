#pragma once
#include <string>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/dump/verify.h"

namespace plan::dump {

/// Writes a dump with what can be read of a damaged one (a folder, or one file of it) into a new
/// folder: what can be read of each is taken (salvage.h), their records sorted, and of
/// two under one key the first taken; of a file with nothing to be read an empty one is written. A
/// manifest beside the damaged dump says of each file how many records it had and whether all came
/// back. {output, files: [{name, letter, from: "sound"|"salvaged"|"emptied"|"given-up", records,
/// records_in_manifest, records_before_fault, gaps: [...], dropped: [...], ...}], is_whole, lost:
/// [...], notes, manifest, result: what verify_dump says of the new dump, so also what refers to
/// what is gone}. It cannot bring back what is not there, and makes nothing up. When it fails
/// nothing is left. Errors: dump-damaged (nothing can be read), old-dump, those of OutputFolder.
[[nodiscard]] Result<ir::Value> repair_dump(const std::string& dump, const std::string& output,
                                            const OnProgress& on_progress = {});

}  // namespace plan::dump
