#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/frame_writer.h"
#include "runtime/dump/input_dump.h"
#include "runtime/dump/record_filter.h"

namespace plan::dump {

/// Records of one letter in ascending order of keys, wherever they come from. As FrameReader: key
/// and pieces are good until the next call.
class RecordStream {
 public:
  RecordStream() = default;
  RecordStream(const RecordStream&) = delete;
  RecordStream& operator=(const RecordStream&) = delete;
  virtual ~RecordStream() = default;
  [[nodiscard]] virtual Result<bool> next() = 0;
  [[nodiscard]] virtual std::string_view key() const = 0;
  [[nodiscard]] virtual std::uint64_t value_bytes() const = 0;
  [[nodiscard]] virtual Result<std::string_view> value_piece() = 0;
  /// No more records are wanted: what is left of a file is held against its manifest all the same.
  /// next() does it when it comes to the end.
  [[nodiscard]] virtual Outcome finish() { return {}; }
};

/// What `filter` takes of a subspace of `dump`, which has to outlive the stream. Keys out of order
/// or of another shape are an error (dump-damaged): a damaged dump is repaired first; a file that
/// is not what the dump's manifest says is one at its end (manifest-differs). With accounts chosen
/// k keeps the links of theirs, and t the blobs that those link. Null when the dump has no such
/// file.
[[nodiscard]] Result<std::unique_ptr<RecordStream>> filtered_stream(const InputDump& dump,
                                                                    const Subspace& subspace,
                                                                    const RecordFilter& filter);

/// All records of one file, in the same way.
[[nodiscard]] Result<std::unique_ptr<RecordStream>> whole_stream(const std::string& path,
                                                                 const Subspace& subspace);

/// Several streams as one. A key that more than one has must have the same value in all of them
/// (error: dumps-disagree); the node leases of subspace g, which every run rewrites, are taken from
/// the first, and with `is_first_preferred` everything is.
[[nodiscard]] Outcome write_merged(std::vector<std::unique_ptr<RecordStream>> streams,
                                   const Subspace& subspace, FrameWriter& writer,
                                   bool is_first_preferred = false);

}  // namespace plan::dump
