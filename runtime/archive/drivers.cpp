#include "runtime/archive/drivers.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "compiler/source/text.h"
#include "runtime/archive/archive_driver.h"
#include "runtime/archive/carry_back.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/grade.h"
#include "runtime/archive/grade_dav.h"
#include "runtime/archive/kept_snapshots.h"
#include "runtime/archive/limits.h"
#include "runtime/archive/push_dav.h"
#include "runtime/archive/push_jmap.h"
#include "runtime/step/errors.h"

namespace plan::archive {
namespace {

using ir::Value;
using step::StepContext;

constexpr std::string_view kIsComplete = "delta-complete";  // fact: keys may have been set since
constexpr std::string_view kHasLived = "has-been-at-target";
constexpr std::size_t kConflictsSaid = 20;
/// Between two passes of an account that is kept in step.
constexpr std::chrono::milliseconds kKeepApart{3'600'000};
// Estimates for the diff, as measured on two cores (docs/performance.md); only ever shown.
constexpr std::uint64_t kMessagesPerSecond = 200;
constexpr std::uint64_t kBytesPerSecond = 10'000'000;

Error too_low(const GradeReport& report) {
  return Error(errors::grade_too_low,
               fmt::format("the grade is {}: {}", to_string(report.grade), report.reason()))
      .with_blame(Blame::source);
}

class CopyDriver final : public ArchiveDriver {
 public:
  using ArchiveDriver::ArchiveDriver;

  Result<ir::Observation> observe(StepContext& context) override {
    ir::Observation seen;
    PLAN_TRY(source, source_of(context));
    seen.fingerprint = fingerprint_of(source);
    PLAN_TRY(has_moved, is_flipped(context));
    if (has_moved) {
      seen.standing = ir::Standing::satisfied;
      seen.remark = "moved already";
      return seen;
    }
    seen.standing = ir::Standing::absent;
    PLAN_TRY(look, look_at_mailboxes(source.imap, context.clock));
    // Asked now, so that a wrong login or path is seen before anybody is held.
    if (source.dav) {
      PLAN_TRY(calendars, look_at_calendars(*source.dav, context.clock));
      const auto remark = [&look](const std::string& text) {
        look.remark += (look.remark.empty() ? "" : "; ") + text;
      };
      if (calendars) {
        look.figures.calendars = calendars->figures;
        seen.beside = calendars->counts.carried_by_name();
        seen.not_carried = calendars->counts.not_carried_by_name();
        if (!calendars->counts.are_tasks_known)
          remark(source.dav->server + " does not count tasks and journals, which are not carried");
      } else {
        remark(fmt::format("{} has nothing at {}", source.dav->server, source.dav->path));
      }
    }
    const std::uint64_t messages = look.figures.messages;
    const std::uint64_t bytes = look.bytes.value_or(0);
    seen_->put(account_of(context), look.figures);
    seen.remark = std::move(look.remark);
    seen.messages = messages;
    seen.bytes = look.bytes;
    seen.duration_ms = messages * 1000 / kMessagesPerSecond + bytes * 1000 / kBytesPerSecond;
    seen.duration_basis = fmt::format(
        "{} messages at {} a second, {} at {} a second", show_count(messages), kMessagesPerSecond,
        look.bytes ? show_bytes(bytes) : std::string("bytes that are not measured"),
        show_bytes(kBytesPerSecond));
    if (!look.figures.has_qresync)
      seen.remark += std::string(seen.remark.empty() ? "" : "; ") +
                     "the source has no QRESYNC: every message is compared in the hold";
    return seen;
  }

