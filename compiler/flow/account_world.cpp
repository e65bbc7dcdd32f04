// What both servers do in one state: the world that the steps of an account have made.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/check/next_hop.h"
#include "compiler/flow/mail_address.h"
#include "compiler/flow/states.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"

namespace plan::flow {

namespace {

using ir::StepId;
using ir::StepKind;

[[nodiscard]] bool is_among(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void add_alias(Source& source, const std::string& alias, const std::string& account) {
  if (source.stalwart) {
    source.stalwart->names[alias] = account;
  } else {
    source.aliases[alias] = {account};
  }
}

}  // namespace

/// Steps about the names and the domains of the subject, and about residents, are in its world.
bool AccountStates::is_of_others(const Question& question) const {
  const std::string name = lower_ascii(question.name);
  if (question.kind == Question::Kind::domain)
    return !domains_.contains(name) && all_.names().has_domain(name);
  const bool is_key = question.kind == Question::Kind::key;
  const std::string_view domain =
      name.starts_with("*@") ? std::string_view(name).substr(2) : std::string_view(name);
  if (domains_.contains(domain) || is_among(subject_.names, name)) return false;
  if (std::any_of(subject_.residents.begin(), subject_.residents.end(),
                  [&](const Resident& one) { return is_among(one.names, name); }))
    return false;
  if (is_key && !all_.names().is_filled(question.set)) return false;
  // A sender of these domains stands for whoever is in them.
  if (question.is_sender && domains_.contains(domain_of(name))) return true;
  return all_.names().has_beside(name, subject_.row);
}

bool AccountStates::is_nobodys(std::string_view address) const {
  const std::string name = lower_ascii(address);
  const std::string domain = domain_of(name);
  if (all_.names().has_beside(name, ir::RowId::none)) return false;
  return domain == domain_of(subject_.account) || !all_.names().has_domain(domain);
}

std::optional<World> AccountStates::world_with(Mask effects, std::string* problem,
                                               ir::StepId* unread) const {
  World world;
  world.is_of_others = [this](const Question& question) { return is_of_others(question); };
  world.target.domains[domain_of(kTargetOnlyAddress)] = {};
  world.target.accounts.insert(std::string(kTargetOnlyAddress));
  world.source.mailboxes.insert(subject_.account);
  world.source.tag_delimiters = facts_.tag_delimiters;
  world.target.own_sets.insert(facts_.target_sets.begin(), facts_.target_sets.end());
  // What a step writes keys into is the plan's: a target that is asked midway has it already.
  for (const Relevant& step : steps_) {
    const bool is_keys = step.kind == StepKind::admin_keys;
    if (!is_keys && !is_object(step.arguments, "MemoryLookupKey")) continue;
    const ir::Value& name =
        is_keys ? step.arguments["namespace"] : step.arguments["match"]["namespace"];
    world.target.own_sets.erase(std::string(name.string_or("")));
  }
  for (const std::string& domain : domains_) world.source.domains.insert(domain);
  if (is_from_old_stalwart()) add_old_stalwart(world);
  for (const std::string& alias : subject_.aliases)
    add_alias(world.source, alias, subject_.account);
  for (const Relevant& step : steps_) {
    if (step.kind == StepKind::admin_upsert && is_object(step.arguments, "MtaRoute"))
      world.target.written_routes.emplace(property(step.arguments, "name").string_or(""));
  }
  Mask seen = effects;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].restores >= 0 && is_done(seen, i)) seen &= ~(Mask{1} << steps_[i].restores);
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].kind == StepKind::admin_list) {
      add_list(world, steps_[i], is_done(seen, i));
    } else if (is_done(seen, i) && !add_step(world, steps_[i], problem)) {
      if (unread != nullptr) *unread = steps_[i].step;
      return std::nullopt;
    }
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].restores >= 0 && is_done(seen, i)) place_restored(world, steps_[i]);
  }
  if (world.target.relay_rule != nullptr) add_sets_of(*world.target.relay_rule, world.target);
  return world;
}

/// Lookup sets that a rule asks for and no step fills: whoever writes the rule has them.
void AccountStates::add_sets_of(const schema::MtaContainer& rule, Target& target) const {
  const auto add_asked = [&](const schema::MtaExpression& expression) {
    for (const schema::MtaNode& node : expression.nodes) {
      const bool is_asked = node.kind == schema::MtaNode::Kind::call && !node.children.empty() &&
                            (node.text == "key_exists" || node.text == "key_get");
      if (!is_asked) continue;
      const schema::MtaNode& set = expression.nodes[node.children.front()];
      if (set.kind == schema::MtaNode::Kind::text && !all_.names().is_filled(set.text))
        target.own_sets.insert(set.text);
    }
  };
  for (const auto& arm : rule.arms()) {
    add_asked(arm.condition);
    add_asked(arm.result);
  }
  add_asked(rule.otherwise());
}

/// The source has every list of the plan, from the start.
void AccountStates::add_list(World& world, const Relevant& step, bool is_there) const {
  std::vector<std::string> members;
  for (const ir::Value& member : step.arguments["members"].items())
    members.push_back(lower_ascii(member.string_or("")));
  std::vector<std::string> at_source = source_members(graph_, step.step);
  if (at_source.empty()) at_source = members;
  for (const std::string& member : at_source) {
    // A member may be another name of the account, which is no mailbox.
    if (domain_of(member) == domain_of(subject_.account) && !is_among(subject_.aliases, member))
      world.source.mailboxes.insert(member);
  }
  const std::string address = lower_ascii(step.arguments["address"].string_or(""));
  world.source.aliases[address] = std::move(at_source);
  if (!is_there) return;
  world.target.lists[address] = std::move(members);
  world.origins["list " + address] = graph_.origin(step.step);
}

