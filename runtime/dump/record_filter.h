#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {

/// What of a dump is wanted.
struct Wanted {
  std::vector<std::string> subspaces = {};  ///< letters, names or families; none is all of them
  std::vector<std::string> accounts = {};   ///< ids, names or addresses
  std::vector<std::string> domains = {};
  std::vector<std::string> tenants = {};
  /// Adds the subspaces that the chosen ones refer to.
  bool is_completed = false;
};

/// `Wanted` resolved in the dumps that are read: which letters, and which of their records.
/// Accounts come with what they refer to: their rows everywhere, the registry or settings without
/// other accounts, links and blobs of theirs.
class RecordFilter {
 public:
  /// `dumps` are folders of `schema`. Errors: unknown-subspace, dump-unknown-account.
  [[nodiscard]] static Result<RecordFilter> make(const Wanted& wanted,
                                                 const std::vector<std::string>& dumps,
                                                 std::uint32_t schema);

  [[nodiscard]] bool has(char letter) const { return letters_.count(letter) != 0; }
  /// All records of the letter are wanted: the file can be copied.
  [[nodiscard]] bool takes_all_of(char letter) const;
  /// Not for k and t, whose rows depend on one another: see linked_account_rows.
  [[nodiscard]] bool takes(const Subspace& subspace, std::string_view key,
                           std::string_view value) const;
  [[nodiscard]] bool is_by_account() const { return is_by_account_; }
  [[nodiscard]] bool has_account(std::uint32_t account) const {
    return !is_by_account_ || accounts_.count(account) != 0;
  }
  [[nodiscard]] const std::set<std::uint32_t>& accounts() const { return accounts_; }

  /// What `written` subspaces refer to and would not find among them: one line each. References to
  /// those of `elsewhere` are meant to lead out.
  [[nodiscard]] std::vector<std::string> dangling(const std::set<char>& written,
                                                  std::string_view elsewhere) const;
  /// What belongs to no account and was left out, notes about letters.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  [[nodiscard]] bool takes_directory_15(std::string_view key, std::string_view value) const;
  [[nodiscard]] bool takes_registry_key(std::string_view key, std::string_view value) const;

  std::uint32_t schema_ = 0;
  std::set<char> letters_;
  bool is_by_account_ = false;
  std::set<std::uint32_t> accounts_;
  std::set<std::uint32_t> other_accounts_;  // of the dumps, and not wanted
  std::vector<std::string> notes_;
};

}  // namespace plan::dump
