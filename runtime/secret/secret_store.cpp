#include "runtime/secret/secret_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>

#include "compiler/source/check.h"
#include "compiler/source/text.h"
#include "runtime/secret/errors.h"
#include "runtime/secret/limits.h"
#include "runtime/secret/private_file.h"
#include "runtime/secret/seal.h"

extern char** environ;

namespace plan::secret {
namespace {

constexpr std::size_t kShownBytesMax = 200;

Result<Secret> read_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') {
    return Error(errors::secret_missing, fmt::format("environment variable {} is {}", name,
                                                     value == nullptr ? "not set" : "empty"))
        .with_blame(Blame::plan);
  }
  return Secret(value);
}

/// Runs the operator's command by the shell, in the plan's folder, with this process's environment;
/// its words on stderr go to the terminal (it may ask for a PIN), its stdout is the secret. Errors
/// name the command, which stands in the plan, and nothing of what it wrote.
Result<Secret> run_command(const std::string& command, const std::string& folder) {
  const std::string shown = fmt::format("the command `{}`", printable(command, kShownBytesMax));
  int pipe_ends[2] = {-1, -1};
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) {
    return Error(errors::secret_unreadable, fmt::format("no pipe: {}", std::strerror(errno)));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 1);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own, so that a command that hangs is ended with its children.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  std::string shell = "sh";
  std::string flag = "-c";
  std::string text = command;
  char* arguments[] = {shell.data(), flag.data(), text.data(), nullptr};
  pid_t child = -1;
  const int code = ::posix_spawn(&child, "/bin/sh", &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe_ends[1]);
  if (code != 0) {
    ::close(pipe_ends[0]);
    return Error(errors::secret_unreadable,
                 fmt::format("{} did not start: {}", shown, std::strerror(code)));
  }
  const auto deadline = std::chrono::steady_clock::now() + kCommandTimeout;
  std::string output(kSecretBytesMax + 1, '\0');
  std::size_t length = 0;
  bool is_in_time = true;
  while (length < output.size()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd waiting{pipe_ends[0], POLLIN, 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      is_in_time = false;
      break;
    }
    const ssize_t got = ::read(pipe_ends[0], output.data() + length, output.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    length += static_cast<std::size_t>(got);
  }
  ::close(pipe_ends[0]);
  if (!is_in_time || length > kSecretBytesMax) ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (length > kSecretBytesMax || !is_in_time || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    OPENSSL_cleanse(output.data(), output.size());
    if (length > kSecretBytesMax) {
      return Error(errors::secret_too_large,
                   fmt::format("{} wrote more than {} bytes", shown, kSecretBytesMax));
    }
    if (!is_in_time) {
      return Error(errors::secret_unreadable, fmt::format("{} did not end within {} s", shown,
                                                          kCommandTimeout.count() / 1000));
    }
    return Error(errors::secret_unreadable,
                 WIFEXITED(status)
                     ? fmt::format("{} ended with exit code {}", shown, WEXITSTATUS(status))
                     : fmt::format("{} was ended by signal {}", shown, WTERMSIG(status)));
  }
  if (length > 0 && output[length - 1] == '\n') --length;
  std::string exact = output.substr(0, length);
  OPENSSL_cleanse(output.data(), output.size());
  if (exact.empty()) {
    return Error(errors::secret_missing, fmt::format("{} wrote nothing", shown));
  }
  return Secret(std::move(exact));
}

}  // namespace

struct SecretStore::State {
  SecretStoreOptions options;
  std::map<std::string, Provider> providers;
  std::mutex mutex;
  std::map<std::string, Secret> command_answers;
  std::optional<SealKey> key;

  [[nodiscard]] std::string key_path() const { return options.state_directory + "/seal.key"; }
  [[nodiscard]] Result<const SealKey*> seal_key(bool makes) {
    const std::lock_guard lock(mutex);
    if (!key) {
      PLAN_TRY(loaded, makes ? SealKey::load_or_make(key_path()) : SealKey::load(key_path()));
      key.emplace(std::move(loaded));
    }
    return &*key;
  }
};

SecretStore::SecretStore(SecretStoreOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  if (state_->options.plan_directory.empty()) state_->options.plan_directory = ".";
}
SecretStore::~SecretStore() = default;

void SecretStore::add_provider(std::string name, Provider provider) {
  PLAN_CHECK(name != "env" && name != "file" && name != "command" && name != "sealed",
             "the four of the house are not replaced");
  state_->providers[std::move(name)] = std::move(provider);
}

Result<Secret> SecretStore::read(const ir::SecretRef& ref) {
  if (ref.provider == "env") return read_environment(ref.name);
  if (ref.provider == "file") {
    const std::string path = !ref.name.empty() && ref.name.front() == '/'
                                 ? ref.name
                                 : state_->options.plan_directory + "/" + ref.name;
    return read_private_file(path);
  }
  if (ref.provider == "command") {
    // One question to the person at a time, and each only once.
    const std::lock_guard lock(state_->mutex);
    const auto known = state_->command_answers.find(ref.name);
    if (known != state_->command_answers.end()) return known->second.clone();
    PLAN_TRY(answer, run_command(ref.name, state_->options.plan_directory));
    Secret copy = answer.clone();
    state_->command_answers.emplace(ref.name, std::move(answer));
    return copy;
  }
  if (ref.provider == "sealed") {
    PLAN_TRY(key, state_->seal_key(false));
    return key->open(ref.name).while_doing("opening it with " + state_->key_path());
  }
  const auto found = state_->providers.find(ref.provider);
  if (found == state_->providers.end()) {
    return Error(errors::secret_missing, fmt::format("no secrets come from `{}`", ref.provider))
        .with_blame(Blame::plan);
  }
  return found->second(ref.name);
}

Result<ir::SecretRef> SecretStore::seal(const Secret& secret) {
  PLAN_TRY(key, state_->seal_key(true));
  PLAN_TRY(sealed, key->seal(secret));
  return ir::SecretRef{"sealed", std::move(sealed)};
}

Result<std::string> SecretStore::keyed_digest(const Secret& secret) {
  PLAN_TRY(key, state_->seal_key(true));
  return key->keyed_digest(secret);
}

}  // namespace plan::secret
