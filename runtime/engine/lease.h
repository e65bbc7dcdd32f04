#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "compiler/source/result.h"

namespace plan::engine {

/// One run at a time, also from two laptops (design.md section 8): a lookup key on the target whose
/// uniqueness check is the compare-and-set, and a lock file on the source. Each is one LeaseHolder;
/// the engine takes all of them before its first effect, in the order given, and gives them back in
/// the reverse one. Called from one thread at a time.
class LeaseHolder {
 public:
  LeaseHolder() = default;
  LeaseHolder(const LeaseHolder&) = delete;
  LeaseHolder& operator=(const LeaseHolder&) = delete;
  virtual ~LeaseHolder() = default;

  /// Makes `token` the holder, or refuses, naming the other holder. Repeating it with the same
  /// token succeeds: a run that was killed resumes its own lease.
  [[nodiscard]] virtual Outcome acquire(std::string_view token) = 0;
  /// Still ours? An error whose code ends in `lease-lost` says that another token stands there, and
  /// ends the run; any other error is tried again. Read-only or refreshing.
  [[nodiscard]] virtual Outcome renew(std::string_view token) = 0;
  /// Gives it back if it is `token`'s; nothing when it is not.
  [[nodiscard]] virtual Outcome release(std::string_view token) = 0;
  /// Puts `token` in the place of whoever holds it (`--take-over`).
  [[nodiscard]] virtual Outcome take_over(std::string_view token) = 0;
  /// The token that holds it now; empty: nobody. Read-only.
  [[nodiscard]] virtual Result<std::string> holder() = 0;
  /// "target", "source": for messages.
  [[nodiscard]] virtual std::string name() const = 0;
};

}  // namespace plan::engine
