#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/dump/frame_writer.h"
#include "runtime/dump/store/dump_rows.h"
#include "runtime/dump/store/store_address.h"
#include "runtime/dump/store/transfer_progress.h"

namespace plan::dump {

struct ExportOptions {
  std::string folder = {};
  /// Families, names or letters; empty: all that the server's own export writes.
  std::vector<std::string> subspaces = {};
  unsigned parallel = 2;
  bool skips_damaged_blobs = false;
  bool is_end_marked = false;             ///< an LZ4 end mark, against cuts
  bool is_checksummed = false;            ///< and the content's checksum
  std::vector<std::uint16_t> ports = {};  ///< of the server; nothing may answer there
  std::function<void(const TransferProgress&)> progress = {};
  std::function<bool()> is_stopped = {};     ///< asked between records; stops with error `stopped`
  std::function<void()> after_durable = {};  ///< for tests that kill the process there
};

struct ExportReport {
  std::uint32_t schema = 0;
  std::vector<WrittenFile> files = {};  ///< by letter
  std::vector<char> kept = {};          ///< complete already when this run began
  BlobFaults blobs = {};
  std::vector<std::string> notes = {};
  std::string manifest = {};
};

/// Writes a dump of the store as `stalwart --export` would, with a manifest beside it. The server
/// must be stopped; the store is only read. The folder appears under its name when it is complete;
/// until then the files are in `FOLDER.partial`, and the same call goes on there after a kill, with
/// the subspace that was being written. Errors: store-in-use, store-changed, export-folder-in-use,
/// blob-wrong, blobs-elsewhere (not one is there: the server keeps them in files or in S3), those
/// of store and disk.
[[nodiscard]] Result<ExportReport> export_store(const StoreAddress& address,
                                                const ExportOptions& options);

/// For `--format json`.
[[nodiscard]] ir::Value to_value(const ExportReport& report);

}  // namespace plan::dump
