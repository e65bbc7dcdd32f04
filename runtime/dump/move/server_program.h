#pragma once
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/move/server_block.h"
#include "runtime/net/host.h"

namespace plan::dump {

/// The server's own program: `stalwart --export`, `--import`, `--console`
/// (reference/stalwart-store.md 2 to 7). Runs as the service's user, without CONFIG_PATH, which
/// would make it ignore its arguments and start. An exit code of 0 means little: what it wrote is
/// proved by whoever called.
class ServerProgram {
 public:
  ServerProgram(net::Host& host, const ServerBlock& block) : host_(host), block_(block) {}

  /// "0.16.15". Error: server-program-failed.
  [[nodiscard]] Result<std::string> version();
  /// The file is there, and is what the version reads (JSON for 0.16). Error: server-config-wrong:
  /// with a wrong path an import of 0.16 ends with 0 and throws the data away.
  [[nodiscard]] Outcome check_config(const std::string& config);
  /// Into a new folder, which becomes the service user's. `families` empty: all.
  [[nodiscard]] Outcome export_store(const std::string& folder,
                                     const std::vector<std::string>& families);
  /// All files of the folder but `subspace_g` (and `subspace_t`, when blobs stay where they are)
  /// into the fresh store that `config` names.
  [[nodiscard]] Outcome import_store(const std::string& config, const std::string& folder,
                                     bool leaves_blobs);
  /// The rows of `subspace_g` through the console: 0.16.15 and later refuse that file, and a store
  /// without them lets nobody in. Counts what the console says it put. Returns how many.
  [[nodiscard]] Result<std::uint64_t> put_registry_keys(const std::string& config,
                                                        const std::string& folder);

 private:
  [[nodiscard]] Result<net::CommandResult> run(const std::vector<std::string>& variables,
                                               const std::vector<std::string>& arguments,
                                               const std::string& shared_folder,
                                               const std::string& input);

  net::Host& host_;
  const ServerBlock& block_;
};

}  // namespace plan::dump
