#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "compiler/source/result.h"

namespace plan::dump {

/// One file of a dump, walked to its end.
struct SourceFile {
  std::string path = {};
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  ///< keys and values
  std::string record_stream_sha256 = {};
};

/// A dump folder that can be imported.
struct DumpSource {
  std::uint32_t schema = 0;
  std::map<char, SourceFile> files = {};
  bool is_proved = false;  ///< a manifest lies beside it, and every file selected agrees with it
  std::vector<std::string> notes = {};
  std::string schema_row = {};  ///< value of row 00 of p, when it is among the files

  /// Changes when any record of it does.
  [[nodiscard]] std::string identity() const;
};

/// Reads every selected file to its end: form, letter and name alike, one schema, keys strictly
/// ascending, the manifest when there is one. Errors: dump-damaged, dump-foreign, those of reading.
[[nodiscard]] Result<DumpSource> read_dump_source(const std::string& folder,
                                                  const std::vector<std::string>& subspaces,
                                                  unsigned parallel);

/// Values are at most this large when they go into a store.
constexpr std::uint64_t kStoreValueMax = std::uint64_t{1} << 30U;

}  // namespace plan::dump
