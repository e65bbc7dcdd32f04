#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/dump/move/server_block.h"
#include "runtime/dump/store/store_look.h"
#include "runtime/net/host.h"
#include "runtime/secret/secret.h"
#include "runtime/step/step_driver.h"

namespace plan::dump {

struct TransferSize {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  ///< keys and values
};

/// Our own dump code on the machine that has the store: in this process, or as `plan dump ...` over
/// SSH, where `plan` has to be installed. All paths are of that machine. For one step at a time.
class DumpProgram {
 public:
  DumpProgram() = default;
  DumpProgram(const DumpProgram&) = delete;
  DumpProgram& operator=(const DumpProgram&) = delete;
  virtual ~DumpProgram() = default;

  [[nodiscard]] virtual Result<StoreLook> look(const StorePlace& place) = 0;
  /// The store must be stopped. Goes on where an earlier call was killed.
  [[nodiscard]] virtual Result<TransferSize> export_store(
      const StorePlace& place, const std::string& folder,
      const std::vector<std::string>& subspaces) = 0;
  /// The same. `subspaces` empty: all that the dump has.
  [[nodiscard]] virtual Result<TransferSize> import_store(
      const StorePlace& place, const std::string& folder,
      const std::vector<std::string>& subspaces) = 0;
  /// Error: import-differs. Rows of `g` that every run of a server writes anew (node leases) are
  /// left out.
  [[nodiscard]] virtual Outcome compare(const StorePlace& place, const std::string& folder,
                                        const std::vector<std::string>& subspaces) = 0;
  [[nodiscard]] virtual Result<TakenBack> take_back(const StorePlace& place,
                                                    const std::string& folder,
                                                    const std::vector<std::string>& subspaces) = 0;
  [[nodiscard]] virtual Outcome empty(const StorePlace& place) = 0;
  /// Reads the dump to its end against its manifest. Error: dump-not-proved.
  [[nodiscard]] virtual Result<TransferSize> prove(const std::string& folder) = 0;
  /// Writes the manifest of a dump that somebody else wrote, and refuses a damaged one.
  [[nodiscard]] virtual Outcome make_manifest(const std::string& folder) = 0;
  /// Error when the code cannot run there at all.
  [[nodiscard]] virtual Outcome check_installed() = 0;
};

/// `kill_point` is for tests: called after every durable part of a transfer in this process.
[[nodiscard]] std::unique_ptr<DumpProgram> make_dump_program(net::Host& host,
                                                             const ServerBlock& block,
                                                             step::StepContext& context,
                                                             std::function<void()> kill_point);

}  // namespace plan::dump
