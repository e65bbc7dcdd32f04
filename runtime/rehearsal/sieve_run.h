#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {

struct SieveEnvelope {
  std::string from = {};
  std::string to = {};
};

struct SieveOutcome {
  bool is_kept = true;  ///< also goes into Inbox
  std::vector<std::string> folders = {};
  std::vector<std::string> redirects = {};
  std::vector<std::string> flags = {};
  std::string rejection = {};
};

/// Executes a script (RFC 5228 with fileinto, copy, imap4flags, envelope, reject; :is, :contains,
/// :matches). What it does not know ends the run with the implicit keep, as an error at run time
/// does. Bounded in steps.
[[nodiscard]] SieveOutcome run_sieve(std::string_view script, const MessageView& message,
                                     std::size_t size, const SieveEnvelope& envelope);

}  // namespace plan::rehearsal
