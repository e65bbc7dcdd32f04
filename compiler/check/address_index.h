#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "compiler/check/plan.h"
#include "compiler/source/text_index.h"

namespace plan::check {

/// Primary addresses and aliases of the moving accounts; of two who claim one the first is known,
/// primary addresses before aliases. The views point into the lock.
struct Migration::AddressIndex {
  /// Nothing changes when somebody has the address already.
  void add(std::string_view address, std::uint32_t account) {
    const auto entry = static_cast<std::uint32_t>(all_.size());
    const auto is_address = [&](std::uint32_t other) { return all_[other].address == address; };
    if (!by_address_.insert(address, entry, is_address)) all_.push_back({address, account});
  }
  void reserve(std::size_t count) {
    all_.reserve(count);
    by_address_.reserve(count);
  }
  [[nodiscard]] std::optional<std::uint32_t> account(std::string_view address) const {
    const auto found = by_address_.find(
        address, [&](std::uint32_t other) { return all_[other].address == address; });
    return found ? std::optional(all_[*found].account) : std::nullopt;
  }

 private:
  struct Entry {
    std::string_view address = {};
    std::uint32_t account = 0;
  };
  std::vector<Entry> all_;
  TextIndex by_address_;
};

}  // namespace plan::check
