#include "runtime/proxy/proxy_drivers.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "runtime/proxy/address_move.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/proxy_fleet.h"
#include "runtime/step/errors.h"

namespace plan::proxy {
namespace {

constexpr std::chrono::seconds kCommandTime{15};
constexpr std::chrono::seconds kHoldTime{30};  ///< closing sessions included
constexpr std::chrono::minutes kReleaseTime{
    2};  ///< after the commit point: until every proxy has it
constexpr std::chrono::milliseconds kReleasePause{500};
constexpr std::int64_t kDefaultBoundMs = 20'000;

net::Deadline soon() { return net::Deadline::after(kCommandTime); }

std::string text_of(const ir::Value& value, std::string_view fallback) {
  return std::string(value.string_or(fallback));
}

Error not_as_wanted(std::string words) {
  return Error(step::errors::not_as_wanted, std::move(words))
      .with_blame(Blame::proxy)
      .with_retry(Retry::safe);
}

/// Somebody else moved the account meanwhile: an undo does not touch it.
Error is_elsewhere(const StandingGroup& group, const ProxyFleet::Member& member,
                   std::string_view prior) {
  return Error(step::errors::changed_since,
               fmt::format("{} is {} at {} on proxy {}, not at {}", group.names.front(),
                           group.state, group.destination, member.name, prior))
      .with_blame(Blame::proxy);
}

/// What the driver must know to go back: who had authority before this step.
Result<ir::Value> prior_of(const ProxyFleet& fleet) {
  PLAN_TRY(authority, fleet.authority());
  return ir::Value::map({{"destination", authority},
                         {"generation", static_cast<std::int64_t>(fleet.generation_max())}});
}

/// --- proxy.ready
/// -------------------------------------------------------------------------------------------------

class ReadyDriver final : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(differences, compare(context));
    ir::Observation observation;
    observation.standing = differences.empty() ? ir::Standing::satisfied : ir::Standing::differs;
    observation.differences = std::move(differences);
    return observation;
  }
  Result<ir::Value> apply(step::StepContext& context) override {
    PLAN_TRY(differences, compare(context));
    if (differences.empty()) return ir::Value::map();
    std::string words;
    for (const ir::Difference& difference : differences) {
      words +=
          fmt::format("{}{} is {}, the plan says {}", words.empty() ? "" : "; ", difference.path,
                      difference.is.string_or("absent"), difference.wanted.string_or(""));
    }
    return Error(errors::proxy_differs, words).with_blame(Blame::proxy);
  }
  Outcome verify(step::StepContext& context) override {
    PLAN_TRY_VOID(apply(context));
    return {};
  }
  Outcome undo(step::StepContext&) override { return {}; }

 private:
  static Result<std::vector<ir::Difference>> compare(step::StepContext& context) {
    PLAN_TRY(fleet, ProxyFleet::open(context));
    PLAN_TRY_VOID(fleet.read_status());
    std::vector<ir::Difference> differences;
    for (const ProxyFleet::Member& member : fleet.members()) {
      const std::string here = "proxies." + member.name + ".";
      if (member.status["is_draining"].bool_or(false))
        differences.push_back({here + "state", "going down", "serving"});
      if (!member.status["map_is_writable"].bool_or(false))
        differences.push_back({here + "map", "not writable", "writable"});
      if (member.status["default_destination"].string_or("") != "source") {
        differences.push_back(
            {here + "default_destination", member.status["default_destination"], "source"});
      }
      for (const std::string_view side : {"source", "target"}) {
        const ir::Value* found = nullptr;
        for (const ir::Value& destination : member.status["destinations"].items()) {
          if (destination["name"].string_or("") == side) found = &destination;
        }
        const std::string wanted = text_of(context.arguments[side]["address"], "");
        if (found == nullptr)
          differences.push_back({here + "destinations." + std::string(side), nullptr, wanted});
        else if (!wanted.empty() && (*found)["address"].string_or("") != wanted) {
          differences.push_back(
              {here + "destinations." + std::string(side), (*found)["address"], wanted});
        }
      }
    }
    return differences;
  }
};

