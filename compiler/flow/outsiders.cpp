#include "compiler/flow/outsiders.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "compiler/flow/judgement.h"
#include "compiler/flow/mail_address.h"
#include "compiler/flow/senders.h"
#include "compiler/flow/text_for_pattern.h"
#include "compiler/schema/mta_pattern.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using Node = schema::MtaNode;
using Home = Outsider::Home;

constexpr std::size_t kOutsidersMax = 64;            // of one expression; more are not told
constexpr std::size_t kWorkMax = 1'000'000;          // conditions, of one expression
constexpr std::size_t kPatternWorkMax = 10'000'000;  // likewise, of its patterns
constexpr std::size_t kDomainsOfTargetMax = 1'000;   // that are tried without being named
constexpr std::string_view kStranger = "somebody@outside.test";

}  // namespace

bool OutsiderQuestions::is_target_domain(const std::string& domain) const {
  return facts_.measured && facts_.measured->target_domains.contains(domain);
}

std::string OutsiderQuestions::user_of_target() const {
  if (!facts_.measured) return {};
  const auto& all = facts_.measured->target_addresses;
  const auto one = std::find_if(all.begin(), all.end(), [&](const std::string& address) {
    const std::string domain = domain_of(address);
    return !domain.empty() && !all_.is_written_domain(domain);
  });
  return one == all.end() ? std::string() : *one;
}

const std::string& OutsiderQuestions::one_of(const std::string& domain) {
  if (one_of_.empty() && facts_.measured) {
    for (const std::string& address : facts_.measured->target_addresses)
      one_of_.try_emplace(domain_of(address), address);
  }
  return one_of_[domain];
}

bool OutsiderQuestions::is_exhausted(const Reading& reading) const {
  return reading.work > kWorkMax ||
         schema::pattern_work() - reading.pattern_work_before > kPatternWorkMax;
}

/// What the expression says of somebody for whom no step writes a key; nothing where that cannot be
/// told.
std::optional<std::string> OutsiderQuestions::chosen(const schema::MtaContainer& container,
                                                     const Outsider& one, std::string_view sender,
                                                     bool& asks_sender) const {
  const std::string domain = domain_of(one.address);
  const bool is_of_target = one.home == Home::target;
  schema::MtaEnvironment environment;
  environment.variable = [&](std::string_view name) -> std::optional<ir::Value> {
    if (name == "rcpt") return ir::Value(one.address);
    if (name == "rcpt_domain") return ir::Value(domain);
    if (name == "retry_num" || name == "notify_num") return ir::Value(0);
    if (name != "sender" && name != "sender_domain") return std::nullopt;
    asks_sender = true;
    return name == "sender" ? ir::Value(std::string(sender)) : ir::Value(domain_of(sender));
  };
  environment.call = [&](std::string_view name,
                         const std::vector<ir::Value>& arguments) -> std::optional<ir::Value> {
    if (arguments.empty()) return std::nullopt;
    const std::string asked = schema::text_of(arguments.back());
    if (name == "is_local_domain" && asked == domain) return ir::Value(is_of_target);
    if (name == "is_local_address" && asked == one.address) return ir::Value(is_of_target);
    if (name != "key_exists" && name != "key_get") return std::nullopt;
    const std::string set = schema::text_of(arguments.front());
    const auto& own_sets = facts_.target_sets;
    if (std::find(own_sets.begin(), own_sets.end(), set) != own_sets.end()) return std::nullopt;
    return name == "key_get" ? ir::Value("") : ir::Value(false);
  };
  const auto choice = container.choose(environment);
  if (!choice) return std::nullopt;
  return schema::text_of(choice->value);
}

/// Nothing where it is the one that he had.
std::optional<std::string> OutsiderQuestions::new_route(const Outsider& one,
                                                        std::string_view sender,
                                                        const Reading& reading,
                                                        bool& asks_sender) const {
  const auto now = chosen(reading.container, one, sender, asks_sender);
  if (!now) return std::nullopt;
  std::optional<std::string> before = one.home == Home::target ? "local" : "mx";
  const bool is_measured = facts_.measured && facts_.measured->route_before != nullptr;
  bool is_asked = false;
  if (is_measured && !reading.is_at_source)
    before = chosen(*facts_.measured->route_before, one, sender, is_asked);
  if (before == now) return std::nullopt;
  return now;
}

void OutsiderQuestions::look_at(const std::string& address, Reading& reading) {
  if (reading.found.size() >= kOutsidersMax) return;
  if (is_exhausted(reading)) {
    are_too_many_ = true;
    return;
  }
  Outsider one;
  one.address = lower_ascii(address);
  const std::string domain = domain_of(one.address);
  if (domain.empty() || domain.front() == '.' || all_.is_written_domain(domain) ||
      !reading.tried.insert(one.address).second)
    return;
  one.is_at_source = reading.is_at_source;
  if (is_target_domain(domain)) {
    one.home = Home::target;
    const auto& known = facts_.measured->target_addresses;
    if (!std::binary_search(known.begin(), known.end(), one.address)) return;
  } else if (facts_.measured && facts_.measured->source_domains.contains(domain)) {
    one.home = Home::source;
  }
  // What an old server does for those whom it keeps, or for a server that keeps others, is its own.
  if (reading.is_at_source && one.home != Home::elsewhere) return;
  bool asks_sender = false;
  reading.work += reading.container.asked_for(domain) + 1;
  std::optional<std::string> route = new_route(one, kStranger, reading, asks_sender);
  const bool is_from_anybody = route.has_value();
  for (std::size_t i = 0; asks_sender && !route && i < reading.senders.size(); ++i) {
    reading.work += reading.container.asked_for(domain) + 1;
    route = new_route(one, reading.senders[i], reading, asks_sender);
  }
  if (!route || all_.names().has_domain(domain)) return;
  // By a route that no step makes mail to others leaves, as by the public MX.
  const bool leaves = one.home != Home::target && *route != "local" &&
                      !reading.world.target.written_routes.contains(*route);
  if (leaves && !reading.is_at_source) return;
  const std::string alike =
      fmt::format("{} {} {}", static_cast<int>(one.home), is_from_anybody, *route);
  if (!reading.classes.insert(alike).second) return;
  one.route = std::move(*route);
  reading.found.push_back(std::move(one));
}

