// This machine as a Host: programs by posix_spawn, files written beside and renamed over.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "runtime/net/errors.h"
#include "runtime/net/host.h"
#include "runtime/net/socket.h"

extern char** environ;

namespace plan::net {
namespace {

constexpr std::size_t kErrorsBytesMax = std::size_t{64} << 10U;

Error not_started(const std::string& program, int number) {
  return Error(errors::command_failed,
               fmt::format("cannot start `{}`: {}", program, errno_text(number)));
}

Error unreadable(const std::string& path, std::string_view why) {
  return Error(errors::file_unreadable, fmt::format("{}: {}", path, why));
}

/// A file in memory with `text`, read position at its start: the child's stdin. A pipe would need
/// to be fed and raises SIGPIPE when the child does not read it.
Result<OwnedDescriptor> input_of(const std::string& text) {
  OwnedDescriptor file(text.empty() ? open("/dev/null", O_RDONLY | O_CLOEXEC)
                                    : memfd_create("plan-input", MFD_CLOEXEC));
  if (!file.is_open()) return not_started("its input", errno);
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(file.get(), text.data() + written, text.size() - written);
    if (count < 0) return not_started("its input", errno);
    written += static_cast<std::size_t>(count);
  }
  if (!text.empty() && lseek(file.get(), 0, SEEK_SET) < 0) return not_started("its input", errno);
  return file;
}

struct Pipe {
  OwnedDescriptor read_end = {};
  OwnedDescriptor write_end = {};
};

Result<Pipe> make_pipe() {
  int ends[2] = {};
  if (pipe2(ends, O_CLOEXEC) != 0) return not_started("a pipe", errno);
  Pipe pipe{OwnedDescriptor(ends[0]), OwnedDescriptor(ends[1])};
  fcntl(pipe.read_end.get(), F_SETFL,
        O_NONBLOCK);  // ours only: the child's end stays as programs expect it
  return pipe;
}

/// The child with everything that posix_spawn needs, in a process group of its own: Ctrl-C at our
/// terminal is for us.
Result<pid_t> spawn(const std::vector<std::string>& arguments, const std::string& directory,
                    int input, int output, int errors_to) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, errors_to, 2);
  if (!directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  // What programs say is parsed: always in one language.
  std::string language = "LC_ALL=C";
  std::vector<char*> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::string_view(*entry).substr(0, 7) != "LC_ALL=") environment.push_back(*entry);
  }
  environment.push_back(language.data());
  environment.push_back(nullptr);

  pid_t child = 0;
  const int number = posix_spawnp(&child, arguments.front().c_str(), &actions, &attributes,
                                  argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (number != 0) return not_started(arguments.front(), number);
  return child;
}

/// Waits for the child in its destructor, killing its group first when nobody asked for the exit
/// code.
class Child {
 public:
  explicit Child(pid_t pid)
      : pid_(pid),  // glibc 2.36 declares pidfd_open without extern "C"
        handle_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    kill(pid_, SIGKILL);
    reap();
  }
  [[nodiscard]] int handle() const { return handle_.get(); }
  int reap() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
  OwnedDescriptor handle_;
};

