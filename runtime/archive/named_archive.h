#pragma once
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"

namespace plan::archive {

/// Opens the file that an operator named, which must be there. One that never was a database is the
/// wrong file (archive-foreign), not a damaged archive: there is no copy to restore; and an empty
/// one would be made an archive.
[[nodiscard]] Result<ArchiveFile> open_named(const std::string& path, bool has_provenance);

/// The names of a mailbox's path with `/` between them.
[[nodiscard]] std::string joined_path(const std::vector<std::string>& path);

}  // namespace plan::archive
