#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"

namespace plan::dump {

/// Types of the 0.16 registry that are looked at here (reference/stalwart-store.md 8; numbers are
/// those of the schema's object types in alphabetical order, sub-objects left out; Tenant was not
/// seen in a recorded dump).
constexpr std::uint16_t kAccountType = 0x0000;
constexpr std::uint16_t kDomainType = 0x0025;
constexpr std::uint16_t kTenantType = 0x006C;

/// An account, group or list of a dump's directory. In 0.15 every principal is one, of a type.
struct DirectoryAccount {
  std::uint32_t id = 0;
  std::string name = {};
  std::string type = {};  ///< individual, group, ... in 0.15; account in 0.16
  std::vector<std::string> addresses = {};
  std::vector<std::uint64_t> domains = {};  ///< ids of 0.16; empty in 0.15, where addresses tell
  std::vector<std::uint64_t> tenants = {};
};

/// The value of a name in 0.15: id, type, and a tenant if it has one. Nothing when it has no id.
struct DirectoryName {
  std::uint64_t id = 0;
  std::uint8_t type = 0;
  std::optional<std::uint64_t> tenant = {};
};
[[nodiscard]] std::optional<DirectoryName> directory_name(std::string_view value);

/// The name at the front of an account's value in 0.16: 00, variant, length, name. Empty for values
/// of another layout.
[[nodiscard]] std::string account_name(std::string_view value);

/// Who the records of a dump belong to: read from subspace d, and in 0.16 from g beside it.
class Directory {
 public:
  /// `dump` is a folder. Without a directory in it the result is empty. Errors: those of the files;
  /// value-too-large beyond kAccountsMax.
  [[nodiscard]] static Result<Directory> read(const std::string& dump);
  /// Dumps of one schema that make one together: the directory may be in any of them, or a part of
  /// it in each.
  [[nodiscard]] static Result<Directory> read(const std::vector<std::string>& dumps);

  [[nodiscard]] const std::map<std::uint32_t, DirectoryAccount>& accounts() const {
    return accounts_;
  }
  /// By id (`5`), name (`alice`) or address. Error: unknown-account.
  [[nodiscard]] Result<std::uint32_t> find_account(std::string_view named) const;
  /// All accounts of a domain or tenant, by name or (0.16) id. Error: unknown-account.
  [[nodiscard]] Result<std::set<std::uint32_t>> accounts_of_domain(std::string_view domain) const;
  [[nodiscard]] Result<std::set<std::uint32_t>> accounts_of_tenant(std::string_view tenant) const;
  [[nodiscard]] bool empty() const { return accounts_.empty(); }

 private:
  [[nodiscard]] Outcome read_15(const std::string& directory_file);
  [[nodiscard]] Outcome read_accounts_16(const std::string& directory_file);
  [[nodiscard]] Outcome read_names_16(const std::string& key_file);

  std::uint32_t schema_ = 0;
  std::map<std::uint32_t, DirectoryAccount> accounts_;
  std::map<std::string, std::uint64_t, std::less<>> domains_;  // by name
  std::map<std::string, std::uint64_t, std::less<>> tenants_;
};

constexpr std::size_t kAccountsMax = 100'000;

}  // namespace plan::dump
