#include "runtime/archive/drivers.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "compiler/ir/json.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/grade.h"
#include "runtime/archive/limits.h"
#include "runtime/archive/push_jmap.h"
#include "runtime/archive/source_block.h"
#include "runtime/step/errors.h"

namespace plan::archive {
namespace {

using ir::Value;
using step::StepContext;

constexpr std::string_view kAuthority = "authority";  // fact: `source`, or `target` after the flip
constexpr int kDeltaPassesMax = 10;
constexpr int kSweepRoundsMax = 20;
constexpr std::chrono::milliseconds kSliceMs{250};
constexpr std::chrono::milliseconds kQueuesWaitMax{180'000};
// Estimates for the diff, as measured on two cores (docs/performance.md); only ever shown.
constexpr std::uint64_t kMessagesPerSecond = 200;
constexpr std::uint64_t kBytesPerSecond = 10'000'000;
constexpr std::uint64_t kHoldBaseMs = 1500;
constexpr std::uint64_t kHoldPerMailboxMs = 5;
constexpr std::uint64_t kScannedPerSecond = 20'000;

std::string account_of(const StepContext& context) {
  return std::string(context.arguments["account"].string_or(context.account));
}

/// What one call of a driver works with.
struct Room {
  ArchiveFile archive;
  AccountSource source;
};

class ArchiveDriver : public step::StepDriver {
 public:
  explicit ArchiveDriver(std::shared_ptr<const ArchiveWorld> world) : world_(std::move(world)) {}

  Outcome undo(StepContext& context) override {
    (void)context;
    return {};  // what is at the target stays until the copy itself is undone
  }

 protected:
  static Result<std::string> path_of(const StepContext& context) {
    const std::string file(context.arguments["file"].string_or(""));
    if (file.empty())
      return Error(step::errors::argument_missing, "the step names no `file`")
          .with_blame(Blame::plan);
    const std::filesystem::path path = std::filesystem::path(file).is_absolute()
                                           ? std::filesystem::path(file)
                                           : std::filesystem::path(context.state_directory) / file;
    return path.string();
  }

  static Result<Room> open_room(StepContext& context, bool must_exist) {
    PLAN_TRY(path, path_of(context));
    std::error_code code;
    if (!must_exist)
      std::filesystem::create_directories(std::filesystem::path(path).parent_path(), code);
    PLAN_TRY(archive, ArchiveFile::open(path, {.must_exist = must_exist}));
    PLAN_TRY(source,
             account_source(context.arguments["source"], account_of(context), context.secrets));
    return Room{std::move(archive), std::move(source)};
  }

  Result<TargetAccount> open_target(StepContext& context) const {
    PLAN_TRY(id, world_->account_id(context));
    if (id.empty())
      return Error(errors::not_ours_to_destroy,
                   fmt::format("the target has no account {}", account_of(context)))
          .with_blame(Blame::target);
    PLAN_TRY(client, world_->open_target(context));
    return TargetAccount(client, id);
  }

  static Outcome check_stop(const StepContext& context) {
    if (!context.stop.is_requested()) return {};
    return Error(step::errors::stopped, "stopped between two passes").with_retry(Retry::safe);
  }

  static void tell(const StepContext& context, std::uint64_t done, std::uint64_t total,
                   std::string_view remark) {
    if (context.progress)
      context.progress({.done = done, .total = total, .unit = "messages", .remark = remark});
  }

  struct Passed {
    ImportReport mail = {};
    SieveReport scripts = {};
    PushReport push = {};
    [[nodiscard]] std::uint64_t source_changes() const {
      return mail.changes() + scripts.changes();
    }
  };

  /// Source to archive to target, once.
  static Result<Passed> pass(StepContext& context, Room& room, const TargetAccount& target,
                             bool is_source_authority, bool is_held = false) {
    Passed passed;
    const auto is_stopped = [&context] { return context.stop.is_requested(); };
    PLAN_TRY(mail, import_imap(room.archive, room.source.imap,
                               {.is_stop_requested = is_stopped,
                                .progress = [&](std::uint64_t messages, std::uint64_t) {
                                  tell(context, messages, 0, "reading");
                                }}));
    passed.mail = std::move(mail);
    if (room.source.has_sieve && is_source_authority) {
      PLAN_TRY(scripts, import_sieve(room.archive, room.source.sieve));
      passed.scripts = std::move(scripts);
    }
    PLAN_TRY(push, push_jmap(room.archive, target,
                             {.is_presence_checked = !is_held,
                              .is_source_authority = is_source_authority,
                              .is_stop_requested = is_stopped,
                              .progress = [&](std::uint64_t done, std::uint64_t total) {
                                tell(context, done, total, "writing");
                              }}));
    passed.push = std::move(push);
    return passed;
  }

  static Outcome check_nothing_open(StepContext& context) {
    PLAN_TRY(path, path_of(context));
    PLAN_TRY(archive, ArchiveFile::open(path, {.must_exist = true}));
    PLAN_TRY(state, push_state(archive));
    if (state.open == 0) return {};
    return Error(step::errors::not_as_wanted,
                 fmt::format("{} messages are not at the target yet", state.open))
        .with_retry(Retry::safe)
        .with_blame(Blame::target);
  }

  /// Is the target the authority by what an earlier sweep noted? False without an archive.
  static bool is_flipped(const StepContext& context) {
    auto path = path_of(context);
    if (!path || !std::filesystem::exists(*path)) return false;
    auto archive = ArchiveFile::open(*path, {.must_exist = true});
    if (!archive) return false;
    auto authority = archive->fact(kAuthority);
    return authority && *authority == "target";
  }

  static Value fingerprint_of(const AccountSource& source) {
    return Value::map(
        {{"source", source.imap.identity.session_url}, {"login", source.imap.identity.account_id}});
  }

  static std::string summary_of(const GradeReport& report) {
    if (report.differences.empty())
      return fmt::format("{} messages, all proved by digest", report.messages);
    const GradeDifference& first = report.differences.front();
    return fmt::format("{} differences; {}: {}", report.differences_count, first.where, first.text);
  }

  static Error too_low(const GradeReport& report) {
    return Error(errors::grade_too_low,
                 fmt::format("the grade is {}: {}", to_string(report.grade), summary_of(report)))
        .with_blame(Blame::source)
        .with_detail(ir::write_json(report.to_value()));
  }

  std::shared_ptr<const ArchiveWorld> world_;
};

class CopyDriver final : public ArchiveDriver {
 public:
  using ArchiveDriver::ArchiveDriver;

  Result<ir::Observation> observe(StepContext& context) override {
    ir::Observation seen;
    PLAN_TRY(source,
             account_source(context.arguments["source"], account_of(context), context.secrets));
    seen.fingerprint = fingerprint_of(source);
    if (is_flipped(context)) {
      seen.standing = ir::Standing::satisfied;
      seen.remark = "moved already";
      return seen;
    }
    seen.standing = ir::Standing::absent;
    PLAN_TRY(client, source.imap.connect());
    PLAN_TRY(mailboxes, client->list());
    std::uint64_t messages = 0, bytes = 0, opened = 0;
    bool has_sizes = true;
    for (const net::imap::MailboxInfo& mailbox : mailboxes) {
      if (!mailbox.is_selectable()) continue;
      auto status = client->status(mailbox.wire_name);
      if (!status) {
        if (client->is_broken()) return std::move(status.error());
        seen.remark = "a mailbox cannot be read: " + status.error().detail();
        continue;
      }
      ++opened;
      messages += status->messages.value_or(0);
      bytes += status->size_bytes.value_or(0);
      has_sizes = has_sizes && status->size_bytes.has_value();
    }
    const bool has_qresync = client->has("QRESYNC");
    client->logout();
    seen.messages = messages;
    if (has_sizes) seen.bytes = bytes;
    seen.duration_ms = messages * 1000 / kMessagesPerSecond + bytes * 1000 / kBytesPerSecond;
    seen.hold_ms = kHoldBaseMs + opened * kHoldPerMailboxMs +
                   (has_qresync ? 0 : messages * 1000 / kScannedPerSecond);
    if (!has_qresync && seen.remark.empty())
      seen.remark = "the source has no QRESYNC: every message is compared in the hold";
    return seen;
  }

  Result<Value> apply(StepContext& context) override {
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
    PLAN_TRY(report, grade_target(room.archive, target));
    // Refused items and lesser things are for the grade of the step that may accept them.
    if (report.grade == Grade::poor || report.grade == Grade::not_checked) return too_low(report);
    PLAN_TRY(bytes, room.archive.database().query_integer(
                        "SELECT coalesce(sum(bytes), 0) FROM plan_item WHERE is_gone = 0"));
    return Value::map({{"messages", report.messages},
                       {"bytes", bytes.value_or(0)},
                       {"grade", to_string(report.grade)},
                       {"summary", summary_of(report)},
                       {"problems", static_cast<std::int64_t>(last.push.problems.size())}});
  }

  Outcome verify(StepContext& context) override { return check_nothing_open(context); }

  Outcome undo(StepContext& context) override {
    PLAN_TRY(path, path_of(context));
    if (!std::filesystem::exists(path)) return {};
    PLAN_TRY(archive, ArchiveFile::open(path, {.must_exist = true}));
    PLAN_TRY(id, world_->account_id(context));
    if (id.empty()) return {};  // gone with the account
    PLAN_TRY(client, world_->open_target(context));
    return take_back(archive, TargetAccount(client, id));
  }
};

class DeltaDriver final : public ArchiveDriver {
 public:
  using ArchiveDriver::ArchiveDriver;

  /// Error mail-arrived-at-target when the account there holds messages that plan did not import.
  Outcome check_nothing_arrived(StepContext& context) {
    PLAN_TRY(path, path_of(context));
    PLAN_TRY(archive, ArchiveFile::open(path, {.must_exist = true}));
    PLAN_TRY(target, open_target(context));
    PLAN_TRY(ids, target.email_ids());
    std::set<std::string, std::less<>> ours;
    PLAN_TRY(rows, archive.database().prepare(
                       "SELECT target_id FROM plan_item WHERE target_id IS NOT NULL"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      ours.emplace(rows.text(0));
    }
    const auto arrived = std::count_if(ids.begin(), ids.end(),
                                       [&](const std::string& id) { return !ours.contains(id); });
    if (arrived == 0) return {};
    return Error(errors::mail_arrived_at_target,
                 fmt::format("{} messages have arrived at the target for {} since it moved",
                             arrived, account_of(context)))
        .with_blame(Blame::target);
  }

  Result<ir::Observation> observe(StepContext& context) override {
    ir::Observation seen;
    PLAN_TRY(source,
             account_source(context.arguments["source"], account_of(context), context.secrets));
    seen.fingerprint = fingerprint_of(source);
    const bool has_moved = is_flipped(context);
    seen.standing = has_moved ? ir::Standing::satisfied : ir::Standing::unknowable;
    // Asked before a move is undone: what came to the target since would stay behind there.
    if (context.is_rollback && has_moved) PLAN_TRY_VOID(check_nothing_arrived(context));
    return seen;
  }

  Result<Value> apply(StepContext& context) override {
    PLAN_TRY(room, open_room(context, true));
    PLAN_TRY(target, open_target(context));
    PLAN_TRY_VOID(room.archive.set_fact(kAuthority, "source"));
    std::uint64_t carried = 0;
    for (int count = 0; count < kDeltaPassesMax; ++count) {
      PLAN_TRY(passed, pass(context, room, target, true, true));
      carried += passed.push.created + passed.push.updated + passed.push.destroyed +
                 passed.push.adopted + passed.push.resolved;
      if (passed.source_changes() == 0) return Value::map({{"messages", carried}});
    }
    return Error(step::errors::not_as_wanted,
                 "the source changes although it is held: somebody still writes to it")
        .with_blame(Blame::source);
  }

  Outcome verify(StepContext& context) override { return check_nothing_open(context); }
};

class GradeDriver final : public ArchiveDriver {
 public:
  using ArchiveDriver::ArchiveDriver;

  Result<ir::Observation> observe(StepContext& context) override {
    ir::Observation seen;
    PLAN_TRY(source,
             account_source(context.arguments["source"], account_of(context), context.secrets));
    seen.fingerprint = fingerprint_of(source);
    seen.standing = is_flipped(context) ? ir::Standing::satisfied : ir::Standing::unknowable;
    return seen;
  }

  Result<Value> apply(StepContext& context) override {
    PLAN_TRY(path, path_of(context));
    if (!std::filesystem::exists(path)) {
      GradeReport nothing{.grade = Grade::not_checked};
      nothing.differences.push_back({Grade::not_checked, "the account", "nothing was copied yet"});
      nothing.differences_count = 1;
      return judge(context, nothing);
    }
    PLAN_TRY(room, open_room(context, true));
    PLAN_TRY(target, open_target(context));
    const bool is_target_authority = is_flipped(context);
    PLAN_TRY(report, grade_target(room.archive, target,
                                  {.is_delivery_allowed = is_target_authority,
                                   .is_target_authority = is_target_authority}));
    if (!is_target_authority) {
      PLAN_TRY(mail, import_imap(room.archive, room.source.imap, {.is_dry = true}));
      SieveReport scripts;
      if (room.source.has_sieve) {
        PLAN_TRY(read, import_sieve(room.archive, room.source.sieve, false, true));
        scripts = std::move(read);
      }
      add_source_findings(report, mail, scripts);
    }
    return judge(context, report);
  }

  Outcome verify(StepContext& context) override {
    (void)context;
    return {};  // apply is the look from outside
  }

 private:
  static Result<Value> judge(const StepContext& context, const GradeReport& report) {
    const Value& accept = context.arguments["accept"];
    bool is_accepted = false;
    for (std::size_t index = 0; accept.is_list() && index < accept.size(); ++index)
      is_accepted = is_accepted || accept.item(index).string_or("") == to_string(report.grade);
    if (!accept.is_list())
      is_accepted = report.grade == Grade::perfect || report.grade == Grade::good;
    if (!is_accepted) return too_low(report);
    Value outputs = report.to_value();
    outputs.set("summary", summary_of(report));
    return outputs;
  }
};

class SweepDriver final : public ArchiveDriver {
 public:
  using ArchiveDriver::ArchiveDriver;

  Result<ir::Observation> observe(StepContext& context) override {
    ir::Observation seen;
    PLAN_TRY(source,
             account_source(context.arguments["source"], account_of(context), context.secrets));
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
    std::uint64_t carried = 0;
    bool is_quiet_before = false;
    for (int round = 0; round < kSweepRoundsMax; ++round) {
      PLAN_TRY_VOID(wait_for_queues(context));
      PLAN_TRY(passed, pass(context, room, target, false));
      const std::uint64_t found = passed.push.created + passed.push.resolved;
      carried += found;
      if (!passed.mail.problems.empty())
        return Error(step::errors::not_as_wanted, "the old mailbox cannot be read to its end")
            .with_retry(Retry::safe)
            .with_blame(Blame::source)
            .with_detail(passed.mail.problems.front().mailbox + ": " +
                         passed.mail.problems.front().text);
      const bool is_quiet = found == 0 && passed.mail.created == 0;
      if (is_quiet && is_quiet_before) {
        const std::uint64_t subscribed = subscribe(context, room);
        return Value::map({{"messages", carried}, {"subscriptions", subscribed}});
      }
      is_quiet_before = is_quiet;
      PLAN_TRY_VOID(sleep(context, apart));
    }
    return Error(errors::stragglers_left, "mail keeps arriving in the old mailbox")
        .with_blame(Blame::source);
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

  static Outcome sleep(StepContext& context, std::chrono::milliseconds duration) {
    while (duration.count() > 0) {
      PLAN_TRY_VOID(check_stop(context));
      const auto slice = std::min(duration, kSliceMs);
      context.clock.sleep_for(slice);
      duration -= slice;
    }
    return {};
  }

  Outcome wait_for_queues(StepContext& context) const {
    if (!world_->are_queues_empty) return {};
    std::chrono::milliseconds waited{0};
    while (true) {
      PLAN_TRY(is_empty, world_->are_queues_empty(context));
      if (is_empty) return {};
      if (waited >= kQueuesWaitMax)
        return Error(errors::stragglers_left, "a queue still holds mail for the account")
            .with_retry_after(std::chrono::seconds(30))
            .with_blame(Blame::source);
      PLAN_TRY_VOID(sleep(context, kSliceMs * 4));
      waited += kSliceMs * 4;
    }
  }

  /// A convenience of the user's, no content: what cannot be set is left.
  std::uint64_t subscribe(StepContext& context, Room& room) const {
    if (!world_->open_as_user) return 0;
    auto client = world_->open_as_user(context);
    auto id = world_->account_id(context);
    if (!client || !id || id->empty()) return 0;
    auto count = push_subscriptions(room.archive, TargetAccount(*client, *id));
    return count ? *count : 0;
  }
};

}  // namespace

void add_archive_drivers(step::DriverTable& drivers, ArchiveWorld world) {
  const auto shared = std::make_shared<const ArchiveWorld>(std::move(world));
  drivers.add(ir::StepKind::archive_copy, std::make_shared<CopyDriver>(shared));
  drivers.add(ir::StepKind::archive_delta, std::make_shared<DeltaDriver>(shared));
  drivers.add(ir::StepKind::archive_grade, std::make_shared<GradeDriver>(shared));
  drivers.add(ir::StepKind::archive_sweep, std::make_shared<SweepDriver>(shared));
}

}  // namespace plan::archive
