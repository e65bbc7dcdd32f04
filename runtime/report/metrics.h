#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "runtime/report/event.h"

namespace plan::report {

/// Counts events, and shows the counts as Prometheus text (exposition format 0.0.4). Labels are the
/// names of plan, waves and step kinds, never those of accounts. Thread-safe: `text` may be called
/// while events come.
class Metrics final : public EventSink {
 public:
  void on(const Event& event) override;
  [[nodiscard]] std::string text() const;

 private:
  struct Wave {
    std::uint64_t accounts = 0;
    std::uint64_t moved = 0;
    std::uint64_t given_back = 0;
  };
  static constexpr std::array<std::uint64_t, 7> kHoldBoundsMs = {500,    1'000,  2'000, 5'000,
                                                                 10'000, 20'000, 60'000};

  mutable std::mutex mutex_;
  std::string plan_name_;
  std::string run_id_;
  bool is_rollback_ = false;
  bool is_running_ = false;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_done_ = 0;
  std::uint64_t steps_undone_ = 0;
  std::uint64_t steps_failed_ = 0;
  std::uint64_t steps_retried_ = 0;
  std::uint64_t accounts_ = 0;
  std::uint64_t messages_copied_ = 0;
  std::uint64_t bytes_copied_ = 0;
  std::map<std::string, Wave, std::less<>> waves_;
  std::map<std::string, std::string, std::less<>> running_;  ///< step -> kind
  std::set<std::string, std::less<>> held_;
  std::set<std::string, std::less<>> approvals_;
  std::map<std::string, std::uint64_t, std::less<>> grades_;
  std::array<std::uint64_t, kHoldBoundsMs.size()> holds_within_ = {};
  std::uint64_t holds_ = 0;
  std::uint64_t held_ms_ = 0;
  std::int64_t last_event_ms_ = 0;
};

}  // namespace plan::report
