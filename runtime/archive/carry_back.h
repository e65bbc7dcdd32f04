#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/carry_plan.h"
#include "runtime/archive/push_jmap.h"
#include "runtime/archive/source_block.h"
#include "runtime/archive/target_account.h"
#include "runtime/net/clock.h"

namespace plan::archive {

/// What one look saw of the target's messages, and the state it belongs to: later looks only ask
/// Email/changes. Empty: nothing was seen yet.
struct TargetSnapshot {
  std::string account_id = {};
  std::string state = {};
  std::map<std::string, TargetEmail> emails = {};
};

struct CarryOptions {
  /// Looks only: what would be carried. The source is not asked.
  bool is_dry = false;
  /// While the target is still the authority: brings what arrived there, so that the hold is short.
  /// Flags, moves, deletions, renamed mailboxes and scripts wait.
  bool only_new = false;
  std::function<bool()> is_stop_requested = {};
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
  /// Kept from one call to the next, so that the hold does not list the whole account; not owned,
  /// null: every call begins with a list. Without it, or when the target cannot tell any more what
  /// changed, the list is made anew.
  TargetSnapshot* snapshot = nullptr;
  /// How long a mailbox must not have changed after an append without an answer
  /// (settle_open_appends).
  std::chrono::milliseconds quiet{3000};
  net::Clock* clock = &net::system_clock();  ///< never null
  /// Called at each border between a durable write and an effect: where a crash test ends the
  /// process.
  std::function<void(const char* place)> kill_point = {};
};

struct CarryReport {
  std::uint64_t arrived = 0;  ///< messages that the source did not have
  std::uint64_t bytes = 0;    ///< of all that were appended
  std::uint64_t moved = 0;    ///< moved, copied or given back: appended in another place
  std::uint64_t flags = 0;    ///< messages whose flags changed
  std::uint64_t deleted = 0;
  std::uint64_t mailboxes = 0;  ///< made, renamed or deleted
  std::uint64_t scripts = 0;    ///< written, removed or activated
  std::uint64_t entries = 0;    ///< events and cards written or deleted
  std::vector<CarryConflict> conflicts = {};
  std::vector<PushProblem> refused = {};  ///< stay at the target: what, and the source's words
  [[nodiscard]] std::uint64_t changes() const {
    return arrived + moved + flags + deleted + mailboxes + scripts + entries;
  }
  [[nodiscard]] std::string to_text() const;  ///< "12 messages (34 kB), 3 with other flags, ..."
};

/// The way back of an account's content (design.md section 6, rollback): the source becomes what
/// the target is, by IMAP APPEND with flags and dates, STORE and UID EXPUNGE, and ManageSieve,
/// three ways with what both had when the account moved (decide_carry has the rules). Target and
/// archive are read; only probes that were left behind are destroyed at the target.
///
/// Safe to repeat after an end at any instruction: before an append its message is durable in
/// plan_carried; a pass over the source finds what is there (by UID, or by digest after a lost
/// reply), so nothing is appended twice, and every message that was carried is read back from the
/// source and compared by digest. Passes go on until one finds nothing to do. Afterwards the
/// archive knows each carried message under its UID, so that moving the account again brings none
/// of them twice.
///
/// Errors: those of source, target and archive; carry-back-unsettled when the sides keep differing.
[[nodiscard]] Result<CarryReport> carry_back(ArchiveFile& archive, const AccountSource& source,
                                             const TargetAccount& target,
                                             const CarryOptions& options = {});

/// Scripts: part of carry_back.
[[nodiscard]] Outcome carry_scripts(ArchiveFile& archive, const SieveSource& source,
                                    const TargetAccount& target, bool is_dry, CarryReport& report);

/// Calendars and contacts: part of carry_back. Texts come from the target's own CalDAV and CardDAV
/// (TargetTexts) and are written over the state that was read (If-Match); each is read back from
/// the source and compared as the target reads it. What is new gets a name made of its UID, the
/// same in every try, so that a lost reply doubles nothing. The rules where both sides changed are
/// those of scripts: the target's text decides; deleted at the target and changed at the source
/// stays; gone at the source and still at the target is given back.
/// Of the options `is_dry` and `kill_point` count.
[[nodiscard]] Outcome carry_dav(ArchiveFile& archive, const DavSource& source,
                                const TargetAccount& target, const CarryOptions& options,
                                CarryReport& report);

}  // namespace plan::archive
