#include "runtime/engine/file_place.h"

#include <sys/stat.h>

namespace plan::engine {
namespace {

std::optional<std::pair<dev_t, ino_t>> place_of(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return std::pair(status.st_dev, status.st_ino);
}

}  // namespace

FilePlace::FilePlace(const std::string& path) : place_(place_of(path)) {}

bool FilePlace::is_kept(const std::string& path) const {
  return !place_ || place_of(path) == place_;
}

}  // namespace plan::engine
