#include "compiler/flow/mail_steps.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/states.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using ir::StepId;
using ir::StepKind;

constexpr std::size_t kKeysReadMax = 100;

[[nodiscard]] bool is_among(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

[[nodiscard]] bool is_of_resident(const Subject& subject, std::string_view name) {
  return std::any_of(subject.residents.begin(), subject.residents.end(),
                     [&](const Resident& one) { return is_among(one.names, name); });
}

[[nodiscard]] bool is_address_kind(StepKind kind) {
  return kind == StepKind::address_move || kind == StepKind::address_finalize;
}

/// The domain of a key that is for all of it: "*@x" and "x".
[[nodiscard]] std::string domain_of_key(const std::string& key) {
  return key.starts_with("*@") ? key.substr(2) : key;
}

[[nodiscard]] bool is_list_step(const ir::StepGraph& graph, StepId step) {
  return graph.kind(step) == StepKind::admin_list ||
         is_object(graph.shape(step).arguments, "MailingList");
}

}  // namespace

Domains domains_of(const ir::StepGraph& graph, const Subject& subject) {
  Domains domains(subject.domains.begin(), subject.domains.end());
  for (const std::string& name : subject.names) domains.insert(domain_of(name));
  for (const StepId list : subject.lists) domains.insert(domain_of(list_address(graph, list)));
  return domains;
}

MailSteps::MailSteps(const ir::StepGraph& graph, const std::vector<Subject>& subjects)
    : graph_(graph), place_of_(graph.size()) {
  for (const Subject& subject : subjects) of_row_.try_emplace(subject.row);
  const std::vector<StepId>& order = graph.order();
  StepsApart steps_apart(graph);
  for (std::size_t i = 0; i < order.size(); ++i) {
    place_of_[ir::index(order[i])] = static_cast<Place>(i);
    read_step(static_cast<Place>(i), steps_apart);
  }
  keep(subjects);
}

void MailSteps::read_step(Place place, StepsApart& steps_apart) {
  const StepId step = graph_.order()[place];
  const StepKind kind = graph_.kind(step);
  const ir::RowId row = graph_.row(step);
  if (is_account_kind(kind) || kind == StepKind::source_settings) {
    if (const auto own = of_row_.find(row); own != of_row_.end() && row != ir::RowId::none)
      own->second.push_back(place);
  }
  for (std::string& name : steps_apart.named_by(step)) named_[std::move(name)].push_back(place);
  if (kind == StepKind::mark_rollback_point) points_.push_back(step);
  if (is_address_kind(kind)) everybodys_.push_back(place);
  if (kind == StepKind::source_settings && row == ir::RowId::none && decides_route(arguments(step)))
    everybodys_.push_back(place);
  if (kind == StepKind::restore) {
    if (const auto of = graph_.find(graph_.argument(step, "step").string_or("")))
      restores_of_[ir::index(*of)].push_back(place);
  }
  if (!is_admin_kind(kind) || is_list_step(graph_, step)) return;
  if (kind == StepKind::admin_destroy && row != ir::RowId::none) return read_destroy(place);
  note(place, whose(step));
}

/// Of a hundred thousand alike steps (keys at the end) the name of the row is enough: reading
/// arguments costs.
void MailSteps::read_destroy(Place place) {
  const std::string_view name = graph_.row_name(graph_.row(graph_.order()[place]));
  if (name.starts_with("*@")) return note(place, whose(graph_.order()[place]));
  row_destroys_.push_back(place);
  destroys_of_[name].push_back(place);
}

void MailSteps::add_key_apart(StepId step, const std::string& key) {
  if (graph_.row(step) != ir::RowId::none || graph_.kind(step) == StepKind::admin_destroy) return;
  const ir::Value match = graph_.argument(step, "match");
  std::vector<std::string>& keys = keys_apart_[std::string(match["namespace"].string_or(""))];
  if (keys.size() < kKeysApartMax) keys.push_back(key);
}

