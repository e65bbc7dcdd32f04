#include "runtime/server/stalwart15/mailboxes.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/net/imap/mailbox_name.h"

namespace plan::server::stalwart15 {
namespace {

/// What the server calls the place of others' mailboxes as long as nobody gives it another name.
constexpr std::string_view kSharedFolders = "Shared Folders/";

/// Below a prefix of the namespaces, or the place itself (`Shared Folders` of `Shared Folders/`).
bool is_below(std::string_view name, std::string_view prefix) {
  if (prefix.empty()) return false;
  const std::string_view place =
      prefix.ends_with('/') ? prefix.substr(0, prefix.size() - 1) : prefix;
  return name == place || (name.starts_with(place) && name.substr(place.size()).starts_with('/'));
}

bool is_of_others(std::string_view name, const net::imap::Namespaces& namespaces) {
  for (const auto* list : {&namespaces.others, &namespaces.shared}) {
    for (const net::imap::Namespaces::Entry& entry : *list) {
      if (is_below(name, entry.prefix)) return true;
    }
  }
  return is_below(name, kSharedFolders);
}

}  // namespace

Result<MailboxSizes> read_mailboxes(net::imap::Client& imap) {
  PLAN_TRY(namespaces, imap.namespaces());
  PLAN_TRY(mailboxes, imap.list());
  MailboxSizes sizes;
  for (const net::imap::MailboxInfo& mailbox : mailboxes) {
    if (is_of_others(mailbox.wire_name, namespaces)) continue;
    if (auto name = net::imap::decode_mailbox_name(mailbox.wire_name)) {
      if (mailbox.separator != '\0' && mailbox.separator != '/')
        std::replace(name->begin(), name->end(), mailbox.separator, '/');
      sizes.names.push_back(std::move(*name));
    }
    if (!mailbox.is_selectable()) continue;
    PLAN_TRY(status, imap.status(mailbox.wire_name));
    sizes.messages += status.messages.value_or(0);
    sizes.bytes += status.size_bytes.value_or(0);
    sizes.has_bytes = sizes.has_bytes && status.size_bytes.has_value();
    if (status.size_bytes.value_or(kLargeMessageBytes) < kLargeMessageBytes) continue;
    PLAN_TRY(selected, imap.select(mailbox.wire_name));
    static_cast<void>(selected);
    PLAN_TRY(large, imap.search(fmt::format("LARGER {}", kLargeMessageBytes)));
    if (large.empty()) continue;
    PLAN_TRY_VOID(imap.fetch(large.to_string(), "(UID RFC822.SIZE)",
                             [&](net::imap::FetchedMessage&& message) -> Outcome {
                               sizes.largest =
                                   std::max(sizes.largest, message.size_bytes.value_or(0));
                               return {};
                             }));
  }
  std::sort(sizes.names.begin(), sizes.names.end());
  return sizes;
}

}  // namespace plan::server::stalwart15
