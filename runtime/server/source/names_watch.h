#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/server/source/population.h"
#include "runtime/server/source/source.h"

namespace plan::server::source {

/// Which aliases an account has at the source now, for every account of a run. Users and alias maps
/// are read once, and again when one of their files is another one: an account that asks while it
/// is held waits for one `stat` and not for the reading of everything. Thread-safe.
class NamesWatch {
 public:
  using OpenSource = std::function<Result<std::shared_ptr<Source>>()>;
  explicit NamesWatch(OpenSource open) : open_(std::move(open)) {}

  /// Sorted, in lower case; none when nobody of that address is there. Errors: those of
  /// read_population and of opening the source.
  [[nodiscard]] Result<std::vector<std::string>> aliases_of(const std::string& account);

 private:
  OpenSource open_;
  std::mutex mutex_;
  Population population_ = {};
  std::string stamp_ =
      {};  ///< of population_.files, taken before they were read; empty: read again
};

}  // namespace plan::server::source
