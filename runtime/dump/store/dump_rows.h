#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/store/store_reader.h"

namespace plan::dump {

/// What was left out while blobs were read.
struct BlobFaults {
  std::uint64_t missing =
      0;  ///< linked, but not there; the server's own export leaves them out too
  std::uint64_t damaged = 0;            ///< content differs from the key; only with `skips_damaged`
  std::vector<std::string> first = {};  ///< some of them, for people
};

struct DumpRowOptions {
  std::uint32_t schema = 0;
  bool skips_damaged = false;
};

/// The rows of a subspace exactly as a dump of the store has them
/// (reference/stalwart-store.md 5.2): blobs decoded, and only those that any row of `k` links;
/// everything else as it is. Null when the store has no such subspace. `faults` must outlive the
/// cursor.
[[nodiscard]] Result<std::unique_ptr<RecordCursor>> open_dump_rows(StoreReader& reader,
                                                                   const StoreAddress& address,
                                                                   char letter,
                                                                   const DumpRowOptions& options,
                                                                   BlobFaults& faults);

}  // namespace plan::dump
