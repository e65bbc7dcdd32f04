#include "runtime/engine/run_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/engine/errors.h"
#include "runtime/store/errors.h"

namespace plan::engine {

RunLock::RunLock(const std::string& journal_path) : path_(journal_path + ".lock") {}

RunLock::~RunLock() { give_back(); }

Outcome RunLock::take() {
  if (file_ >= 0) return {};
  const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    return Error(store::errors::store_unreadable,
                 fmt::format("{}: {}", path_, std::strerror(errno)));
  }
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    ::close(file);
    return Error(errors::run_in_progress, fmt::format("{} is held by another process", path_));
  }
  file_ = file;
  return {};
}

void RunLock::give_back() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

bool RunLock::is_held() const {
  if (file_ >= 0) return true;
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool is_held = ::flock(file, LOCK_SH | LOCK_NB) != 0;
  ::close(file);
  return is_held;
}

}  // namespace plan::engine
