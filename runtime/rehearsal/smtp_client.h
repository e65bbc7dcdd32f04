#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"

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

/// One attempt over one connection: an outcome for each recipient.
[[nodiscard]] std::vector<RelayResult> relay(const RelayTarget& target, std::string_view sender,
                                             const std::vector<std::string>& recipients,
                                             std::string_view message);

}  // namespace plan::rehearsal
