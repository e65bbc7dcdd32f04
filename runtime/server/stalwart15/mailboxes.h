#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/imap/client.h"

namespace plan::server::stalwart15 {

/// What one account has, seen by IMAP.
struct MailboxSizes {
  std::vector<std::string> names = {};  ///< full names, UTF-8, `/` between levels, sorted
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  bool has_bytes = true;      ///< false: the server does not tell sizes in STATUS
  std::uint64_t largest = 0;  ///< of the messages above 1 MiB; 0: there is none
};

/// Over a session that is logged in as the account. Mailboxes of groups, which appear in the list
/// of every member, are left out. Errors: those of the client.
[[nodiscard]] Result<MailboxSizes> read_mailboxes(net::imap::Client& imap);

/// Up to here sizes of single messages are not asked for: no target has a bound below it.
inline constexpr std::uint64_t kLargeMessageBytes = std::uint64_t{1} << 20U;

}  // namespace plan::server::stalwart15