/// Takes what there is. Keeps at most `kept_max` bytes; true when more came. Closes the pipe at its
/// end.
bool drain(OwnedDescriptor& from, std::string& kept, std::size_t kept_max) {
  std::array<char, 65536> chunk;
  while (from.is_open()) {
    const ssize_t count = read(from.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return false;
    if (count <= 0) {
      from.close();
      return false;
    }
    const std::size_t room = kept_max - kept.size();
    const std::size_t size = static_cast<std::size_t>(count);
    kept.append(chunk.data(), std::min(room, size));
    if (size > room) return true;
  }
  return false;
}

class LocalHost final : public Host {
 public:
  Result<CommandResult> run(const std::vector<std::string>& arguments, Deadline deadline,
                            const CommandOptions& options) override {
    if (arguments.empty()) return Error(errors::command_failed, "no program was named");
    PLAN_TRY(input, input_of(options.input));
    PLAN_TRY(output, make_pipe());
    PLAN_TRY(errors_from, make_pipe());
    PLAN_TRY(pid, spawn(arguments, options.directory, input.get(), output.write_end.get(),
                        errors_from.write_end.get()));
    Child child(pid);
    output.write_end.close();
    errors_from.write_end.close();
    if (child.handle() < 0) return not_started(arguments.front(), errno);

    CommandResult result;
    bool is_running = true;
    // Ends with the program, not with its pipes: what it leaves in the background may keep them
    // open.
    while (is_running) {
      pollfd entries[3] = {{output.read_end.get(), POLLIN, 0},
                           {errors_from.read_end.get(), POLLIN, 0},
                           {child.handle(), POLLIN, 0}};
      const int ready = poll(entries, 3, deadline.left_ms());
      if (ready < 0 && errno != EINTR) return not_started(arguments.front(), errno);
      if (ready == 0 && deadline.is_over()) {
        return Error(errors::timed_out,
                     fmt::format("`{}` did not end in time and was killed", arguments.front()))
            .with_effect(Effect::unknown)
            .with_detail(result.errors);
      }
      if (ready > 0) is_running = entries[2].revents == 0;
      if (drain(output.read_end, result.output, options.output_bytes_max)) {
        return Error(errors::answer_too_large,
                     fmt::format("`{}` wrote more than {} bytes", arguments.front(),
                                 options.output_bytes_max))
            .with_effect(Effect::unknown);
      }
      while (drain(errors_from.read_end, result.errors, kErrorsBytesMax)) {
      }
    }
    result.exit_code = child.reap();
    return result;
  }

  Result<std::string> read_file(const std::string& path, std::size_t bytes_max, Deadline) override {
    const OwnedDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.is_open()) return unreadable(path, errno_text(errno));
    struct stat status {};
    if (fstat(file.get(), &status) != 0) return unreadable(path, errno_text(errno));
    if (!S_ISREG(status.st_mode)) return unreadable(path, "not a regular file");
    std::string text;
    std::array<char, 65536> chunk;
    while (true) {
      const ssize_t count = read(file.get(), chunk.data(), chunk.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return unreadable(path, errno_text(errno));
      if (count == 0) return text;
      text.append(chunk.data(), static_cast<std::size_t>(count));
      if (text.size() > bytes_max)
        return unreadable(path, fmt::format("larger than {} bytes", bytes_max));
    }
  }

  Outcome replace_file(const std::string& path, std::string_view bytes, unsigned mode,
                       Deadline) override {
    const std::lock_guard lock(replace_mutex_);
    std::error_code code;
    std::filesystem::path target(path);
    struct stat link {};
    if (lstat(target.c_str(), &link) == 0 && S_ISLNK(link.st_mode)) {
      target =
          std::filesystem::weakly_canonical(target, code);  // the link stays, its target changes
      if (code) return unreadable(path, code.message());
    }
    const std::filesystem::path folder = target.has_parent_path() ? target.parent_path() : ".";
    // One fixed name: what a crash leaves is replaced by the next write. The dot keeps it out of
    // `include *.conf`.
    const std::string beside = (folder / ("." + target.filename().string() + ".plan-new")).string();
    unlink(beside.c_str());
    OwnedDescriptor file(
        open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.is_open()) return unreadable(path, errno_text(errno));
    const Outcome written = fill(file.get(), target.string(), bytes, mode);
    if (!written) {
      unlink(beside.c_str());
      return written;
    }
    if (rename(beside.c_str(), target.c_str()) != 0) {
      const int number = errno;
      unlink(beside.c_str());
      return unreadable(path, errno_text(number));
    }
    const OwnedDescriptor directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.is_open() || fsync(directory.get()) != 0) {
      return std::move(unreadable(path, errno_text(errno))).with_effect(Effect::unknown);
    }
    return {};
  }

  Result<bool> exists(const std::string& path, Deadline) override {
    struct stat status {};
    if (stat(path.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return unreadable(path, errno_text(errno));
  }

  std::string name() const override { return "this machine"; }

 private:
  static Outcome fill(int file, const std::string& target, std::string_view bytes, unsigned mode) {
    std::size_t written = 0;
    while (written < bytes.size()) {
      const ssize_t count = write(file, bytes.data() + written, bytes.size() - written);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return unreadable(target, errno_text(errno));
      written += static_cast<std::size_t>(count);
    }
    struct stat status {};
    const bool is_there = stat(target.c_str(), &status) == 0;
    if (is_there && fchown(file, status.st_uid, status.st_gid) != 0)
      return unreadable(target, errno_text(errno));
    if (fchmod(file, is_there ? status.st_mode & 07777U : mode) != 0 || fsync(file) != 0) {
      return unreadable(target, errno_text(errno));
    }
    return {};
  }

  std::mutex replace_mutex_;
};

}  // namespace

std::unique_ptr<Host> local_host() { return std::make_unique<LocalHost>(); }

}  // namespace plan::net
