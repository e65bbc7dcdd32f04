#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/limits.h"
#include "runtime/archive/target_account.h"

namespace plan::archive {

struct PushOptions {
  std::size_t import_batch = kImportBatch;
  /// Once more what the target refused in an earlier push.
  bool is_refused_tried_again = true;
  /// Brings again what plan had brought and what is not there any more (an account that was made
  /// anew under its old id), and looks for messages that stand for several where nothing says that
  /// there are such. Lists all messages of the account; not for the hold.
  bool is_presence_checked = true;
  /// False after the flip: what left the source stays at the target, and flags there are the
  /// user's.
  bool is_source_authority = true;
  /// What the account has already is looked for first, as if every message that is not there yet
  /// had been begun by an import without an answer. For an account that somebody else filled.
  bool is_present_taken = false;
  /// Imports only into the state that was seen (ifInState, RFC 8621 4.8), which keeps a call whose
  /// reply was lost from running late. False only for a server that lacks it and refuses the same
  /// bytes twice by itself.
  bool is_state_expected = true;
  std::function<bool()> is_stop_requested = {};
  /// Messages imported so far and to be imported, and the bytes of the former. Between two batches.
  std::function<void(std::uint64_t done, std::uint64_t total, std::uint64_t bytes)> progress = {};
  /// Called right after the intent of an effect is durable: where a crash test ends the process.
  std::function<void(const char* place)> kill_point = {};
};

/// An object that did not arrive as it is at the source.
struct PushProblem {
  std::string what = {};  ///< "INBOX uid 7", "Sieve script x"
  std::string text = {};
};

struct PushReport {
  std::uint64_t mailboxes_created = 0;
  std::uint64_t created = 0;
  std::uint64_t bytes = 0;
  std::uint64_t updated = 0;  ///< keywords or mailbox
  std::uint64_t destroyed = 0;
  std::uint64_t adopted = 0;   ///< moved at the source: the message at the target was kept
  std::uint64_t resolved = 0;  ///< found at the target after a lost reply
  std::uint64_t scripts = 0;   ///< written, removed or activated
  std::vector<PushProblem> problems = {};
  [[nodiscard]] std::uint64_t changes() const {
    return mailboxes_created + created + updated + destroyed + adopted + resolved + scripts;
  }
};

/// Makes the target account what the archive is. Safe to repeat after an end at any instruction:
///
/// - Before a batch of Email/import its items are durably `importing`; after the answer they have
///   their target ids. Items found `importing` are looked up by digest, as a multiset, among the
///   messages of their mailbox that have no item; only what is not there is imported again.
/// - Every import carries the Email state it expects (ifInState), so that a call whose reply was
/// lost
///   and that runs late, after the look-up, does nothing.
/// - Only what plan imported is changed or destroyed, and only while it is at the target as plan
/// left
///   it; otherwise it is a problem in the report.
///
/// Errors: those of the target; with effect `unknown` the next push resolves what is open.
[[nodiscard]] Result<PushReport> push_jmap(ArchiveFile& archive, const TargetAccount& target,
                                           const PushOptions& options = {});

/// Writes, removes and activates scripts; part of push_jmap.
[[nodiscard]] Outcome push_scripts(ArchiveFile& archive, const TargetAccount& target,
                                   PushReport& report);

/// Gives each message of the source an object of its own at the target, where one object stands for
/// several (carry_back of a message that was in two mailboxes): the others are wanted again. Part
/// of push_jmap while the source is the authority. How many.
[[nodiscard]] Result<std::uint64_t> split_shared(ArchiveFile& archive, const TargetAccount& target);

/// Resolves imports at the target whose reply was lost, and begins no new one.
[[nodiscard]] Outcome resolve_imports(ArchiveFile& archive, const TargetAccount& target);

/// Destroys at the target what plan imported (messages, scripts, mailboxes that are empty then),
/// nothing else: the undo of a copy. Messages that changed at the target meanwhile stay: error
/// `changed-since`.
[[nodiscard]] Outcome take_back(ArchiveFile& archive, const TargetAccount& target);

/// Subscriptions belong to the login (reference/stalwart-admin.md 8.1): `as_user` is a client that
/// acts as the user. How many were set.
[[nodiscard]] Result<std::uint64_t> push_subscriptions(ArchiveFile& archive,
                                                       const TargetAccount& as_user);

/// Items that plan has at the target, and those that it shall have: for estimates and grades.
struct PushState {
  std::uint64_t at_target = 0;
  std::uint64_t open = 0;     ///< wanted, importing, destroying, gone
  std::uint64_t refused = 0;  ///< refused or unreadable
};
[[nodiscard]] Result<PushState> push_state(ArchiveFile& archive);
/// PushState::open alone, without a look at what is done.
[[nodiscard]] Result<std::uint64_t> open_items(ArchiveFile& archive);

}  // namespace plan::archive
