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
using Asked = Outsider::Asked;
using Home = Outsider::Home;

constexpr std::size_t kOutsidersMax = 64;            // of one expression; more are not told
constexpr std::size_t kWorkMax = 1'000'000;          // conditions, of one expression
constexpr std::size_t kPatternWorkMax = 10'000'000;  // likewise, of its patterns
constexpr std::size_t kDomainsOfTargetMax = 1'000;   // that are tried without being named
constexpr std::string_view kStranger = "somebody@outside.test";
constexpr std::string_view kOutsideClient = "203.0.113.77";  // somebody (RFC 5737)
constexpr std::string_view kUntold = "?";                    // only the server can tell

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

bool OutsiderQuestions::is_key(std::string_view set, std::string_view name) const {
  const auto keys = all_.keys_apart().find(set);
  if (keys == all_.keys_apart().end()) return false;
  const std::size_t at = name.rfind('@');
  return std::any_of(keys->second.begin(), keys->second.end(), [&](const std::string& key) {
    const bool is_pattern = key.starts_with("*@");
    return key == name || (is_pattern && at != std::string_view::npos &&
                           name.substr(at) == std::string_view(key).substr(1));
  });
}

bool OutsiderQuestions::is_key_of_any_set(const std::string& address) const {
  const auto& sets = all_.keys_apart();
  return std::any_of(sets.begin(), sets.end(),
                     [&](const auto& one) { return is_key(one.first, address); });
}

/// Not by a key alone.
bool OutsiderQuestions::is_domain_of_plan(const std::string& domain) const {
  if (!all_.is_written_domain(domain)) return false;
  const bool has_key = is_key_of_any_set(domain) || is_key_of_any_set("somebody@" + domain);
  return !has_key || all_.names().has_domain(domain);
}

bool OutsiderQuestions::is_exhausted(const Reading& reading) const {
  return reading.work > kWorkMax ||
         schema::pattern_work() - reading.pattern_work_before > kPatternWorkMax;
}

/// What the expression says of somebody for whom no step writes a key; nothing where that cannot be
/// told.
std::optional<ir::Value> OutsiderQuestions::chosen(const schema::MtaContainer& container,
                                                   Outsider& one, std::string_view sender,
                                                   bool& asks_sender) const {
  const std::string domain = domain_of(one.address);
  const bool is_of_target = one.home == Home::target;
  schema::MtaEnvironment environment;
  environment.variable = [&](std::string_view name) -> std::optional<ir::Value> {
    if (name == "rcpt") return ir::Value(one.address);
    if (name == "rcpt_domain") return ir::Value(domain);
    if (name == "retry_num" || name == "notify_num") return ir::Value(0);
    if (one.asked == Asked::relay_rule) {
      if (name == "remote_ip") return ir::Value(std::string(kOutsideClient));
      if (name == "local_port") return ir::Value(25);
      if (name == "authenticated_as") return ir::Value("");
      if (name == "protocol") return ir::Value("smtp");
    }
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
    if (name == "key_get") return ir::Value("");
    const bool is_there = arguments.size() == 2 && is_key(set, asked);
    if (is_there) one.keys.emplace(set, asked);
    return ir::Value(is_there);
  };
  const auto choice = container.choose(environment);
  if (!choice) return std::nullopt;
  return choice->value;
}

/// Nothing where it is the one that he had, and where mail to others leaves by it as it did.
std::optional<std::string> OutsiderQuestions::new_route(Outsider& one, std::string_view sender,
                                                        const Reading& reading,
                                                        bool& asks_sender) const {
  const auto now = chosen(reading.container, one, sender, asks_sender);
  if (one.asked == Asked::relay_rule) {
    // By itself the server relays for nobody.
    if (now && !schema::is_true(*now)) return std::nullopt;
    return std::string(now ? "relayed" : kUntold);
  }
  std::optional<ir::Value> before = ir::Value(one.home == Home::target ? "local" : "mx");
  const bool is_measured = facts_.measured && facts_.measured->route_before != nullptr;
  bool is_asked = false;
  if (is_measured && one.asked == Asked::target_route)
    before = chosen(*facts_.measured->route_before, one, sender, is_asked);
  if (!now) return before ? std::optional(std::string(kUntold)) : std::nullopt;
  std::string route = schema::text_of(*now);
  if (before && schema::text_of(*before) == route) return std::nullopt;
  // By a route that no step makes mail to others leaves, as by the public MX.
  const bool leaves = one.home != Home::target && route != "local" &&
                      !reading.world.target.written_routes.contains(route);
  if (leaves && one.asked == Asked::target_route) return std::nullopt;
  return route;
}

