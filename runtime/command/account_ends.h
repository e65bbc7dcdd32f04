#pragma once
#include "runtime/archive/target_account.h"
#include "runtime/command/session.h"

namespace plan::command {

struct Session::AtTarget {
  archive::TargetAccount account;
  bool is_authority = false;  ///< the account has moved: its user works there
};

}  // namespace plan::command
