#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/dump/store/export_store.h"
#include "runtime/dump/store/store_address.h"
#include "runtime/dump/store/transfer_progress.h"

namespace plan::dump {

struct ImportOptions {
  std::string folder = {};  ///< of subspace_X files
  /// Families, names or letters; empty: all that the folder has.
  std::vector<std::string> subspaces = {};
  unsigned parallel = 2;
  /// Without the subspace that has the schema version a server erases or refuses what was imported
  /// (reference/stalwart-store.md 7.1, I6).
  bool may_lack_properties = false;
  /// Other subspaces of the target may hold rows: a second part of one store.
  bool may_add = false;
  std::vector<std::uint16_t> ports = {};
  /// A transaction is committed after so much: small enough for the bound on memory, large enough
  /// that its own cost does not show.
  std::size_t commit_bytes = std::size_t{4} << 20U;
  std::uint64_t commit_records = 20'000;
  std::function<void(const TransferProgress&)> progress = {};
  std::function<bool()> is_stopped = {};
  std::function<void()> after_durable = {};  ///< for tests that kill the process there
};

struct ImportReport {
  struct File {
    char letter = 0;
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    std::uint64_t resumed_at = 0;  ///< records that were there already from an earlier run
    std::string record_stream_sha256 = {};
  };
  std::uint32_t schema = 0;
  std::vector<File> files = {};  ///< by letter
  bool is_proved = false;        ///< the dump was compared with its manifest
  std::vector<std::string> notes = {};
};

/// Puts a dump into an empty store and reads back what it wrote. Every file is walked to its end
/// first. The store only gets the row that a server starts on (the schema version) when everything
/// was compared: until then no server takes it for whole. After a kill anywhere the same call goes
/// on where the last transaction ended; nothing is put twice, so counters are what they were.
/// Errors: store-in-use, target-not-empty, target-not-ours, dump-damaged, import-differs, those of
/// store and disk.
[[nodiscard]] Result<ImportReport> import_store(const StoreAddress& address,
                                                const ImportOptions& options);

/// Rows of `g` whose keys begin with FFFFFFFF: every run of a 0.16 server writes that of its host
/// anew, an export or import by its own program too.
enum class NodeLeases : std::uint8_t { compared = 0, ignored = 1 };

/// Compares a dump with a store record by record, as far as the dump's files go. Error:
/// import-differs, with the first difference.
[[nodiscard]] Outcome compare_with_store(const StoreAddress& address, const std::string& folder,
                                         const std::vector<std::string>& subspaces,
                                         unsigned parallel,
                                         NodeLeases leases = NodeLeases::compared);

/// For `--format json`.
[[nodiscard]] ir::Value to_value(const ImportReport& report);

}  // namespace plan::dump
