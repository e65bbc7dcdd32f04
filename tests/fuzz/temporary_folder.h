#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>

#include "compiler/source/check.h"

namespace plan::fuzz {

/// A folder of this process in memory (where there is such a place), gone at its end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code failed;
    const bool has_memory = std::filesystem::is_directory("/dev/shm", failed);
    path_ = has_memory ? "/dev/shm/plan-fuzz-XXXXXX" : "/tmp/plan-fuzz-XXXXXX";
    PLAN_CHECK(mkdtemp(path_.data()) != nullptr, "a folder can be made");
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace plan::fuzz