void MailSteps::note(Place place, const Whose& whose) {
  switch (whose.kind) {
    case Whose::Kind::nobody:
      return;
    case Whose::Kind::everybody:
      everybodys_.push_back(place);
      return;
    case Whose::Kind::domain:
      of_domain_[whose.name].push_back(place);
      return;
    case Whose::Kind::key:
      of_domain_[domain_of_key(whose.name)].push_back(place);
      of_key_[whose.name].push_back(place);
      add_key_apart(graph_.order()[place], whose.name);
      return;
    case Whose::Kind::account:
      of_account_[whose.name].push_back(place);
      return;
  }
}

MailSteps::Whose MailSteps::whose(StepId step) const {
  const StepKind kind = graph_.kind(step);
  if (kind == StepKind::admin_action) {
    const ir::Value action = graph_.argument(step, "action");
    const std::string_view name = action.string_or("");
    return {name == "ReloadSettings" || name == "ReloadLookupStores" ? Whose::Kind::everybody
                                                                     : Whose::Kind::nobody,
            {}};
  }
  // One argument after the other: `set` may be the route of a thousand domains.
  const ir::Value& shape = graph_.shape(step).arguments;
  const ir::Value filled = shape["object"].is_string()
                               ? ir::Value()
                               : ir::Value::map({{"object", graph_.argument(step, "object")}});
  const ir::Value& object = filled.is_map() ? filled : shape;
  const auto named = [&](std::string_view name) {
    const ir::Value match = graph_.argument(step, "match");
    if (!match[name].is_null()) return lower_ascii(match[name].string_or(""));
    const ir::Value set = graph_.argument(step, "set");
    return lower_ascii(set[name].string_or(""));
  };
  const auto everybodys = [](bool is_it) {
    return Whose{is_it ? Whose::Kind::everybody : Whose::Kind::nobody, {}};
  };
  const auto writes = [&](std::string_view name) {
    const ir::Value& set = shape["set"];
    if (set.is_map() && !set[name].is_output()) return set.members().contains(name);
    return graph_.argument(step, "set").members().contains(name);
  };
  if (is_object(object, "Domain")) return {Whose::Kind::domain, named("name")};
  if (is_object(object, "MemoryLookupKey")) return {Whose::Kind::key, named("key")};
  if (is_object(object, "Account"))
    return {Whose::Kind::account, object_address(graph_, graph_.arguments(step))};
  if (is_object(object, "MtaStageRcpt")) return everybodys(writes("allowRelaying"));
  if (is_object(object, "MtaStageAuth")) return everybodys(writes("require"));
  if (is_object(object, "MtaOutboundStrategy")) return everybodys(writes("route"));
  return everybodys(is_object(object, "MtaRoute"));
}

bool MailSteps::is_of(const Whose& whose, const Subject& subject, const Domains& domains) {
  switch (whose.kind) {
    case Whose::Kind::nobody:
      return false;
    case Whose::Kind::everybody:
      return true;
    case Whose::Kind::domain:
      return domains.contains(whose.name);
    case Whose::Kind::key:
      return domains.contains(domain_of_key(whose.name)) || is_among(subject.names, whose.name) ||
             is_of_resident(subject, whose.name);
    case Whose::Kind::account:
      return whose.name == subject.account ||
             std::any_of(subject.residents.begin(), subject.residents.end(),
                         [&](const Resident& one) { return one.names.front() == whose.name; });
  }
  return false;
}

/// Those named like this account, and some more: a name may not say which key it is.
void MailSteps::add_destroys(const Subject& subject, const Domains& domains,
                             std::set<Place>& places) {
  const auto add = [&](Place place) {
    const auto known = whose_destroy_.find(place);
    const Whose& found =
        known != whose_destroy_.end()
            ? known->second
            : whose_destroy_.emplace(place, whose(graph_.order()[place])).first->second;
    if (is_of(found, subject, domains)) places.insert(place);
  };
  const auto add_named = [&](const std::string& name) {
    const auto named = destroys_of_.find(name);
    if (named == destroys_of_.end()) return;
    for (const Place place : named->second) add(place);
  };
  for (const std::string& name : subject.names) add_named(name);
  for (const Resident& one : subject.residents) {
    for (const std::string& name : one.names) add_named(name);
  }
  std::size_t read = 0;
  for (const Place place : row_destroys_) {
    const std::string_view name = graph_.row_name(graph_.row(graph_.order()[place]));
    if (is_among(subject.names, name) || is_of_resident(subject, name)) continue;
    if (++read > kKeysReadMax) return;
    add(place);
  }
}

