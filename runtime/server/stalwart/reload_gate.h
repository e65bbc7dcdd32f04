#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"

namespace plan::server::stalwart {

/// Lets many callers share one reload: whoever wrote something before a reload *began* is served by
/// it, and two reloads begin at least `apart` from each other (design.md section 6, "Scale").
/// Thread-safe.
class ReloadGate {
 public:
  ReloadGate(std::function<Outcome()> reload, std::chrono::milliseconds apart, net::Clock& clock)
      : reload_(std::move(reload)), apart_(apart), clock_(clock) {}

  /// Returns when a reload that began after this call has ended, with its outcome. One of the
  /// waiting callers makes it.
  [[nodiscard]] Outcome pass();
  /// Reloads that were made so far.
  [[nodiscard]] std::uint64_t count() const;

 private:
  std::function<Outcome()> reload_;
  std::chrono::milliseconds apart_;
  net::Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::uint64_t begun_ = 0;  ///< number of the last reload that began
  std::uint64_t done_ = 0;   ///< number of the last one that ended
  bool is_leader_ = false;   ///< somebody waits for its turn or reloads
  std::map<std::uint64_t, std::pair<std::optional<Error>, std::uint64_t>>
      failed_;  ///< by number: error, callers that have yet to see it
  std::map<std::uint64_t, std::uint64_t> waiting_;  ///< callers by the number they wait for
  std::optional<net::Clock::Monotonic> last_;
};

}  // namespace plan::server::stalwart
