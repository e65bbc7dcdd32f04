#pragma once
#include <cstdint>
#include <functional>
#include <mutex>

#include "compiler/source/result.h"

namespace plan::dump {

/// How far a transfer is, for people. Called from several threads, a few times a second.
struct TransferProgress {
  char letter = 0;
  std::uint64_t records = 0;  ///< of all subspaces
  std::uint64_t bytes = 0;    ///< keys and values of all subspaces
};

/// What the threads of one transfer have done together; also where they hear that they are to stop.
class TransferCount {
 public:
  /// Both may be empty. They outlive this object.
  TransferCount(const std::function<void(const TransferProgress&)>& on_progress,
                const std::function<bool()>& is_stopped)
      : on_progress_(on_progress), is_stopped_(is_stopped) {}

  /// Error: stopped, when somebody wants it, `where`.
  [[nodiscard]] Outcome add(char letter, std::uint64_t records, std::uint64_t bytes,
                            const char* where);

 private:
  const std::function<void(const TransferProgress&)>& on_progress_;
  const std::function<bool()>& is_stopped_;
  std::mutex mutex_;
  TransferProgress progress_;
};

}  // namespace plan::dump