  Result<Value> apply(StepContext& context) override {
    PLAN_TRY_VOID(check_not_moved(context));
    PLAN_TRY(room, open_room(context, false));
    PLAN_TRY(target, open_target(context));
    PLAN_TRY_VOID(room.archive.set_fact(kAuthority, "source"));
    const std::int64_t passes_max =
        std::max<std::int64_t>(context.arguments["passes_max"].integer_or(kPassesMax), 1);
    Passed last;
    for (std::int64_t count = 0; count < passes_max; ++count) {
      PLAN_TRY_VOID(check_stop(context));
      PLAN_TRY(passed, pass(context, room, target, true));
      last = std::move(passed);
      if (count > 0 && last.source_changes() <= kSmallDelta) break;
    }
    PLAN_TRY_VOID(check_stop(context));
    tell(context, 0, 0, "proving content");
    // The proof is whole once; while the account is only kept in step it goes on from there.
    const bool is_kept = context.notes["is_proved"].bool_or(false);
    PLAN_TRY(report, grade_target(room.archive, target, {.is_since_last = is_kept}));
    // Refused items and lesser things are for the grade of the step that may accept them.
    if (report.grade == Grade::poor || report.grade == Grade::not_checked) return too_low(report);
    const std::int64_t left =
        context.arguments["keep_until_ms"].integer_or(0) - context.clock.wall_ms();
    if (left > 0) {
      if (!is_kept && context.remember)
        PLAN_TRY_VOID(context.remember(Value::map({{"is_proved", true}})));
      const std::int64_t apart = context.arguments["keep_apart_ms"].integer_or(kKeepApart.count());
      return step::not_yet(std::chrono::milliseconds(std::min(left, apart)),
                           "copied and kept in step until the wave's accounts may be held");
    }
    PLAN_TRY(bytes, room.archive.database().query_integer(
                        "SELECT coalesce(sum(bytes), 0) FROM plan_item WHERE is_gone = 0"));
    return Value::map({{"messages", report.messages},
                       {"bytes", bytes.value_or(0)},
                       {"grade", to_string(report.grade)},
                       {"summary", report.summary()},
                       {"problems", static_cast<std::int64_t>(last.push.problems.size() +
                                                              last.dav.problems.size() +
                                                              last.dav_push.problems.size())}});
  }

  Outcome verify(StepContext& context) override { return check_nothing_open(context); }

  Outcome undo(StepContext& context) override {
    PLAN_TRY(path, path_of(context));
    if (!std::filesystem::exists(path)) return {};
    PLAN_TRY(archive, ArchiveFile::open(path, {.must_exist = true}));
    PLAN_TRY(has_lived, archive.fact(kHasLived));
    if (has_lived == "1") return {};  // a life of its own: stays, closed and not authoritative
    PLAN_TRY(id, world_->account_id(context));
    if (id.empty()) return {};  // gone with the account
    PLAN_TRY(client, world_->open_target(context));
    PLAN_TRY_VOID(take_back_dav(archive, TargetAccount(client, id)));
    return take_back(archive, TargetAccount(client, id));
  }
};

class DeltaDriver final : public ArchiveDriver {
 public:
  using ArchiveDriver::ArchiveDriver;

  Result<ir::Observation> observe(StepContext& context) override {
    ir::Observation seen;
    PLAN_TRY(source, source_of(context));
    seen.fingerprint = fingerprint_of(source);
    PLAN_TRY(has_moved, is_flipped(context));
    seen.standing = has_moved ? ir::Standing::satisfied : ir::Standing::unknowable;
    if (!has_moved && !context.is_rollback)
      predict_pass(context, {.calls = kDeltaCalls, .writes = kDeltaWrites}, seen);
    if (!context.is_rollback) return seen;
    PLAN_TRY(room, open_room(context, true));
    PLAN_TRY(is_complete, room.archive.fact(kIsComplete));
    if (is_complete != "1") return seen;
    PLAN_TRY(target, open_target(context));
    PLAN_TRY(report, carry_back(room.archive, room.source, target, {.is_dry = true}));
    seen.messages = report.arrived + report.moved;
    seen.bytes = report.bytes;
    seen.remark = "to be carried back: " + report.to_text();
    if (context.run_id.empty()) PLAN_TRY_VOID(predict_way_back(context, room.source, report, seen));
    return seen;
  }

  Result<Value> apply(StepContext& context) override {
    PLAN_TRY_VOID(check_not_moved(context));
    PLAN_TRY(room, open_room(context, true));
    PLAN_TRY(target, open_target(context));
    PLAN_TRY_VOID(room.archive.set_fact(kAuthority, "source"));
    PLAN_TRY_VOID(room.archive.set_fact(kIsComplete, "0"));
    // Once: nobody writes any more, and the grade looks at the source again before it believes
    // that.
    PLAN_TRY(passed, pass(context, room, target, true, true));
    const std::uint64_t carried = passed.push.created + passed.push.updated +
                                  passed.push.destroyed + passed.push.adopted +
                                  passed.push.resolved + passed.dav_push.changes();
    PLAN_TRY_VOID(room.archive.set_fact(kIsComplete, "1"));
    return Value::map({{"messages", carried}});
  }

  Outcome verify(StepContext& context) override { return check_nothing_open(context); }

