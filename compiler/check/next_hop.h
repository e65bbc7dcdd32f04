#pragma once
#include <cstdint>
#include <string_view>

namespace plan::check {

/// The right side of Postfix's transport map: `smtp:[203.0.113.20]:25`.
struct NextHop {
  std::string_view transport = {};  ///< "smtp"
  std::string_view host = {};       ///< without brackets; empty: none
  bool is_bracketed = false;        ///< Postfix asks for no MX of it
  std::int64_t port = 0;            ///< 0: not given, or a service's name
};

[[nodiscard]] NextHop next_hop_of(std::string_view text);

}  // namespace plan::check
