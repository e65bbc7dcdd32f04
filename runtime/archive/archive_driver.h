#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/drivers.h"
#include "runtime/archive/import_dav.h"
#include "runtime/archive/import_imap.h"
#include "runtime/archive/import_sieve.h"
#include "runtime/archive/push_dav.h"
#include "runtime/archive/push_jmap.h"
#include "runtime/archive/seen_mailboxes.h"
#include "runtime/archive/source_block.h"
#include "runtime/archive/target_account.h"
#include "runtime/step/step_driver.h"

namespace plan::archive {

/// Facts of an archive that more than one driver reads.
inline constexpr std::string_view kAuthority = "authority";  ///< `source`; `target` after the flip

/// The step's `account`, or the account that its row is of.
[[nodiscard]] std::string account_of(const step::StepContext& context);

/// What the drivers of an account's archive share: opening what they work with, and the pass that
/// brings the source's state to the target. Thread-safe; each archive is used by one step at a
/// time.
class ArchiveDriver : public step::StepDriver {
 public:
  ArchiveDriver(std::shared_ptr<const ArchiveWorld> world, std::shared_ptr<SeenMailboxes> seen)
      : world_(std::move(world)), seen_(std::move(seen)) {}

  /// What is at the target stays until the copy itself is undone.
  Outcome undo(step::StepContext& context) override;

 protected:
  /// What one call of a driver works with.
  struct Room {
    ArchiveFile archive;
    AccountSource source;
  };

  /// What a pass did.
  struct Passed {
    ImportReport mail = {};
    SieveReport scripts = {};
    PushReport push = {};
    DavReport dav = {};
    DavPushReport dav_push = {};
    [[nodiscard]] std::uint64_t source_changes() const {
      return mail.changes() + scripts.changes() + dav.changes();
    }
  };

  /// The archive's file. Error: argument-missing.
  static Result<std::string> path_of(const step::StepContext& context);
  [[nodiscard]] Result<AccountSource> source_of(step::StepContext& context) const;
  [[nodiscard]] Result<Room> open_room(step::StepContext& context, bool must_exist) const;
  /// Error: target-account-gone when the account is not there.
  [[nodiscard]] Result<TargetAccount> open_target(step::StepContext& context) const;
  /// Error: stopped.
  static Outcome check_stop(const step::StepContext& context);
  static void tell(const step::StepContext& context, std::uint64_t done, std::uint64_t total,
                   std::string_view remark);
  /// Source to archive to target, once. `is_held`: nobody writes, only what changed is looked at.
  [[nodiscard]] Result<Passed> pass(step::StepContext& context, Room& room,
                                    const TargetAccount& target, bool is_source_authority,
                                    bool is_held = false) const;
  /// Error: not-as-wanted while a message of the archive is not at the target.
  static Outcome check_nothing_open(step::StepContext& context);
  /// Is the target the authority? It says so itself; where it is not asked, by what an earlier
  /// sweep noted.
  [[nodiscard]] Result<bool> is_flipped(step::StepContext& context) const;
  /// A journal that is lost, or older than the move, knows nothing of a life at the target: to
  /// bring the source's state there once more would double what was moved and undo what the user
  /// did since. Error: moved-already.
  [[nodiscard]] Outcome check_not_moved(step::StepContext& context) const;
  static ir::Value fingerprint_of(const AccountSource& source);
  /// What the step will take, for the diff; nothing in a run.
  void predict_pass(step::StepContext& context, const SeenMailboxes::Work& work,
                    ir::Observation& seen) const;

  std::shared_ptr<const ArchiveWorld> world_;
  std::shared_ptr<SeenMailboxes> seen_;
};

/// archive.sweep (drivers.h).
[[nodiscard]] std::shared_ptr<step::StepDriver> make_sweep_driver(
    std::shared_ptr<const ArchiveWorld> world, std::shared_ptr<SeenMailboxes> seen);

}  // namespace plan::archive
