#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/carry_plan.h"
#include "runtime/archive/source_writer.h"
#include "runtime/archive/target_account.h"

namespace plan::archive {

struct MailboxCarry {
  std::map<std::string, std::string> wires = {};  ///< target mailbox id to name at the source
  std::uint64_t made = 0;
  std::uint64_t renamed = 0;
  std::vector<CarryConflict> conflicts = {};
};

/// Gives every mailbox of the target a mailbox of the source: those that plan mapped keep theirs;
/// one that was renamed at the target is renamed at the source (the next pass over the source finds
/// its messages there); one that was made at the target, or holds mail (`used`, ids) and has none,
/// is made. Empty ones that the target makes for everybody are left out. Repeatable after a crash:
/// what is found done is only noted. `writer` null: only looks. `is_rename_allowed` false: names
/// stay, and the difference is found again later.
[[nodiscard]] Result<MailboxCarry> carry_mailboxes(ArchiveFile& archive,
                                                   const std::vector<TargetMailbox>& at_target,
                                                   const std::set<std::string>& used,
                                                   SourceWriter* writer, bool is_rename_allowed);

/// Deletes at the source the mailboxes that were deleted at the target, when they are empty and
/// have no children; others stay and are listed. How many.
[[nodiscard]] Result<std::uint64_t> remove_gone_mailboxes(
    ArchiveFile& archive, const std::vector<TargetMailbox>& at_target, SourceWriter& writer,
    std::vector<CarryConflict>& conflicts);

}  // namespace plan::archive