void OutsiderQuestions::add_text(const std::string& text, bool leaves, Reading& reading) {
  const std::size_t at = text.rfind('@');
  const std::string domain = lower_ascii(at == std::string::npos ? text : text.substr(at + 1));
  if (domain.empty() || all_.is_written_domain(domain)) return;
  if (is_target_domain(domain)) {
    if (const std::string& somebody = one_of(domain); !somebody.empty()) look_at(somebody, reading);
    look_at(text, reading);
  }
  // Whoever lives elsewhere gets his mail by the public MX.
  if (leaves) return;
  for (const std::string& address : addresses_with(text)) look_at(address, reading);
}

void OutsiderQuestions::add_named(const schema::MtaContainer::Arm& arm, Reading& reading) {
  const std::vector<Node>& result = arm.result.nodes;
  const bool leaves =
      result.size() == 1 && result[0].kind == Node::Kind::text && result[0].text == "mx";
  for (const Node& node : arm.condition.nodes) {
    if (node.kind == Node::Kind::text) add_text(node.text, leaves, reading);
    if (node.kind != Node::Kind::matches) continue;
    const std::string& pattern = arm.condition.nodes[node.children[0]].text;
    if (const auto text = text_for_pattern(pattern)) add_text(*text, leaves, reading);
  }
}

/// An expression may find them by what they are not.
void OutsiderQuestions::add_those_of_target(Reading& reading) {
  if (reading.is_at_source || !facts_.measured) return;
  std::size_t count = 0;
  for (const std::string& domain : facts_.measured->target_domains) {
    if (is_exhausted(reading) || ++count > kDomainsOfTargetMax) return;
    if (const std::string& somebody = one_of(domain); !somebody.empty()) look_at(somebody, reading);
  }
}

const std::vector<Outsider>& OutsiderQuestions::asked_by(const schema::MtaContainer& container,
                                                         const World& world, bool is_at_source,
                                                         const std::vector<std::string>& senders) {
  const auto known = known_.find(&container);
  if (known != known_.end()) return known->second;
  Reading reading{container, world, is_at_source, senders};
  reading.pattern_work_before = schema::pattern_work();
  std::unordered_set<std::string_view> of_before;
  if (facts_.measured && facts_.measured->route_before != nullptr && !is_at_source) {
    for (const auto& arm : facts_.measured->route_before->arms()) of_before.insert(arm.text);
  }
  for (const auto& arm : container.arms()) {
    if (!of_before.contains(arm.text)) add_named(arm, reading);
  }
  add_those_of_target(reading);
  return known_.emplace(&container, std::move(reading.found)).first->second;
}

std::vector<Outsider> OutsiderQuestions::of(const World& world,
                                            const std::vector<std::string>& senders) {
  std::vector<Outsider> outsiders;
  if (world.target.route != nullptr)
    outsiders = asked_by(*world.target.route, world, false, senders);
  if (!world.source.stalwart || world.source.stalwart->route == nullptr) return outsiders;
  // What else an old server does with mail to others it did before.
  const auto& routes = world.source.stalwart->routes;
  for (const Outsider& one : asked_by(*world.source.stalwart->route, world, true, senders)) {
    if (routes.contains(one.route)) outsiders.push_back(one);
  }
  return outsiders;
}

namespace {

/// The world with those whom no step makes, where they live.
[[nodiscard]] World with_outsiders(World world, const std::vector<Outsider>& outsiders) {
  for (const Outsider& one : outsiders) {
    if (one.home == Home::target) {
      world.target.domains.try_emplace(domain_of(one.address));
      world.target.accounts.insert(one.address);
    } else if (one.home == Home::source) {
      world.source.domains.insert(domain_of(one.address));
      world.source.mailboxes.insert(one.address);
    }
  }
  return world;
}

}  // namespace

void try_outsiders(const Trial& trial, const std::vector<Outsider>& outsiders,
                   bool is_target_open) {
  if (outsiders.empty()) return;
  const World world = with_outsiders(trial.world(), outsiders);
  Trial beside = trial.in(world);
  for (const Entry entry : kEntries) {
    if (!is_target_open && is_at_target(entry)) continue;
    for (const Outsider& one : outsiders) {
      if (one.is_at_source == is_at_target(entry)) continue;
      beside.look(entry, one.home == Home::target ? "domain of the target" : "foreign domain");
      beside.check(beside.letter_to(entry, one.address),
                   [&](const std::vector<Delivery>& deliveries) {
                     if (one.home == Home::target) return judge_domain_of_target(deliveries);
                     if (one.home == Home::source) return judge_domain_of_source(entry, deliveries);
                     return judge_unmeasured_domain(entry, deliveries);
                   });
    }
  }
}

}  // namespace plan::flow
