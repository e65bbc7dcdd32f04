#include "runtime/dump/directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "compiler/source/text.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/integers.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {
namespace {

// Keys of d in 0.15.
constexpr char kNameKey = 0;
constexpr char kAddressKey = 1;
constexpr char kPrincipalKey = 2;
// Keys of g in 0.16: FFFF 00F2 + name + domain is an address; type + 0019 + name is a name.
constexpr std::string_view kAddressIndex("\xFF\xFF\x00\xF2", 4);
constexpr std::uint16_t kNameIndex = 0x0019;

constexpr std::string_view kPrincipalTypes[] = {"individual", "group", "resource", "location",
                                                "superuser",  "list",  "other",    "domain",
                                                "tenant",     "role",  "API key",  "OAuth client"};

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string_view{} : address.substr(at + 1);
}

/// Every record of a file; a file that is not there has none.
template <class Each>
Outcome for_each_record(const std::string& path, const Each& each) {
  if (!std::filesystem::exists(path)) return {};
  PLAN_TRY(reader, FrameReader::open(path));
  while (true) {
    PLAN_TRY(record, reader->next_record());
    if (!record) return {};
    PLAN_TRY_VOID(each(*record));
  }
}

Error too_many() {
  return Error(errors::value_too_large,
               fmt::format("the directory has more than {} accounts", kAccountsMax));
}

}  // namespace

std::optional<DirectoryName> directory_name(std::string_view value) {
  DirectoryName result;
  const auto id = take_leb128(value);
  if (!id || value.empty()) return std::nullopt;
  result.id = *id;
  result.type = static_cast<std::uint8_t>(value[0]);
  value.remove_prefix(1);
  if (const auto tenant = take_leb128(value)) result.tenant = *tenant;
  return result;
}

std::string account_name(std::string_view value) {
  if (value.size() < 3 || value[0] != 0) return {};
  const std::size_t size = static_cast<std::uint8_t>(value[2]);
  if (size >= 0x80 || value.size() - 3 < size) return {};
  const std::string_view name = value.substr(3, size);
  return printable(name) == name ? std::string(name) : std::string();
}

Outcome Directory::read_15(const std::string& directory_file) {
  return for_each_record(directory_file, [&](const Record& record) -> Outcome {
    if (record.key.empty()) return {};
    std::string_view rest = record.key.substr(1);
    if (record.key[0] == kNameKey || record.key[0] == kAddressKey) {
      const auto what = directory_name(record.value);
      if (!what || what->id > UINT32_MAX) return {};
      const auto id = static_cast<std::uint32_t>(what->id);
      if (accounts_.size() >= kAccountsMax && accounts_.count(id) == 0) return too_many();
      DirectoryAccount& account = accounts_[id];
      account.id = id;
      if (record.key[0] == kAddressKey) {
        account.addresses.emplace_back(rest);
        return {};
      }
      account.name = rest;
      account.type = what->type < std::size(kPrincipalTypes) ? kPrincipalTypes[what->type] : "";
      if (what->tenant) account.tenants.push_back(*what->tenant);
      if (account.type == "domain") domains_.emplace(rest, id);
      if (account.type == "tenant") tenants_.emplace(rest, id);
    } else if (record.key[0] == kPrincipalKey) {
      const auto id = take_leb128(rest);
      if (!id || *id > UINT32_MAX) return {};
      if (accounts_.size() >= kAccountsMax && accounts_.count(static_cast<std::uint32_t>(*id)) == 0)
        return too_many();
      accounts_[static_cast<std::uint32_t>(*id)].id = static_cast<std::uint32_t>(*id);
    }
    return {};
  });
}

Outcome Directory::read_accounts_16(const std::string& directory_file) {
  return for_each_record(directory_file, [&](const Record& record) -> Outcome {
    if (record.key.size() != 10 || big_u16(record.key) != kAccountType) return {};
    const std::uint64_t id = big_u64(record.key.substr(2));
    if (id > UINT32_MAX) return {};
    if (accounts_.size() >= kAccountsMax && accounts_.count(static_cast<std::uint32_t>(id)) == 0)
      return too_many();
    DirectoryAccount& account = accounts_[static_cast<std::uint32_t>(id)];
    account.id = static_cast<std::uint32_t>(id);
    account.type = "account";
    account.name = account_name(record.value);
    return {};
  });
}

