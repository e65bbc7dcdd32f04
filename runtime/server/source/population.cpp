#include "runtime/server/source/population.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/source/text.h"
#include "runtime/server/dovecot/drivers.h"
#include "runtime/server/postfix/transport_map.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"

namespace plan::server::source {

using dovecot::PasswdEntry;
using ir::Value;

Result<std::string> default_scheme(Source& source) {
  PLAN_TRY(text,
           source.run(Place::dovecot, {"doveconf", "-c", source.block().dovecot_config, "passdb"}));
  for (const dovecot::Passdb& passdb : dovecot::parse_passdbs(text)) {
    if (passdb.driver != "passwd-file" || !passdb.args.ends_with(source.block().users_file))
      continue;
    for (const std::string_view word : split(passdb.args, ' ')) {
      if (word.starts_with("scheme=")) return std::string(word.substr(7));
    }
  }
  return std::string("CRYPT");  // the default of passwd-file
}

std::string address_of(std::string_view user, std::string_view realm) {
  std::string address = lower_ascii(user);
  if (address.find('@') == std::string::npos && !realm.empty())
    address.append("@").append(lower_ascii(realm));
  return address;
}

std::vector<std::string> list_words(std::string_view text) {
  std::string blank(text);
  std::replace_if(
      blank.begin(), blank.end(),
      [](char byte) { return byte == ',' || byte == '\n' || byte == '\t'; }, ' ');
  std::vector<std::string> words;
  for (const std::string_view word : split(blank, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

bool is_listable(std::string_view map) {
  static const std::set<std::string_view> kListable = {"hash",     "btree",  "lmdb", "cdb",
                                                       "texthash", "inline", "dbm"};
  return kListable.contains(map.substr(0, map.find(':')));
}

Result<std::string> list_map(Source& source, const std::string& map) {
  if (!is_listable(map)) {
    return Error(errors::map_not_listable,
                 fmt::format("the alias map `{}` cannot be listed", printable(map)))
        .with_blame(Blame::source);
  }
  net::CommandOptions options;
  options.output_bytes_max = kMapBytesMax;
  return source.run(Place::postfix, source.postfix("postmap", {"-s", map}), options)
      .while_doing("listing " + map);
}

namespace {

/// The file that postmap reads for a map: `hash:/etc/postfix/virtual` is /etc/postfix/virtual.db.
/// Empty where the map is written out in main.cf.
std::string file_of(const std::string& map) {
  static const std::map<std::string, std::string, std::less<>> kEndings = {
      {"hash", ".db"}, {"btree", ".db"}, {"lmdb", ".lmdb"},
      {"cdb", ".cdb"}, {"dbm", ".pag"},  {"texthash", ""}};
  const std::size_t colon = map.find(':');
  const auto ending = kEndings.find(std::string_view(map).substr(0, colon));
  if (colon == std::string::npos || ending == kEndings.end()) return {};
  return map.substr(colon + 1) + ending->second;
}

/// The file that an export has written for Postfix's maps, as postmap would list it: on the
/// machine, where a Postfix in a container sees nothing of it.
Result<std::string> exported_aliases(Source& source) {
  PLAN_TRY(text, source.host(Place::machine)
                     .read_file(source.block().alias_export, kMapBytesMax,
                                net::Deadline::after(kCommandTime))
                     .while_doing("reading the aliases that were exported"));
  std::string listing;
  for (const auto& [key, value] : postfix::parse_map(text)) {
    listing.append(key).append("\t").append(value).append("\n");
  }
  return listing;
}

Result<postfix::AliasTable> read_aliases(Source& source, std::vector<FileAt>& files) {
  PLAN_TRY(origin, source.postconf_expanded("myorigin"));
  PLAN_TRY(maps, source.postconf_expanded("virtual_alias_maps"));
  postfix::AliasTable table;
  const std::string& exported = source.block().alias_export;
  bool has_export = false;
  for (const std::string& map : list_words(maps)) {
    if (!exported.empty() && !is_listable(map)) {
      if (has_export) continue;
      has_export = true;
      PLAN_TRY(listing, exported_aliases(source));
      table.add(listing, lower_ascii(origin));
      files.push_back({Place::machine, exported});
      continue;
    }
    PLAN_TRY(listing, list_map(source, map));
    table.add(listing, lower_ascii(origin));
    if (std::string file = file_of(map); !file.empty())
      files.push_back({Place::postfix, std::move(file)});
  }
  return table;
}

}  // namespace

Result<Population> read_population(Source& source) {
  Population population;
  PLAN_TRY(scheme, default_scheme(source));
  PLAN_TRY(realm, source.doveconf("auth_default_realm"));
  PLAN_TRY(text, source.host(source.users_place())
                     .read_file(source.block().users_file, kAccountFileBytesMax,
                                net::Deadline::after(kCommandTime))
                     .while_doing("reading the source's accounts"));
  population.file = dovecot::parse_passwd_file(text, scheme);
  population.realm = std::move(realm);
  population.files = {{source.users_place(), source.block().users_file},
                      {Place::postfix, source.block().postfix_directory + "/main.cf"}};
  PLAN_TRY(table, read_aliases(source, population.files));
  PLAN_TRY(delimiters, source.postconf_expanded("recipient_delimiter"));
  std::set<std::string> addresses;
  for (const PasswdEntry& entry : population.file.entries)
    addresses.insert(address_of(entry.user, population.realm));
  population.roles = postfix::roles_of(table, addresses, delimiters);
  return population;
}

Value aliases_of(const postfix::AliasRoles& roles, const std::string& address) {
  Value aliases = Value::list();
  if (const auto found = roles.aliases.find(address); found != roles.aliases.end()) {
    for (const std::string& alias : found->second) aliases.push_back(alias);
  }
  return aliases;
}

Value lists_of(const postfix::AliasRoles& roles) {
  Value lists = Value::list();
  for (const auto& [address, members] : roles.lists) {
    Value names = Value::list();
    for (const std::string& member : members) names.push_back(member);
    lists.push_back(Value::map({{"address", address}, {"members", std::move(names)}}));
  }
  return lists;
}

}  // namespace plan::server::source