/// --- proxy.hold
/// --------------------------------------------------------------------------------------------------

class HoldDriver final : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    PLAN_TRY(prior, prior_of(fleet));
    ir::Observation observation;
    const bool is_held = fleet.are_all("held", "") || fleet.are_all("prepared", "");
    observation.standing = is_held ? ir::Standing::satisfied : ir::Standing::absent;
    observation.fingerprint = ir::Value::map({{"destination", prior["destination"]}});
    observation.remark = fmt::format(
        "{} login {} on {} {}", fleet.names().size(), fleet.names().size() == 1 ? "name" : "names",
        fleet.members().size(), fleet.members().size() == 1 ? "proxy" : "proxies");
    observation.prior = std::move(prior);
    return observation;
  }

  Result<ir::Value> apply(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    const std::string lease(context.lease_token);
    const std::int64_t bound_ms = context.arguments["bound_ms"].integer_or(kDefaultBoundMs);
    // A hold of an earlier attempt is kept only while all of it still stands; otherwise a new
    // generation fences it off.
    const auto noted = static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, context.notes["generation"].integer_or(0)));
    const bool is_kept = noted > 0 && noted == fleet.generation_max() &&
                         (fleet.are_all("held", "") || fleet.are_all("prepared", ""));
    const std::uint64_t generation = is_kept ? noted : fleet.generation_max() + 1;
    if (context.remember)
      PLAN_TRY_VOID(context.remember(
          ir::Value::map({{"generation", static_cast<std::int64_t>(generation)}})));
    std::mutex mutex;
    std::set<const ProxyFleet::Member*> untouched;  // of another run: nothing is to be given back
    const Outcome held = fleet.each([&](ProxyFleet::Member& member) -> Outcome {
      auto answer = member.control->hold(fleet.names(), generation, bound_ms, lease,
                                         net::Deadline::after(kHoldTime));
      if (answer) return {};
      const std::lock_guard lock(mutex);
      if (answer.error().is(errors::lease_held)) untouched.insert(&member);
      return std::move(answer).error();
    });
    if (!held) {
      // All or none: what was held is given back at once instead of after the bound.
      std::size_t failed = 0;
      const Outcome given_back = fleet.each(
          [&](ProxyFleet::Member& member) -> Outcome {
            if (untouched.contains(&member)) return {};
            if (auto aborted = member.control->abort(fleet.names(), generation, lease, soon());
                aborted)
              return {};
            PLAN_TRY_VOID(fleet.reopen(member));
            return member.control->abort(fleet.names(), generation, lease, soon());
          },
          &failed);
      Error error = held.error();
      return std::move(error).with_effect(given_back ? Effect::none : Effect::unknown);
    }
    return ir::Value::map({{"generation", static_cast<std::int64_t>(generation)}});
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    if (fleet.are_all("held", "") || fleet.are_all("prepared", "")) return {};
    return not_as_wanted("not every proxy holds every login name of the account");
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    const std::string prior = text_of(context.prior["destination"], "source");
    const std::string lease(context.lease_token);
    return fleet.each([&](ProxyFleet::Member& member) -> Outcome {
      for (const StandingGroup& group : member.groups) {
        if (group.state == "settled") {
          if (group.destination == prior) continue;
          return is_elsewhere(group, member, prior);
        }
        if (group.state == "prepared" && group.next_destination == prior) {
          PLAN_TRY_VOID(member.control->commit(group.names, group.generation, lease, soon()));
        } else if (group.destination == prior) {
          PLAN_TRY_VOID(member.control->abort(group.names, group.generation, lease, soon()));
        } else {
          return is_elsewhere(group, member, prior);
        }
      }
      return {};
    });
  }
};

