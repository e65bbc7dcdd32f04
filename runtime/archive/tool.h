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

/// One import pass of mail and scripts: {messages, created, updated, removed, bytes, scripts,
/// problems}.
[[nodiscard]] Result<ir::Value> import_archive(const std::string& path, const AccountSource& source,
                                               const ImportOptions& options = {});

/// Reconciles an archive onto an account of a target: {created, updated, destroyed, problems,
/// not_carried: [{what, count}]}; the last names what is neither mail nor script and stays in the
/// archive. An
/// archive without provenance (Vandelay's) gets it from its IMAP id map; messages that came from
/// elsewhere are given provenance by their row id.
[[nodiscard]] Result<ir::Value> export_archive(const std::string& path, const TargetAccount& target,
                                               const PushOptions& options = {});

}  // namespace plan::archive