  Outcome before_undo(StepContext& context) override {
    if (world_->is_source_read_only) return {};
    PLAN_TRY(room, open_room(context, true));
    PLAN_TRY(is_complete, room.archive.fact(kIsComplete));
    if (is_complete != "1") return {};
    // It is not held and its delta is done: it was released, whether or not a sweep has looked
    // since.
    PLAN_TRY_VOID(room.archive.set_fact(kAuthority, "target"));
    PLAN_TRY(target, open_target(context));
    // What is seen now is where the look in the hold begins.
    CarryOptions early = options(context, true);
    const auto snapshot = snapshots_->take(account_of(context));
    early.snapshot = snapshot.get();
    PLAN_TRY(was_closed, begin_writing(context));
    auto carried = carry_back(room.archive, room.source, target, early);
    // Until the hold its users are at the target, and none may write here.
    if (was_closed) PLAN_TRY_VOID(world_->end_writing_at_source(context));
    PLAN_TRY(report, std::move(carried));
    snapshots_->keep(account_of(context), snapshot);
    if (context.say && report.changes() > 0)
      context.say(fmt::format("{}: carried back to the source before the hold: {}",
                              account_of(context), report.to_text()));
    if (report.refused.empty()) return {};
    return Error(errors::carry_back_refused,
                 fmt::format("the source refuses {} of the messages that arrived at the target",
                             report.refused.size()))
        .with_blame(Blame::source)
        .with_detail(report.refused.front().what + ": " + report.refused.front().text);
  }

  Outcome undo(StepContext& context) override {
    PLAN_TRY(path, path_of(context));
    if (!std::filesystem::exists(path)) return {};  // it never began
    PLAN_TRY(room, open_room(context, true));
    PLAN_TRY(is_complete, room.archive.fact(kIsComplete));
    if (is_complete != "1") return {};  // no key was ever set: nothing can have come there
    PLAN_TRY(target, open_target(context));
    if (world_->settle_target_queue) PLAN_TRY_VOID(world_->settle_target_queue(context));
    PLAN_TRY(authority, room.archive.fact(kAuthority));
    CarryOptions in_hold = options(context, false);
    const auto snapshot = snapshots_->take(account_of(context));
    in_hold.snapshot = snapshot.get();
    // Not taken again: the undo of what took it follows, and the source is the authority then.
    PLAN_TRY(was_closed, begin_writing(context));
    static_cast<void>(was_closed);
    PLAN_TRY(report, carry_back(room.archive, room.source, target, in_hold));
    PLAN_TRY_VOID(room.archive.set_fact(kAuthority, "source"));
    PLAN_TRY_VOID(room.archive.set_fact(kHasLived, "1"));
    // Another move that is cut off before its own delta finds the target's old state: nothing of it
    // may come back over what the user did at the source since.
    PLAN_TRY_VOID(room.archive.set_fact(kIsComplete, "0"));
    tell_of(context, report, authority == "target" || report.changes() > 0);
    return {};
  }

 private:
  [[nodiscard]] Result<bool> begin_writing(StepContext& context) const {
    if (!world_->begin_writing_at_source || world_->is_source_read_only) return false;
    return world_->begin_writing_at_source(context);
  }

  [[nodiscard]] CarryOptions options(StepContext& context, bool only_new) const {
    return {.is_dry = world_->is_source_read_only,
            .only_new = only_new,
            .is_stop_requested = [&context] { return context.stop.is_requested(); },
            .progress = [&context](std::uint64_t done,
                                   std::uint64_t total) { tell(context, done, total, "carrying"); },
            .clock = &context.clock,
            .kill_point = world_->kill_point};
  }

  /// `has_lived`: its user may have been at the target; a move that was undone lets nobody in.
  /// What arrived is brought before the hold. In it the source is read, what is left is done, and
  /// the source is read once more.
  [[nodiscard]] Outcome predict_way_back(StepContext& context, const AccountSource& source,
                                         const CarryReport& report, ir::Observation& seen) const {
    PLAN_TRY(look, look_at_mailboxes(source.imap, context.clock));
    seen_->put(account_of(context), look.figures);
    const auto begun = context.clock.now();
    static_cast<void>(world_->account_id(context).has_value());
    const std::chrono::duration<double, std::milli> took = context.clock.now() - begun;
    const bool is_quiet = report.changes() == 0;
    seen_->predict(context, account_of(context),
                   {.calls = is_quiet ? kBackCalls / 2 : kBackCalls,
                    .writes = is_quiet ? kBackWrites / 2 : kBackWrites,
                    .looks = is_quiet ? 1 : 2},
                   took.count(), seen);
    return {};
  }

  void tell_of(const StepContext& context, const CarryReport& report, bool has_lived) const {
    if (!context.say) return;
    const std::string account = account_of(context);
    context.say(fmt::format("{}: {} back to the source: {}", account,
                            world_->is_source_read_only ? "would be carried" : "carried",
                            report.to_text()));
    for (std::size_t index = 0; index < report.conflicts.size() && index < kConflictsSaid; ++index)
      context.say(fmt::format("{}: {}: {}", account, report.conflicts[index].place,
                              report.conflicts[index].rule));
    if (report.conflicts.size() > kConflictsSaid)
      context.say(fmt::format("{}: and {} more, in plan_carry_note of {}", account,
                              report.conflicts.size() - kConflictsSaid,
                              context.arguments["file"].string_or("")));
    // The target shows of a password that there is one, never its hash: it cannot be compared.
    if (has_lived)
      context.say(fmt::format(
          "{}: a password that was changed at the target is not carried: the source's is in force",
          account));
    for (const PushProblem& problem : report.refused)
      context.say(
          fmt::format("{}: {} stays at the target: {}", account, problem.what, problem.text));
  }

