// source.hold and source.forward: the account's addresses in the two lists that the expression of
// std/stalwart-source asks. The states are none -> held -> moved, where who is in both has moved,
// and back the same way; each is safe for mail, so a crash between two of them needs no haste.
#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/stalwart15/drivers.h"
#include "runtime/server/stalwart15/limits.h"
#include "runtime/step/errors.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Standing;
using ir::Value;

/// A write of the list, the look at it and the reload.
constexpr std::uint64_t kListMs = 50;

struct Wanted {
  std::string account = {};
  std::vector<std::string> addresses = {};
  std::string list = {};
};

Result<Wanted> wanted_of(const Value& arguments) {
  Wanted wanted;
  PLAN_TRY(account, source::text_argument(arguments, "account"));
  PLAN_TRY(list, source::text_argument(arguments, "list"));
  wanted.account = lower_ascii(account);
  wanted.addresses = source::names_of_account(arguments);
  wanted.list = list;
  return wanted;
}

Value as_list(const std::set<std::string>& texts) {
  Value list = Value::list();
  for (const std::string& text : texts) list.push_back(text);
  return list;
}

/// What both drivers see of the list.
ir::Observation observation_of(const Wanted& wanted, const std::set<std::string>& there) {
  ir::Observation seen;
  seen.standing = there.size() == wanted.addresses.size() ? Standing::satisfied
                  : there.empty()                         ? Standing::absent
                                                          : Standing::differs;
  for (const std::string& address : wanted.addresses) {
    if (there.contains(address)) continue;
    seen.differences.push_back(
        {.path = fmt::format("lookup.{}", wanted.list), .is = {}, .wanted = address});
  }
  seen.prior = Value::map({{"listed", as_list(there)}});
  seen.fingerprint = Value::map({{"listed", as_list(there)}});
  return seen;
}

Outcome must_be_listed(OldSource& source, const Wanted& wanted) {
  PLAN_TRY(there, source.list(wanted.list).among(wanted.addresses));
  if (there.size() == wanted.addresses.size()) return {};
  return Error(step::errors::not_as_wanted,
               fmt::format("{} of the {} addresses of {} are in `lookup.{}` of the old server",
                           there.size(), wanted.addresses.size(), wanted.account, wanted.list))
      .with_blame(Blame::source);
}

/// Waits until nothing that came before the hold can reach the old mailbox any more.
Outcome drain(OldSource& source, step::StepContext& context, const Wanted& wanted,
              std::int64_t until_seconds) {
  const auto until = context.clock.now() + kDrainTime;
  while (true) {
    PLAN_TRY(queue, source.messages().read());
    if (is_drained(queue->messages, wanted.addresses, until_seconds)) return {};
    if (context.stop.is_requested()) {
      return Error(step::errors::stopped, "stopped while waiting for deliveries to end")
          .with_retry(Retry::safe);
    }
    if (context.clock.now() >= until) {
      return Error(
                 source::errors::not_drained,
                 fmt::format("mail for {} was still being delivered after {} s", wanted.account,
                             std::chrono::duration_cast<std::chrono::seconds>(kDrainTime).count()))
          .with_effect(Effect::applied)
          .with_retry_after(std::chrono::seconds(30))
          .with_blame(Blame::source)
          .with_detail(queue->is_running ? "" : "the old server's queue is paused");
    }
    context.clock.sleep_for(kLookApart);
  }
}

/// What both drivers are: the addresses are in a list, or they are not.
class ListDriver : public step::StepDriver {
 public:
  explicit ListDriver(std::shared_ptr<OldSources> sources) : sources_(std::move(sources)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(there, source->list(wanted.list).among(wanted.addresses));
    return observation_of(wanted, there);
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY_VOID(source->list(wanted.list).put(wanted.addresses));
    return Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    return must_be_listed(*source, wanted);
  }

  /// All of them, whoever put them there: the list is plan's own.
  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    return source->list(wanted.list).take(wanted.addresses);
  }

 protected:
  std::shared_ptr<OldSources> sources_;
};

