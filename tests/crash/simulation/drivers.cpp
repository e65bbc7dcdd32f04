#include "tests/crash/simulation/drivers.h"

#include <algorithm>

#include "runtime/engine/engine.h"
#include "tests/crash/simulation/archive_drivers.h"
#include "tests/crash/simulation/calendar_drivers.h"

namespace plan::simulation {
namespace {

using ir::StepKind;
using Route = Source::Route;
using State = Proxy::State;

constexpr ErrorCode kUnreachable{"simulated-unreachable", "the server is not there", "wait"};
constexpr ErrorCode kLost{"simulated-lost", "the reply did not come", "look"};
constexpr ErrorCode kRefused{"simulated-refused", "the server refused", "look"};
constexpr ErrorCode kGone{"simulated-gone", "plan was killed", "none"};
constexpr milliseconds kBound{20'000};

const char* route_name(Route route) {
  return route == Route::local ? "local" : route == Route::closed ? "closed" : "target";
}
Route route_of(std::string_view name) {
  return name == "target" ? Route::target : name == "closed" ? Route::closed : Route::local;
}

class SimulatedDriver final : public step::StepDriver {
 public:
  explicit SimulatedDriver(Machine& machine) : machine_(machine), world_(machine.world) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(seen, observation(context));
    if (!machine_.is_dead) {
      if (const auto mark = machine_.must_look.find(context.id); mark != machine_.must_look.end())
        machine_.must_look.erase(mark);
    }
    return seen;
  }

  Result<ir::Value> apply(step::StepContext& context) override {
    if (machine_.is_dead) return machine_.gone();
    if (machine_.must_look.contains(context.id))
      world_.books.violate(std::string(context.id) + " was tried again without a look");
    Outcome outcome = perform(context);
    if (!outcome && outcome.error().effect() == Effect::unknown && !machine_.is_dead) {
      machine_.must_look.emplace(context.id);
      if (machine_.sabotage == Sabotage::retries_blindly) return apply(context);
    }
    if (!outcome) return std::move(outcome).error();
    return outputs(context);
  }

  Outcome verify(step::StepContext& context) override {
    switch (context.kind) {
      case StepKind::proxy_release:
      case StepKind::proxy_hold:
      case StepKind::admin_keys:
      case StepKind::postfix_forward: {
        PLAN_TRY(seen, observation(context));
        if (seen.standing != ir::Standing::satisfied)
          return Error(step::errors::not_as_wanted, std::string(context.id))
              .with_effect(Effect::applied)
              .with_retry(Retry::safe);
        return {};
      }
      default:
        return {};
    }
  }

  Outcome before_undo(step::StepContext& context) override {
    return context.kind == StepKind::archive_delta ? carry_back(machine_, account_of(context))
                                                   : Outcome();
  }

  Outcome undo(step::StepContext& context) override {
    if (machine_.is_dead) return machine_.gone();
    return take_back(context);
  }

 private:
  static std::size_t account_of(const step::StepContext& context) {
    return context.account.size() < 2
               ? 0
               : static_cast<std::size_t>(context.account[1] - '0') % kAccounts;
  }

  Result<std::array<Proxy::Standing, kProxies>> standings(std::size_t account) {
    std::array<Proxy::Standing, kProxies> all = {};
    for (std::size_t i = 0; i < kProxies; ++i) {
      PLAN_TRY_VOID(machine_.look(*world_.proxies[i],
                                  [&] { all[i] = world_.proxies[i]->standing(account); }));
    }
    return all;
  }
  static std::uint64_t generation_max(const std::array<Proxy::Standing, kProxies>& all) {
    std::uint64_t most = 0;
    for (const Proxy::Standing& one : all) most = std::max(most, one.generation);
    return most;
  }
  /// Answered when the account's sessions have ended.
  Outcome hold_at(std::size_t number, std::size_t account, std::uint64_t generation) {
    Proxy& proxy = *world_.proxies[number];
    PLAN_TRY_VOID(command(number, [&](Proxy& p) { return p.hold(account, generation, kBound); }));
    if (!world_.ignores_goodbye) return {};  // they ended with the goodbye
    for (int i = 0; i < 100; ++i) {
      bool is_over = false;
      PLAN_TRY_VOID(machine_.look(proxy, [&] { is_over = !proxy.has_sessions(account); }));
      if (is_over) return {};
      world_.time.sleep(milliseconds(100));
    }
    return Error(kRefused, "sessions do not end").with_retry(Retry::safe);
  }
  Outcome command(std::size_t proxy, const std::function<bool(Proxy&)>& what) {
    return machine_.call(*world_.proxies[proxy], [&] { return what(*world_.proxies[proxy]); });
  }

  Result<ir::Observation> observation(step::StepContext& context) {
    const std::size_t a = account_of(context);
    ir::Observation seen;
    bool is_so = false;
    const auto at_source = [&](const std::function<void()>& answer) {
      return machine_.look(world_.source, answer);
    };
    const auto at_target = [&](const std::function<void()>& answer) {
      return machine_.look(world_.target, answer);
    };
    switch (context.kind) {
      case StepKind::admin_account:
        PLAN_TRY_VOID(at_target([&] { is_so = world_.target.account(a).exists; }));
        break;
      case StepKind::admin_account_open:
        PLAN_TRY_VOID(at_target([&] { is_so = world_.target.account(a).can_login; }));
        break;
      case StepKind::admin_keys:
        PLAN_TRY_VOID(at_target(
            [&] { is_so = world_.target.has_keys(a) && world_.target.has_loaded_keys(a); }));
        break;
      case StepKind::dovecot_deny:
        PLAN_TRY_VOID(at_source([&] { is_so = world_.source.account(a).is_denied; }));
        break;
      case StepKind::postfix_hold:
      case StepKind::postfix_forward: {
        Source::Account there;
        PLAN_TRY_VOID(at_source([&] { there = world_.source.account(a); }));
        const Route wanted = context.kind == StepKind::postfix_hold ? Route::closed : Route::target;
        is_so = there.entry == wanted && there.loaded == wanted;
        seen.prior = ir::Value::map({{"route", route_name(there.entry)}});
        seen.standing = is_so ? ir::Standing::satisfied : ir::Standing::differs;
        return seen;
      }
      case StepKind::proxy_hold:
      case StepKind::proxy_prepare:
      case StepKind::proxy_release: {
        PLAN_TRY(all, standings(a));
        const auto are_all = [&](auto is_one) {
          return std::all_of(all.begin(), all.end(), is_one);
        };
        const auto is_released = [](const Proxy::Standing& s) {
          return s.state == State::settled && s.at == Side::target;
        };
        const auto is_prepared = [](const Proxy::Standing& s) {
          return s.state == State::prepared && s.next == Side::target;
        };
        is_so = context.kind == StepKind::proxy_release ? are_all(is_released)
                : context.kind == StepKind::proxy_prepare
                    ? are_all(is_prepared) || are_all(is_released)
                    : are_all([](const Proxy::Standing& s) { return s.state == State::held; });
        const bool is_none = std::none_of(
            all.begin(), all.end(), [](const Proxy::Standing& s) { return s.at == Side::target; });
        seen.standing = is_so     ? ir::Standing::satisfied
                        : is_none ? ir::Standing::absent
                                  : ir::Standing::differs;
        seen.prior = ir::Value::map({{"on", is_so}});
        return seen;
      }
      case StepKind::admin_upsert:
        PLAN_TRY_VOID(at_target([&] { is_so = world_.is_domain_there; }));
        break;
      default:
        seen.standing = ir::Standing::unknowable;
        return seen;
    }
    seen.standing = is_so ? ir::Standing::satisfied : ir::Standing::absent;
    seen.prior = ir::Value::map({{"on", is_so}});
    return seen;
  }

  Outcome events_over(std::size_t a) {
    PLAN_TRY(changes, carry_events_over(machine_, a, true));
    static_cast<void>(changes);
    return {};
  }

  Outcome set_route(std::size_t a, Route route) {
    PLAN_TRY_VOID(machine_.call(world_.source, [&] {
      world_.source.account(a).entry = route;
      return true;
    }));
    return machine_.call(world_.source, [&] {
      world_.source.reload();
      return true;
    });
  }

  /// Nothing that the source accepted before the reload may still reach the mailbox (9.3).
  Outcome drain(std::size_t a) {
    const milliseconds reloaded = world_.time.now();
    for (int i = 0; i < 200; ++i) {
      bool is_over = false;
      PLAN_TRY_VOID(machine_.look(world_.source,
                                  [&] { is_over = !world_.source.is_in_delivery(a, reloaded); }));
      if (is_over) return {};
      world_.time.sleep(milliseconds(100));
    }
    return Error(kRefused, "the queue did not drain").with_retry(Retry::safe);
  }

  Outcome deny(std::size_t a) {
    PLAN_TRY_VOID(machine_.call(world_.source, [&] {
      world_.source.deny(a, true);
      return true;
    }));
    world_.time.sleep(milliseconds(1100));  // 9.4: what was written a moment ago is not seen yet
    bool is_refused = false;
    PLAN_TRY_VOID(machine_.look(world_.source, [&] { is_refused = !world_.source.admits(a); }));
    if (!is_refused)
      return Error(kRefused, "a login was not refused")
          .with_effect(Effect::applied)
          .with_retry(Retry::safe);
    if (machine_.sabotage == Sabotage::leaves_sessions_open) return {};
    return machine_.call(world_.source, [&] {
      world_.source.account(a).sessions.clear();
      return true;
    });
  }

  Outcome set_keys(std::size_t a, bool is_there) {
    PLAN_TRY_VOID(machine_.call(world_.target, [&] {
      world_.target.put_keys(a, is_there);
      return true;
    }));
    PLAN_TRY_VOID(machine_.call(world_.target, [&] {
      world_.target.reload_lookups();
      return true;
    }));
    if (is_there) return {};
    // A delivery that has begun ends in the mailbox here: what is carried back must hold it.
    for (int i = 0; i < 100; ++i) {
      bool is_over = false;
      PLAN_TRY_VOID(
          machine_.look(world_.target, [&] { is_over = !world_.target.is_in_delivery(a); }));
      if (is_over) return {};
      world_.time.sleep(milliseconds(20));
    }
    return Error(kRefused, "the target's queue did not drain").with_retry(Retry::safe);
  }

  Outcome hold(std::size_t a) {
    PLAN_TRY(all, standings(a));
    const std::uint64_t most = generation_max(all);
    const bool is_held = std::all_of(all.begin(), all.end(), [&](const Proxy::Standing& s) {
      return s.state == State::held && s.generation == most;
    });
    if (is_held) return {};
    for (std::size_t i = 0; i < kProxies; ++i) PLAN_TRY_VOID(hold_at(i, a, most + 1));
    return {};
  }

  Outcome prepare(std::size_t a) {
    PLAN_TRY(all, standings(a));
    const std::uint64_t generation = generation_max(all);
    if (std::all_of(all.begin(), all.end(), [](const Proxy::Standing& s) {
          return s.state == State::settled && s.at == Side::target;
        }))
      return {};
    for (std::size_t i = 0; i < kProxies; ++i)
      PLAN_TRY_VOID(command(i, [&](Proxy& p) { return p.prepare(a, generation, Side::target); }));
    return {};
  }

  Outcome release(std::size_t a) {
    PLAN_TRY(all, standings(a));
    bool is_begun = false;
    bool are_all_prepared = true;
    for (const Proxy::Standing& s : all) {
      is_begun = is_begun || (s.state == State::settled && s.at == Side::target);
      are_all_prepared = are_all_prepared && s.state == State::prepared && s.next == Side::target;
    }
    if (!is_begun && !are_all_prepared) return Error(kRefused, "not every proxy is prepared");
    for (std::size_t i = 0; i < kProxies; ++i) {
      if (all[i].state == State::settled && all[i].at == Side::target) continue;
      Outcome done = command(i, [&](Proxy& p) { return p.commit(a, all[i].generation); });
      if (done) {
        is_begun = true;
        continue;
      }
      if (!is_begun && done.error().effect() == Effect::none) return done;
      return std::move(done.error()).with_effect(Effect::unknown).with_retry(Retry::safe);
    }
    return {};
  }

  Outcome perform(step::StepContext& context) {
    const std::size_t a = account_of(context);
    const bool is_reversed = machine_.sabotage == Sabotage::flips_source_first;
    switch (context.kind) {
      case StepKind::admin_upsert:
        return machine_.call(world_.target, [&] { return world_.is_domain_there = true; });
      case StepKind::admin_update:
        return machine_.call(world_.target, [&] { return ++world_.finalized > 0; });
      case StepKind::admin_account:
        return machine_.call(world_.target, [&] { return world_.target.account(a).exists = true; });
      case StepKind::archive_copy:
        PLAN_TRY_VOID(carry_over(machine_, a, false));
        PLAN_TRY_VOID(carry_over(machine_, a, false));
        return events_over(a);
      case StepKind::postfix_hold:
        PLAN_TRY_VOID(set_route(a, Route::closed));
        return machine_.sabotage == Sabotage::flips_before_drain ? Outcome() : drain(a);
      case StepKind::proxy_hold:
        return hold(a);
      case StepKind::dovecot_deny:
        return deny(a);
      case StepKind::archive_delta:
        machine_.archives[a].is_complete = false;
        PLAN_TRY_VOID(carry_over(machine_, a, false));
        PLAN_TRY_VOID(events_over(a));
        if (machine_.is_dead) return machine_.gone();
        machine_.archives[a].is_complete = true;
        world_.is_proved[a] = true;
        return {};
      case StepKind::admin_account_open:
        return machine_.call(world_.target,
                             [&] { return world_.target.account(a).can_login = true; });
      case StepKind::admin_keys:
        return is_reversed ? set_route(a, Route::target) : set_keys(a, true);
      case StepKind::postfix_forward:
        return is_reversed ? set_keys(a, true) : set_route(a, Route::target);
      case StepKind::proxy_prepare:
        return prepare(a);
      case StepKind::probe_login: {
        bool is_in = false;
        PLAN_TRY_VOID(
            machine_.look(world_.target, [&] { is_in = world_.admits(Side::target, a); }));
        if (!is_in) return Error(kRefused, "the login at the target was refused");
        return {};
      }
      case StepKind::proxy_release:
        return release(a);
      case StepKind::queue_flush:
        PLAN_TRY_VOID(machine_.call(world_.source, [&] {
          world_.source.flush(a);
          return true;
        }));
        return machine_.call(world_.target, [&] {
          world_.target.flush(a);
          return true;
        });
      default:
        return {};
    }
  }

  /// From the recorded prior state.
  Outcome take_back(step::StepContext& context) {
    const std::size_t a = account_of(context);
    const bool prior = context.prior["on"].bool_or(false);
    switch (context.kind) {
      case StepKind::proxy_release: {
        PLAN_TRY(all, standings(a));
        const bool is_away = std::any_of(
            all.begin(), all.end(), [](const Proxy::Standing& s) { return s.at == Side::target; });
        const bool is_on_its_way =
            std::all_of(all.begin(), all.end(), [](const Proxy::Standing& s) {
              return s.state == State::prepared && s.next == Side::source;
            });
        if (!is_away || is_on_its_way) return {};
        const std::uint64_t generation = generation_max(all) + 1;
        for (std::size_t i = 0; i < kProxies; ++i) PLAN_TRY_VOID(hold_at(i, a, generation));
        for (std::size_t i = 0; i < kProxies; ++i)
          PLAN_TRY_VOID(
              command(i, [&](Proxy& p) { return p.prepare(a, generation, Side::source); }));
        return {};
      }
      case StepKind::proxy_prepare: {
        PLAN_TRY(all, standings(a));
        for (std::size_t i = 0; i < kProxies; ++i) {
          const Proxy::Standing& s = all[i];
          const bool is_back = s.state == State::prepared && s.next == Side::source;
          if ((s.state == State::prepared && !is_back) || s.state == State::held)
            PLAN_TRY_VOID(command(i, [&](Proxy& p) { return p.unprepare(a, s.generation); }));
        }
        return {};
      }
      case StepKind::proxy_hold: {
        PLAN_TRY(all, standings(a));
        const std::uint64_t most = generation_max(all);
        for (std::size_t i = 0; i < kProxies; ++i) {
          const Proxy::Standing& s = all[i];
          if (s.state == State::prepared && s.next == Side::source) {
            PLAN_TRY_VOID(command(i, [&](Proxy& p) { return p.commit(a, s.generation); }));
          } else if (s.state != State::settled || s.generation != most) {
            PLAN_TRY_VOID(command(i, [&](Proxy& p) { return p.abort(a, most); }));
          }
        }
        return {};
      }
      case StepKind::postfix_forward:
        return set_route(a, route_of(context.prior["route"].string_or("")));
      case StepKind::postfix_hold:
        PLAN_TRY_VOID(set_route(a, route_of(context.prior["route"].string_or(""))));
        return machine_.call(world_.source, [&] {
          world_.source.flush(a);
          return true;
        });
      case StepKind::admin_keys:
        return prior ? Outcome() : set_keys(a, false);
      case StepKind::admin_account_open:
        return machine_.call(world_.target, [&] {
          world_.target.account(a).can_login = prior;
          return true;
        });
      case StepKind::archive_delta:
        // Before it was complete no key was set: nothing can have come to the target.
        if (machine_.archives[a].is_complete) {
          PLAN_TRY_VOID(carry_back(machine_, a));
          PLAN_TRY_VOID(carry_events_back(machine_, a));
        }
        if (machine_.is_dead) return machine_.gone();
        machine_.archives[a].is_complete =
            machine_.sabotage == Sabotage::keeps_old_mark && machine_.archives[a].is_complete;
        world_.is_proved[a] = false;
        return {};
      case StepKind::dovecot_deny:
        return machine_.call(world_.source, [&] {
          world_.source.deny(a, prior);
          return true;
        });
      case StepKind::admin_upsert:
        return machine_.call(world_.target, [&] {
          world_.is_domain_there = prior;
          return true;
        });
      default:
        return {};
    }
  }

  Result<ir::Value> outputs(step::StepContext& context) {
    const std::size_t a = account_of(context);
    switch (context.kind) {
      case StepKind::admin_account:
        return ir::Value::map({{"account_id", "id-" + std::string(context.account)}});
      case StepKind::archive_copy:
        return ir::Value::map({{"messages", 0}, {"bytes", 1}});
      case StepKind::archive_delta:
        return ir::Value::map({{"messages", 1}});
      case StepKind::archive_grade: {
        PLAN_TRY(is_equal, are_equal(machine_, a));
        return ir::Value::map({{"grade", is_equal ? "perfect" : "poor"}});
      }
      case StepKind::proxy_prepare:
        return ir::Value::map({{"generation", 1}});
      case StepKind::archive_sweep:
        return sweep(machine_, a, context);
      default:
        return ir::Value::map();
    }
  }

  Machine& machine_;
  World& world_;
};

}  // namespace

Error Machine::gone() const { return Error(kGone, "plan was killed"); }

Outcome Machine::call(Server& server, const std::function<bool()>& effect, bool may_double) {
  VirtualTime& time = world.time;
  ++calls;
  time.sleep(time.between(milliseconds(1), milliseconds(8)));
  if (is_dead) return gone();
  Fault fault = std::exchange(next_fault, Fault::none);
  if (fault == Fault::none && time.is_chance(faults_permille))
    fault = static_cast<Fault>(1 + time.random(3));
  if (fault != Fault::none) ++faults;
  const auto down = [&] { return time.between(milliseconds(200), milliseconds(5000)); };
  if (fault == Fault::killed_before) server.kill(down());
  const auto lost = [&] {
    return Error(kLost, server.name() + " did not answer")
        .with_effect(Effect::unknown)
        .with_retry(Retry::safe);
  };
  if (!server.is_up())
    return Error(kUnreachable, server.name() + " is down").with_retry(Retry::safe);
  if (fault == Fault::lost_request) return lost();
  const std::uint32_t life = server.incarnation();
  bool is_done = effect();
  if (fault == Fault::doubled_call && may_double) is_done = effect();
  if (fault == Fault::killed_after) server.kill(down());
  time.sleep(time.between(milliseconds(1), milliseconds(4)));
  if (is_dead) return gone();
  if (fault == Fault::lost_reply || server.incarnation() != life) return lost();
  // A refusal after a call that came twice says nothing about the first.
  if (!is_done && fault == Fault::doubled_call) return lost();
  if (!is_done) return Error(kRefused, server.name() + " refused");
  return {};
}

Outcome Machine::look(Server& server, const std::function<void()>& answer) {
  const auto asked = [&] {
    answer();
    return true;
  };
  Outcome outcome = call(server, asked);
  if (outcome || is_dead) return outcome;
  return std::move(outcome.error()).with_effect(Effect::none).with_retry(Retry::safe);
}

step::DriverTable simulated_drivers(Machine& machine) {
  step::DriverTable table;
  const auto driver = std::make_shared<SimulatedDriver>(machine);
  for (const ir::StepKindInfo& info : ir::all_step_kinds()) table.add(info.kind, driver);
  engine::add_local_drivers(table);
  return table;
}

}  // namespace plan::simulation
