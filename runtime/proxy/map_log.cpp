#include "runtime/proxy/map_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/rand.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/limits.h"

namespace plan::proxy {
namespace {

constexpr std::string_view kMagic = "plan-proxy-map 1 ";
constexpr std::size_t kCheckLength = 16;
constexpr std::size_t kInstanceLength = 32;
constexpr std::size_t kHeaderLength = kMagic.size() + kInstanceLength + 1 + kCheckLength + 1;

std::string check_of(std::string_view chain, std::string_view text) {
  std::string all(chain);
  all += text;
  return ir::sha256(all).hex().substr(0, kCheckLength);
}

std::string header_of(const std::string& instance) {
  const std::string head = std::string(kMagic) + instance;
  return head + " " + check_of("", head) + "\n";
}

Error system_error(const ErrorCode& code, const std::string& what, const std::string& path) {
  return Error(code, fmt::format("{} {}: {}", what, path, std::strerror(errno)));
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool sync_folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : (slash == 0 ? "/" : path.substr(0, slash));
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return false;
  const bool is_synced = ::fsync(handle) == 0;
  ::close(handle);
  return is_synced;
}

/// Writes beside, syncs, renames over, syncs the folder. Returns the open file (at its end), or an
/// error.
Result<int> replace_with(const std::string& path, const std::string& bytes) {
  const std::string temporary = path + ".new";
  const int file = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return system_error(errors::map_unreadable, "cannot create", temporary);
  if (!write_all(file, bytes) || ::fsync(file) != 0 ||
      ::rename(temporary.c_str(), path.c_str()) != 0) {
    Error error = system_error(errors::map_unreadable, "cannot write", path);
    ::close(file);
    ::unlink(temporary.c_str());
    return error;
  }
  if (!sync_folder_of(path)) {
    Error error = system_error(errors::map_unreadable, "cannot sync the folder of", path);
    ::close(file);
    return std::move(error).with_effect(Effect::unknown);
  }
  return file;
}

Result<std::string> read_whole(int file, const std::string& path) {
  std::string bytes;
  std::array<char, 65536> chunk{};
  for (;;) {
    const ssize_t got = ::read(file, chunk.data(), chunk.size());
    if (got < 0) {
      if (errno == EINTR) continue;
      return system_error(errors::map_unreadable, "cannot read", path);
    }
    if (got == 0) return bytes;
    bytes.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<MapImage> read_map_image(std::string_view bytes) {
  if (bytes.size() < kHeaderLength || !bytes.starts_with(kMagic)) {
    return Error(errors::map_corrupt, "the file does not begin as an account map does");
  }
  MapImage image;
  image.instance = std::string(bytes.substr(kMagic.size(), kInstanceLength));
  if (bytes.substr(0, kHeaderLength) != header_of(image.instance)) {
    return Error(errors::map_corrupt, "the first line of the account map is damaged");
  }
  image.chain = check_of("", bytes.substr(0, kMagic.size() + kInstanceLength));
  std::size_t position = kHeaderLength;
  image.valid_bytes = position;
  ir::JsonLimits limits;
  limits.bytes_max = kMapRecordBytesMax;
  limits.depth_max = 8;
  while (position < bytes.size()) {
    const std::size_t end = bytes.find('\n', position);
    if (end == std::string_view::npos) return image;  // torn: never acknowledged
    const std::string_view line = bytes.substr(position, end - position);
    const bool is_last = end + 1 == bytes.size();
    bool is_good =
        line.size() > kCheckLength + 1 && line[kCheckLength] == ' ' &&
        check_of(image.chain, line.substr(kCheckLength + 1)) == line.substr(0, kCheckLength);
    if (is_good) {
      auto record = ir::parse_json(line.substr(kCheckLength + 1), limits);
      // A good digest over something that is no record is not a torn write but another program's
      // work.
      if (!record || !record->is_map())
        return Error(errors::map_corrupt,
                     fmt::format("the record at byte {} is not an object", position));
      image.records.push_back(std::move(*record));
      image.chain = std::string(line.substr(0, kCheckLength));
      image.valid_bytes = end + 1;
    } else if (!is_last || line.find('\0') == std::string_view::npos) {
      // A write that was cut off has no line end, or (after a power cut) blocks of zeros.
      // Everything else is damage, and what may have been acknowledged is not dropped in silence.
      return Error(errors::map_corrupt,
                   fmt::format("the record at byte {} does not continue the one before", position));
    }
    position = end + 1;
  }
  return image;
}

std::string write_map_image(const std::string& instance, const std::vector<ir::Value>& records) {
  std::string bytes = header_of(instance);
  std::string chain =
      check_of("", std::string_view(bytes).substr(0, kMagic.size() + kInstanceLength));
  for (const ir::Value& record : records) {
    const std::string json = ir::write_json(record);
    chain = check_of(chain, json);
    bytes += chain + " " + json + "\n";
  }
  return bytes;
}

Result<std::unique_ptr<MapLog>> MapLog::open(const std::string& path, bool is_created,
                                             MapImage& image) {
  std::unique_ptr<MapLog> log(new MapLog());
  log->path_ = path;
  const std::string lock_path = path + ".lock";
  log->lock_ = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (log->lock_ < 0) return system_error(errors::map_unreadable, "cannot create", lock_path);
  if (::flock(log->lock_, LOCK_EX | LOCK_NB) != 0) {
    return Error(errors::map_locked, fmt::format("another process holds {}", lock_path));
  }
  log->file_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (log->file_ < 0) {
    if (errno != ENOENT) return system_error(errors::map_unreadable, "cannot open", path);
    if (!is_created) return Error(errors::map_missing, fmt::format("{} is not there", path));
    std::array<unsigned char, kInstanceLength / 2> random{};
    PLAN_CHECK(RAND_bytes(random.data(), static_cast<int>(random.size())) == 1,
               "OpenSSL's generator is seeded by the kernel");
    log->instance_ =
        ir::to_hex(std::string_view(reinterpret_cast<const char*>(random.data()), random.size()));
    const std::string bytes = write_map_image(log->instance_, {});
    PLAN_TRY(file, replace_with(path, bytes));
    log->file_ = file;
    log->bytes_ = bytes.size();
    PLAN_TRY(fresh, read_map_image(bytes));
    image = std::move(fresh);
    log->chain_ = image.chain;
    return log;
  }
  PLAN_TRY(bytes, read_whole(log->file_, path));
  PLAN_TRY(read, read_map_image(bytes).while_doing("reading " + path));
  image = std::move(read);
  if (image.valid_bytes < bytes.size()) {
    if (::ftruncate(log->file_, static_cast<off_t>(image.valid_bytes)) != 0 ||
        ::fsync(log->file_) != 0) {
      return system_error(errors::map_unreadable, "cannot cut the torn end of", path);
    }
  }
  if (::lseek(log->file_, static_cast<off_t>(image.valid_bytes), SEEK_SET) < 0) {
    return system_error(errors::map_unreadable, "cannot seek in", path);
  }
  log->bytes_ = image.valid_bytes;
  log->instance_ = image.instance;
  log->chain_ = image.chain;
  return log;
}

MapLog::~MapLog() {
  if (file_ >= 0) ::close(file_);
  if (lock_ >= 0) ::close(lock_);
}

Outcome MapLog::append(const ir::Value& record) {
  if (is_poisoned_) {
    return Error(errors::map_unreadable,
                 "an earlier write to " + path_ + " failed; the proxy must be started anew")
        .with_blame(Blame::proxy);
  }
  const std::string json = ir::write_json(record);
  if (json.size() > kMapRecordBytesMax)
    return Error(errors::map_unreadable, "the record is larger than its bound")
        .with_blame(Blame::proxy);
  const std::string check = check_of(chain_, json);
  if (!write_all(file_, check + " " + json + "\n")) {
    Error error = system_error(errors::map_unreadable, "cannot write", path_);
    // Half a record in the middle would damage the next one: take it back, or never write again.
    if (::ftruncate(file_, static_cast<off_t>(bytes_)) != 0 ||
        ::lseek(file_, static_cast<off_t>(bytes_), SEEK_SET) < 0) {
      is_poisoned_ = true;
    }
    return std::move(error).with_blame(Blame::proxy);
  }
  if (::fdatasync(file_) != 0) {
    is_poisoned_ = true;  // the kernel may have dropped the pages: a second sync would lie
    return system_error(errors::map_unreadable, "cannot sync", path_)
        .with_blame(Blame::proxy)
        .with_effect(Effect::unknown);
  }
  chain_ = check;
  bytes_ += check.size() + json.size() + 2;
  return {};
}

Outcome MapLog::rewrite(const std::vector<ir::Value>& records) {
  if (is_poisoned_)
    return Error(errors::map_unreadable, "an earlier write to " + path_ + " failed")
        .with_blame(Blame::proxy);
  const std::string bytes = write_map_image(instance_, records);
  auto replaced = replace_with(path_, bytes);
  if (!replaced) {
    // Renamed but not synced: both names may come back after a power cut, so nothing more may be
    // promised.
    if (replaced.error().effect() == Effect::unknown) is_poisoned_ = true;
    return std::move(replaced).error();
  }
  ::close(file_);
  file_ = *replaced;
  bytes_ = bytes.size();
  PLAN_TRY(image, read_map_image(bytes));
  chain_ = image.chain;
  return {};
}

}  // namespace plan::proxy
