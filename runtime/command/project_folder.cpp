#include "runtime/command/project_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "compiler/source/text.h"
#include "runtime/command/errors.h"

namespace plan::command {
namespace {

constexpr int kPipeSilenceMs = 10'000;

bool write_all(int descriptor, std::string_view text) {
  for (std::size_t written = 0; written < text.size();) {
    const ssize_t size = write(descriptor, text.data() + written, text.size() - written);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    written += static_cast<std::size_t>(size);
  }
  return true;
}

}  // namespace

ProjectFolder project_folder(const std::string& plan_file) {
  ProjectFolder folder;
  folder.plan_file = plan_file.empty() ? "migration.yaml" : plan_file;
  // A plan in the plan language needs no name on the command line either.
  if (folder.plan_file == "migration.yaml" && !std::filesystem::exists("migration.yaml") &&
      std::filesystem::exists("migration.plan"))
    folder.plan_file = "migration.plan";
  const std::filesystem::path plan(folder.plan_file);
  const std::filesystem::path directory =
      plan.has_parent_path() ? plan.parent_path() : std::filesystem::path(".");
  folder.directory = directory.string();
  folder.lock_file = (directory / "migration.lock").lexically_normal().string();
  folder.state_directory = (directory / ".plan").lexically_normal().string();
  folder.facts_file = folder.state_directory + "/facts.jsonl";
  folder.schema_directory = folder.state_directory + "/schema";
  folder.journal_file = folder.state_directory + "/journal.sqlite";
  folder.compiled_file = folder.state_directory + "/compiled.cache";
  return folder;
}

Outcome create_state_directory(const ProjectFolder& folder) {
  if (mkdir(folder.state_directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error(
        errors::file_unwritable,
        fmt::format("{} cannot be made: {}", folder.state_directory, std::strerror(errno)));
  }
  const std::string ignore = folder.state_directory + "/.gitignore";
  if (!std::filesystem::exists(ignore)) return write_text_file(ignore, "*\n");
  return {};
}

Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max,
                                   std::string_view must_begin) {
  // A pipe that nobody writes into would keep a blocking open waiting for ever.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return Error(
        errno == ENOENT || errno == ENOTDIR ? errors::file_missing : errors::file_unreadable,
        fmt::format("{} cannot be opened: {}", path, std::strerror(errno)));
  }
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
    close(descriptor);
    return Error(errors::file_unreadable, fmt::format("{} is a device, not a file", path));
  }
  std::string text;
  std::string buffer(std::size_t{64} << 10U, '\0');
  while (true) {
    const ssize_t size = read(descriptor, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) {
      pollfd entry{descriptor, POLLIN, 0};
      const int ready = poll(&entry, 1, kPipeSilenceMs);
      if (ready > 0 || (ready < 0 && errno == EINTR)) continue;
      close(descriptor);
      return Error(errors::file_unreadable,
                   fmt::format("{} is a pipe, and nothing came out of it for {}", path,
                               show_duration_ms(kPipeSilenceMs)));
    }
    if (size < 0) {
      const std::string why = std::strerror(errno);
      close(descriptor);
      return Error(errors::file_unreadable, fmt::format("{} cannot be read: {}", path, why));
    }
    if (size == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(size));
    if (text.size() >= must_begin.size() && !text.starts_with(must_begin)) break;
    if (text.size() > bytes_max) {
      close(descriptor);
      return Error(errors::file_too_large,
                   fmt::format("{} is larger than {}", path, show_bytes(bytes_max)));
    }
  }
  close(descriptor);
  return text;
}

Result<std::string> read_file_in(const ProjectFolder& folder, const std::string& path,
                                 std::size_t bytes_max) {
  const std::filesystem::path whole = std::filesystem::path(folder.directory) / path;
  std::error_code failure;
  const auto inside = std::filesystem::canonical(folder.directory, failure);
  const auto real = failure ? whole : std::filesystem::weakly_canonical(whole, failure);
  if (failure) {
    return Error(errors::file_unreadable,
                 fmt::format("{} cannot be found: {}", whole.string(), failure.message()));
  }
  // The words are those of a path with `..` (syntax::why_not_in_folder).
  const auto rest = real.lexically_relative(inside);
  if (rest.empty() || *rest.begin() == "..")
    return Error(errors::file_unreadable, "it leads out of the folder");
  return read_text_file(whole.string(), bytes_max);
}

Outcome write_text_file(const std::string& path, std::string_view text, unsigned mode) {
  // A link stays one: what it points at is replaced. The name is this process's own, so that two
  // that write at once do not write into one file.
  std::string target = path;
  struct stat link {};
  if (lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode)) {
    std::error_code failure;
    target = std::filesystem::weakly_canonical(path, failure).string();
    if (failure)
      return Error(errors::file_unwritable,
                   fmt::format("{} points nowhere: {}", path, failure.message()));
  }
  const auto refuse = [&](std::string_view what) {
    return Error(errors::file_unwritable,
                 fmt::format("{} cannot be {}: {}", path, what, std::strerror(errno)));
  };
  struct stat was {};
  const bool is_there = stat(target.c_str(), &was) == 0;
  if (is_there && !S_ISREG(was.st_mode)) {
    // A pipe or a device is written into: to replace /dev/null is not what anybody wants.
    const int descriptor = open(target.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return refuse("opened");
    fcntl(descriptor, F_SETFL, 0);
    const bool is_written = write_all(descriptor, text);
    const int number = errno;
    close(descriptor);
    errno = number;
    if (!is_written) return refuse("written");
    return {};
  }
  const std::string beside = fmt::format("{}.new.{}", target, getpid());
  unlink(beside.c_str());
  const int descriptor =
      open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (descriptor < 0) return refuse("opened");
  if (is_there) fchmod(descriptor, was.st_mode & 07777U);
  if (!write_all(descriptor, text)) {
    Error error = refuse("written");
    close(descriptor);
    unlink(beside.c_str());
    return error;
  }
  if (fsync(descriptor) != 0) {
    Error error = refuse("synced");
    close(descriptor);
    unlink(beside.c_str());
    return error;
  }
  close(descriptor);
  if (rename(beside.c_str(), target.c_str()) != 0) {
    Error error = refuse("renamed into place");
    unlink(beside.c_str());
    return error;
  }
  const std::filesystem::path parent = std::filesystem::path(target).parent_path();
  const int folder =
      open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return {};
}

}  // namespace plan::command
