#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "runtime/archive/carry_back.h"

namespace plan::archive {

/// What was seen of the targets of the accounts that are about to go back, in this process: after a
/// crash the look in the hold is a list of everything.
class KeptSnapshots {
 public:
  /// The one that was kept, or an empty one. It is nobody else's until it is kept again.
  std::shared_ptr<TargetSnapshot> take(const std::string& account) {
    const std::lock_guard lock(mutex_);
    const auto found = by_account_.find(account);
    if (found == by_account_.end()) return std::make_shared<TargetSnapshot>();
    auto taken = std::move(found->second);
    by_account_.erase(found);
    return taken;
  }
  void keep(const std::string& account, std::shared_ptr<TargetSnapshot> snapshot) {
    const std::lock_guard lock(mutex_);
    by_account_[account] = std::move(snapshot);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<TargetSnapshot>> by_account_;
};

}  // namespace plan::archive
