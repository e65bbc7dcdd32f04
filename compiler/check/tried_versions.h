#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/facts/lock.h"

namespace plan::check {

/// Versions of one program that `plan` was run with: a series, and within it the last component
/// from `first` to `last`.
struct TriedVersions {
  std::string_view name = {};     ///< in the lock: "source.dovecot"
  std::string_view program = {};  ///< "Dovecot"
  std::string_view series = {};   ///< "2.3."
  unsigned first = 0;
  unsigned last = 0;
  std::string_view words = {};  ///< "2.3.x", "0.16.0 to 0.16.19"

  [[nodiscard]] bool covers(std::string_view version) const;
};

/// The list that `plan version` shows; everything else needs `--untested-version`.
[[nodiscard]] const std::vector<TriedVersions>& tried_versions();

/// A server whose version is not on the list.
struct UntriedServer {
  const TriedVersions* tried = nullptr;
  std::string version = {};  ///< empty: nobody could tell

  /// "Dovecot is 2.4.1, this procedure was tried with 2.3.x"; with the address of a Stalwart, for
  /// both servers may be one: "the old Stalwart at https://old.example.org is 0.13.0, ...".
  [[nodiscard]] std::string words(std::string_view url) const;
  [[nodiscard]] bool is_of_source() const { return tried->name.starts_with("source."); }
  /// An old Stalwart without the interface of 0.13 to 0.15: `plan fetch` refuses it.
  [[nodiscard]] bool is_refused() const;
};

/// The servers of a lock that are not on the list, in its order.
[[nodiscard]] std::vector<UntriedServer> untried_servers(const facts::Lock& lock);

}  // namespace plan::check
