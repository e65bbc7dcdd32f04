#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/dump/fault_list.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/manifest.h"

namespace plan::dump {

/// Called now and then while files are read: the file, and how much of it. From the reading thread.
struct Progress {
  std::string_view file = {};
  std::uint64_t file_bytes = 0;  ///< of its bytes on disk, read so far
  std::uint64_t records = 0;
};
using OnProgress = std::function<void(const Progress&)>;

/// What one file of a dump is.
struct FileReport {
  std::string name = {};
  std::string path = {};
  std::optional<FileHeader> header = {};
  std::string family = {};    ///< of a file of 0.8 to 0.14, which has no letter
  std::uint64_t records = 0;  ///< read whole
  std::uint64_t key_bytes = 0;
  std::uint64_t value_bytes = 0;
  FrameFacts frame = {};
  std::string sha256 = {};                ///< of the file; empty when it was not asked for
  std::string record_stream_sha256 = {};  ///< of the content after its header
  std::uint64_t hashed = 0;               ///< values that were compared with a hash of their own
  FaultList faults = {};
  std::vector<std::string> unprovable = {};  ///< which losses would leave no trace
  Grade grade = Grade::damaged;

  /// The members of `inspect --format json`, and with `is_graded` those of verify.
  [[nodiscard]] ir::Value to_value(bool is_graded) const;
};

struct VerifyOptions {
  bool is_digested = true;  ///< digests of file and records; needed for a manifest
  bool is_checked = true;   ///< order, shapes, hashes, references: what inspect leaves out
  /// A manifest to prove it by; empty looks for one beside the dump, `-` for none.
  std::string manifest = {};
  OnProgress on_progress = {};
};

/// A whole dump, or a single file of one.
struct DumpReport {
  std::string path = {};
  bool is_single_file = false;
  std::uint32_t schema = 0;  ///< of most files; 0 when none has one
  std::vector<FileReport> files = {};
  FaultList faults = {};  ///< of the folder as a whole
  std::vector<std::string> notes = {};
  std::vector<std::string> not_checked = {};
  std::string manifest = {};  ///< the one it was compared with
  ir::Value references = {};
  Grade grade = Grade::damaged;

  [[nodiscard]] const FileReport* find(char letter) const;
  [[nodiscard]] ir::Value to_value(bool is_graded) const;
};

/// Reads every file of a dump to its end. A fault of a file is in its report and keeps no other
/// file from being read; an error is only that there is nothing to read (a folder without a file
/// holds no dump: dump-foreign). Memory is bounded (docs/dump.md); a second thread decodes ahead.
[[nodiscard]] Result<DumpReport> verify_dump(const std::string& path,
                                             const VerifyOptions& options = {});

/// The same for one file in memory, held against its entry of a manifest if there is one. For tests
/// and fuzzing.
[[nodiscard]] FileReport verify_bytes(const std::string& name, std::string_view bytes,
                                      const Manifest* manifest);

}  // namespace plan::dump