class HoldDriver final : public ListDriver {
 public:
  HoldDriver(std::shared_ptr<OldSources> sources, probe::OpenMailbox open_mailbox)
      : ListDriver(std::move(sources)), open_mailbox_(std::move(open_mailbox)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(seen, ListDriver::observe(context));
    // Listed, but only the drain makes it count; that it has been is remembered by the step.
    if (seen.standing == Standing::satisfied && !context.notes["drained"].bool_or(false)) {
      seen.standing = Standing::differs;
      seen.remark = "held already; deliveries that began before are waited for";
    }
    seen.duration_ms = 1000;
    // On the way here it comes before the clients' hold.
    if (context.is_rollback) {
      seen.hold_ms = kListMs;
      seen.hold_basis = "a write of the list and its reload; what waited is tried at its own time";
    }
    return seen;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY_VOID(ListDriver::apply(context));
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    // A probe that is held proves that the queue routes by the list; what it routed before is due
    // no later than the probe was made, and is waited for.
    if (context.attempt > 0) PLAN_TRY_VOID(remove_probes(*source, wanted.account));
    probe::HoldProbes probes(context, open_mailbox_, wanted.account);
    PLAN_TRY(id, probes.make());
    auto held = probe_hold(*source, wanted.account, id, context.clock)
                    .while_doing("probing the hold of " + wanted.account);
    if (!held) return probes.failed(std::move(held).error());
    probes.was_held();
    PLAN_TRY_VOID(drain(*source, context, wanted, *held).while_doing("draining " + wanted.account));
    // What an attempt before this one sent is in no delivery any more.
    PLAN_TRY_VOID(probes.take_astray());
    if (context.remember) PLAN_TRY_VOID(context.remember(Value::map({{"drained", true}})));
    return Value::map();
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY_VOID(remove_probes(*source, wanted.account));
    // A hold that was there before is one of an attempt that died: it goes too.
    PLAN_TRY_VOID(ListDriver::undo(context));
    PLAN_TRY(queue, source->queue());
    PLAN_TRY(waiting, queue->look(wanted.addresses));
    if (waiting.messages > 0 && context.say) {
      context.say(fmt::format(
          "{}: mail waits in the old server's queue ({}): it is tried at the server's own times, "
          "two "
          "minutes after it came at the earliest, and nothing can hasten that",
          wanted.account,
          waiting.messages == 1 ? "1 message" : fmt::format("{} messages", waiting.messages)));
    }
    PLAN_TRY_VOID(probe::HoldProbes(context, open_mailbox_, wanted.account).take_astray());
    return context.remember ? context.remember(Value()) : Outcome();
  }

 private:
  probe::OpenMailbox open_mailbox_;
};

/// Its undo has mail held again.
class ForwardDriver final : public ListDriver {
 public:
  using ListDriver::ListDriver;

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(seen, ListDriver::observe(context));
    seen.duration_ms = 200;
    seen.hold_ms = kListMs;
    seen.hold_basis = "a write of the list and its reload";
    return seen;
  }
};

}  // namespace

std::shared_ptr<step::StepDriver> make_hold_driver(std::shared_ptr<OldSources> sources,
                                                   probe::OpenMailbox open_mailbox) {
  return std::make_shared<HoldDriver>(std::move(sources), std::move(open_mailbox));
}

std::shared_ptr<step::StepDriver> make_forward_driver(std::shared_ptr<OldSources> sources) {
  return std::make_shared<ForwardDriver>(std::move(sources));
}

void add_drivers(step::DriverTable& table, const std::shared_ptr<OldSources>& sources,
                 probe::OpenMailbox open_mailbox) {
  table.add(ir::StepKind::source_settings, make_settings_driver());
  table.add(ir::StepKind::source_listener, make_listener_driver(sources));
  table.add(ir::StepKind::source_hold, make_hold_driver(sources, std::move(open_mailbox)));
  table.add(ir::StepKind::source_forward, make_forward_driver(sources));
  table.add(ir::StepKind::source_freeze, make_freeze_driver(sources));
}

}  // namespace plan::server::stalwart15
