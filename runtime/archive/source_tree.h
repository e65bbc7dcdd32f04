#pragma once
#include <string>
#include <vector>

#include "runtime/net/imap/client.h"

namespace plan::archive {

/// A mailbox of the source with its place in the tree.
struct SourceMailbox {
  std::string wire_name =
      {};  ///< what the server calls it; for a parent that it does not list, its prefix
  std::string folder = {};  ///< decoded full name with the server's separator, INBOX in capitals
  std::vector<std::string> path = {};  ///< names, root first; unique
  char separator = '\0';
  std::string role = {};  ///< unique in the tree
  bool is_subscribed = false;
  bool is_selectable = true;
};

/// The user's own mailboxes in storing order (depth, then bytes), every parent before its children:
/// other users' and public namespaces are left out, the personal prefix (`INBOX.`) is cut, parents
/// that cannot be opened stay as nodes, so that nothing becomes a root that was none.
[[nodiscard]] std::vector<SourceMailbox> source_tree(
    const std::vector<net::imap::MailboxInfo>& listed, const net::imap::Namespaces& spaces);

}  // namespace plan::archive
