#include "runtime/archive/master_logins.h"

#include <fmt/format.h>

#include "runtime/net/errors.h"

namespace plan::archive {

bool MasterLogins::is_in_doubt() {
  const std::lock_guard lock(mutex_);
  return !was_taken_ || refused_in_a_row_ > 0;
}

Outcome MasterLogins::refuse_if_hopeless() {
  const std::lock_guard lock(mutex_);
  if (refused_in_a_row_ < (was_taken_ ? kRefusalsMax : kRefusalsMaxAtFirst)) return {};
  return Error(
             net::errors::login_refused,
             fmt::format("the source refused {} logins of the master user one after the other; no "
                         "further one is tried",
                         refused_in_a_row_))
      .with_blame(Blame::source)
      .with_detail("is its password still the one of the plan, and are the accounts still there?");
}

void MasterLogins::remember(const Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  if (outcome) {
    was_taken_ = true;
    refused_in_a_row_ = 0;
  } else if (outcome.error().is(net::errors::login_refused)) {
    ++refused_in_a_row_;
  }
}

Outcome MasterLogins::attempt(const std::function<Outcome()>& login) {
  std::unique_lock turn(turn_, std::defer_lock);
  if (is_in_doubt()) turn.lock();
  PLAN_TRY_VOID(refuse_if_hopeless());
  Outcome outcome = login();
  remember(outcome);
  return outcome;
}

}  // namespace plan::archive
