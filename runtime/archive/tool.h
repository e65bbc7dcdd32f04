#pragma once
// What `plan archive ...` does with archives; results are values for the command to show.
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/archive/push_jmap.h"
#include "runtime/archive/source_block.h"

namespace plan::archive {

/// {file, sources: [{kind, session_url, account_id}], rows: {table: n}, blobs: {count, bytes},
/// mailboxes:
/// [{path, role, is_subscribed, messages}], scripts: [{name, is_active, bytes}], provenance:
/// {at_target, open, refused} or null}. Opens the file; fails where there is none,
/// and as all of these do with archive-foreign where it is no archive.
[[nodiscard]] Result<ir::Value> inspect_archive(const std::string& path);

/// {file, is_sound, complaints: [...]}: reads every byte.
[[nodiscard]] Result<ir::Value> verify_archive(const std::string& path);

/// {is_equal, differences: [{what, only_in: "left"|"right"}], differences_count}: mailboxes,
/// messages (by mailbox, digest, keywords, date; as a multiset) and scripts of two archives,
/// whatever their row ids.
[[nodiscard]] Result<ir::Value> diff_archives(const std::string& left, const std::string& right);

/// Drops blobs that nothing refers to and gives the space back: {blobs, bytes_before, bytes_after}.
[[nodiscard]] Result<ir::Value> compact_archive(const std::string& path);

/// One import pass of mail, scripts and, where the source has a server for them that is read,
/// calendars and contacts: {file, mailboxes, messages, created, updated, removed, bytes, scripts,
/// calendar_entries, problems: [{mailbox, uid, text}], not_carried: [{what, count}]}. `count` is
/// null where nobody counted. Makes the file only once the source has let plan in.
[[nodiscard]] Result<ir::Value> import_archive(const std::string& path, const AccountSource& source,
                                               const ImportOptions& options = {});

struct ExportOptions {
  PushOptions push = {};
  /// Looks what the account has already before anything is brought, and takes it for what an
  /// earlier export brought (same mailbox, bytes and date): an export of another program that
  /// ended half-way is gone on with, and nothing is there twice.
  bool is_present_taken = false;
};

/// Reconciles an archive onto an account of a target and compares both: {created, present, updated,
/// destroyed, calendar_entries, problems: [{what, text}], not_carried: [{what, count}], grade,
/// summary, differences}; `not_carried` names what is neither mail nor script, nor calendar that
/// plan has read itself, and stays in the archive. An archive without provenance (Vandelay's) gets
/// it from its IMAP id map; messages that came from elsewhere are given provenance by their row id.
/// Errors: archive-damaged, before anything is written; those of push_jmap.
[[nodiscard]] Result<ir::Value> export_archive(const std::string& path, const TargetAccount& target,
                                               const ExportOptions& options = {});

/// What an export of the file would leave behind, and how much mail it has: {file, messages, bytes,
/// scripts, calendar_entries, not_carried}. Errors: archive-damaged.
[[nodiscard]] Result<ir::Value> look_before_export(const std::string& path);

/// Writes a sound archive once more, as one whole file of the layout that other programs know:
/// {file, bytes, messages, not_carried: [{what, count}]}. Plan's own tables (provenance, texts of
/// calendars) are left out and named. `from` may be in use; `to` must not be there (archive-there)
/// and is there only when it is whole.
[[nodiscard]] Result<ir::Value> copy_archive(const std::string& from, const std::string& to);

}  // namespace plan::archive
