#pragma once
// The SMTP conversations that the administration recordings have between their calls.
#include <string>

#include "player.h"

namespace plan::replay {

/// How the recorder spoke SMTP: as whom, and from which address.
struct SmtpSide {
  std::string user = {};  ///< also the sender; empty: no login
  std::string password = {};
  std::string sender = "someone@elsewhere.test";
  std::string subject = {};
};

/// Plays one record `{"smtp": [[command or recipient, answer], ...]}`: the first difference as
/// "step: recorded X, here Y", or nothing.
[[nodiscard]] std::optional<std::string> play_smtp(Stage& stage, const ir::Value& lines,
                                                   const SmtpSide& side);

/// Sends one message to `recipient`, for a record that says it was sent before; on port 25 without
/// a login.
void submit(Stage& stage, const SmtpSide& side, const std::string& recipient);

}  // namespace plan::replay