/// --- proxy.prepare
/// -----------------------------------------------------------------------------------------------

class PrepareDriver final : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    const std::string destination = text_of(context.arguments["destination"], "target");
    ir::Observation observation;
    const bool is_done =
        fleet.are_all("prepared", "", destination) || fleet.are_all("settled", destination);
    observation.standing = is_done ? ir::Standing::satisfied : ir::Standing::absent;
    PLAN_TRY(prior, prior_of(fleet));
    observation.prior = std::move(prior);
    return observation;
  }

  Result<ir::Value> apply(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    const std::string destination = text_of(context.arguments["destination"], "target");
    const std::uint64_t generation = fleet.generation_max();
    const ir::Value outputs =
        ir::Value::map({{"generation", static_cast<std::int64_t>(generation)}});
    if (fleet.are_all("settled", destination)) return outputs;
    const std::string lease(context.lease_token);
    PLAN_TRY_VOID(fleet.each([&](ProxyFleet::Member& member) {
      return member.control->prepare(fleet.names(), generation, destination, lease, soon());
    }));
    return outputs;
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    const std::string destination = text_of(context.arguments["destination"], "target");
    if (fleet.are_all("prepared", "", destination) || fleet.are_all("settled", destination))
      return {};
    return not_as_wanted("not every proxy has every login name of the account prepared for " +
                         destination);
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    const std::string prior = text_of(context.prior["destination"], "source");
    const std::string lease(context.lease_token);
    return fleet.each([&](ProxyFleet::Member& member) -> Outcome {
      for (const StandingGroup& group : member.groups) {
        if (group.state == "settled" && group.destination != prior) {
          return is_elsewhere(group, member, prior);
        }
        // Back to held, firmly: the source's own door and the mail are still to be given back by
        // the earlier steps, so no bound may let clients in before. A mapping that leads back
        // already stays; proxy.hold's undo commits it.
        const bool is_back = group.state == "prepared" && group.next_destination == prior;
        if ((group.state == "prepared" && !is_back) || group.state == "held") {
          PLAN_TRY_VOID(member.control->unprepare(group.names, group.generation, lease, soon()));
        }
      }
      return {};
    });
  }
};

/// --- proxy.release
/// -----------------------------------------------------------------------------------------------

