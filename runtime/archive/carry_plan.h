#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/target_account.h"

namespace plan::archive {

/// A message of the source that plan brought to the target: what was the same on both sides
/// (`target_mailbox`, `target_keywords`: as plan left them), and what the source has now.
struct CarryItem {
  std::int64_t id = 0;
  std::string wire_name = {};
  std::uint32_t uid_validity = 0;
  std::uint32_t uid = 0;
  std::int64_t email_id = 0;  ///< its bytes in the archive; 0: gone at the source
  std::string received_at = {};
  std::vector<std::string> keywords = {};
  bool is_gone = false;  ///< at the source
  std::string target_id = {};
  std::string target_mailbox = {};
  std::vector<std::string> target_keywords = {};
  [[nodiscard]] std::string where() const;  ///< "INBOX uid 7"
};

/// Both sides of an account at the beginning of a round.
struct CarryView {
  std::vector<CarryItem> items = {};
  std::map<std::string, TargetEmail> emails = {};  ///< all of the target, by id
  std::map<std::string, std::string> wires = {};   ///< target mailbox id to name at the source
  /// (target id, target mailbox) that are not placed again: on their way, or refused.
  std::set<std::pair<std::string, std::string>> settled = {};
};

/// A message that shall be in a mailbox of the source and is not.
struct Placement {
  TargetEmail email = {};
  std::string mailbox_id = {};
  std::string wire_name = {};
  std::int64_t email_id = 0;     ///< its bytes in the archive; 0: they come from the target
  std::string received_at = {};  ///< as the source once had it; empty: the target's
  bool is_new = true;            ///< arrived at the target; else moved, copied, or given back
};

struct FlagChange {
  const CarryItem* item = nullptr;
  std::vector<std::string> added = {};  ///< at the source; keywords of JMAP
  std::vector<std::string> removed = {};
  std::vector<std::string> target_keywords = {};  ///< what is the same on both sides then
};

struct CarryConflict {
  std::string place = {};  ///< "INBOX uid 7"
  std::string rule = {};   ///< what was the case, and what was decided
};

struct CarryActions {
  std::vector<Placement> placements = {};
  std::vector<FlagChange> flags = {};
  std::vector<const CarryItem*> deleted = {};  ///< at the target; to be expunged at the source
  std::vector<const CarryItem*> moved_away = {};
  std::vector<std::int64_t> forgotten = {};  ///< items that neither side has any more
  std::vector<std::int64_t> kept = {};       ///< at the source only: brought again by the next move
  std::vector<CarryConflict> conflicts = {};
};

/// What makes the source equal to the target, three ways: what both had when the account moved,
/// what the target has, what the source has. A pure function. The rules where both sides changed:
///
/// - flags: each keyword for itself, so that a change of either side stays;
/// - deleted at the target, changed at the source: stays at the source;
/// - deleted at the source, still at the target: given back;
/// - moved on both sides: the target's mailbox.
[[nodiscard]] CarryActions decide_carry(const CarryView& view);

/// The items that plan has at the target, from the archive.
[[nodiscard]] Result<std::vector<CarryItem>> load_carry_items(ArchiveFile& archive);

}  // namespace plan::archive
