#pragma once
#include <cstdint>
#include <memory>
#include <string_view>
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

/// The blobs of a store as open_dump_rows() gives them, with those that nothing links when asked.
class BlobCursor : public RecordCursor {
 public:
  /// The next row is this blob's at the latest, linked or not, if the store has it. Keys ascend
  /// from call to call.
  virtual void look_for(std::string_view key) = 0;
};

/// Null when the store has no blobs. An import is compared by this: its links may come later.
[[nodiscard]] Result<std::unique_ptr<BlobCursor>> open_blob_rows(StoreReader& reader,
                                                                 const StoreAddress& address,
                                                                 const DumpRowOptions& options,
                                                                 BlobFaults& faults);

}  // namespace plan::dump
