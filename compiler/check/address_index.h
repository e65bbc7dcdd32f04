#pragma once
#include <string_view>
#include <unordered_map>

#include "compiler/check/plan.h"

namespace plan::check {

/// Primary addresses and aliases of the moving accounts; the views point into the lock.
struct Migration::AddressIndex {
  std::unordered_map<std::string_view, std::uint32_t> accounts = {};
};

}  // namespace plan::check
