#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/server/dovecot/passwd_file.h"
#include "runtime/server/postfix/alias_table.h"
#include "runtime/server/source/source.h"

namespace plan::server::source {

/// A file of the source, and where it is.
struct FileAt {
  Place place = Place::machine;
  std::string path = {};
  [[nodiscard]] bool operator==(const FileAt&) const = default;
};

/// Who is there: the users file, and what the alias maps make of the names in it.
struct Population {
  dovecot::PasswdFile file = {};
  std::string realm = {};
  postfix::AliasRoles roles = {};
  std::vector<FileAt> files = {};  ///< what all this was read from
};

/// Exported accounts are those of the last export: who needs those of the moment asks for it
/// before. Errors: file-unreadable (the users file), map-not-listable, source-command-failed.
[[nodiscard]] Result<Population> read_population(Source& source);

/// The default scheme of the passdb that reads the users file: `args = scheme=SHA512-CRYPT ...
/// FILE`.
[[nodiscard]] Result<std::string> default_scheme(Source& source);
/// `user` of the file as an address: Dovecot completes names without a domain by
/// auth_default_realm.
[[nodiscard]] std::string address_of(std::string_view user, std::string_view realm);
/// The aliases of an account, sorted, as a list.
[[nodiscard]] ir::Value aliases_of(const postfix::AliasRoles& roles, const std::string& address);
/// Lists with their direct members: `address`, `members`.
[[nodiscard]] ir::Value lists_of(const postfix::AliasRoles& roles);
/// Words of a list in main.cf, separated by commas and white space.
[[nodiscard]] std::vector<std::string> list_words(std::string_view text);
/// Regular expressions and databases cannot be listed.
[[nodiscard]] bool is_listable(std::string_view map);
/// Lines of a map of any type that postmap can list; regular expressions and databases cannot be.
[[nodiscard]] Result<std::string> list_map(Source& source, const std::string& map);

}  // namespace plan::server::source
