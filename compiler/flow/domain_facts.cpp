#include "compiler/flow/domain_facts.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/states.h"
#include "compiler/ir/json.h"
#include "compiler/schema/mta_container.h"
#include "compiler/schema/mta_pattern.h"
#include "compiler/schema/old_route.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using ir::StepId;
using ir::StepKind;
using Node = schema::MtaNode;

constexpr std::string_view kTrue = "true";
/// Facts of those who are named begin here, apart from every number of a shape.
constexpr std::size_t kNamed = std::size_t{1} << 40U;

[[nodiscard]] std::size_t shape_number(const ir::StepGraph& graph, StepId step) {
  return static_cast<std::size_t>(&graph.shape(step) - graph.shapes().data());
}

[[nodiscard]] std::size_t combined(std::size_t hash, std::size_t with) {
  return hash * 1'000'003U + with + 1;
}

[[nodiscard]] bool is_lower_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

DomainFacts::DomainFacts(const ir::StepGraph& graph, std::vector<std::string> domains)
    : graph_(graph), domains_(domains.begin(), domains.end()) {
  read_steps();
  choose_residents();
}

void DomainFacts::add_to(const std::string& domain, StepId step, std::string_view text) {
  steps_of_[domain] += fmt::format("{} {} {}\n", shape_number(graph_, step),
                                   static_cast<int>(graph_.kind(step)), without_name(text, domain));
  domain_of_step_.emplace(ir::index(step), domain);
}

void DomainFacts::read_steps() {
  for (const StepId step : graph_.order()) {
    const StepKind kind = graph_.kind(step);
    switch (kind) {
      case StepKind::admin_upsert:
      case StepKind::admin_update:
      case StepKind::admin_destroy:
        read_object(step, kind);
        break;
      case StepKind::source_settings:
        is_from_old_stalwart_ = true;
        note_names_of_old_route(step);
        break;
      case StepKind::restore: {
        const auto of = graph_.find(graph_.argument(step, "step").string_or(""));
        if (!of) break;
        if (const auto domain = domain_of_step_.find(ir::index(*of));
            domain != domain_of_step_.end())
          add_to(std::string(domain->second), step, "");
        if (const auto address = address_of_step_.find(ir::index(*of));
            address != address_of_step_.end()) {
          std::size_t& facts = facts_of(address->second);
          facts = combined(facts, shape_number(graph_, step));
        }
        break;
      }
      default:
        break;
    }
  }
  if (residents_.empty()) return;
  // An account that the plan moves has steps of its own.
  std::unordered_set<std::string_view> moved;
  for (const StepId step : graph_.order()) {
    if (graph_.kind(step) == StepKind::admin_account && graph_.row(step) != ir::RowId::none)
      moved.insert(graph_.row_name(graph_.row(step)));
  }
  for (auto& [domain, residents] : residents_) {
    std::erase_if(residents,
                  [&](const Resident& one) { return moved.contains(one.names.front()); });
  }
}

std::size_t& DomainFacts::facts_of(std::string_view address, bool is_text_of_graph) {
  const auto is_address = [&](std::uint32_t other) { return addresses_[other].first == address; };
  const auto entry = static_cast<std::uint32_t>(addresses_.size());
  const auto known = by_address_.insert(address, entry, is_address);
  if (!known) addresses_.emplace_back(is_text_of_graph ? address : texts_.emplace_back(address), 0);
  return addresses_[known.value_or(entry)].second;
}

