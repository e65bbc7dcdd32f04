#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/engine/lease.h"

namespace plan::engine {

/// Takes all leases, renews them on a thread of its own, gives them back at its end. A renewal that
/// cannot reach the other side is tried again; only a code that ends in `lease-lost` is the end.
class LeaseKeeper {
 public:
  LeaseKeeper(std::vector<LeaseHolder*> holders, std::string token);
  ~LeaseKeeper();
  LeaseKeeper(const LeaseKeeper&) = delete;
  LeaseKeeper& operator=(const LeaseKeeper&) = delete;

  /// All or none. A lease that one of `earlier` still has is taken from it: these are runs of the
  /// same journal, whose lock says that none of them is alive, and whose own end could not reach
  /// the other side. Errors: lease-taken, or the holder's own (network, login).
  [[nodiscard]] Outcome acquire(bool takes_over, const std::vector<std::string>& earlier = {});
  /// Begins renewing; `on_lost` is called once, from that thread.
  void keep(std::chrono::milliseconds interval, std::function<void(const Error& error)> on_lost);
  /// Stops renewing and gives them back.
  void release();

 private:
  [[nodiscard]] Outcome acquire_from_earlier(LeaseHolder& holder,
                                             const std::vector<std::string>& earlier);
  void renew_until_ended(std::chrono::milliseconds interval,
                         const std::function<void(const Error& error)>& on_lost);

  std::vector<LeaseHolder*> holders_;
  std::vector<LeaseHolder*> held_;
  std::string token_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace plan::engine
