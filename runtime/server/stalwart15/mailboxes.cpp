#include "runtime/server/stalwart15/mailboxes.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/net/imap/mailbox_name.h"
#include "runtime/server/source/source.h"

namespace plan::server::stalwart15 {
Result<MailboxSizes> read_mailboxes(net::imap::Client& imap) {
  PLAN_TRY(namespaces, imap.namespaces());
  namespaces.shared.push_back({.prefix = std::string(source::kSharedFolders), .separator = '/'});
  PLAN_TRY(mailboxes, imap.list());
  MailboxSizes sizes;
  for (const net::imap::MailboxInfo& mailbox : mailboxes) {
    if (net::imap::is_of_others(mailbox.wire_name, namespaces)) continue;
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