void DomainFacts::read_key(StepId step, StepKind kind) {
  const ir::RowId row = graph_.row(step);
  const std::string_view name = row == ir::RowId::none ? std::string_view() : graph_.row_name(row);
  // Of a hundred thousand alike steps the name of the row is enough: reading arguments costs.
  const bool is_named = name.find('@') != std::string_view::npos;
  const bool is_kept = is_named && !name.starts_with("*@") && is_lower_ascii(name);
  if (is_kept && kind != StepKind::admin_upsert) {
    std::size_t& facts = facts_of_row(row);
    facts = combined(facts, shape_number(graph_, step));
    return;
  }
  std::string key =
      lower_ascii(is_named ? name : graph_.argument(step, "match")["key"].string_or(""));
  const std::string domain = key.starts_with("*@") ? key.substr(2) : key;
  if (domains_.contains(domain)) {
    add_to(domain, step, ir::canonical_json(graph_.arguments(step)));
  } else {
    std::size_t& facts = facts_of(key);
    facts = combined(facts, shape_number(graph_, step));
    if (!is_named) address_of_step_.emplace(ir::index(step), key);
  }
  if (kind == StepKind::admin_upsert) keys_.insert(std::move(key));
}

void DomainFacts::read_object(StepId step, StepKind kind) {
  const ir::Value& shape = graph_.shape(step).arguments;
  if (is_object(shape, "MemoryLookupKey")) return read_key(step, kind);
  if (is_object(shape, "Domain")) {
    const ir::Value arguments = graph_.arguments(step);
    const std::string name = lower_ascii(property(arguments, "name").string_or(""));
    if (!name.empty()) add_to(name, step, ir::canonical_json(arguments));
    return;
  }
  if (is_object(shape, "Account")) {
    const ir::Value arguments = graph_.arguments(step);
    const std::string address = object_address(graph_, arguments);
    if (address.empty()) return;
    const std::string domain = domain_of(address);
    std::size_t& facts = facts_of(address);
    facts = combined(facts, shape_number(graph_, step));
    add_to(domain, step, ir::canonical_json(arguments));
    if (kind != StepKind::admin_upsert) return;
    Resident& one = residents_[domain].emplace_back();
    one.names = {address};
    for (std::string& alias : alias_addresses(graph_, arguments)) {
      if (domain_of(alias) == domain) one.names.push_back(std::move(alias));
    }
    one.is_group = property(arguments, "@type").string_or("") == "Group";
    one.stage = graph_.stage(step);
    return;
  }
  if (is_object(shape, "MtaOutboundStrategy")) read_route(step, "MtaOutboundStrategy", "route");
  if (is_object(shape, "MtaStageRcpt")) read_route(step, "MtaStageRcpt", "allowRelaying");
}

/// One of each kind stands for the others.
void DomainFacts::choose_residents() {
  for (auto& [domain, residents] : residents_) {
    std::set<std::string> kinds;
    std::vector<Resident> chosen;
    for (Resident& one : residents) {
      const auto keyed =
          std::count_if(one.names.begin(), one.names.end(),
                        [&](const std::string& name) { return keys_.contains(name); });
      const std::string kind = fmt::format("{} {} {} {}", one.is_group, one.names.size() > 1,
                                           static_cast<std::size_t>(keyed) == one.names.size(),
                                           static_cast<int>(one.stage));
      // Beside the names, what is done with their keys, and when.
      std::string keys;
      for (const std::string& name : one.names) keys += fmt::format(" {}", of_address(name));
      steps_of_[domain] += fmt::format("{}{}\n", kind, keys);
      if (kinds.insert(kind).second) chosen.push_back(std::move(one));
    }
    residents = std::move(chosen);
  }
}

void DomainFacts::read_route(StepId step, std::string_view object, std::string_view name) {
  const ir::Value set = graph_.argument(step, "set");
  const ir::Value& container = set[name];
  if (!container.is_map()) return;  // a prior value that only the run knows
  auto parsed = schema::MtaContainer::parse(container, schema::context_of(object, name));
  if (!parsed) return;  // the proof itself says so
  Route& route = routes_.emplace_back();
  route.container = std::move(*parsed);
  questions_.begin_expression();
  const auto& arms = route.container.arms();
  for (std::size_t i = 0; i < arms.size(); ++i) {
    note_texts(arms[i].condition);
    note_texts(arms[i].result);
    const auto domains = wanted_domains(arms[i].condition, arms[i].condition.nodes.size() - 1);
    if (domains.empty()) route.general.push_back(i);
    for (const std::string& domain : domains) route.of_domain[domain].push_back(i);
  }
  note_texts(route.container.otherwise());
}

