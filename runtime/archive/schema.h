#pragma once
#include <string_view>

namespace plan::archive {

/// The 22 tables and 12 indexes of a Vandelay archive (reference/account-archive.md 2.3, 2.4), each
/// `IF NOT EXISTS`. No version is stamped: the format has none.
extern const std::string_view kArchiveSchema;

/// Our own tables beside them, all with the prefix `plan_`; Vandelay leaves them alone. They hold
/// provenance: which message of the source is which object of the target.
extern const std::string_view kProvenanceSchema;

}  // namespace plan::archive
