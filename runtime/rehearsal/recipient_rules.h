#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "runtime/rehearsal/mta_eval.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// What becomes of one RCPT TO.
struct RecipientVerdict {
  std::string refusal = {};                  ///< the answer, or empty: accepted
  std::vector<std::string> recipients = {};  ///< as they go into the queue
};

/// The order of the real server: account or list or alias, catch-all, allowRelaying, 550
/// (reference/stalwart-admin.md 5.2). `facts` are what the session knows. The lock is held.
[[nodiscard]] RecipientVerdict judge_recipient(const World& world, const std::string& address,
                                               MtaFacts facts);

/// The local part stays as the sender wrote it, the domain is lower-cased (split-delivery.md 2).
[[nodiscard]] std::string queue_form(std::string_view address);
/// The domain of an address in lower case, empty without one.
[[nodiscard]] std::string mail_domain(std::string_view address);

}  // namespace plan::rehearsal