/// An old Stalwart asks its own expression for everybody alike, but for whom and which domain it
/// names.
void DomainFacts::note_names_of_old_route(StepId step) {
  // Whose keys one step writes into a list for all of them are alike, and unlike all others.
  const auto note = [&](std::string_view key) {
    const std::string address = lower_ascii(key);
    if (domains_.contains(address)) add_to(address, step, "listed");
    std::size_t& facts = facts_of(address);
    facts = combined(facts, kNamed + shape_number(graph_, step));
  };
  if (graph_.row(step) == ir::RowId::none) {
    const ir::Value members = graph_.argument(step, "members");
    for (const ir::Value& member : members.items()) note(member.string_or(""));
    const ir::Value values = graph_.argument(step, "values");
    for (const ir::Value& one : values.items()) {
      if (const auto written = list_key_of(one["key"].string_or(""))) note(written->key);
    }
  }
  const ir::Value blocks = graph_.argument(step, "blocks");
  for (const ir::Value& block : blocks.items()) {
    if (block["key"].string_or("") != schema::kOldRoute) continue;
    const auto parsed = schema::parse_old_route(block);
    if (!parsed) continue;  // the proof itself says so
    questions_.begin_expression();
    for (const auto& arm : parsed->arms()) {
      questions_.note(arm.condition, NameQuestions::Server::source);
      questions_.note(arm.result, NameQuestions::Server::source);
      for (const Node& node : arm.condition.nodes) {
        if (node.kind != Node::Kind::text) continue;
        const std::string name = lower_ascii(node.text);
        if (domains_.contains(name)) add_to(name, step, node.text);
        note_named(name);
      }
    }
  }
}

/// Somebody who is named is like nobody else, also when he is named with a tag.
void DomainFacts::note_named(std::string_view text) {
  if (text.find('@') == std::string_view::npos || text.starts_with('@')) return;
  const std::string whole = lower_ascii(text);
  const std::string base = without_tag(parse_address(whole));
  facts_of(whole) = combined(kNamed, ++named_);
  if (base != whole) facts_of(base) = combined(kNamed, ++named_);
}

void DomainFacts::note_texts(const schema::MtaExpression& expression) {
  for (const Node& node : expression.nodes) {
    if (node.kind == Node::Kind::text) note_named(node.text);
  }
  questions_.note(expression, NameQuestions::Server::target);
}

std::vector<std::string> DomainFacts::wanted_domains(const schema::MtaExpression& expression,
                                                     std::size_t node) const {
  const Node& one = expression.nodes[node];
  if (one.kind == Node::Kind::binary && one.op == Node::Operator::logical_and) {
    for (const std::uint32_t child : one.children) {
      if (auto domains = wanted_domains(expression, child); !domains.empty()) return domains;
    }
    return {};
  }
  if (std::string domain = schema::domain_of_pattern(expression, one); !domain.empty()) {
    if (!domains_.contains(domain)) return {};
    return {std::move(domain)};
  }
  const Comparison comparison = comparison_of(expression, one);
  std::set<std::string> domains;
  for (const std::string* name : comparison.names) {
    if (!comparison.is_equal || !domains_.contains(*name)) return {};
    domains.insert(*name);
  }
  return {domains.begin(), domains.end()};
}

