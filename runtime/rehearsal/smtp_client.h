#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/net/stream.h"

namespace plan::rehearsal {

/// Where and how one delivery attempt goes.
struct RelayTarget {
  std::string address = {};
  std::uint16_t port = 25;
  bool is_lmtp = false;
  bool is_tls_implicit = false;
  bool are_invalid_certificates_allowed = false;
  bool may_be_loopback = false;  ///< a relay must not (reference 5.8)
  std::string user = {};
  std::string password = {};
  std::string hostname = {};  ///< for EHLO
  std::string bind_address = {};
};

enum class RelayOutcome : std::uint8_t { delivered, temporary, permanent };

struct RelayResult {
  RelayOutcome outcome = RelayOutcome::temporary;
  std::string last_error = {};  ///< what expressions see: "tls", "connection", ...
  ir::Value error = {};         ///< errorType, errorMessage, ... as x:QueuedMessage shows it
  std::string said = {};        ///< "550 5.1.1 ...", for the bounce
};

/// What an attempt came to, and its session.
struct Relayed {
  std::vector<RelayResult> results = {};            ///< one a recipient
  std::unique_ptr<net::SocketStream> session = {};  ///< for quit(); null when it was lost
};

/// One attempt over one connection.
[[nodiscard]] Relayed relay(const RelayTarget& target, std::string_view sender,
                            const std::vector<std::string>& recipients, std::string_view message);

/// Ends the session of an attempt, once the queue has noted what came of it: a sender that dies in
/// between, and comes again with the same message, has left a session without QUIT in the other
/// server's log.
void quit(Relayed& relayed);

}  // namespace plan::rehearsal
