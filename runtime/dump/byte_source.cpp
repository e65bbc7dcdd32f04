#include "runtime/dump/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace plan::dump {
namespace {

std::int64_t modified_ns(const struct stat& status) {
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

FileSource::FileSource(const std::string& path) {
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (descriptor_ < 0) {
    const int code = errno;
    const bool is_link = code == ELOOP;
    // A socket cannot be opened at all.
    fault_ = Fault{.kind = is_link || code == ENXIO ? FaultKind::not_a_file : FaultKind::unreadable,
                   .text = is_link ? "a symbolic link" : std::strerror(code)};
    return;
  }
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0) {
    fault_ = Fault{.kind = FaultKind::unreadable, .text = std::strerror(errno)};
  } else if (!S_ISREG(status.st_mode)) {
    fault_ = Fault{.kind = FaultKind::not_a_file, .text = std::string(kind_of(status.st_mode))};
  } else {
    bytes_ = static_cast<std::uint64_t>(status.st_size);
    modified_ns_ = modified_ns(status);
    ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
}

FileSource::~FileSource() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::size_t FileSource::read(char* buffer, std::size_t size) {
  if (fault_) return 0;
  std::size_t filled = 0;
  const std::uint64_t wanted = std::min<std::uint64_t>(size, bytes_ - read_);
  while (filled < wanted) {
    const ssize_t count = ::read(descriptor_, buffer + filled, wanted - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      fault_ = Fault{
          .kind = FaultKind::unreadable, .text = std::strerror(errno), .file_byte = read_ + filled};
      break;
    }
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  read_ += filled;
  if (!fault_ && (filled < wanted || read_ == bytes_)) check_unchanged();
  return filled;
}

void FileSource::check_unchanged() {
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0) return;
  const auto now = static_cast<std::uint64_t>(status.st_size);
  if (now == bytes_ && modified_ns(status) == modified_ns_) return;
  fault_ = Fault{.kind = FaultKind::changed,
                 .text = now == bytes_ ? std::string("it was written to")
                                       : fmt::format("it had {} bytes and has {}", bytes_, now),
                 .file_byte = read_};
}

std::size_t MemorySource::read(char* buffer, std::size_t size) {
  const std::size_t count = std::min(size, bytes_.size());
  std::memcpy(buffer, bytes_.data(), count);
  bytes_.remove_prefix(count);
  return count;
}

}  // namespace plan::dump