std::string DomainFacts::residual(const schema::MtaExpression& expression, std::size_t node,
                                  const std::string& domain) const {
  const Node& one = expression.nodes[node];
  if (one.kind == Node::Kind::binary &&
      (one.op == Node::Operator::logical_and || one.op == Node::Operator::logical_or)) {
    const bool is_and = one.op == Node::Operator::logical_and;
    const std::string left = residual(expression, one.children[0], domain);
    if (is_and ? left.empty() : left == kTrue) return left;
    const std::string right = residual(expression, one.children[1], domain);
    if (is_and ? right.empty() : right == kTrue) return right;
    if (is_and ? left == kTrue : left.empty()) return right;
    if (is_and ? right == kTrue : right.empty()) return left;
    return fmt::format("({} {} {})", left, is_and ? "&&" : "||", right);
  }
  const Comparison comparison = comparison_of(expression, one);
  if (!comparison.names.empty()) {
    // The other domains of the plan are none of this one's; any other name is kept as it is.
    std::string names;
    if (comparison.has(domain)) names += " {}";
    if (comparison.has("sub." + domain)) names += " sub.{}";
    for (const std::string* name : comparison.names) {
      if (!domains_.contains(*name)) names += " " + without_name(*name, domain);
    }
    if (names.empty()) return comparison.is_equal ? std::string() : std::string(kTrue);
    return fmt::format("[domain {}{}]", comparison.is_equal ? "is" : "is not", names);
  }
  return rendered(expression, node, domain);
}

std::string DomainFacts::rendered(const schema::MtaExpression& expression, std::size_t node,
                                  const std::string& domain) const {
  const Node& one = expression.nodes[node];
  std::string text =
      fmt::format("[{} {} {} {}", static_cast<int>(one.kind), static_cast<int>(one.op),
                  without_name(one.text, domain), one.number);
  for (const std::uint32_t child : one.children) text += " " + rendered(expression, child, domain);
  return text + "]";
}

std::string DomainFacts::routes_for(const std::string& domain) const {
  std::string text;
  for (const Route& route : routes_) {
    std::vector<std::size_t> arms = route.general;
    for (const std::string& name : {domain, "sub." + domain}) {
      if (const auto own = route.of_domain.find(name); own != route.of_domain.end())
        arms.insert(arms.end(), own->second.begin(), own->second.end());
    }
    std::sort(arms.begin(), arms.end());
    for (const std::size_t i : arms) {
      const auto& arm = route.container.arms()[i];
      const std::string when = residual(arm.condition, arm.condition.nodes.size() - 1, domain);
      if (when.empty()) continue;
      text += fmt::format("if {} then {}\n", when,
                          rendered(arm.result, arm.result.nodes.size() - 1, domain));
    }
    const schema::MtaExpression& otherwise = route.container.otherwise();
    text += fmt::format("else {}\n", rendered(otherwise, otherwise.nodes.size() - 1, domain));
  }
  return text;
}

std::size_t DomainFacts::of(const std::string& domain) {
  if (const auto found = known_.find(domain); found != known_.end()) return found->second;
  std::string facts = routes_for(domain) + questions_.answers_of_domain(domain);
  if (const auto steps = steps_of_.find(domain); steps != steps_of_.end()) facts += steps->second;
  if (questions_.is_its_own(domain) || domains_.contains("sub." + domain)) facts += "is " + domain;
  const std::size_t number = numbers_.emplace(std::move(facts), numbers_.size()).first->second;
  known_.emplace(domain, number);
  return number;
}

const std::vector<Resident>& DomainFacts::residents(const std::string& domain) const {
  static const std::vector<Resident> kNobody;
  const auto found = residents_.find(domain);
  return found == residents_.end() ? kNobody : found->second;
}

std::size_t DomainFacts::of_address(const std::string& address) const {
  const auto found = by_address_.find(
      address, [&](std::uint32_t other) { return addresses_[other].first == address; });
  std::size_t facts = found ? addresses_[*found].second : 0;
  if (questions_.is_each_address_its_own())
    facts = combined(facts, std::hash<std::string>{}(address));
  if (questions_.are_of_addresses())
    facts = combined(facts, std::hash<std::string>{}(questions_.answers(address)));
  // An old Stalwart takes a part of such a name for a tag.
  if (is_from_old_stalwart_ && address.find('+') != std::string::npos)
    facts = combined(facts, std::hash<std::string>{}(address));
  return facts;
}

}  // namespace plan::flow
