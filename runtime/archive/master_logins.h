#pragma once
#include <functional>
#include <mutex>

#include "compiler/source/result.h"

namespace plan::archive {

/// Keeps a master password that the source does not take from being tried for every account: a
/// server bans who does that, and with plan's address the proxies' or the target's. Thread-safe.
///
/// Refusals one after the other are counted; a login that is taken forgets them. After a few no
/// further one is tried, and the error login-refused says so. In doubt (before one was taken, and
/// after a refusal) logins go one by one, so that many accounts at once are no more than that.
class MasterLogins {
 public:
  /// So many refusals in a row are enough while no login was taken yet, and afterwards, when it may
  /// also be the accounts that are gone. Below what bans by default (five).
  static constexpr int kRefusalsMaxAtFirst = 3;
  static constexpr int kRefusalsMax = 4;

  /// `login` on a connection that stands already, or the error that it is not tried.
  [[nodiscard]] Outcome attempt(const std::function<Outcome()>& login);

 private:
  [[nodiscard]] bool is_in_doubt();
  [[nodiscard]] Outcome refuse_if_hopeless();
  void remember(const Outcome& outcome);

  std::mutex turn_;   ///< held during a login in doubt
  std::mutex mutex_;  ///< what follows
  int refused_in_a_row_ = 0;
  bool was_taken_ = false;
};

}  // namespace plan::archive