std::set<MailSteps::Place> MailSteps::candidates(const Subject& subject, const Domains& domains) {
  std::set<Place> places(everybodys_.begin(), everybodys_.end());
  const auto add = [&](const auto& table, const auto& name) {
    const auto found = table.find(name);
    if (found != table.end()) places.insert(found->second.begin(), found->second.end());
  };
  for (const std::string& domain : domains) add(of_domain_, domain);
  for (const std::string& name : subject.names) add(of_key_, name);
  add(of_account_, subject.account);
  for (const Place place : named_places(subject)) places.insert(place);
  for (const Resident& one : subject.residents) {
    for (const std::string& name : one.names) add(of_key_, name);
    add(of_account_, one.names.front());
  }
  add_destroys(subject, domains, places);
  for (const StepId list : subject.lists) places.insert(place_of_[ir::index(list)]);
  const auto add_own = [&](Place place) {
    const StepId step = graph_.order()[place];
    if (is_account_kind(graph_.kind(step)) || decides_route(arguments(step))) places.insert(place);
  };
  if (const auto own = of_row_.find(subject.row); own != of_row_.end()) {
    for (const Place place : own->second) add_own(place);
    return places;
  }
  for (std::size_t i = 0; i < graph_.size(); ++i) {
    const StepId step = graph_.order()[i];
    if (graph_.row(step) != subject.row) continue;
    if (is_account_kind(graph_.kind(step)) || graph_.kind(step) == StepKind::source_settings)
      add_own(static_cast<Place>(i));
  }
  return places;
}

MailSteps::Places MailSteps::named_places(const Subject& subject) const {
  Places places;
  for (const std::string& name : subject.names) {
    const auto named = named_.find(name);
    if (named == named_.end()) continue;
    for (const Place place : named->second) {
      // By an alias only what goes by addresses can name an account.
      const StepId step = graph_.order()[place];
      if (name == subject.account || goes_by_addresses(graph_.kind(step))) places.push_back(place);
    }
  }
  return places;
}

std::vector<StepId> MailSteps::apart(const Subject& subject) const {
  std::set<Place> places;
  for (const Place place : named_places(subject)) places.insert(place);
  std::vector<StepId> steps;
  for (const Place place : places) steps.push_back(graph_.order()[place]);
  return steps;
}

std::vector<MailSteps::About> MailSteps::about(const Subject& subject, const Domains& domains) {
  std::vector<About> found;
  std::set<Place> open = candidates(subject, domains);
  std::unordered_map<Place, int> restored;  // by place of the step that puts back
  while (!open.empty()) {
    const Place place = *open.begin();
    open.erase(open.begin());
    const StepId step = graph_.order()[place];
    const auto of = restored.find(place);
    found.push_back({step, of == restored.end() ? -1 : of->second});
    // A step that puts back what an earlier one changed decides what that one decides.
    const auto restores = restores_of_.find(ir::index(step));
    if (restores == restores_of_.end()) continue;
    for (const Place later : restores->second) {
      if (later <= place) continue;
      restored.emplace(later, static_cast<int>(found.size()) - 1);
      open.insert(later);
    }
  }
  return found;
}

const ir::Value& MailSteps::arguments(StepId step) {
  const auto known = arguments_.find(ir::index(step));
  if (known != arguments_.end()) return known->second;
  return arguments_.emplace(ir::index(step), graph_.arguments(step)).first->second;
}