void OutsiderQuestions::look_at(const std::string& address, Reading& reading) {
  if (is_exhausted(reading)) {
    are_too_many_ = true;
    return;
  }
  Outsider one;
  one.address = lower_ascii(address);
  const std::string domain = domain_of(one.address);
  if (domain.empty() || domain.front() == '.' || is_domain_of_plan(domain) ||
      !reading.tried.insert(one.address).second)
    return;
  one.asked = reading.asked;
  if (is_target_domain(domain)) {
    one.home = Home::target;
    const auto& known = facts_.measured->target_addresses;
    if (!std::binary_search(known.begin(), known.end(), one.address)) return;
  } else if (facts_.measured && facts_.measured->source_domains.contains(domain)) {
    one.home = Home::source;
  }
  // What an old server does for those whom it keeps, or for a server that keeps others, is its own;
  // of a domain that the target has nobody asks whether it is relayed.
  if (one.asked == Asked::old_route && one.home != Home::elsewhere) return;
  if (one.asked == Asked::relay_rule && one.home == Home::target) return;
  bool asks_sender = false;
  const auto ask = [&](std::string_view sender) {
    reading.work += reading.container.asked_for(domain) + 1;
    return new_route(one, sender, reading, asks_sender);
  };
  std::string alike = fmt::format("{}", static_cast<int>(one.home));
  if (auto route = ask(kStranger)) {
    alike += fmt::format(" {}", *route);
    one.routes.insert(std::move(*route));
  }
  for (std::size_t i = 0; asks_sender && i < reading.senders.size(); ++i) {
    auto route = ask(reading.senders[i]);
    if (!route) continue;
    alike += fmt::format(" {} {}", i, *route);
    one.routes.insert(std::move(*route));
    one.senders.push_back(reading.senders[i]);
  }
  if (one.routes.empty()) return;
  const bool is_of_plan = all_.names().has_domain(domain) && !is_key_of_any_set(one.address);
  if (is_of_plan || !reading.classes.insert(alike).second) return;
  if (reading.found.size() >= kOutsidersMax) {
    are_too_many_ = true;
    return;
  }
  reading.found.push_back(std::move(one));
}

void OutsiderQuestions::add_text(const std::string& text, bool leaves, Reading& reading) {
  const std::size_t at = text.rfind('@');
  const std::string domain = lower_ascii(at == std::string::npos ? text : text.substr(at + 1));
  if (domain.empty() || is_domain_of_plan(domain)) return;
  if (is_target_domain(domain)) {
    if (const std::string& somebody = one_of(domain); !somebody.empty()) look_at(somebody, reading);
    look_at(text, reading);
  }
  // Whoever lives elsewhere gets his mail by the public MX.
  if (leaves) return;
  for (const std::string& address : addresses_with(text)) look_at(address, reading);
}

/// Whose key a step writes into a lookup set that the condition asks for the recipient, as he is or
/// by what a pattern has found in him.
void OutsiderQuestions::add_keys(const schema::MtaExpression& condition, bool leaves,
                                 Reading& reading) {
  const std::vector<Node>& nodes = condition.nodes;
  for (const Node& node : nodes) {
    if (node.kind != Node::Kind::call || node.text != "key_exists" || node.children.size() != 2)
      continue;
    const Node& set = nodes[node.children[0]];
    const Node& name = nodes[node.children[1]];
    if (set.kind != Node::Kind::text) continue;
    const auto keys = all_.keys_apart().find(set.text);
    if (keys == all_.keys_apart().end()) continue;
    if (keys->second.size() >= MailSteps::kKeysApartMax) are_too_many_ = true;
    for (const std::string& key : keys->second) {
      if (name.kind != Node::Kind::capture) {
        add_text(key.starts_with("*@") ? key.substr(1) : key, leaves, reading);
        continue;
      }
      const Groups groups = {{static_cast<std::size_t>(name.number), key}};
      for (const Node& pattern : nodes) {
        if (pattern.kind != Node::Kind::matches) continue;
        if (const auto text = text_for_pattern(nodes[pattern.children[0]].text, &groups))
          add_text(*text, leaves, reading);
      }
    }
  }
}

void OutsiderQuestions::add_named(const schema::MtaContainer::Arm& arm, Reading& reading) {
  const std::vector<Node>& result = arm.result.nodes;
  const bool leaves =
      result.size() == 1 && result[0].kind == Node::Kind::text && result[0].text == "mx";
  for (const schema::MtaExpression* const part : {&arm.condition, &arm.result}) {
    Groups groups;  // what its captures are compared with
    for (const Node& node : part->nodes) {
      if (node.children.size() != 2) continue;
      const Node* left = &part->nodes[node.children[0]];
      const Node* right = &part->nodes[node.children[1]];
      if (left->kind == Node::Kind::text) std::swap(left, right);
      if (left->kind == Node::Kind::capture && right->kind == Node::Kind::text)
        groups.try_emplace(static_cast<std::size_t>(left->number), right->text);
    }
    // What a result is of names is no address; what it asks of the recipient may be.
    if (part->nodes.size() < 2) continue;
    for (const Node& node : part->nodes) {
      if (node.kind == Node::Kind::text) add_text(node.text, leaves, reading);
      if (node.kind != Node::Kind::matches) continue;
      const std::string& pattern = part->nodes[node.children[0]].text;
      if (const auto text = text_for_pattern(pattern)) add_text(*text, leaves, reading);
      if (groups.empty()) continue;
      if (const auto text = text_for_pattern(pattern, &groups)) add_text(*text, leaves, reading);
    }
    add_keys(*part, leaves, reading);
  }
}

