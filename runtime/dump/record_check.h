#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "runtime/dump/fault_list.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {

/// What a record's value turned out to be, for whoever relates subspaces to one another.
struct CheckedRecord {
  std::string_view key = {};
  std::string_view value = {};  ///< only of the small kinds that are read whole, else empty
  std::uint64_t value_bytes = 0;
};

/// Looks at every record of a file as it is read: keys in strict order, keys and lengths of values
/// in the shapes of the subspace, blobs and archives against their hashes, counters. Reads the
/// value of the present record when it needs to.
class RecordCheck {
 public:
  RecordCheck(const Subspace& subspace, FaultList& faults);
  ~RecordCheck();

  /// Checks the present record of `reader`. An error is the reader's.
  [[nodiscard]] Result<CheckedRecord> check(FrameReader& reader);
  /// At the end of the file.
  void finish();
  /// So many empty records more, behind one that was checked.
  void count_empty(std::uint64_t records);

  /// Archives whose value is too large to be hashed here, or has no hash.
  [[nodiscard]] std::uint64_t unhashed() const { return unhashed_; }
  [[nodiscard]] std::uint64_t hashed() const { return hashed_; }

 private:
  void fault(FaultKind kind, const FrameReader& reader, std::string text);
  [[nodiscard]] Outcome check_blob(FrameReader& reader);
  [[nodiscard]] Result<std::string_view> check_value(FrameReader& reader);

  const Subspace& subspace_;
  FaultList& faults_;
  std::string previous_;
  bool has_previous_ = false;
  bool has_schema_row_ = false;
  std::uint64_t hashed_ = 0;
  std::uint64_t unhashed_ = 0;
};

}  // namespace plan::dump
