#include <fmt/format.h>

#include <algorithm>

#include "compiler/facts/lock.h"
#include "compiler/facts/lock_text.h"
#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"

namespace plan::facts {
namespace {

std::string list_member(std::string_view key, const std::vector<std::string>& words) {
  return words.empty() ? std::string() : fmt::format(" {}={}", key, escape_list(words));
}

std::string text_member(std::string_view key, std::string_view text) {
  return text.empty() ? std::string() : fmt::format(" {}={}", key, escape_word(text));
}

}  // namespace

std::string write_lock(const Lock& lock) {
  std::vector<std::string> lines;
  lines.reserve(lock.accounts.size() * 2 + lock.lists.size() + 64);
  for (const LockAccount& account : lock.accounts) {
    lines.push_back(fmt::format(
        "account {}{}{}{}{}{}{}", escape_word(account.address),
        list_member("aliases", account.aliases),
        list_member("disabled_aliases", account.disabled_aliases),
        text_member("login", account.login), text_member("hash", account.hash_scheme),
        account.quota_bytes == 0 ? std::string() : fmt::format(" quota={}", account.quota_bytes),
        account.is_enabled ? "" : " enabled=no"));
    if (account.has_mailboxes) {
      lines.push_back(fmt::format("mailboxes {}{}", escape_word(account.address),
                                  list_member("names", account.mailboxes)));
    }
  }
  for (const LockList& list : lock.lists) {
    lines.push_back(
        fmt::format("list {}{}", escape_word(list.address), list_member("members", list.members)));
  }
  for (const std::string& domain : lock.source_domains) {
    lines.push_back(fmt::format("source-domain {}", escape_word(domain)));
  }
  for (const LockDomain& domain : lock.target_domains) {
    lines.push_back(fmt::format(
        "target-domain {}{}{}{}", escape_word(domain.name), list_member("aliases", domain.aliases),
        text_member("catch_all", domain.catch_all), domain.allows_relaying ? " relaying=yes" : ""));
  }
  for (const std::string& address : lock.target_addresses) {
    lines.push_back(fmt::format("target-address {}", escape_word(address)));
  }
  for (const LockThrottle& throttle : lock.throttles) {
    lines.push_back(fmt::format("throttle {} match={}", escape_word(throttle.description),
                                escape_word(ir::canonical_json(throttle.match))));
  }
  for (const auto& [name, words] : lock.capabilities) {
    lines.push_back(fmt::format("capability {}{}", escape_word(name), list_member("names", words)));
  }
  for (const auto& [name, value] : lock.versions) {
    lines.push_back(fmt::format("version {} {}", escape_word(name), escape_word(value)));
  }
  for (const auto& [name, value] : lock.limits) {
    lines.push_back(fmt::format("limit {} {}", escape_word(name), value));
  }
  for (const auto& [name, value] : lock.host_keys) {
    lines.push_back(fmt::format("host-key {} {}", escape_word(name), escape_word(value)));
  }
  for (const auto& [name, value] : lock.certificates) {
    lines.push_back(fmt::format("certificate {} {}", escape_word(name), escape_word(value)));
  }
  for (const auto& [name, value] : lock.settings) {
    lines.push_back(
        fmt::format("setting {} {}", escape_word(name), escape_word(ir::canonical_json(value))));
  }
  if (!lock.schema_digest.empty()) {
    lines.push_back(fmt::format("schema {}", escape_word(lock.schema_digest)));
  }
  std::sort(lines.begin(), lines.end());

  std::size_t bytes = 256;
  for (const std::string& line : lines) bytes += line.size() + 1;
  std::string text;
  text.reserve(bytes);
  text += fmt::format("plan-lock {} {}\n", kLockFormat, escape_word(lock.plan_name_digest));
  text += "# written by `plan fetch`; goes into git, is not edited by hand\n";
  for (const std::string& line : lines) {
    text += line;
    text += '\n';
  }
  text += fmt::format("digest {}\n", ir::sha256(text).hex());
  return text;
}

}  // namespace plan::facts
