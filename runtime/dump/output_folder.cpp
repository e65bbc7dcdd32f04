#include "runtime/dump/output_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "runtime/dump/dump_folder.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_reader.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;

/// Without links, dots and a slash at its end, whether it is there or not.
fs::path real_path(const std::string& path) {
  std::error_code code;
  fs::path real = fs::weakly_canonical(fs::absolute(path, code), code);
  if (real.filename().empty()) real = real.parent_path();
  return real;
}

bool is_inside(const fs::path& path, const fs::path& folder) {
  const auto [rest, end] = std::mismatch(path.begin(), path.end(), folder.begin(), folder.end());
  (void)rest;
  return end == folder.end();
}

bool holds_dump_files(const fs::path& folder) {
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    std::error_code ignored;
    if (letter_of_file_name(entry->path().filename().string()) != 0 &&
        !entry->is_directory(ignored))
      return true;
  }
  return false;
}

/// Somebody writes there now: the lock of a run ends with it, however it ends.
bool is_locked(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool is_held = ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  return is_held;
}

Error unwritable(const std::string& path, int error) {
  return Error(errors::dump_unwritable, fmt::format("{}: {}", path, std::strerror(error)));
}

/// Names in a folder are on the disk, too.
Outcome sync_folder(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return unwritable(path, errno);
  const int error = ::fsync(descriptor) != 0 ? errno : 0;
  ::close(descriptor);
  // Some file systems cannot do it for folders, which loses nothing but the order of two crashes.
  if (error != 0 && error != EINVAL) return unwritable(path, error);
  return {};
}

}  // namespace

Outcome must_be_finished(const std::string& path) {
  const std::string unfinished = fmt::format("{}/{}", path, kUnfinishedFolder);
  std::error_code code;
  if (!fs::is_directory(unfinished, code)) return {};
  if (is_locked(unfinished))
    return Error(errors::dump_unfinished,
                 fmt::format("another run of plan is writing into {} now", path));
  return Error(
      errors::dump_unfinished,
      fmt::format("a run that was killed left {}; remove what is in {}{}", unfinished, path,
                  fs::exists(manifest_path_of(path), code) ? " and " + manifest_path_of(path)
                                                           : std::string()));
}

Outcome must_be_outside(const std::string& path, const std::vector<std::string>& dumps) {
  const fs::path real = real_path(path);
  std::error_code code;
  for (const std::string& dump : dumps) {
    fs::path folder = real_path(dump);
    if (!fs::is_directory(folder, code)) {
      // A file of another name is a part of no dump.
      if (letter_of_file_name(folder.filename().string()) == 0) continue;
      folder = folder.parent_path();
    }
    if (is_inside(real, folder))
      return Error(errors::output_in_dump,
                   fmt::format("{} lies inside the dump {}", path, folder.string()));
  }
  if (holds_dump_files(real.parent_path()))
    return Error(errors::output_in_dump, fmt::format("{} lies beside the files of the dump {}",
                                                     path, real.parent_path().string()));
  return {};
}

Result<std::unique_ptr<OutputFolder>> OutputFolder::begin(const std::string& path,
                                                          const std::vector<std::string>& inputs) {
  if (path.empty()) return Error(errors::dump_unwritable, "the name of the new folder is empty");
  PLAN_TRY_VOID(must_be_outside(path, inputs));
  std::unique_ptr<OutputFolder> output(new OutputFolder());
  output->folder_ = real_path(path).string();
  std::error_code code;
  const fs::file_status status = fs::status(output->folder_, code);
  if (fs::exists(status)) {
    if (!fs::is_directory(status))
      return Error(errors::dump_exists, fmt::format("{} is no folder", path));
    PLAN_TRY_VOID(must_be_finished(path));
    const bool is_empty = fs::is_empty(output->folder_, code);
    if (code) return Error(errors::dump_unwritable, fmt::format("{}: {}", path, code.message()));
    if (!is_empty) return Error(errors::dump_exists, fmt::format("{} is not empty", path));
  }
  PLAN_TRY_VOID(output->make_folders());
  // Of the name as it was given: that is where it is looked for later.
  output->manifest_path_ = manifest_path_of(path);
  if (fs::exists(fs::symlink_status(output->manifest_path_, code)))
    return Error(errors::dump_exists,
                 fmt::format("{} is there, the manifest of another dump; remove it, or choose "
                             "another folder",
                             output->manifest_path_));
  return output;
}

Outcome OutputFolder::make_folders() {
  std::vector<fs::path> absent;
  std::error_code code;
  for (fs::path path = folder_; !path.empty() && !fs::exists(path, code); path = path.parent_path())
    absent.push_back(path);
  std::reverse(absent.begin(), absent.end());
  for (const fs::path& path : absent) {
    // A dump holds secrets; what leads to it is as anybody's new folder.
    const bool is_own = path == fs::path(folder_);
    if (::mkdir(path.c_str(), is_own ? 0700 : 0777) != 0) {
      if (errno == EEXIST) continue;
      return unwritable(path.string(), errno);
    }
    made_.push_back(path.string());
  }
  fs::permissions(folder_, fs::perms::owner_all, code);
  work_ = fmt::format("{}/{}", folder_, kUnfinishedFolder);
  if (::mkdir(work_.c_str(), 0700) != 0) {
    if (errno == EEXIST) return must_be_finished(folder_);
    return unwritable(work_, errno);
  }
  has_work_ = true;
  lock_ = ::open(work_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ < 0) return unwritable(work_, errno);
  // Where there are no locks a run that writes is taken for one that was killed: nobody goes on
  // then either.
  (void)::flock(lock_, LOCK_EX | LOCK_NB);
  return {};
}

Outcome OutputFolder::finish(const Manifest* manifest) {
  std::error_code code;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(work_, code), end; !code && entry != end; entry.increment(code))
    names.push_back(entry->path().filename().string());
  if (code) return Error(errors::dump_unwritable, fmt::format("{}: {}", work_, code.message()));
  for (const std::string& name : names) {
    const std::string target = fmt::format("{}/{}", folder_, name);
    if (::rename(fmt::format("{}/{}", work_, name).c_str(), target.c_str()) != 0)
      return unwritable(target, errno);
    moved_.push_back(target);
  }
  PLAN_TRY_VOID(sync_folder(folder_));
  if (manifest != nullptr) {
    PLAN_TRY_VOID(write_manifest(*manifest, manifest_path_));
    has_manifest_ = true;
  }
  if (::rmdir(work_.c_str()) != 0) return unwritable(work_, errno);
  has_work_ = false;
  PLAN_TRY_VOID(sync_folder(folder_));
  is_finished_ = true;
  return {};
}

OutputFolder::~OutputFolder() {
  if (!is_finished_) {
    std::error_code code;
    if (has_manifest_) ::unlink(manifest_path_.c_str());
    for (const std::string& path : moved_) ::unlink(path.c_str());
    if (has_work_) fs::remove_all(work_, code);
    // Only empty ones go.
    for (auto path = made_.rbegin(); path != made_.rend(); ++path) ::rmdir(path->c_str());
  }
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace plan::dump
