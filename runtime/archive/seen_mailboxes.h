#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "compiler/ir/observation.h"

namespace plan::archive {

/// What looking at an account's mailboxes took, kept from the look of archive.copy for the steps
/// that make the same look in the hold.
class SeenMailboxes {
 public:
  struct Figures {
    double scan_ms = 0;
    std::uint64_t mailboxes = 0;
    std::uint64_t messages = 0;
    bool has_qresync = false;
  };
  void put(const std::string& account, Figures figures) {
    const std::lock_guard lock(mutex_);
    by_account_[account] = figures;
  }
  /// Puts what one pass over the source takes into `seen`; `more_ms` and its words come on top.
  void predict(const std::string& account, ir::Observation& seen) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_account_.find(account);
    if (found == by_account_.end()) return;
    const Figures& figures = found->second;
    const std::uint64_t scan =
        figures.has_qresync ? 0 : figures.messages * 1000 / kScannedPerSecond;
    seen.hold_ms = static_cast<std::uint64_t>(figures.scan_ms * kScriptsFactor + 0.5) + scan;
    seen.hold_basis = fmt::format("{} mailboxes opened in {:.0f} ms, and the scripts",
                                  figures.mailboxes, figures.scan_ms) +
                      (scan == 0 ? std::string()
                                 : fmt::format(", {} messages compared without QRESYNC in {} ms",
                                               figures.messages, scan));
  }

 private:
  /// As measured on two cores (docs/performance.md); only ever shown.
  static constexpr std::uint64_t kScannedPerSecond = 20'000;
  /// ManageSieve is one more login and a list: about half of an IMAP login with its mailboxes.
  static constexpr double kScriptsFactor = 1.5;
  mutable std::mutex mutex_;
  std::map<std::string, Figures> by_account_;
};

}  // namespace plan::archive
