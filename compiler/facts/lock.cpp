#include "compiler/facts/lock.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/facts/errors.h"

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

std::vector<std::string> changed_identities(const Lock& known, const Lock& fresh) {
  std::vector<std::string> changes;
  const auto compare = [&](std::string_view what, const std::map<std::string, std::string>& was,
                           const std::map<std::string, std::string>& is) {
    for (const auto& [name, value] : was) {
      const auto now = is.find(name);
      if (now != is.end() && now->second != value) {
        changes.push_back(fmt::format("{} of {} was {}, is {}", what, name, value, now->second));
      }
    }
  };
  compare("host key", known.host_keys, fresh.host_keys);
  compare("certificate", known.certificates, fresh.certificates);
  return changes;
}

}  // namespace plan::facts
