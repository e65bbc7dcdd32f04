// archive.sweep: looks at the old mailboxes behind the flip until nothing comes any more.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "runtime/archive/archive_driver.h"
#include "runtime/archive/errors.h"
#include "runtime/net/clock.h"
#include "runtime/step/errors.h"

namespace plan::archive {
namespace {

using ir::Value;
using step::StepContext;

constexpr int kSweepRoundsMax = 20;
constexpr std::chrono::milliseconds kQueuesWaitMax{180'000};

class SweepDriver final : public ArchiveDriver {
 public:
  using ArchiveDriver::ArchiveDriver;

  Result<ir::Observation> observe(StepContext& context) override {
    ir::Observation seen;
    PLAN_TRY(source, source_of(context));
    seen.fingerprint = fingerprint_of(source);
    seen.standing = ir::Standing::unknowable;
    if (!world_->are_queues_empty) seen.remark = "the queues are not looked at";
    return seen;
  }

  Result<Value> apply(StepContext& context) override {
    PLAN_TRY(room, open_room(context, true));
    PLAN_TRY(target, open_target(context));
    PLAN_TRY_VOID(room.archive.set_fact(kAuthority, "target"));
    const std::chrono::milliseconds apart(
        std::max<std::int64_t>(context.arguments["apart_ms"].integer_or(60'000), 0));
    // One look a call: between two of them the step waits without a thread.
    Looks looks = Looks::read(context.notes);
    const std::int64_t now = uptime_ms(context);
    const bool was_quiet =
        looks.quiet_since_ms >= 0 && looks.boot == net::boot_id() && looks.quiet_since_ms <= now;
    if (was_quiet && now - looks.quiet_since_ms < apart.count())
      return step::not_yet(apart - std::chrono::milliseconds(now - looks.quiet_since_ms),
                           kBetweenLooks);
    PLAN_TRY(are_empty, are_queues_empty(context));
    if (!are_empty && !world_->is_source_read_only) return wait_for_queues(context, looks);
    looks.queue_waits_ms = 0;
    PLAN_TRY(passed, pass(context, room, target, false));
    const std::uint64_t found =
        passed.push.created + passed.push.resolved + passed.dav_push.changes();
    looks.carried += found;
    if (!passed.mail.problems.empty())
      return Error(step::errors::not_as_wanted, "the old mailbox cannot be read to its end")
          .with_retry(Retry::safe)
          .with_blame(Blame::source)
          .with_detail(passed.mail.problems.front().mailbox + ": " +
                       passed.mail.problems.front().text);
    if (!passed.dav.problems.empty())
      return Error(step::errors::not_as_wanted,
                   "calendars and contacts cannot be read to their end")
          .with_retry(Retry::safe)
          .with_blame(Blame::source)
          .with_detail(passed.dav.problems.front().mailbox + ": " +
                       passed.dav.problems.front().text);
    const bool is_quiet = world_->is_source_read_only ||
                          (found == 0 && passed.mail.created == 0 && passed.dav.created == 0);
    if (is_quiet && was_quiet) {
      const std::uint64_t subscribed = subscribe(context, room);
      return Value::map({{"messages", looks.carried}, {"subscriptions", subscribed}});
    }
    if (++looks.count >= kSweepRoundsMax)
      return Error(errors::stragglers_left,
                   fmt::format("mail kept arriving in the old mailbox of {} over {} looks",
                               account_of(context), looks.count))
          .with_blame(Blame::source);
    looks.quiet_since_ms = is_quiet ? uptime_ms(context) : -1;
    looks.boot = net::boot_id();
    PLAN_TRY_VOID(looks.write(context));
    return step::not_yet(apart, kBetweenLooks);
  }

  Outcome verify(StepContext& context) override { return check_nothing_new(context); }

 private:
  /// Gone at the source does not matter any more; wanted ones do.
  static Outcome check_nothing_new(StepContext& context) {
    PLAN_TRY(path, path_of(context));
    PLAN_TRY(archive, ArchiveFile::open(path, {.must_exist = true}));
    PLAN_TRY(left, archive.database().query_integer(
                       "SELECT count(*) FROM plan_item WHERE is_gone = 0 AND state IN (0, 1)"));
    if (left.value_or(0) == 0) return {};
    return Error(step::errors::not_as_wanted,
                 fmt::format("{} stragglers are not at the target yet", *left))
        .with_retry(Retry::safe);
  }

  static constexpr std::string_view kBetweenLooks = "looks at the old mailbox once more";

  /// What the step must know from one look to the next; in its notes.
  struct Looks {
    int count = 0;
    std::uint64_t carried = 0;
    std::int64_t quiet_since_ms = -1;  ///< uptime at the end of a look that found nothing
    std::string boot = {};             ///< uptimes of other boots are no measure
    std::int64_t queue_waits_ms = 0;

    static Looks read(const Value& notes) {
      return {.count = static_cast<int>(notes["count"].integer_or(0)),
              .carried = static_cast<std::uint64_t>(
                  std::max<std::int64_t>(0, notes["carried"].integer_or(0))),
              .quiet_since_ms = notes["quiet_since_ms"].integer_or(-1),
              .boot = std::string(notes["boot"].string_or("")),
              .queue_waits_ms = notes["queue_waits_ms"].integer_or(0)};
    }
    [[nodiscard]] Outcome write(const StepContext& context) const {
      if (!context.remember) return {};
      return context.remember(Value::map({{"count", count},
                                          {"carried", carried},
                                          {"quiet_since_ms", quiet_since_ms},
                                          {"boot", boot},
                                          {"queue_waits_ms", queue_waits_ms}}));
    }
  };

  static std::int64_t uptime_ms(const StepContext& context) {
    return net::uptime_ms(context.clock);
  }

  Result<bool> are_queues_empty(StepContext& context) const {
    if (!world_->are_queues_empty) return true;
    return world_->are_queues_empty(context);
  }

  /// Sooner at first: what was flushed a moment ago is usually gone in a second.
  static Error wait_for_queues(StepContext& context, Looks& looks) {
    if (looks.queue_waits_ms >= kQueuesWaitMax.count()) {
      looks.queue_waits_ms = 0;
      static_cast<void>(looks.write(context));
      return Error(errors::stragglers_left,
                   fmt::format("a queue still holds mail for {} after {} seconds",
                               account_of(context), kQueuesWaitMax.count() / 1000))
          .with_retry_after(std::chrono::seconds(30))
          .with_blame(Blame::source);
    }
    const std::int64_t wait = std::clamp<std::int64_t>(looks.queue_waits_ms / 4, 1'000, 15'000);
    looks.queue_waits_ms += wait;
    if (auto written = looks.write(context); !written) return std::move(written).error();
    return step::not_yet(std::chrono::milliseconds(wait), "mail for it is in a queue");
  }

  /// A convenience of the user's, no content: what cannot be set is left.
  std::uint64_t subscribe(StepContext& context, Room& room) const {
    if (!world_->open_as_user) return 0;
    auto client = world_->open_as_user(context);
    auto id = world_->account_id(context);
    if (!client || !id || id->empty()) return 0;
    const TargetAccount as_user(*client, *id);
    auto count = push_subscriptions(room.archive, as_user);
    auto named = name_dav_folders(room.archive, as_user);
    return (count ? *count : 0) + (named ? *named : 0);
  }
};

}  // namespace

std::shared_ptr<step::StepDriver> make_sweep_driver(std::shared_ptr<const ArchiveWorld> world,
                                                    std::shared_ptr<SeenMailboxes> seen) {
  return std::make_shared<SweepDriver>(std::move(world), std::move(seen));
}

}  // namespace plan::archive
