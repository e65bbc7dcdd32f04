#include "compiler/facts/lock.h"

#include <algorithm>

namespace plan::facts {

const LockAccount* Lock::account(std::string_view address) const {
  const auto found = std::lower_bound(
      accounts.begin(), accounts.end(), address,
      [](const LockAccount& account, std::string_view wanted) { return account.address < wanted; });
  return found == accounts.end() || found->address != address ? nullptr : &*found;
}

const LockList* Lock::list(std::string_view address) const {
  const auto found = std::lower_bound(
      lists.begin(), lists.end(), address,
      [](const LockList& list, std::string_view wanted) { return list.address < wanted; });
  return found == lists.end() || found->address != address ? nullptr : &*found;
}

std::optional<std::uint64_t> Lock::limit(std::string_view name) const {
  const auto found = limits.find(std::string(name));
  return found == limits.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace plan::facts
