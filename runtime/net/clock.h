#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace plan::net {

/// Time, handed in so that tests advance it. Thread-safe.
class Clock {
 public:
  using Monotonic = std::chrono::steady_clock::time_point;

  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  [[nodiscard]] virtual Monotonic now() = 0;
  /// Milliseconds since 1970-01-01 UTC.
  [[nodiscard]] virtual std::int64_t wall_ms() = 0;
  virtual void sleep_for(std::chrono::milliseconds duration) = 0;
};

/// The monotonic clock in milliseconds; comparable between processes of one boot.
[[nodiscard]] std::int64_t uptime_ms(Clock& clock);

/// The machine's clock.
[[nodiscard]] Clock& system_clock();

/// `2026-11-24T01:47:39Z` (RFC 3339).
[[nodiscard]] std::string show_utc(std::int64_t wall_ms);

/// The kernel's id of this boot (/proc/sys/kernel/random/boot_id): deadlines that outlive a process
/// are wall time + this.
[[nodiscard]] std::string boot_id();

/// When an operation must be over. Taken from a clock once, passed down by value.
class Deadline {
 public:
  static Deadline after(std::chrono::milliseconds duration) {
    return Deadline(std::chrono::steady_clock::now() + duration);
  }
  static Deadline never() { return Deadline(std::chrono::steady_clock::time_point::max()); }
  [[nodiscard]] bool is_over() const {
    return at_ != std::chrono::steady_clock::time_point::max() &&
           std::chrono::steady_clock::now() >= at_;
  }
  /// Milliseconds left, 0 when over, -1 for never (as poll(2) wants it).
  [[nodiscard]] int left_ms() const;
  [[nodiscard]] std::chrono::steady_clock::time_point at() const { return at_; }
  /// The earlier one.
  [[nodiscard]] Deadline sooner(Deadline other) const {
    return Deadline(at_ < other.at_ ? at_ : other.at_);
  }

 private:
  explicit Deadline(std::chrono::steady_clock::time_point at) : at_(at) {}
  std::chrono::steady_clock::time_point at_;
};

}  // namespace plan::net