bool AccountStates::add_step(World& world, const Relevant& step, std::string* problem) const {
  switch (step.kind) {
    case StepKind::source_settings:
      return add_settings(world, step, problem);
    case StepKind::admin_upsert:
    case StepKind::admin_update:
    case StepKind::admin_destroy:
      return add_object(world, step, problem);
    default:
      add_account_step(world, subject_, step);
      return true;
  }
}

void AccountStates::add_account_step(World& world, const Subject& subject,
                                     const Relevant& step) const {
  Target& target = world.target;
  const Span origin = graph_.origin(step.step);
  switch (step.kind) {
    case StepKind::admin_account:
      target.accounts.insert(subject.account);
      target.not_logging_in.insert(subject.account);
      for (const std::string& alias : subject.aliases) {
        if (!subject.dropped.contains(alias)) target.aliases[alias] = subject.account;
      }
      world.origins["account " + subject.account] = origin;
      return;
    case StepKind::admin_account_open:
      target.not_logging_in.erase(subject.account);
      return;
    case StepKind::admin_keys:
      for (const ir::Value& address : step.arguments["addresses"].items()) {
        const std::string key(address.string_or(""));
        if (key.starts_with("*@")) continue;  // written as a plain key, which no address is
        target.keys[std::string(step.arguments["namespace"].string_or(""))].insert(key);
        world.origins["key " + key] = origin;
      }
      return;
    case StepKind::postfix_hold:
    case StepKind::postfix_forward:
      world.source.transport[subject.account] =
          step.kind == StepKind::postfix_hold ? Transport::hold : Transport::forward;
      world.source.forwards_elsewhere.erase(subject.account);
      if (step.kind == StepKind::postfix_forward) {
        const check::NextHop hop = check::next_hop_of(step.arguments["next_hop"].string_or(""));
        // Any other transport goes to no machine, and is said by a rule.
        if (check::kind_of_transport(hop) == check::TransportKind::sends && is_elsewhere(hop.host))
          world.source.forwards_elsewhere[subject.account] = hop.host;
      }
      world.origins["transport " + subject.account] = origin;
      return;
    case StepKind::source_hold:
    case StepKind::source_forward:
      add_to_list(world, step.arguments["list"], step.arguments["addresses"]);
      world.origins["transport " + subject.account] = origin;
      return;
    default:
      return;
  }
}

std::vector<std::string> AccountStates::add_others(World& world, const std::vector<Subject>& others,
                                                   const std::vector<bool>& done) const {
  std::map<ir::RowId, const Subject*> of_row;
  for (const Subject& other : others) {
    // Without its domain nothing can be told of it.
    if (other.row == subject_.row || !domains_.contains(domain_of(other.account))) continue;
    of_row.emplace(other.row, &other);
    world.source.mailboxes.insert(other.account);
    for (const std::string& alias : other.aliases) {
      // A list that names it took it for a mailbox.
      world.source.mailboxes.erase(alias);
      add_alias(world.source, alias, other.account);
    }
  }
  if (of_row.empty()) return {};
  // Their steps are in this world from here on.
  std::set<std::string> known;
  for (const auto& [unused, other] : of_row) known.insert(other->names.begin(), other->names.end());
  world.is_of_others = [this, known = std::move(known)](const Question& question) {
    return !known.contains(lower_ascii(question.name)) && is_of_others(question);
  };
  std::set<StepId> restored;
  for (const StepId step : graph_.order()) {
    if (graph_.kind(step) != StepKind::restore || !done[ir::index(step)]) continue;
    const ir::Value arguments = graph_.arguments(step);
    if (const auto of = graph_.find(arguments["step"].string_or(""))) restored.insert(*of);
  }
  std::multimap<StepId, const Subject*> apart;
  for (const auto& [row, other] : of_row) {
    for (const StepId step : all_.apart(*other)) {
      if (graph_.row(step) != row) apart.emplace(step, other);
    }
  }
  std::set<ir::RowId> unfinished;
  const auto add = [&](StepId step, const Subject& other) {
    const StepKind kind = graph_.kind(step);
    if (!is_account_kind(kind) && kind != StepKind::source_settings) return;
    if (!done[ir::index(step)]) {
      if (is_account_kind(kind)) unfinished.insert(other.row);
      return;
    }
    if (restored.contains(step)) return;
    const Relevant one{step, kind, graph_.stage(step), all_.arguments(step), 0, -1};
    if (kind == StepKind::source_settings) {
      std::string unread;
      if (decides_route(one.arguments)) add_settings(world, one, &unread);
    } else {
      add_account_step(world, other, one);
    }
  };
  for (const StepId step : graph_.order()) {
    const auto own = of_row.find(graph_.row(step));
    if (own != of_row.end()) add(step, *own->second);
    const auto [first, last] = apart.equal_range(step);
    for (auto named = first; named != last; ++named) add(step, *named->second);
  }
  std::vector<std::string> waiting;
  for (const ir::RowId row : unfinished) waiting.push_back(of_row.at(row)->account);
  return waiting;
}

bool AccountStates::is_elsewhere(std::string_view host) const {
  if (host.empty() || facts_.hosts.empty() || schema::is_loopback_address(host)) return false;
  return std::none_of(facts_.hosts.begin(), facts_.hosts.end(),
                      [&](const std::string& known) { return schema::is_same_host(known, host); });
}

}  // namespace plan::flow
