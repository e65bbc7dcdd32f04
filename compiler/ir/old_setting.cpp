#include "compiler/ir/old_setting.h"

#include <algorithm>
#include <array>

namespace plan::ir {
namespace {

/// A write to a key of the server's own file makes the server write that file anew, without its
/// comments and without what was changed by hand since its start (reference/stalwart-v015-api.md
/// 6.4).
bool is_of_file(std::string_view key) {
  if (key.starts_with("server.allowed-ip.") || key.starts_with("server.blocked-ip.")) return false;
  constexpr std::array<std::string_view, 9> kPrefixes = {
      "store.",       "directory.",         "tracer.",  "server.",
      "certificate.", "config.local-keys.", "cluster.", "authentication.fallback-admin.",
      "storage."};
  return key == "enterprise.license-key" ||
         std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return key.starts_with(prefix); });
}

}  // namespace

std::string why_not_old_key(std::string_view key) {
  const std::size_t dot = key.find('.');
  if (dot == std::string_view::npos || dot == 0 || key.ends_with('.') ||
      key.find("..") != std::string_view::npos)
    return "a setting has at least two parts with a dot between them";
  // A comma ends a key where keys are asked for.
  if (std::any_of(key.begin(), key.end(), [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == ',' || c == '\x7f';
      }))
    return "blanks, commas and control characters cannot be in a key";
  return {};
}

std::string why_not_old_setting(std::string_view key) {
  if (std::string why = why_not_old_key(key); !why.empty()) return why;
  if (is_of_file(key)) return "it belongs to the server's own file";
  for (const char* word : {"secret", "private-key", "password"}) {
    if (key.ends_with(word)) return "it is a secret, which would stand in the journal";
  }
  return {};
}

std::string why_not_old_rules(const Value& rules) {
  if (rules.is_output()) return {};
  if (rules.size() < 2) return "a block needs an `if` with its `then`, and an `else`";
  const auto is_text = [](const Value& member) { return member.is_string() || member.is_output(); };
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Value& rule = rules.item(i);
    if (rule.is_output()) continue;
    const bool is_last = i + 1 == rules.size();
    if (is_last != is_text(rule["else"]) || is_last == is_text(rule["if"]) ||
        is_last == is_text(rule["then"]))
      return "every rule but the last has `if` and `then`, the last has `else`";
  }
  return {};
}

}  // namespace plan::ir
