#include <fmt/format.h>

#include "compiler/facts/lock.h"
#include "compiler/facts/lock_text.h"
#include "compiler/source/text.h"

namespace plan::facts {
namespace {

/// As `ssh-keygen -lf` shows host keys; certificates as hex.
std::string shown(std::string_view what, const std::string& value) {
  const bool is_bare = what == "host key" && !value.starts_with("SHA256:");
  return (is_bare ? "SHA256:" : "") + printable(value, 120);
}

template <class Each>
void for_each_kind(const Lock& known, const Lock& fresh, Each each) {
  each("host key", known.host_keys, fresh.host_keys);
  each("certificate", known.certificates, fresh.certificates);
}

}  // namespace

std::vector<std::string> changed_identities(const Lock& known, const Lock& fresh) {
  std::vector<std::string> changes;
  for_each_kind(known, fresh, [&](std::string_view what, const auto& was, const auto& is) {
    for (const auto& [name, value] : was) {
      const auto now = is.find(name);
      if (now == is.end() || now->second == value) continue;
      changes.push_back(fmt::format("{} of {} was {}, is {}", what, printable(name, 120),
                                    shown(what, value), shown(what, now->second)));
    }
  });
  return changes;
}

std::vector<std::string> new_identities(const Lock& known, const Lock& fresh) {
  std::vector<std::string> lines;
  for_each_kind(known, fresh, [&](std::string_view what, const auto& was, const auto& is) {
    for (const auto& [name, value] : is) {
      if (was.contains(name)) continue;
      lines.push_back(
          fmt::format("{} of {} is {}", what, printable(name, 120), shown(what, value)));
    }
  });
  return lines;
}

Lock identities_in(std::string_view text) {
  Lock lock;
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> words = split(line, ' ');
    if (words.size() != 3) continue;
    auto* into = words[0] == "host-key"      ? &lock.host_keys
                 : words[0] == "certificate" ? &lock.certificates
                                             : nullptr;
    const auto name = unescape_word(words[1]);
    const auto value = unescape_word(words[2]);
    if (into != nullptr && name && value) (*into)[*name] = *value;
  }
  return lock;
}

}  // namespace plan::facts
