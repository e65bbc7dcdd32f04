#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

namespace plan::engine {

/// Which file a path named when this was made: by device and inode, so that one that was taken away
/// or put in its place since is noticed.
class FilePlace {
 public:
  explicit FilePlace(const std::string& path);
  /// Also true when there was no file.
  [[nodiscard]] bool is_kept(const std::string& path) const;

 private:
  std::optional<std::pair<dev_t, ino_t>> place_;
};

}  // namespace plan::engine
