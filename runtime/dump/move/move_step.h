#pragma once
#include <memory>
#include <string>
#include <vector>

#include "runtime/dump/move/drivers.h"
#include "runtime/dump/move/dump_program.h"
#include "runtime/dump/move/server_block.h"
#include "runtime/dump/move/server_program.h"
#include "runtime/dump/move/service.h"

namespace plan::dump {

/// What one call of a driver works with: the server of its step, opened.
class MoveStep {
 public:
  [[nodiscard]] static Result<std::unique_ptr<MoveStep>> open(const MoveWorld& world,
                                                              step::StepContext& context);

  [[nodiscard]] const ServerBlock& block() const { return block_; }
  [[nodiscard]] net::Host& host() { return *host_; }
  [[nodiscard]] Service& service() { return *service_; }
  [[nodiscard]] DumpProgram& program() { return *program_; }
  [[nodiscard]] ServerProgram& server() { return *server_; }

  /// The server's configuration names the new store: the move is made.
  [[nodiscard]] Result<bool> is_switched();
  /// A dump is there and whole: its manifest lies beside it.
  [[nodiscard]] Result<bool> has_dump(const std::string& folder);
  /// Nothing is left for which the server would have to be stopped.
  [[nodiscard]] Result<bool> is_all_done();
  /// Error: service-runs.
  [[nodiscard]] Outcome must_be_stopped();
  /// What the store may be until it is measured: bytes of it, nothing when it cannot be told.
  [[nodiscard]] std::optional<std::uint64_t> store_bytes();
  /// Blobs are not in the old store but in a folder, in S3 or another store of their own. They stay
  /// there: the dumped settings lead the new store's server to the same place.
  [[nodiscard]] bool keeps_blobs_elsewhere();
  /// Subspaces of a dump that an import takes: all (an empty list), or all but such blobs.
  [[nodiscard]] Result<std::vector<std::string>> imported_subspaces(const std::string& folder);

  struct Disk {
    std::uint64_t free = 0;
    std::string mount = {};
  };
  /// The disk that a path is or will be on.
  [[nodiscard]] Result<Disk> disk_of(const std::string& path);

 private:
  explicit MoveStep(step::StepContext& context) : context_(context) {}

  step::StepContext& context_;
  ServerBlock block_;
  net::Host* host_ = nullptr;
  std::unique_ptr<Service> service_;
  std::unique_ptr<DumpProgram> program_;
  std::unique_ptr<ServerProgram> server_;
};

/// Bytes a second that a transfer is taken to make, for estimates only: half of what was measured
/// on a busy machine of two cores (docs/performance.md).
constexpr std::uint64_t kBytesASecond = 50'000'000;
[[nodiscard]] std::uint64_t estimated_ms(std::uint64_t bytes);

[[nodiscard]] net::Deadline file_time();
constexpr std::size_t kServerConfigBytesMax = std::size_t{1} << 20U;

/// The configuration that a plan wants, without the secret in it.
[[nodiscard]] bool is_same_store(const ir::Value& config, const ir::Value& wanted);

}  // namespace plan::dump
