#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/byte_source.h"
#include "runtime/dump/fault.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/record.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {

/// A stretch of a damaged file that could not be read.
struct Gap {
  Fault fault = {};
  /// Content bytes that no record was found in; of a block that does not decode it is not known.
  std::uint64_t bytes_skipped = 0;
};

/// What was found in a damaged file.
struct Salvaged {
  FileHeader header = {};
  std::uint64_t records = 0;
  std::vector<Gap> gaps = {};
  std::uint64_t gaps_count = 0;
  /// Records that are there and not what they should be: their keys (the first hundred, in
  /// hexadecimal) and why.
  std::vector<std::string> dropped = {};
  std::uint64_t dropped_count = 0;
};

constexpr std::size_t kGapsListed = 100;
/// A longer record of a damaged file is given up: nothing but its own length says where it ends.
constexpr std::size_t kSalvagedRecordMax = std::size_t{24} << 20U;

/// Reads what can be read of a damaged file: past blocks that do not decode (blocks are independent
/// of one another), up to the byte at which a block is cut, past a damaged frame header (every
/// export has the same), into further frames, and to the next place where records begin that have
/// the shapes of the subspace. `assumed` stands in where the file's own header cannot be read or
/// means nothing. Every record goes to `take` in the order of the file, which need not be that of
/// keys; those that fail their own hash do not. The error is that of `take`, or that nothing says
/// what the file holds.
[[nodiscard]] Result<Salvaged> salvage_file(
    const std::string& path, const FileHeader& assumed,
    const std::function<Outcome(const FileHeader& header, const Record& record)>& take);

}  // namespace plan::dump
