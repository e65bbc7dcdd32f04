#include "runtime/dump/store/transfer_progress.h"

#include <fmt/format.h>

#include "runtime/step/errors.h"

namespace plan::dump {

Outcome TransferCount::add(char letter, std::uint64_t records, std::uint64_t bytes,
                           const char* where) {
  const std::scoped_lock lock(mutex_);
  progress_.letter = letter;
  progress_.records += records;
  progress_.bytes += bytes;
  if (on_progress_) on_progress_(progress_);
  if (is_stopped_ && is_stopped_())
    return Error(step::errors::stopped, fmt::format("stopped between two {}", where));
  return {};
}

}  // namespace plan::dump
