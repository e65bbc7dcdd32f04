#pragma once
#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/flow/model.h"

namespace plan::flow {

/// One copy on its way.
struct Copy {
  bool is_at_target = false;
  bool is_authenticated = false;
  bool is_first_hop = true;  ///< from a client or from outside: a refusal is the sender's
  bool is_queued = false;    ///< accepted already: no RCPT is asked again
  std::string recipient = {};
  std::string sender = {};
  std::string client = {};
  std::vector<Hop> hops = {};
  std::vector<std::string> seen = {};     ///< places with their recipients: few
  std::set<std::string> redirected = {};  ///< accounts whose scripts have sent it on
  std::size_t expansion = 0;              ///< number of the list or alias that made it; 0: none
  bool is_expanded_at_source = false;
  std::optional<Hop> supposed = {};

  /// False: it has been there before.
  bool comes_to(std::string place) {
    if (std::find(seen.begin(), seen.end(), place) != seen.end()) return false;
    seen.push_back(std::move(place));
    return true;
  }
};

}  // namespace plan::flow
