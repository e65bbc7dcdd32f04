#include "runtime/server/postfix/alias_table.h"

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/server/postfix/postfix_queue.h"
#include "runtime/server/source/limits.h"

namespace plan::server::postfix {
namespace {

std::string completed(std::string name, std::string_view origin) {
  if (name.find('@') == std::string::npos && !origin.empty()) name.append("@").append(origin);
  return name;
}

std::string_view domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string_view() : address.substr(at);
}

std::string_view local_of(std::string_view address) {
  return address.substr(0, address.rfind('@'));
}

}  // namespace

std::vector<std::string> split_members(std::string_view text) {
  std::vector<std::string> members;
  std::string word;
  bool is_quoted = false;
  const auto take = [&] {
    if (!word.empty() && members.size() < source::kAliasMembersMax)
      members.push_back(std::move(word));
    word.clear();
  };
  for (std::size_t index = 0; index < text.size(); ++index) {
    const char byte = text[index];
    if (byte == '\\' && is_quoted && index + 1 < text.size()) {
      word += byte;
      word += text[++index];
      continue;
    }
    if (byte == '"') is_quoted = !is_quoted;
    if (!is_quoted && (byte == ',' || byte == ' ' || byte == '\t')) {
      take();
    } else {
      word += byte;
    }
  }
  take();
  return members;
}

void AliasTable::add(std::string_view listing, std::string_view origin) {
  for (const std::string_view line : split(listing, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos || tab == 0) continue;
    const std::string key = completed(lower_ascii(line.substr(0, tab)), origin);
    std::vector<std::string> members;
    for (const std::string& member : split_members(line.substr(tab + 1))) {
      members.push_back(completed(lower_ascii(member), origin));
    }
    entries_.try_emplace(key,
                         std::move(members));  // of several maps the first that has the key decides
  }
}

const std::vector<std::string>& AliasTable::members(const std::string& key) const {
  static const std::vector<std::string> kNone;
  const auto found = entries_.find(key);
  return found == entries_.end() ? kNone : found->second;
}

std::set<std::string> AliasTable::resolve(const std::string& address,
                                          std::string_view delimiters) const {
  std::set<std::string> ends;
  std::set<std::string> seen;
  std::vector<std::string> level = {address};
  for (std::size_t depth = 0; depth < source::kAliasDepthMax && !level.empty(); ++depth) {
    std::vector<std::string> next;
    for (const std::string& name : level) {
      if (!seen.insert(name).second || seen.size() > source::kAliasMembersMax) continue;
      const std::vector<std::string>* found = &members(name);
      if (found->empty()) found = &members(plain_address(name, delimiters));
      bool is_domain_rule = false;
      if (found->empty()) {
        found = &members(std::string(domain_of(name)));
        is_domain_rule = true;
      }
      if (found->empty()) ends.insert(name);
      for (std::string member : *found) {
        if (is_domain_rule && member.starts_with('@')) member.insert(0, local_of(name));
        if (member == name) {
          ends.insert(name);  // an address that names itself is delivered
        } else {
          next.push_back(std::move(member));
        }
      }
    }
    level = std::move(next);
  }
  return ends;
}

AliasRoles roles_of(const AliasTable& table, const std::set<std::string>& accounts,
                    std::string_view delimiters) {
  AliasRoles roles;
  const auto judge = [&](const std::string& address, const std::vector<std::string>& members) {
    const std::set<std::string> ends = table.resolve(address, delimiters);
    if (accounts.contains(address)) {
      if (ends != std::set<std::string>{address}) roles.lists[address] = members;
      return;
    }
    if (ends.size() == 1 && accounts.contains(*ends.begin())) {
      roles.aliases[*ends.begin()].push_back(address);
    } else {
      roles.lists[address] = members;
    }
  };
  for (const auto& [key, members] : table.entries()) {
    if (key.starts_with('@')) {
      if (members.size() == 1 && members.front().starts_with('@')) {
        roles.domain_aliases[key] = members.front();
      } else {
        roles.catch_alls[key] = members;
      }
      continue;
    }
    judge(key, members);
  }
  // A rule for a whole domain comes before the mailboxes: it swallows the mail of accounts without
  // an entry of their own.
  if (!roles.catch_alls.empty() || !roles.domain_aliases.empty()) {
    for (const std::string& account : accounts) {
      if (!table.members(account).empty()) continue;
      const std::set<std::string> ends = table.resolve(account, delimiters);
      if (ends != std::set<std::string>{account})
        roles.lists[account].assign(ends.begin(), ends.end());
    }
  }
  // A domain that stands for another: each of its addresses is an alias of its namesake.
  std::set<std::string> known = accounts;
  for (const auto& [key, members] : table.entries()) known.insert(key);
  for (const auto& [from, to] : roles.domain_aliases) {
    for (const std::string& address : known) {
      if (domain_of(address) != to || address.size() == to.size()) continue;
      const std::string twin = std::string(local_of(address)) + from;
      if (!known.contains(twin)) judge(twin, {address});
    }
  }
  for (auto& [account, names] : roles.aliases) std::sort(names.begin(), names.end());
  return roles;
}

}  // namespace plan::server::postfix
