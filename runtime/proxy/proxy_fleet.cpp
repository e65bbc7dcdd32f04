#include "runtime/proxy/proxy_fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <thread>

#include "runtime/net/connect_once.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/login_name.h"
#include "runtime/step/errors.h"

namespace plan::proxy {
namespace {

constexpr std::chrono::seconds kOpenTime{10};
constexpr std::chrono::seconds kAskTime{15};

}  // namespace

std::vector<StandingGroup> group_standings(const std::vector<NameStanding>& standings) {
  std::vector<StandingGroup> groups;
  for (const NameStanding& standing : standings) {
    auto group =
        std::find_if(groups.begin(), groups.end(), [&standing](const StandingGroup& candidate) {
          return candidate.state == standing.state &&
                 candidate.destination == standing.destination &&
                 candidate.next_destination == standing.next_destination &&
                 candidate.generation == standing.generation;
        });
    if (group == groups.end()) {
      groups.push_back({standing.state,
                        standing.destination,
                        standing.next_destination,
                        standing.generation,
                        standing.left_ms,
                        {}});
      group = groups.end() - 1;
    }
    group->left_ms = std::min(group->left_ms, standing.left_ms);
    group->names.push_back(standing.name);
  }
  return groups;
}

Result<std::vector<std::string>> names_of(const step::StepContext& context) {
  std::set<std::string> names;
  for (const ir::Value& item : context.arguments["addresses"].items())
    names.insert(normal_login(item.string_or("")));
  names.insert(normal_login(context.arguments["account"].string_or(context.account)));
  names.erase("");
  if (names.empty())
    return Error(step::errors::argument_missing, "the step names no account")
        .with_blame(Blame::plan)
        .with_argument("account");
  return std::vector<std::string>(names.begin(), names.end());
}

Result<ProxyFleet> ProxyFleet::open(step::StepContext& context) {
  ProxyFleet fleet;
  fleet.tokens_ = std::make_shared<std::vector<secret::Secret>>();
  const ir::Value& proxies = context.arguments["proxies"];
  if (proxies.size() == 0)
    return Error(step::errors::argument_missing, "the plan names no proxy")
        .with_blame(Blame::plan)
        .with_argument("proxies");
  for (std::size_t i = 0; i < proxies.size(); ++i) {
    const ir::Value& block = proxies.item(i);
    Member member;
    member.address = control_address(block, step::beside_plan(context, {}));
    member.name = std::string(block["name"].string_or(member.address.control));
    if (!block["token"].is_secret()) {
      return Error(step::errors::argument_missing, "proxy " + member.name + " has no token")
          .with_blame(Blame::plan)
          .with_argument(fmt::format("proxies[{}].token", i));
    }
    PLAN_TRY(token, context.secrets.read(block["token"].as_secret()));
    fleet.tokens_->push_back(std::move(token));
    fleet.members_.push_back(std::move(member));
  }
  PLAN_TRY_VOID(fleet.each([&fleet](Member& member) { return fleet.reopen(member); }));
  return fleet;
}

Outcome ProxyFleet::reopen(Member& member) {
  const auto index = static_cast<std::size_t>(&member - members_.data());
  member.control.reset();
  auto control =
      ProxyControl::open(member.address, (*tokens_)[index], net::Deadline::after(kOpenTime));
  if (!control) return std::move(control).error();
  member.control = std::move(*control);
  return {};
}

Outcome ProxyFleet::each(const std::function<Outcome(Member&)>& call, std::size_t* failed) {
  std::vector<std::optional<Outcome>> outcomes(members_.size());
  std::vector<std::thread> threads;
  net::ConnectOnce* const look = net::ConnectOnce::of_thread();
  for (std::size_t i = 1; i < members_.size(); ++i) {
    threads.emplace_back([this, i, look, &call, &outcomes] {
      const net::ConnectOnce::OfThread of_look(look);
      outcomes[i].emplace(call(members_[i]));
    });
  }
  if (!members_.empty()) outcomes[0].emplace(call(members_[0]));
  for (std::thread& thread : threads) thread.join();
  std::optional<Error> first;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i]->has_value()) continue;
    if (failed != nullptr) ++*failed;
    if (!first)
      first.emplace(
          std::move(*outcomes[i]).error().while_doing("asking proxy " + members_[i].name));
  }
  if (first) return std::move(*first);
  return {};
}

Result<ProxyFleet> ProxyFleet::look(step::StepContext& context) {
  PLAN_TRY(names, names_of(context));
  PLAN_TRY(fleet, open(context));
  PLAN_TRY_VOID(fleet.survey(names));
  return std::move(fleet);
}

Outcome ProxyFleet::survey(const std::vector<std::string>& names) {
  names_ = names;
  return each([&names](Member& member) -> Outcome {
    PLAN_TRY(standings, member.control->names(names, net::Deadline::after(kAskTime)));
    member.groups = group_standings(standings);
    return {};
  });
}

Outcome ProxyFleet::read_status() {
  return each([](Member& member) -> Outcome {
    PLAN_TRY(status, member.control->status(net::Deadline::after(kAskTime)));
    member.status = std::move(status);
    return {};
  });
}

std::uint64_t ProxyFleet::generation_max() const {
  std::uint64_t generation = 0;
  for (const Member& member : members_) {
    for (const StandingGroup& group : member.groups)
      generation = std::max(generation, group.generation);
  }
  return generation;
}

bool ProxyFleet::are_all(std::string_view state, std::string_view destination,
                         std::string_view next) const {
  for (const Member& member : members_) {
    for (const StandingGroup& group : member.groups) {
      if (group.state != state || (!destination.empty() && group.destination != destination) ||
          (!next.empty() && group.next_destination != next))
        return false;
    }
  }
  return true;
}

Result<std::string> ProxyFleet::authority() const {
  const Member* first_member = nullptr;
  const StandingGroup* first = nullptr;
  for (const Member& member : members_) {
    for (const StandingGroup& group : member.groups) {
      if (first == nullptr) {
        first_member = &member;
        first = &group;
      }
      if (group.destination != first->destination) {
        return Error(errors::proxies_disagree,
                     fmt::format("{} is at {} on {}, {} at {} on {}", first->names.front(),
                                 first->destination, first_member->name, group.names.front(),
                                 group.destination, member.name))
            .with_blame(Blame::proxy);
      }
    }
  }
  return first == nullptr ? std::string() : first->destination;
}

}  // namespace plan::proxy