/// An expression may find them by what they are not.
void OutsiderQuestions::add_those_of_target(Reading& reading) {
  if (reading.asked != Asked::target_route || !facts_.measured) return;
  std::size_t count = 0;
  for (const std::string& domain : facts_.measured->target_domains) {
    if (is_exhausted(reading) || ++count > kDomainsOfTargetMax) return;
    if (const std::string& somebody = one_of(domain); !somebody.empty()) look_at(somebody, reading);
  }
}

const std::vector<Outsider>& OutsiderQuestions::asked_by(const schema::MtaContainer& container,
                                                         const World& world, Asked asked,
                                                         const std::vector<std::string>& senders) {
  const auto known = known_.find(&container);
  if (known != known_.end()) return known->second;
  Reading reading{container, world, asked, senders};
  reading.pattern_work_before = schema::pattern_work();
  std::unordered_set<std::string_view> of_before;
  if (facts_.measured && facts_.measured->route_before != nullptr && asked == Asked::target_route) {
    for (const auto& arm : facts_.measured->route_before->arms()) of_before.insert(arm.text);
  }
  for (const auto& arm : container.arms()) {
    if (!of_before.contains(arm.text)) add_named(arm, reading);
  }
  // A rule may be one expression.
  if (asked == Asked::relay_rule) add_named({container.otherwise(), {}, {}}, reading);
  // And somebody whom no condition names: it may find him by what he is not.
  look_at(std::string(kForeign), reading);
  look_at("somebody@elsewhere-too.test", reading);
  add_those_of_target(reading);
  return known_.emplace(&container, std::move(reading.found)).first->second;
}

std::vector<Outsider> OutsiderQuestions::of(const World& world,
                                            const std::vector<std::string>& senders) {
  std::vector<Outsider> outsiders;
  const auto add = [&](const schema::MtaContainer* container, Asked asked) {
    if (container == nullptr) return;
    for (const Outsider& one : asked_by(*container, world, asked, senders)) {
      // What else an old server does with mail to others it did before.
      const bool is_old = asked == Asked::old_route;
      if (!is_old || std::any_of(one.routes.begin(), one.routes.end(), [&](const auto& route) {
            return world.source.stalwart->routes.contains(route);
          }))
        outsiders.push_back(one);
    }
  };
  add(world.target.route.get(), Asked::target_route);
  add(world.target.relay_rule.get(), Asked::relay_rule);
  if (world.source.stalwart) add(world.source.stalwart->route.get(), Asked::old_route);
  return outsiders;
}

bool OutsiderQuestions::leads_astray(const World& world, const Senders& senders,
                                     const NobodyFor& one) {
  if (one.place != NobodyFor::Place::target_route || one.taken == nullptr) return false;
  const std::vector<Outsider>& tried =
      asked_by(*world.target.route, world, Asked::target_route, senders.named);
  const std::vector<Outsider> with =
      asked_by(*one.taken, world, Asked::target_route, senders.named);
  return std::any_of(with.begin(), with.end(), [&](const Outsider& outsider) {
    return std::none_of(tried.begin(), tried.end(), [&](const Outsider& other) {
      return other.home == outsider.home && other.routes == outsider.routes &&
             other.senders == outsider.senders;
    });
  });
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
    for (const auto& [set, key] : one.keys) world.target.keys[set].insert(key);
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
      if ((one.asked == Asked::old_route) == is_at_target(entry)) continue;
      if (one.asked == Asked::relay_rule && entry != Entry::target_25) continue;
      beside.look(entry, one.home == Home::target ? "domain of the target" : "foreign domain");
      const auto is_right = [&](const Letter& letter) {
        return beside.check(letter, [&](const std::vector<Delivery>& deliveries) {
          if (one.home == Home::target) return judge_domain_of_target(deliveries);
          if (one.home == Home::source) return judge_domain_of_source(entry, deliveries);
          return judge_unmeasured_domain(entry, deliveries);
        });
      };
      Letter letter = beside.letter_to(entry, one.address);
      bool is_wrong = !is_right(letter);
      std::vector<std::string> senders = one.senders;
      // Anybody can write as somebody of the target's domains.
      if (one.asked == Asked::relay_rule) senders.push_back(trial.not_moved());
      for (const std::string& sender : senders) {
        if (is_wrong) break;
        letter.sender = sender;
        is_wrong = !is_right(letter);
      }
    }
  }
}

}  // namespace plan::flow
