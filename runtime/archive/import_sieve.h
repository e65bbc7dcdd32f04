#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/import_imap.h"
#include "runtime/net/sieve/client.h"

namespace plan::archive {

struct SieveSource {
  std::function<Result<std::unique_ptr<net::sieve::Client>>()> connect = {};
  SourceIdentity identity = {};  ///< kind "managesieve"
};

struct SieveReport {
  std::uint64_t scripts = 0;
  std::uint64_t created = 0;
  std::uint64_t updated = 0;  ///< content or activation
  std::uint64_t removed = 0;
  std::vector<ImportProblem> problems = {};
  [[nodiscard]] std::uint64_t changes() const { return created + updated + removed; }
};

/// One pass: the archive has the scripts of the source, byte for byte, and knows which is active.
/// Everything is read before anything is stored, in one transaction. `is_dry`: only compares.
[[nodiscard]] Result<SieveReport> import_sieve(ArchiveFile& archive, const SieveSource& source,
                                               bool is_source_change_allowed = false,
                                               bool is_dry = false);

}  // namespace plan::archive
