#include "runtime/archive/source_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/source/text.h"
#include "runtime/archive/import_imap.h"
#include "runtime/net/imap/mailbox_name.h"

namespace plan::archive {
namespace {

std::string decoded(std::string_view wire) {
  // A name that no decoder takes is carried as it is spelled.
  return net::imap::decode_mailbox_name(wire).value_or(printable(wire, 1000));
}

}  // namespace

std::vector<SourceMailbox> source_tree(const std::vector<net::imap::MailboxInfo>& listed,
                                       const net::imap::Namespaces& spaces) {
  std::map<std::vector<std::string>, SourceMailbox> tree;
  std::map<std::vector<std::string>, std::string> roles_by_use;
  for (const net::imap::MailboxInfo& info : listed) {
    if (info.wire_name.empty() || net::imap::is_of_others(info.wire_name, spaces)) continue;
    SourceMailbox mailbox{.wire_name = info.wire_name,
                          .folder = decoded(info.wire_name),
                          .separator = info.separator,
                          .is_subscribed = info.is_subscribed,
                          .is_selectable = info.is_selectable()};
    std::string_view rest = info.wire_name;
    for (const auto& space : spaces.personal)
      if (!space.prefix.empty() && rest.starts_with(space.prefix) &&
          rest.size() > space.prefix.size()) {
        rest.remove_prefix(space.prefix.size());
        break;
      }
    const bool is_inbox_prefix =
        rest.size() >= 5 && equals_ignoring_case(rest.substr(0, 5), "INBOX") &&
        (rest.size() == 5 || (info.separator != '\0' && rest[5] == info.separator));
    if (info.separator == '\0')
      mailbox.path.push_back(decoded(rest));
    else
      for (const std::string_view part : split(rest, info.separator))
        mailbox.path.push_back(decoded(part));
    if (is_inbox_prefix) {
      mailbox.path[0] = "INBOX";
      if (equals_ignoring_case(info.wire_name, "INBOX")) mailbox.folder = "INBOX";
    }
    const std::string leaf = mailbox.path.back();
    for (int copy = 2; tree.count(mailbox.path) > 0; ++copy) {
      // The same place twice (INBOX and inbox, a name below a prefix and beside it).
      SourceMailbox& other = tree[mailbox.path];
      if (!other.is_selectable && other.wire_name != info.wire_name) {
        tree.erase(mailbox.path);
        break;
      }
      mailbox.path.back() = fmt::format("{} ({})", leaf, copy);
    }
    if (const std::string role = role_by_use(info); !role.empty())
      roles_by_use[mailbox.path] = role;
    tree[mailbox.path] = std::move(mailbox);
  }

  // Parents that the server does not list.
  std::vector<SourceMailbox> parents;
  for (const auto& [path, mailbox] : tree) {
    for (std::size_t depth = 1; depth < path.size(); ++depth) {
      const std::vector<std::string> above(path.begin(),
                                           path.begin() + static_cast<std::ptrdiff_t>(depth));
      std::string_view wire = mailbox.wire_name;
      for (std::size_t up = depth; up < path.size(); ++up) {
        const std::size_t end = wire.rfind(mailbox.separator);
        wire = wire.substr(0, end == std::string_view::npos ? wire.size() : end);
      }
      parents.push_back({.wire_name = std::string(wire),
                         .folder = decoded(wire),
                         .path = above,
                         .separator = mailbox.separator,
                         .is_selectable = false});
    }
  }
  for (SourceMailbox& parent : parents) tree.emplace(parent.path, parent);

  std::set<std::string> taken;
  const auto claim = [&](SourceMailbox& mailbox, const std::string& role) {
    if (!role.empty() && mailbox.role.empty() && taken.insert(role).second) mailbox.role = role;
  };
  for (auto& [path, role] : roles_by_use)
    if (const auto found = tree.find(path); found != tree.end()) claim(found->second, role);
  for (auto& [path, mailbox] : tree)
    if (path.size() == 1 && mailbox.is_selectable) claim(mailbox, role_by_name(path[0]));

  std::vector<SourceMailbox> ordered;
  for (auto& [path, mailbox] : tree) ordered.push_back(std::move(mailbox));
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& left, const auto& right) {
    return left.path.size() < right.path.size();
  });
  return ordered;
}

}  // namespace plan::archive
