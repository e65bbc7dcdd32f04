// postfix.hold and postfix.forward: the account's entry in plan's transport map. The states are
// those of reference/split-delivery.md 9.2: none -> hold -> target, and back the same way; each is
// safe for mail, so a crash between two of them needs no haste.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/net/smtp/client.h"
#include "runtime/server/postfix/drivers.h"
#include "runtime/server/postfix/postfix_queue.h"
#include "runtime/server/postfix/transport_map.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/hold_probe.h"
#include "runtime/server/source/limits.h"
#include "runtime/step/errors.h"

namespace plan::server::postfix {
namespace {

using Entries = std::vector<std::optional<std::string>>;
using ir::Standing;
using ir::Value;
using source::not_held;
using source::Source;

/// postmap, `postfix reload` and the stamp, as measured (split-delivery.md 9.2: 0.1 s for the
/// reload).
constexpr std::uint64_t kReloadMs = 200;
/// How long a forward waits for the reload behind another account's change of the same map.
constexpr std::chrono::milliseconds kSettleTime{10'000};

struct Wanted {
  std::string account = {};
  std::string map_path = {};
};

Result<Wanted> wanted_of(const Value& arguments) {
  Wanted wanted;
  PLAN_TRY(account, source::text_argument(arguments, "account"));
  PLAN_TRY(path, source::text_argument(arguments, "transport_map"));
  wanted.account = lower_ascii(account);
  wanted.map_path = path;
  return wanted;
}

Value entry_of(const TransportMap::State& state, const std::string& account) {
  const auto found = state.entries.find(account);
  return found == state.entries.end() ? Value() : Value(found->second);
}

std::optional<std::string> as_entry(const Value& value) {
  return value.is_string() ? std::optional<std::string>(value.as_string()) : std::nullopt;
}

/// Waits until nothing that came before the hold can reach the old mailbox any more.
Outcome drain(Source& source, step::StepContext& context, const std::string& account,
              std::int64_t until_seconds) {
  PLAN_TRY(delimiters, source.queue().delimiters());
  const auto until = context.clock.now() + source::kDrainTime;
  auto next_flush = context.clock.now() + source::kPutOffTime;
  while (true) {
    PLAN_TRY(queue, source.queue().read());
    if (is_drained(*queue, {account}, until_seconds, delimiters)) return {};
    if (context.clock.now() >= next_flush) {
      PLAN_TRY_VOID(
          source.queue().flush(ids_put_off(*queue, {account}, until_seconds, delimiters)));
      next_flush = context.clock.now() + source::kPutOffTime;
    }
    if (context.stop.is_requested()) {
      return Error(step::errors::stopped, "stopped while waiting for deliveries to end")
          .with_retry(Retry::safe);
    }
    if (context.clock.now() >= until) {
      return Error(
                 source::errors::not_drained,
                 fmt::format(
                     "mail for {} was still being delivered after {} s", account,
                     std::chrono::duration_cast<std::chrono::seconds>(source::kDrainTime).count()))
          .with_effect(Effect::applied)
          .with_retry_after(std::chrono::seconds(30))
          .with_blame(Blame::source);
    }
    context.clock.sleep_for(source::kQueuePoll);
  }
}

/// Dovecot looks at its deny file once in each second of the clock (split-delivery.md 9.4), so a
/// hold of clients that begins anywhere within one waits for its end. One that begins shortly
/// before it does not, and here nobody waits yet. Without a clock that tells milliseconds it begins
/// at once.
void wait_for_end_of_second(Source& source, step::StepContext& context) {
  const auto begun = context.clock.now();
  const auto told = source.run(source::Place::machine, {"date", "+%s%3N"});
  if (!told) return;
  const auto now = source::read_seconds(*told);
  if (!now || *now < 1'000'000'000'000) return;
  const auto trip =
      std::chrono::duration_cast<std::chrono::milliseconds>(context.clock.now() - begun);
  const std::int64_t within = (*now + trip.count() / 2) % 1000;
  context.clock.sleep_for(
      std::chrono::milliseconds((source::kBeginWithinSecond.count() + 1000 - within) % 1000));
}

class HoldDriver final : public step::StepDriver {
 public:
  HoldDriver(std::shared_ptr<source::SourcePool> sources, probe::OpenMailbox open_mailbox)
      : sources_(std::move(sources)), open_mailbox_(std::move(open_mailbox)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(state, source->transport_map(wanted.map_path).look());
    const Value entry = entry_of(state, wanted.account);
    ir::Observation observation;
    if (is_forward(entry)) {
      observation.standing = Standing::satisfied;
      observation.remark = "the account's mail goes to the target already";
    } else if (entry.is_null()) {
      observation.standing = Standing::absent;
    } else {
      // Held, but only the drain makes it count; that it has been is remembered by the step.
      const bool is_done = state.is_live && context.notes["drained"].bool_or(false);
      observation.standing = is_done ? Standing::satisfied : Standing::differs;
      if (!is_done)
        observation.remark = "held already; deliveries that began before are waited for";
    }
    if (observation.standing != Standing::satisfied) {
      observation.differences.push_back(
          {.path = wanted.account, .is = entry, .wanted = kHoldTransport});
    }
    observation.prior = Value::map({{"entry", entry}});
    observation.fingerprint = Value::map({{"entry", entry}});
    observation.duration_ms = 1000;
    // On the way here it comes before the clients' hold.
    if (context.is_rollback) {
      observation.hold_ms = 2 * kReloadMs;
      observation.hold_basis = "postmap, a reload and a flush of what waited";
    }
    return observation;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    TransportMap& map = source->transport_map(wanted.map_path);
    PLAN_TRY(state, map.look());
    if (is_forward(entry_of(state, wanted.account))) return Value::map();
    PLAN_TRY_VOID(map.change({.key = wanted.account,
                              .value = std::string(kHoldTransport),
                              .only_over = Entries{std::nullopt},
                              .is_patient = true}));
    // A reload is only a signal when it returns. A probe that is held proves that the queue manager
    // resolves by the new entry; what it resolved before then has an older arrival and is waited
    // for.
    if (context.attempt > 0) PLAN_TRY_VOID(remove_probes(*source, wanted.account));
    probe::HoldProbes probes(context, open_mailbox_, wanted.account);
    PLAN_TRY(id, probes.make());
    Outcome held = probe_hold(*source, wanted.account, id)
                       .while_doing("probing the hold of " + wanted.account);
    if (!held) return probes.failed(std::move(held).error());
    probes.was_held();
    PLAN_TRY(until_seconds, source->seconds());
    PLAN_TRY_VOID(drain(*source, context, wanted.account, until_seconds)
                      .while_doing("draining " + wanted.account));
    // What an attempt before this one sent is in no delivery any more.
    PLAN_TRY_VOID(probes.take_astray());
    if (context.remember) PLAN_TRY_VOID(context.remember(Value::map({{"drained", true}})));
    wait_for_end_of_second(*source, context);
    return Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(found, source->transport_map(wanted.map_path).query(wanted.account));
    if (found != kHoldTransport) {
      if (is_forward(Value(found)) && !found.empty()) return {};
      return Error(step::errors::not_as_wanted,
                   fmt::format("the entry of {} is `{}`", wanted.account, found))
          .with_blame(Blame::source);
    }
    return {};
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    const std::optional<std::string> prior = as_entry(context.prior["entry"]);
    // A hold that was there before is one of an attempt that died: it goes too.
    const std::optional<std::string> back = prior == kHoldTransport ? std::nullopt : prior;
    PLAN_TRY_VOID(remove_probes(*source, wanted.account));
    PLAN_TRY_VOID(source->transport_map(wanted.map_path)
                      .change({.key = wanted.account,
                               .value = back,
                               .only_over = Entries{std::string(kHoldTransport)}}));
    // What waited is delivered now and not at the next queue run.
    PLAN_TRY(delimiters, source->queue().delimiters());
    PLAN_TRY(queue, source->queue().read());
    PLAN_TRY_VOID(source->queue().flush(ids_naming(*queue, {wanted.account}, delimiters)));
    // Behind the rest: no mail waits longer because a mailbox cannot be opened.
    PLAN_TRY_VOID(probe::HoldProbes(context, open_mailbox_, wanted.account).take_astray());
    return context.remember ? context.remember(Value()) : Outcome();
  }

 private:
  static bool is_forward(const Value& entry) {
    return entry.is_string() && !entry.as_string().empty() && entry.as_string() != kHoldTransport;
  }

  std::shared_ptr<source::SourcePool> sources_;
  probe::OpenMailbox open_mailbox_;
};

class ForwardDriver final : public step::StepDriver {
 public:
  explicit ForwardDriver(std::shared_ptr<source::SourcePool> sources)
      : sources_(std::move(sources)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(next_hop, source::text_argument(context.arguments, "next_hop"));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(state, source->transport_map(wanted.map_path).look());
    const Value entry = entry_of(state, wanted.account);
    ir::Observation observation;
    const bool is_there = entry.is_string() && entry.as_string() == next_hop;
    observation.standing = is_there && state.is_live ? Standing::satisfied
                           : entry.is_null()         ? Standing::absent
                                                     : Standing::differs;
    if (observation.standing != Standing::satisfied) {
      observation.differences.push_back({.path = wanted.account, .is = entry, .wanted = next_hop});
    }
    observation.prior = Value::map({{"entry", entry}});
    observation.fingerprint = Value::map({{"entry", entry}});
    observation.duration_ms = 500;
    observation.hold_ms = kReloadMs;
    observation.hold_basis = "postmap and a reload";
    return observation;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(next_hop, source::text_argument(context.arguments, "next_hop"));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY_VOID(source->transport_map(wanted.map_path)
                      .change({.key = wanted.account, .value = next_hop, .only_over = {}}));
    return Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(next_hop, source::text_argument(context.arguments, "next_hop"));
    PLAN_TRY(source, sources_->open(context));
    TransportMap& map = source->transport_map(wanted.map_path);
    PLAN_TRY(found, map.query(wanted.account));
    PLAN_TRY(state, map.look_settled(net::Deadline::after(kSettleTime)));
    if (found == next_hop && state.is_live) return {};
    return Error(step::errors::not_as_wanted,
                 found == next_hop
                     ? fmt::format("{} was written and not reloaded since", wanted.map_path)
                     : fmt::format("the entry of {} is `{}`", wanted.account, found))
        .with_blame(Blame::source);
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(next_hop, source::text_argument(context.arguments, "next_hop"));
    PLAN_TRY(source, sources_->open(context));
    return source->transport_map(wanted.map_path)
        .change({.key = wanted.account,
                 .value = as_entry(context.prior["entry"]),
                 .only_over = Entries{next_hop}})
        .map([](std::int64_t) {});
  }

 private:
  std::shared_ptr<source::SourcePool> sources_;
};

/// "4XyZ..." of "2.0.0 Ok: queued as 4XyZ..."; empty when the reply says no id.
std::string queue_id_of(const net::smtp::Reply& reply) {
  constexpr std::string_view kMark = "queued as ";
  for (const std::string& line : reply.lines) {
    const std::size_t at = line.find(kMark);
    if (at == std::string::npos) continue;
    const std::string_view rest = std::string_view(line).substr(at + kMark.size());
    return std::string(rest.substr(0, rest.find_first_of(" .;")));
  }
  return {};
}

}  // namespace

Outcome probe_hold(Source& source, const std::string& account, const std::string& id) {
  const net::Deadline deadline = net::Deadline::after(source::kProbeTime);
  PLAN_TRY(reply, source::send_hold_probe(source.block(), account, id, deadline));
  const std::string queue_id = queue_id_of(reply);
  if (queue_id.empty())
    return not_held(account, "was accepted without a queue id", reply.to_text());
  auto next_flush = source.clock().now() + source::kPutOffTime;
  while (true) {
    PLAN_TRY(queue, source.queue().read());
    const auto found = std::find_if(queue->begin(), queue->end(),
                                    [&](const QueueEntry& entry) { return entry.id == queue_id; });
    if (found == queue->end()) return not_held(account, "left the queue", reply.to_text());
    const bool is_tried = found->queue == QueueName::deferred && !found->recipients.empty();
    if (is_tried || deadline.is_over()) {
      const std::string reason =
          found->recipients.empty() ? std::string() : found->recipients.front().delay_reason;
      PLAN_TRY_VOID(source.queue().remove({queue_id}));
      // "connect to 127.0.0.1[127.0.0.1]:1: Connection refused", also when the destination as a
      // whole is given up.
      if (is_tried && reason.find("127.0.0.1]:1:") != std::string::npos) return {};
      return not_held(account,
                      is_tried ? "waits for another reason than the hold" : "was not tried in time",
                      reason);
    }
    // Another account's reload may have put it off.
    if (found->queue == QueueName::incoming && source.clock().now() >= next_flush) {
      PLAN_TRY_VOID(source.queue().flush({queue_id}));
      next_flush = source.clock().now() + source::kPutOffTime;
    }
    source.clock().sleep_for(source::kQueuePoll);
  }
}

Outcome remove_probes(Source& source, const std::string& account) {
  PLAN_TRY(queue, source.queue().read());
  PLAN_TRY(delimiters, source.queue().delimiters());
  std::vector<std::string> probes;
  for (const QueueEntry& entry : *queue) {
    if (entry.sender != "MAILER-DAEMON" || entry.size_bytes > 4096 ||
        !names_account(entry, {account}, delimiters)) {
      continue;
    }
    auto message = source.queue().message(entry.id);
    // It may have left the queue meanwhile.
    if (message &&
        message->find(fmt::format("\n{} ", source::kHoldProbeHeader)) != std::string::npos)
      probes.push_back(entry.id);
  }
  return source.queue().remove(probes);
}

std::shared_ptr<step::StepDriver> make_hold_driver(std::shared_ptr<source::SourcePool> sources,
                                                   probe::OpenMailbox open_mailbox) {
  return std::make_shared<HoldDriver>(std::move(sources), std::move(open_mailbox));
}

std::shared_ptr<step::StepDriver> make_forward_driver(std::shared_ptr<source::SourcePool> sources) {
  return std::make_shared<ForwardDriver>(std::move(sources));
}

}  // namespace plan::server::postfix