/// Makes the nodes. Steps of accounts that nobody asks for all wait for the same few steps, so that
/// there are about as many nodes as steps that are asked for.
void MailSteps::keep(const std::vector<Subject>& subjects) {
  is_kept_.resize(graph_.size());
  for (const Subject& subject : subjects) {
    for (const About& one : about(subject, domains_of(graph_, subject)))
      is_kept_[ir::index(one.step)] = true;
  }
  node_of_.resize(graph_.size(), kNothing);
  std::map<std::vector<Node>, Node> known;  // by what it waits for
  std::vector<Node> after;
  const auto add_node = [&] {
    node_after_.insert(node_after_.end(), after.begin(), after.end());
    node_end_.push_back(node_after_.size());
    return static_cast<Node>(node_end_.size() - 1);
  };
  for (const StepId step : graph_.order()) {
    after.clear();
    for (const StepId earlier : graph_.after(step)) {
      const Node node = node_of_[ir::index(earlier)];
      if (node != kNothing && (after.empty() || after.back() != node)) after.push_back(node);
    }
    std::sort(after.begin(), after.end());
    after.erase(std::unique(after.begin(), after.end()), after.end());
    Node& own = node_of_[ir::index(step)];
    if (is_kept_[ir::index(step)]) {
      own = add_node();
    } else if (after.size() == 1) {
      own = after.front();
    } else if (!after.empty()) {
      const auto [entry, is_new] = known.try_emplace(after, kNothing);
      if (is_new) entry->second = add_node();
      own = entry->second;
    }
  }
  for (const StepId point : points_) nodes_of_points_.insert(node_of_[ir::index(point)]);
}

namespace {

void take_each_once(std::vector<Mask> found, std::vector<Mask>* points) {
  if (points == nullptr) return;
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  *points = std::move(found);
}

}  // namespace

std::vector<Mask> MailSteps::done_before(const std::vector<StepId>& steps,
                                         std::vector<Mask>* points) const {
  const bool has_nodes = std::all_of(steps.begin(), steps.end(),
                                     [&](StepId step) { return bool{is_kept_[ir::index(step)]}; });
  if (!has_nodes) return done_before_in_graph(steps, points);
  // For each node what is done behind it: masks flow along the edges, in one pass.
  std::vector<Mask> done(node_end_.size(), 0);
  for (std::size_t i = 0; i < steps.size(); ++i) done[node_of_[ir::index(steps[i])]] = Mask{1} << i;
  std::vector<Mask> found(steps.size(), 0);
  for (std::size_t node = 1; node < node_end_.size(); ++node) {
    Mask before = 0;
    for (std::size_t i = node_end_[node - 1]; i < node_end_[node]; ++i)
      before |= done[node_after_[i]];
    Mask& own = done[node];
    if (own != 0) found[static_cast<std::size_t>(std::countr_zero(own))] = before;
    own |= before;
  }
  std::vector<Mask> before_points;
  for (const Node node : nodes_of_points_) before_points.push_back(done[node]);
  take_each_once(std::move(before_points), points);
  return found;
}

std::vector<Mask> MailSteps::done_before_in_graph(const std::vector<StepId>& steps,
                                                  std::vector<Mask>* points) const {
  std::vector<Mask> done(graph_.size(), 0);
  for (std::size_t i = 0; i < steps.size(); ++i) done[ir::index(steps[i])] = Mask{1} << i;
  std::vector<Mask> found(steps.size(), 0);
  for (const StepId step : graph_.order()) {
    Mask before = 0;
    for (const StepId earlier : graph_.after(step)) before |= done[ir::index(earlier)];
    Mask& own = done[ir::index(step)];
    if (own != 0) found[static_cast<std::size_t>(std::countr_zero(own))] = before;
    own |= before;
  }
  std::vector<Mask> before_points;
  for (const StepId point : points_) before_points.push_back(done[ir::index(point)]);
  take_each_once(std::move(before_points), points);
  return found;
}

}  // namespace plan::flow
