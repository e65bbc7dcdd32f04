#pragma once
#include <map>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/target_account.h"

namespace plan::archive {

/// A name that the target takes: no control characters nor `/` (its IMAP shows that as a level),
/// no blanks at the ends, at most 254 bytes, not empty (reference/stalwart-admin.md 8.2).
[[nodiscard]] std::string mailbox_name_for_target(std::string_view name);

struct MailboxMapping {
  std::map<std::string, std::string> target_ids = {};  ///< by wire name of the source
  std::uint64_t created = 0;
};

/// Gives every mailbox of the archive a mailbox of the target: special-use ones by role, others by
/// path; makes those that are missing, deeper levels than the target allows joined into one name.
/// The mapping is durable (plan_target_mailbox), one to one, and repeatable after a crash: a
/// mailbox whose creation was begun is found again by its name. Error: mailbox-refused.
[[nodiscard]] Result<MailboxMapping> map_mailboxes(ArchiveFile& archive,
                                                   const TargetAccount& target);
/// What map_mailboxes stored, without a word to the target.
[[nodiscard]] Result<std::map<std::string, std::string>> known_mailboxes(ArchiveFile& archive);

/// Destroys mailboxes that plan made and that the source has no more, when they are empty. Their
/// children first.
[[nodiscard]] Outcome destroy_vanished_mailboxes(ArchiveFile& archive, const TargetAccount& target,
                                                 bool all_of_ours = false);

}  // namespace plan::archive
