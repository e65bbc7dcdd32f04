#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/clock.h"

namespace plan::net {

struct CommandResult {
  int exit_code = 0;
  std::string output = {};  ///< stdout, at most the bound
  std::string errors = {};  ///< stderr, at most 64 KiB
};

struct CommandOptions {
  std::string input = {};  ///< stdin; the way for secrets, which never stand in arguments
  std::size_t output_bytes_max = std::size_t{64} << 20U;
  std::string directory = {};  ///< where the program starts; empty: where plan runs, or the home
};

/// A machine that plan works on: this one, another over SSH, or a container on one. Thread-safe:
/// calls from several threads take turns or use sessions of their own.
class Host {
 public:
  Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  virtual ~Host() = default;

  /// Runs a program with arguments (no shell, but over SSH, where each argument is quoted). A
  /// non-zero exit code is a result, not an error. Errors: command-failed (could not be started),
  /// timed-out, connection-lost (effect unknown).
  [[nodiscard]] virtual Result<CommandResult> run(const std::vector<std::string>& arguments,
                                                  Deadline deadline,
                                                  const CommandOptions& options = {}) = 0;
  /// Errors: file-unreadable (missing, too large, no permission).
  [[nodiscard]] virtual Result<std::string> read_file(const std::string& path,
                                                      std::size_t bytes_max, Deadline deadline) = 0;
  /// Writes beside, syncs, renames over; keeps owner and mode of a file that is there, else `mode`.
  [[nodiscard]] virtual Outcome replace_file(const std::string& path, std::string_view bytes,
                                             unsigned mode, Deadline deadline) = 0;
  [[nodiscard]] virtual Result<bool> exists(const std::string& path, Deadline deadline) = 0;
  /// "this machine", "root@source.example.org": for messages.
  [[nodiscard]] virtual std::string name() const = 0;
};

[[nodiscard]] std::unique_ptr<Host> local_host();
/// A container on `machine`, by `docker exec`. A program that fails in one that does not run any
/// more, or does not run yet, is an error (command-failed) and no exit code. At the deadline docker
/// is let go; what runs in the container goes on (effect unknown). `machine` outlives it.
[[nodiscard]] std::unique_ptr<Host> container_host(Host& machine, std::string container);

struct SshOptions {
  std::string user = "root";
  std::string host = {};
  std::uint16_t port = 22;
  std::string private_key_file = {};  ///< OpenSSH or PEM; Ed25519 or ECDSA
  std::string host_key_sha256_base64 =
      {};  ///< pinned (as `ssh-keygen -lf` shows it, without "SHA256:"); required
};

/// Errors: host-key-changed, ssh-failed, login-refused. Keeps its sessions (65 ms to make), one for
/// each command that runs at a time, and makes them again when lost.
[[nodiscard]] Result<std::unique_ptr<Host>> ssh_host(const SshOptions& options, Deadline deadline);
/// What the server shows as its host key, to be pinned by `plan fetch`; nothing is sent to it.
[[nodiscard]] Result<std::string> ssh_host_key_sha256(const std::string& host, std::uint16_t port,
                                                      Deadline deadline);

/// The host key of a block of `hosts:` as its machine shows it now, for `plan fetch` to pin; empty
/// for this machine. A machine has several: when it still has the one that the block pins
/// (`host_key`), that one. Nothing is sent to it.
[[nodiscard]] Result<std::string> shown_host_key(const ir::Value& host_block, Deadline deadline);

/// Opens the hosts of a plan once and keeps them: from a block of `hosts:` ({} or absent: this
/// machine; {ssh: user@host, key: SecretRef file}, with the pinned host key as `host_key`).
/// A relative key file starts in `plan_directory`. Thread-safe.
class HostPool {
 public:
  explicit HostPool(std::string plan_directory = ".");
  ~HostPool();
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;
  [[nodiscard]] Result<Host*> open(const ir::Value& host_block, Deadline deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plan::net
