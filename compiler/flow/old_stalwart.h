#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/model.h"

namespace plan::flow {

/// The mailbox of an old Stalwart that this address (lower case) is delivered to: without its tag,
/// by an alias, by the catch-all of its domain; empty: nobody's.
[[nodiscard]] std::string old_account_of(const Source& source, const Address& address);

/// What an old Stalwart does with one recipient of a message.
struct OldStep {
  std::string recipient = {};     ///< as it goes on, lower case
  std::vector<Hop> way = {};      ///< decisions before the last one
  std::optional<Fate> fate = {};  ///< nothing: it goes on to the target
  std::string mailbox = {};       ///< of the fate
  Hop last = {};
  bool is_of_list = false;  ///< a member of the list that was asked for
};

struct OldClient {
  bool is_queued = false;  ///< accepted already: no RCPT is asked
  bool may_relay = false;
  bool tells = true;            ///< hop by hop
  bool* asks_sender = nullptr;  ///< set when the route expression asks who sends
};

/// RCPT and the route, for a recipient in lower case: lists are expanded at RCPT; aliases and
/// sub-addresses go on as they were given.
[[nodiscard]] std::vector<OldStep> steps_at_old_stalwart(const World& world,
                                                         const std::string& recipient,
                                                         const std::string& sender,
                                                         const OldClient& client);

}  // namespace plan::flow
