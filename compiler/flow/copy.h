#pragma once
#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
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

  /// False: it has been there before. Capitals make no other recipient.
  bool comes_to(std::string_view server, std::string_view to) {
    std::string place;
    place.reserve(server.size() + to.size());
    place += server;
    for (const char c : to) place += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (std::find(seen.begin(), seen.end(), place) != seen.end()) return false;
    seen.push_back(std::move(place));
    return true;
  }
};

}  // namespace plan::flow
