#include "runtime/dump/record_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/dump/directory.h"
#include "runtime/dump/integers.h"
#include "runtime/dump/key_shape.h"

namespace plan::dump {
namespace {

/// Subspaces whose rows belong to no account that could be told from the row.
constexpr std::string_view kOfNobody15 = "ehoqrx";
constexpr std::string_view kOfNobody16 = "efhoqrx";

struct Relation {
  char from = 0;
  char to = 0;
  std::string_view what = {};
};
constexpr Relation kRelations[] = {
    {'p', 'k', "objects and messages link their blobs there"},
    {'p', 't', "the bytes of messages, scripts and files"},
    {'p', 'n', "ids of new objects, used bytes"},
    {'p', 'i', "objects are listed from there"},
    {'p', 'd', "the accounts that own the objects"},
    {'i', 'p', "the objects that it lists"},
    {'k', 't', "the blobs that it links"},
    {'k', 'p', "the objects that link"},
    {'t', 'k', "a blob without a link is purged"},
    {'l', 'p', "the objects that changed"},
    {'a', 'p', "the objects that are shared"},
    {'q', 'e', "the messages whose time it is"},
    {'e', 'q', "a queued message without a time is never delivered"},
    {'e', 'k', "the links of queued messages"},
    {'d', 's', "settings, roles and domains"},
    {'d', 'g', "names and references of accounts"},
    {'d', 'b', "the registry's index"},
    {'b', 'd', "the objects that it lists"},
    {'b', 's', "the objects that it lists"},
    {'g', 'd', "the objects that it names"},
    {'g', 's', "the objects that it names"},
};

}  // namespace

Result<RecordFilter> RecordFilter::make(const Wanted& wanted, const std::vector<std::string>& dumps,
                                        std::uint32_t schema) {
  RecordFilter filter;
  filter.schema_ = schema;
  for (const std::string& named : wanted.subspaces) {
    PLAN_TRY(selection, select_subspaces(named, schema));
    for (const Subspace* subspace : selection.subspaces) filter.letters_.insert(subspace->letter);
    if (!selection.note.empty()) filter.notes_.push_back(selection.note);
  }
  if (wanted.subspaces.empty())
    for (const Subspace& subspace : subspaces(schema))
      if (subspace.is_exported()) filter.letters_.insert(subspace.letter);
  filter.is_by_account_ =
      !wanted.accounts.empty() || !wanted.domains.empty() || !wanted.tenants.empty();
  if (wanted.is_completed) {
    bool is_larger = true;
    while (is_larger) {
      is_larger = false;
      for (const Relation& relation : kRelations)
        if (filter.has(relation.from) && find_subspace(relation.to, schema) != nullptr)
          is_larger = filter.letters_.insert(relation.to).second || is_larger;
    }
  }
  if (!filter.is_by_account_) return filter;
  PLAN_TRY(directory, Directory::read(dumps));
  for (const std::string& named : wanted.accounts) {
    PLAN_TRY(id, directory.find_account(named));
    filter.accounts_.insert(id);
  }
  for (const std::string& domain : wanted.domains) {
    PLAN_TRY(ids, directory.accounts_of_domain(domain));
    filter.accounts_.insert(ids.begin(), ids.end());
  }
  for (const std::string& tenant : wanted.tenants) {
    PLAN_TRY(ids, directory.accounts_of_tenant(tenant));
    filter.accounts_.insert(ids.begin(), ids.end());
  }
  for (const auto& [id, account] : directory.accounts()) {
    // In 0.15 domains, roles and tenants are principals too: accounts refer to them.
    const bool is_owner = schema == kSchema16 || account.type == "individual" ||
                          account.type == "group" || account.type == "list" ||
                          account.type == "resource" || account.type == "location" ||
                          account.type == "API key";
    if (is_owner && filter.accounts_.count(id) == 0) filter.other_accounts_.insert(id);
  }
  std::string left_out;
  for (const char letter : schema == kSchema16 ? kOfNobody16 : kOfNobody15)
    if (filter.letters_.erase(letter) != 0)
      left_out += fmt::format("{}{}", left_out.empty() ? "" : ", ", letter);
  if (!left_out.empty())
    filter.notes_.push_back(
        fmt::format("rows of {} belong to no account and are left out", left_out));
  return filter;
}

bool RecordFilter::takes_all_of(char letter) const {
  if (!has(letter)) return false;
  return !is_by_account_ || letter == 's';
}

bool RecordFilter::takes_directory_15(std::string_view key, std::string_view value) const {
  if (key.size() < 2) return true;
  std::string_view rest = key.substr(1);
  const auto is_other = [&](std::uint64_t id) {
    return id <= UINT32_MAX && other_accounts_.count(static_cast<std::uint32_t>(id)) != 0;
  };
  switch (key[0]) {
    case 0:
    case 1: {
      const auto id = take_leb128(value);
      return !id || !is_other(*id);
    }
    case 2: {
      const auto id = take_leb128(rest);
      return !id || !is_other(*id);
    }
    case 5:
    case 6:
      return key.size() != 9 || (!is_other(big_u32(rest)) && !is_other(big_u32(rest.substr(4))));
    case 7:
      return key.size() < 6 || !is_other(big_u32(key.substr(key.size() - 4)));
    default:
      return true;
  }
}

bool RecordFilter::takes_registry_key(std::string_view key, std::string_view value) const {
  const auto is_other = [&](std::uint16_t type, std::uint64_t id) {
    return type == kAccountType && id <= UINT32_MAX &&
           other_accounts_.count(static_cast<std::uint32_t>(id)) != 0;
  };
  if (key.size() == 20 && value.empty())
    return !is_other(big_u16(key), big_u64(key.substr(2))) &&
           !is_other(big_u16(key.substr(10)), big_u64(key.substr(12)));
  return value.size() != 10 || !is_other(big_u16(value), big_u64(value.substr(2)));
}

bool RecordFilter::takes(const Subspace& subspace, std::string_view key,
                         std::string_view value) const {
  if (!has(subspace.letter)) return false;
  if (!is_by_account_ || key.empty()) return true;
  const bool is_16 = schema_ == kSchema16;
  const auto is_other = [&](std::uint64_t id) {
    return id <= UINT32_MAX && other_accounts_.count(static_cast<std::uint32_t>(id)) != 0;
  };
  switch (subspace.letter) {
    case 'd':
      if (!is_16) return takes_directory_15(key, value);
      return key.size() != 10 || big_u16(key) != kAccountType || !is_other(big_u64(key.substr(2)));
    case 'b': {
      const bool is_list = big_u16(key) == 0xFFFF;
      const std::uint16_t type = is_list ? big_u16(key.substr(2)) : big_u16(key);
      return type != kAccountType || !is_other(big_u64(key.substr(key.size() - 8)));
    }
    case 'g':
      return takes_registry_key(key, value);
    case 's':
      return true;
    case 'u': {  // the queue's quotas are nobody's
      const auto account = account_of(subspace, key);
      return account && has_account(*account);
    }
    case 'a':
      return has_account(big_u32(key)) && has_account(big_u32(key.substr(4)));
    default: {
      const auto account = account_of(subspace, key);
      // The schema row, and counters of the whole server.
      if (!account || *account == UINT32_MAX) return true;
      return has_account(*account);
    }
  }
}

std::vector<std::string> RecordFilter::dangling(const std::set<char>& written,
                                                std::string_view elsewhere) const {
  std::vector<std::string> lines;
  for (const Relation& relation : kRelations)
    if (written.count(relation.from) != 0 && written.count(relation.to) == 0 &&
        elsewhere.find(relation.to) == std::string_view::npos &&
        find_subspace(relation.to, schema_) != nullptr &&
        find_subspace(relation.to, schema_)->is_exported())
      lines.push_back(fmt::format("{} without {}: {}", relation.from, relation.to, relation.what));
  return lines;
}

}  // namespace plan::dump