class ReleaseDriver final : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    const std::string destination = text_of(context.arguments["destination"], "target");
    ir::Observation observation;
    const auto authority = fleet.authority();
    const bool is_done = fleet.are_all("settled", destination);
    observation.standing = is_done ? ir::Standing::satisfied : ir::Standing::differs;
    // Half released is no error to look at: apply finishes it.
    const std::string from = authority ? *authority : std::string("mixed");
    if (!is_done) observation.differences.push_back({"destination", from, destination});
    observation.prior = ir::Value::map(
        {{"destination",
          from == "mixed" ? std::string(destination == "target" ? "source" : "target") : from},
         {"generation", static_cast<std::int64_t>(fleet.generation_max())}});
    return observation;
  }

  Result<ir::Value> apply(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    const std::string destination = text_of(context.arguments["destination"], "target");
    const std::string lease(context.lease_token);
    bool is_begun = false;  // some proxy has released: from here the only way is forward
    for (const ProxyFleet::Member& member : fleet.members()) {
      for (const StandingGroup& group : member.groups)
        is_begun = is_begun || (group.state == "settled" && group.destination == destination);
    }
    if (!is_begun && !fleet.are_all("prepared", "", destination)) {
      return Error(
                 errors::not_prepared,
                 "not every proxy has every login name of the account prepared for " + destination)
          .with_blame(Blame::proxy);
    }
    const net::Deadline over = net::Deadline::after(kReleaseTime);
    for (bool is_first = true;; is_first = false) {
      std::size_t failed = 0;
      const Outcome released = fleet.each(
          [&](ProxyFleet::Member& member) {
            return release_on(fleet, member, destination, lease, is_first);
          },
          &failed);
      if (released) return ir::Value::map();
      const bool is_refused_by_all = failed == fleet.members().size() && !is_begun &&
                                     released.error().effect() == Effect::none;
      Error error = released.error();
      // Refused everywhere, by name: nothing was released and the engine may undo.
      if (is_refused_by_all) return error;
      is_begun = true;
      if (over.is_over())
        return std::move(error).with_effect(Effect::unknown).with_retry(Retry::safe);
      context.clock.sleep_for(kReleasePause);
    }
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    const std::string destination = text_of(context.arguments["destination"], "target");
    if (fleet.are_all("settled", destination)) return {};
    return not_as_wanted("not every proxy sends every login name of the account to " + destination);
  }

  /// The way back begins as the way there did: everybody is held, and the mapping that leads back
  /// is prepared. The undo of proxy.hold, last of all, commits it.
  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(fleet, ProxyFleet::look(context));
    const std::string prior = text_of(context.prior["destination"], "source");
    const std::string lease(context.lease_token);
    if (fleet.are_all("settled", prior) || fleet.are_all("prepared", "", prior)) return {};
    bool is_released_somewhere = false;
    for (const ProxyFleet::Member& member : fleet.members()) {
      for (const StandingGroup& group : member.groups)
        is_released_somewhere = is_released_somewhere || group.destination != prior;
    }
    if (!is_released_somewhere)
      return {};  // never released: the undo of prepare and hold does the rest
    const std::uint64_t generation = fleet.generation_max() + 1;
    const auto hold_on = [&](ProxyFleet::Member& member) -> Outcome {
      PLAN_TRY_VOID(member.control->hold(fleet.names(), generation, kDefaultBoundMs, lease,
                                         net::Deadline::after(kHoldTime)));
      return {};
    };
    PLAN_TRY_VOID(fleet.each(hold_on));
    return fleet.each([&](ProxyFleet::Member& member) {
      return member.control->prepare(fleet.names(), generation, prior, lease, soon());
    });
  }

 private:
  static Outcome release_on(ProxyFleet& fleet, ProxyFleet::Member& member,
                            const std::string& destination, const std::string& lease,
                            bool is_first) {
    if (!is_first) {  // the proxy may have been started anew meanwhile: look again before saying
                      // anything
      PLAN_TRY_VOID(fleet.reopen(member));
      PLAN_TRY(standings, member.control->names(fleet.names(), soon()));
      member.groups = group_standings(standings);
    }
    for (const StandingGroup& group : member.groups) {
      if (group.state == "settled" && group.destination == destination) continue;
      std::uint64_t generation = group.generation;
      if (group.state != "prepared" || group.next_destination != destination) {
        // Others have released already, and this one has forgotten or lost the preparation: it is
        // brought into line.
        ++generation;
        PLAN_TRY_VOID(member.control->hold(group.names, generation, kDefaultBoundMs, lease,
                                           net::Deadline::after(kHoldTime)));
        PLAN_TRY_VOID(member.control->prepare(group.names, generation, destination, lease, soon()));
      }
      PLAN_TRY_VOID(member.control->commit(group.names, generation, lease, soon()));
    }
    return {};
  }
};

}  // namespace

void add_proxy_drivers(step::DriverTable& table) {
  table.add(ir::StepKind::proxy_ready, std::make_shared<ReadyDriver>());
  table.add(ir::StepKind::proxy_hold, std::make_shared<HoldDriver>());
  table.add(ir::StepKind::proxy_prepare, std::make_shared<PrepareDriver>());
  table.add(ir::StepKind::proxy_release, std::make_shared<ReleaseDriver>());
  table.add(ir::StepKind::address_move, make_address_move_driver());
  table.add(ir::StepKind::address_finalize, make_address_finalize_driver());
}

}  // namespace plan::proxy
