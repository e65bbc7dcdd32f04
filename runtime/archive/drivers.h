#pragma once
#include <functional>
#include <memory>
#include <string>

#include "compiler/source/result.h"
#include "runtime/archive/master_logins.h"
#include "runtime/net/jmap/client.h"
#include "runtime/step/step_driver.h"

namespace plan::archive {

/// What the drivers need of rooms they do not know; filled in runtime/command/wiring.cpp. All are
/// called from several threads.
struct ArchiveWorld {
  /// The administrator's client of the step's `target` block.
  std::function<Result<std::shared_ptr<net::jmap::Client>>(step::StepContext&)> open_target = {};
  /// accountId of the step's `account` at the target; empty when it is not there.
  std::function<Result<std::string>(step::StepContext&)> account_id = {};
  /// A client that acts as the user, who may log in by then; may be absent.
  std::function<Result<std::shared_ptr<net::jmap::Client>>(step::StepContext&)> open_as_user = {};
  /// Does neither server's queue hold mail for the step's `addresses`? May be absent: taken as yes,
  /// and said in the remark.
  std::function<Result<bool>(step::StepContext&)> are_queues_empty = {};
  /// Does the target itself say that it is the authority for the account (its generation)? Then
  /// copy and delta refuse with moved-already. May be absent: then only what an earlier sweep noted
  /// is known.
  std::function<Result<bool>(step::StepContext&)> is_at_target = {};
  /// What the account's user types to log in at the source. May be absent: its address.
  std::function<Result<std::string>(step::StepContext&)> login_at_source = {};
  /// Lets the master user write into an account of the source whose right to write was taken, and
  /// says whether it was; the other one takes it again. May be absent: it never was.
  std::function<Result<bool>(step::StepContext&)> begin_writing_at_source = {};
  std::function<Outcome(step::StepContext&)> end_writing_at_source = {};
  /// Waits until what the target had accepted for the account is delivered or relayed, so that
  /// nothing reaches the mailbox there any more. May be absent.
  std::function<Outcome(step::StepContext&)> settle_target_queue = {};
  /// A rehearsal: nobody is held and the source goes on serving. What comes to it meanwhile is no
  /// difference, nothing is waited for, and what would be carried back is only counted.
  bool is_source_read_only = false;
  /// Borders between a durable write and an effect inside a carry-back, for crash tests.
  std::function<void(const char* place)> kill_point = {};
  /// The same inside a push to the target.
  std::function<void(const char* place)> push_kill_point = {};
  /// What the source said to its master user, over all accounts.
  std::shared_ptr<MasterLogins> logins = std::make_shared<MasterLogins>();
  /// What its server of calendars and contacts said to the login that reads them, the same.
  std::shared_ptr<MasterLogins> dav_logins = std::make_shared<MasterLogins>();
};

/// Drivers of archive.copy, archive.delta, archive.grade and archive.sweep. `file` is taken
/// relative to the plan's state folder.
///
/// - copy: passes over source and target until the delta is small, then proves every message's
/// bytes at
///   the target by digest. Undo destroys what it imported, nothing else.
/// - delta: what changed since; until a pass finds nothing. Its undo is the way back of the content
///   (carry_back): the keys are gone by then, mail is held, nobody can log in. Before the hold of a
///   rollback what arrived at the target is brought already (before_undo); a message that the
///   source refuses then leaves the account where it is. With `is_rollback` observe says what would
///   be carried.
/// - grade: source against archive, archive against target. Outputs `grade`, `summary`, `reason`
///   and `differences`, whatever the grade is: the engine judges by `accept`. After the flip the
///   target is the authority: only bytes are compared then.
/// - sweep: after the flip; looks at the old mailboxes until two looks `apart_ms` apart, each after
/// both
///   queues were empty, find nothing; carries over what they find.
void add_archive_drivers(step::DriverTable& drivers, ArchiveWorld world);

}  // namespace plan::archive