  std::shared_ptr<KeptSnapshots> snapshots_ = std::make_shared<KeptSnapshots>();
};

class GradeDriver final : public ArchiveDriver {
 public:
  using ArchiveDriver::ArchiveDriver;

  Result<ir::Observation> observe(StepContext& context) override {
    ir::Observation seen;
    PLAN_TRY(source, source_of(context));
    seen.fingerprint = fingerprint_of(source);
    PLAN_TRY(has_moved, is_flipped(context));
    seen.standing = has_moved ? ir::Standing::satisfied : ir::Standing::unknowable;
    if (!has_moved) predict_pass(context, {.calls = kGradeCalls, .writes = kGradeWrites}, seen);
    if (source.dav)
      seen.remark = "calendars and contacts: compared, but writes to " + source.dav_server +
                    " cannot be closed for the hold";
    else if (!source.dav_server.empty())
      seen.remark = "not checked: calendars and contacts, which stay at " + source.dav_server;
    return seen;
  }

  /// Whether a grade will do is for the one who asked: the engine compares it with `accept`, and
  /// lets `plan approve` widen that.
  Result<Value> apply(StepContext& context) override {
    PLAN_TRY(path, path_of(context));
    PLAN_TRY(source, source_of(context));
    if (!std::filesystem::exists(path)) {
      GradeReport nothing{.grade = Grade::not_checked};
      nothing.differences.push_back({Grade::not_checked, "the account", "nothing was copied yet"});
      nothing.differences_count = 1;
      nothing.dav_server = source.dav_server;
      nothing.is_dav_carried = source.dav.has_value();
      return nothing.to_value();
    }
    PLAN_TRY(room, open_room(context, true));
    PLAN_TRY(target, open_target(context));
    PLAN_TRY(is_target_authority, is_flipped(context));
    PLAN_TRY(report, grade_target(room.archive, target,
                                  {.is_delivery_allowed = is_target_authority,
                                   .is_target_authority = is_target_authority,
                                   // In a run users wait, and copy has proved the rest.
                                   .is_since_last = !context.run_id.empty()}));
    if (!is_target_authority) {
      PLAN_TRY(mail, import_imap(room.archive, room.source.imap, {.is_dry = true}));
      SieveReport scripts;
      if (room.source.has_sieve) {
        PLAN_TRY(read, import_sieve(room.archive, room.source.sieve, false, true));
        scripts = std::move(read);
      }
      if (world_->is_source_read_only) {  // what cannot be read still counts
        mail = {.problems = std::move(mail.problems)};
        scripts = {.problems = std::move(scripts.problems)};
      }
      add_source_findings(report, mail, scripts);
    }
    report.dav_server = source.dav_server;
    report.is_dav_left = source.is_dav_left;
    if (room.source.dav) {
      report.is_dav_carried = true;
      PLAN_TRY(seen, import_dav(room.archive, *room.source.dav,
                                {.is_dry = true, .is_since_last = !context.run_id.empty()}));
      if (world_->is_source_read_only)  // nobody is held there
        seen = {.is_there = seen.is_there,
                .problems = std::move(seen.problems),
                .sharing = seen.sharing};
      PLAN_TRY_VOID(grade_dav(
          room.archive, target, seen,
          {.is_target_authority = is_target_authority, .is_since_last = !context.run_id.empty()},
          report));
    }
    return report.to_value();
  }

  Outcome verify(StepContext& context) override {
    (void)context;
    return {};  // apply is the look from outside
  }
};

}  // namespace

void add_archive_drivers(step::DriverTable& drivers, ArchiveWorld world) {
  const auto shared = std::make_shared<const ArchiveWorld>(std::move(world));
  const auto seen = std::make_shared<SeenMailboxes>();
  drivers.add(ir::StepKind::archive_copy, std::make_shared<CopyDriver>(shared, seen));
  drivers.add(ir::StepKind::archive_delta, std::make_shared<DeltaDriver>(shared, seen));
  drivers.add(ir::StepKind::archive_grade, std::make_shared<GradeDriver>(shared, seen));
  drivers.add(ir::StepKind::archive_sweep, make_sweep_driver(shared, seen));
}

}  // namespace plan::archive
