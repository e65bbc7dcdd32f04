#include "runtime/archive/archive_driver.h"

#include <fmt/format.h>

#include <filesystem>

#include "runtime/archive/dav_tables.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/open_appends.h"
#include "runtime/archive/provenance.h"
#include "runtime/step/errors.h"

namespace plan::archive {

using ir::Value;
using step::StepContext;

std::string account_of(const StepContext& context) {
  return std::string(context.arguments["account"].string_or(context.account));
}

Outcome ArchiveDriver::undo(StepContext&) { return {}; }

Result<std::string> ArchiveDriver::path_of(const StepContext& context) {
  const std::string file(context.arguments["file"].string_or(""));
  if (file.empty())
    return Error(step::errors::argument_missing, "the step names no `file`")
        .with_blame(Blame::plan);
  const std::filesystem::path path = std::filesystem::path(file).is_absolute()
                                         ? std::filesystem::path(file)
                                         : std::filesystem::path(context.state_directory) / file;
  return path.string();
}

Result<AccountSource> ArchiveDriver::source_of(StepContext& context) const {
  AccountName name{.address = account_of(context)};
  if (world_->login_at_source) {
    PLAN_TRY(login, world_->login_at_source(context));
    name.login = std::move(login);
  }
  return account_source(context.arguments["source"], name, context.secrets, world_->logins,
                        world_->dav_logins);
}

Result<ArchiveDriver::Room> ArchiveDriver::open_room(StepContext& context, bool must_exist) const {
  PLAN_TRY(path, path_of(context));
  std::error_code code;
  if (!must_exist)
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), code);
  PLAN_TRY(archive, ArchiveFile::open(path, {.must_exist = must_exist}));
  PLAN_TRY(source, source_of(context));
  return Room{std::move(archive), std::move(source)};
}

Result<TargetAccount> ArchiveDriver::open_target(StepContext& context) const {
  PLAN_TRY(id, world_->account_id(context));
  if (id.empty())
    return Error(errors::target_account_gone,
                 fmt::format("the target has no account {}", account_of(context)))
        .with_blame(Blame::target);
  PLAN_TRY(client, world_->open_target(context));
  return TargetAccount(client, id);
}

Outcome ArchiveDriver::check_stop(const StepContext& context) {
  if (!context.stop.is_requested()) return {};
  return Error(step::errors::stopped, "stopped between two passes").with_retry(Retry::safe);
}

void ArchiveDriver::tell(const StepContext& context, std::uint64_t done, std::uint64_t total,
                         std::string_view remark) {
  if (context.progress)
    context.progress({.done = done, .total = total, .unit = "messages", .remark = remark});
}

Result<ArchiveDriver::Passed> ArchiveDriver::pass(StepContext& context, Room& room,
                                                  const TargetAccount& target,
                                                  bool is_source_authority, bool is_held) const {
  Passed passed;
  std::uint64_t read = 0;
  std::uint64_t written = 0;
  const auto moved = [&context](std::string_view host, std::uint64_t& before, std::uint64_t now) {
    if (context.moved && now > before) context.moved(host, now - before);
    before = now;
  };
  const auto is_stopped = [&context] { return context.stop.is_requested(); };
  PLAN_TRY_VOID(settle_open_appends(room.archive, room.source.imap,
                                    {.clock = &context.clock, .is_stop_requested = is_stopped}));
  PLAN_TRY(mail, import_imap(room.archive, room.source.imap,
                             {.are_others_rows_looked_for = !is_held,
                              .is_stop_requested = is_stopped,
                              .progress = [&](std::uint64_t messages, std::uint64_t bytes) {
                                tell(context, messages, 0, "reading");
                                moved("source", read, bytes);
                              }}));
  passed.mail = std::move(mail);
  PLAN_TRY_VOID(link_carried(room.archive));
  if (room.source.has_sieve && is_source_authority) {
    PLAN_TRY(scripts, import_sieve(room.archive, room.source.sieve));
    passed.scripts = std::move(scripts);
  }
  PLAN_TRY(push, push_jmap(room.archive, target,
                           {.is_presence_checked = !is_held,
                            .is_source_authority = is_source_authority,
                            .is_stop_requested = is_stopped,
                            .progress =
                                [&](std::uint64_t done, std::uint64_t total, std::uint64_t bytes) {
                                  tell(context, done, total, "writing");
                                  moved("target", written, bytes);
                                },
                            .kill_point = world_->push_kill_point}));
  passed.push = std::move(push);
  if (room.source.dav) {
    tell(context, 0, 0, "calendars and contacts");
    PLAN_TRY(dav, import_dav(room.archive, *room.source.dav, {.is_since_last = is_held}));
    passed.dav = std::move(dav);
    PLAN_TRY(dav_push, push_dav(room.archive, target,
                                {.is_source_authority = is_source_authority,
                                 .is_since_last = is_held,
                                 .is_stop_requested = is_stopped,
                                 .kill_point = world_->push_kill_point}));
    passed.dav_push = std::move(dav_push);
    PLAN_TRY_VOID(refresh_dav_tables(room.archive, *room.source.dav,
                                     passed.dav.changes() + passed.dav_push.changes(), is_held));
  }
  return passed;
}

Outcome ArchiveDriver::check_nothing_open(StepContext& context) {
  PLAN_TRY(path, path_of(context));
  PLAN_TRY(archive, ArchiveFile::open(path, {.must_exist = true}));
  PLAN_TRY(open, open_items(archive));
  if (open == 0) return {};
  return Error(step::errors::not_as_wanted,
               fmt::format("{} messages are not at the target yet", open))
      .with_retry(Retry::safe)
      .with_blame(Blame::target);
}

Result<bool> ArchiveDriver::is_flipped(StepContext& context) const {
  if (world_->is_at_target) return world_->is_at_target(context);
  PLAN_TRY(path, path_of(context));
  if (!std::filesystem::exists(path)) return false;
  PLAN_TRY(archive, ArchiveFile::open(path, {.must_exist = true}));
  PLAN_TRY(authority, archive.fact(kAuthority));
  return authority == "target";
}

Outcome ArchiveDriver::check_not_moved(StepContext& context) const {
  if (!world_->is_at_target) return {};
  PLAN_TRY(has_moved, world_->is_at_target(context));
  if (!has_moved) return {};
  return Error(errors::moved_already,
               fmt::format("{} has moved: the target says so, this run's journal does not",
                           account_of(context)))
      .with_blame(Blame::local);
}

Value ArchiveDriver::fingerprint_of(const AccountSource& source) {
  return Value::map(
      {{"source", source.imap.identity.session_url}, {"login", source.imap.identity.account_id}});
}

void ArchiveDriver::predict_pass(StepContext& context, const SeenMailboxes::Work& work,
                                 ir::Observation& seen) const {
  if (!context.run_id.empty()) return;
  const auto begun = context.clock.now();
  static_cast<void>(world_->account_id(context).has_value());
  const std::chrono::duration<double, std::milli> took = context.clock.now() - begun;
  seen_->predict(context, account_of(context), work, took.count(), seen);
}

}  // namespace plan::archive
