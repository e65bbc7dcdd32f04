#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"

namespace plan::server::postfix {

/// Virtual aliases as Postfix applies them (virtual(5); reference/sources.md 4): look-ups by whole
/// address, then without the tag, then `@domain`; results are looked up again. Everything in lower
/// case.
class AliasTable {
 public:
  /// Lines `key<TAB>value` as `postmap -s` prints them. `origin` completes names without a domain.
  void add(std::string_view listing, std::string_view origin);

  /// The direct right side of a key; empty when there is none.
  [[nodiscard]] const std::vector<std::string>& members(const std::string& key) const;
  /// Where mail to `address` ends: itself when no alias applies. Bounded by kAliasDepthMax and
  /// kAliasMembersMax; addresses of a loop are left out.
  [[nodiscard]] std::set<std::string> resolve(const std::string& address,
                                              std::string_view delimiters = "+") const;
  [[nodiscard]] const std::map<std::string, std::vector<std::string>>& entries() const {
    return entries_;
  }

 private:
  std::map<std::string, std::vector<std::string>> entries_;
};

/// What the aliases are to the accounts of a source.
struct AliasRoles {
  std::map<std::string, std::vector<std::string>> aliases =
      {};  ///< by account: addresses whose mail reaches only it
  std::map<std::string, std::vector<std::string>> lists = {};       ///< by address: direct members
  std::map<std::string, std::vector<std::string>> catch_alls = {};  ///< by "@domain": members
  std::map<std::string, std::string> domain_aliases = {};           ///< "@from" -> "@to"
};

/// An account's entry that holds itself alone is no alias (its absence would be the fact); with
/// others it is a list of the account's own address.
[[nodiscard]] AliasRoles roles_of(const AliasTable& table, const std::set<std::string>& accounts,
                                  std::string_view delimiters = "+");

/// Words of a right side: separated by commas and blanks, quotes kept together.
[[nodiscard]] std::vector<std::string> split_members(std::string_view text);

}  // namespace plan::server::postfix
