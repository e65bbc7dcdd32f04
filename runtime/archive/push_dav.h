#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/push_jmap.h"
#include "runtime/archive/target_account.h"

namespace plan::archive {

struct DavPushOptions {
  /// False after the flip: what was changed or deleted at the target stays as its user left it, and
  /// what is gone at the source stays at the target.
  bool is_source_authority = true;
  /// Only what the target says changed since its whole list was read: for the hold.
  bool is_since_last = false;
  std::function<bool()> is_stop_requested = {};
  /// Called at each border between a durable write and an effect: where a crash test ends the
  /// process.
  std::function<void(const char* place)> kill_point = {};
};

struct DavPushReport {
  std::uint64_t folders = 0;  ///< made, or destroyed
  std::uint64_t created = 0;
  std::uint64_t updated = 0;
  std::uint64_t destroyed = 0;
  std::vector<PushProblem> problems = {};
  [[nodiscard]] std::uint64_t changes() const { return folders + created + updated + destroyed; }
};

/// Makes the calendars and address books of the target account what the archive has of the source.
/// The target reads each text itself (parse) and stores what it read (set), so that no conversion
/// of ours is in between and nobody is sent an invitation (reference/split-delivery.md 9.7).
///
/// Safe to repeat after an end at any instruction: all that the account has is read first, and an
/// entry is known by its UID, which the target keeps unique (an event's in the account, a card's in
/// its book), so a call that is lost or runs late doubles nothing. What the target refuses, or
/// cannot read, is a problem in the report; the rest goes on.
[[nodiscard]] Result<DavPushReport> push_dav(ArchiveFile& archive, const TargetAccount& target,
                                             const DavPushOptions& options = {});

/// Destroys at the target what plan brought there, and the folders that it made when they are empty
/// then: part of the undo of a copy.
[[nodiscard]] Outcome take_back_dav(ArchiveFile& archive, const TargetAccount& target);

/// Names and colours belong to the login (reference/stalwart-admin.md 8.1): `as_user` is a client
/// that acts as the user. How many folders were named.
[[nodiscard]] Result<std::uint64_t> name_dav_folders(ArchiveFile& archive,
                                                     const TargetAccount& as_user);

}  // namespace plan::archive