Outcome Directory::read_names_16(const std::string& key_file) {
  std::map<std::uint64_t, std::string> domain_names;
  return for_each_record(key_file, [&](const Record& record) -> Outcome {
    const std::string_view key = record.key;
    if (key.size() == 20 && record.value.empty()) {
      const std::uint64_t target = big_u64(key.substr(2));
      const auto user = accounts_.find(static_cast<std::uint32_t>(big_u64(key.substr(12))));
      if (big_u16(key.substr(10)) != kAccountType || user == accounts_.end()) return {};
      if (big_u16(key) == kDomainType) user->second.domains.push_back(target);
      if (big_u16(key) == kTenantType) user->second.tenants.push_back(target);
      return {};
    }
    if (record.value.size() != 10) return {};
    const std::uint16_t type = big_u16(record.value);
    const std::uint64_t id = big_u64(record.value.substr(2));
    if (key.size() > 4 && big_u16(key) == type && big_u16(key.substr(2)) == kNameIndex) {
      const std::string name(key.substr(4));
      if (type == kDomainType) domains_.emplace(name, id), domain_names.emplace(id, name);
      if (type == kTenantType) tenants_.emplace(name, id);
    }
    // Types sort before FFFF: the names of all domains are known by now.
    if (key.size() > kAddressIndex.size() + 8 &&
        key.substr(0, kAddressIndex.size()) == kAddressIndex && type == kAccountType) {
      const auto user = accounts_.find(static_cast<std::uint32_t>(id));
      if (user == accounts_.end()) return {};
      const std::string name(
          key.substr(kAddressIndex.size(), key.size() - kAddressIndex.size() - 8));
      const auto domain = domain_names.find(big_u64(key.substr(key.size() - 8)));
      user->second.addresses.push_back(
          domain == domain_names.end() ? name : fmt::format("{}@{}", name, domain->second));
      if (user->second.name.empty()) user->second.name = user->second.addresses.front();
    }
    return {};
  });
}

Result<Directory> Directory::read(const std::string& dump) {
  return read(std::vector<std::string>{dump});
}

Result<Directory> Directory::read(const std::vector<std::string>& dumps) {
  Directory directory;
  for (const std::string& dump : dumps) {
    const std::string path = dump + "/" + file_name_of('d');
    if (!std::filesystem::exists(path)) continue;
    PLAN_TRY(reader, FrameReader::open(path));
    directory.schema_ = reader->header()->schema;
    if (directory.schema_ == kSchema15) PLAN_TRY_VOID(directory.read_15(path));
    if (directory.schema_ == kSchema16) PLAN_TRY_VOID(directory.read_accounts_16(path));
  }
  // Names are told of accounts that are known.
  if (directory.schema_ == kSchema16)
    for (const std::string& dump : dumps)
      PLAN_TRY_VOID(directory.read_names_16(dump + "/" + file_name_of('g')));
  return directory;
}

Result<std::uint32_t> Directory::find_account(std::string_view named_as) const {
  for (const auto& [id, account] : accounts_)
    if (account.name == named_as || std::find(account.addresses.begin(), account.addresses.end(),
                                              named_as) != account.addresses.end())
      return id;
  // A name without its domain, when only one account has it.
  std::set<std::uint32_t> ids;
  for (const auto& [id, account] : accounts_)
    for (const std::string& address : account.addresses)
      if (address.substr(0, address.find('@')) == named_as) ids.insert(id);
  if (ids.size() == 1) return *ids.begin();
  // Without a directory the number is all there is.
  const auto number = number_of(named_as);
  if (number && *number <= UINT32_MAX &&
      (accounts_.empty() || accounts_.count(static_cast<std::uint32_t>(*number)) != 0))
    return static_cast<std::uint32_t>(*number);
  const std::string shown = printable(named_as, 100);
  return Error(
      errors::unknown_account,
      accounts_.empty()
          ? fmt::format("this dump has no directory that tells which account `{}` is", shown)
          : fmt::format("no account `{}` in the directory of this dump", shown));
}

Result<std::set<std::uint32_t>> Directory::accounts_of_domain(std::string_view domain) const {
  const auto known = domains_.find(domain);
  std::set<std::uint32_t> ids;
  for (const auto& [id, account] : accounts_) {
    const bool has_address =
        std::any_of(account.addresses.begin(), account.addresses.end(),
                    [&](const std::string& address) { return domain_of(address) == domain; });
    const bool has_domain =
        known != domains_.end() && std::find(account.domains.begin(), account.domains.end(),
                                             known->second) != account.domains.end();
    if (has_address || has_domain) ids.insert(id);
  }
  if (ids.empty())
    return Error(errors::unknown_account,
                 fmt::format("no account of a domain `{}` in this dump", printable(domain, 100)));
  return ids;
}

Result<std::set<std::uint32_t>> Directory::accounts_of_tenant(std::string_view tenant) const {
  const auto known = tenants_.find(tenant);
  const auto wanted =
      known != tenants_.end() ? std::optional<std::uint64_t>(known->second) : number_of(tenant);
  std::set<std::uint32_t> ids;
  for (const auto& [id, account] : accounts_)
    if (wanted &&
        std::find(account.tenants.begin(), account.tenants.end(), *wanted) != account.tenants.end())
      ids.insert(id);
  if (ids.empty())
    return Error(errors::unknown_account,
                 fmt::format("no account of a tenant `{}` in this dump", printable(tenant, 100)));
  return ids;
}

}  // namespace plan::dump
