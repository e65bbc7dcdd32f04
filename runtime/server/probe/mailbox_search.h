#pragma once
#include <memory>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/secret/secret.h"
#include "runtime/server/source/live_source.h"
#include "runtime/server/stalwart/target.h"

namespace plan::server::probe {

/// Looks for messages of our own in the account of one server, in any mailbox. One thread.
class MailboxSearch {
 public:
  MailboxSearch() = default;
  MailboxSearch(const MailboxSearch&) = delete;
  MailboxSearch& operator=(const MailboxSearch&) = delete;
  virtual ~MailboxSearch() = default;

  /// Notes what is there now, before something is sent: a look need only go through what came
  /// since.
  [[nodiscard]] virtual Outcome begin() = 0;
  /// Destroys the messages with one of these Message-IDs (with angle brackets) and returns the ids
  /// that were found.
  [[nodiscard]] virtual Result<std::vector<std::string>> take(
      const std::vector<std::string>& message_ids) = 0;
};

/// At the target, by the administrator and the accountId. Not by Email/query `header`: that finds
/// nothing with the default index (reference/stalwart-admin.md 8.3); Email/changes tells what came,
/// the newest messages are the fallback.
[[nodiscard]] Result<std::unique_ptr<MailboxSearch>> search_target(stalwart::Target& target,
                                                                   const std::string& account);

/// At the source, by IMAP as the master user, in INBOX and then in every other mailbox of its own.
[[nodiscard]] Result<std::unique_ptr<MailboxSearch>> search_source(source::LiveSource& source,
                                                                   const std::string& account,
                                                                   secret::SecretSource& secrets);

/// A session at the source as the master user for the account, as the search opens it.
[[nodiscard]] Result<std::unique_ptr<net::imap::Client>> log_in_at_source(
    source::LiveSource& source, const std::string& account, secret::SecretSource& secrets);

}  // namespace plan::server::probe
