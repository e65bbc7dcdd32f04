#include "compiler/flow/senders.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/name_questions.h"
#include "compiler/flow/result_texts.h"
#include "compiler/flow/sender_ways.h"
#include "compiler/flow/text_for_pattern.h"

namespace plan::flow {
namespace {

using Node = schema::MtaNode;

constexpr std::size_t kSendersMax = 16;
constexpr std::size_t kTextsJoinedMax = 8;
constexpr std::size_t kTakenMax = 16;     // copies of one expression
constexpr std::size_t kInFrontMax = 64;   // conditions that may catch a sender before
constexpr std::size_t kWorkMax = 50'000;  // evaluations, of one expression
constexpr std::string_view kNobody = {};
constexpr std::string_view kStranger = "somebody@outside.test";

[[nodiscard]] bool is_true_for(const schema::MtaExpression& question, std::string_view sender) {
  schema::MtaEnvironment environment;
  environment.variable = [&](std::string_view name) -> std::optional<ir::Value> {
    if (name == "sender") return ir::Value(std::string(sender));
    if (name == "sender_domain") return ir::Value(parse_address(sender).domain);
    return std::nullopt;
  };
  const auto answer = schema::evaluate(question, environment);
  return answer && schema::is_true(*answer);
}

[[nodiscard]] bool is_letter_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_@.-+").find(c) != std::string_view::npos;
}

[[nodiscard]] bool is_address(std::string_view text) {
  const std::size_t at = text.find('@');
  return at != std::string_view::npos && at != 0 && at + 1 != text.size() &&
         text.find('@', at + 1) == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

/// Texts beside `sender` that read as an address, a domain, or one side of an address:
/// "partner.test", "@partner.test" and "boss@" are parts of somebody's address.
[[nodiscard]] std::string sender_of(const std::string& text) {
  const bool is_name = !text.empty() && std::all_of(text.begin(), text.end(), is_letter_of_name);
  const std::size_t at = text.find('@');
  if (!is_name || text == "@") return {};
  if (at == std::string::npos)
    return text.find('.') == std::string::npos ? std::string() : "somebody@" + text;
  if (at == 0) return "somebody" + text;
  return at + 1 == text.size() ? text + "outside.test" : text;
}

/// Addresses that have this text in them, wherever a pattern or a function may look for it.
void add_with(const std::string& text, std::vector<std::string>& candidates) {
  for (std::string one : {text, "somebody" + text, text + "outside.test", text + "@outside.test",
                          "somebody@" + text, "somebody@a" + text, "somebody@" + text + "a.test"}) {
    if (is_address(one)) candidates.push_back(std::move(one));
  }
}

void add_once(std::string sender, std::vector<std::string>& senders) {
  if (std::find(senders.begin(), senders.end(), sender) == senders.end())
    senders.push_back(std::move(sender));
}

/// The key without the texts that this node puts in front of something, or behind it.
[[nodiscard]] std::string part_of_key(const schema::MtaExpression& expression, std::uint32_t name,
                                      std::string_view key) {
  std::vector<std::string_view> texts;
  std::vector<std::uint32_t> open = {name};
  while (!open.empty()) {
    const Node& node = expression.nodes[open.back()];
    open.pop_back();
    if (node.kind == Node::Kind::text && !node.text.empty()) texts.push_back(node.text);
    open.insert(open.end(), node.children.begin(), node.children.end());
  }
  for (std::size_t before = key.size() + 1; key.size() < before;) {
    before = key.size();
    for (const std::string_view text : texts) {
      if (key.ends_with(text)) key.remove_suffix(text.size());
      if (key.starts_with(text)) key.remove_prefix(text.size());
    }
  }
  return std::string(key);
}

}  // namespace

std::vector<std::string> addresses_with(const std::string& text) {
  std::vector<std::string> addresses;
  if (text.size() > kTextBytesMax) return addresses;
  if (std::string one = sender_of(text); is_address(one)) addresses.push_back(std::move(one));
  add_with(text, addresses);
  return addresses;
}

/// A key that a step writes into the lookup set that this is a question to; empty: it is none, or
/// nobody's is written by itself.
std::string SenderQuestions::key_of(const schema::MtaExpression& expression, const Node& call) {
  if (call.kind != Node::Kind::call || call.children.size() != 2) return {};
  if (call.text != "key_exists" && call.text != "key_get") return {};
  const Node& set = expression.nodes[call.children[0]];
  return set.kind == Node::Kind::text ? all_.names().key_in(set.text) : std::string();
}

/// Of a lookup set that is asked for the sender: somebody whose key a step writes.
void SenderQuestions::add_key_of(const schema::MtaExpression& expression, const Node& call,
                                 std::vector<std::string>& candidates) {
  std::string key = key_of(expression, call);
  if (!key.empty() && key.find('@') == std::string::npos) key = "somebody@" + key;
  if (is_address(key)) candidates.push_back(std::move(key));
}

/// Somebody for each key that is made of the sender and more: `key_exists('pairs', sender + rcpt)`.
void SenderQuestions::read_keys(const schema::MtaContainer& container, std::size_t number,
                                const schema::MtaExpression& expression, Candidates& candidates,
                                Asked& asked) {
  const std::vector<OfSender> of = of_sender(expression.nodes);
  for (std::uint32_t i = 0; i < expression.nodes.size(); ++i) {
    const Node& call = expression.nodes[i];
    if (!of[i].has_sender || call.children.empty()) continue;
    const std::uint32_t name = call.children.back();
    if (!of[name].has_sender || is_sender(expression.nodes[name])) continue;
    // It is read again for each recipient.
    if (of[name].has_recipient && !mixed_nodes(expression.nodes).empty()) continue;
    const std::string key = key_of(expression, call);
    if (key.empty()) continue;
    if (std::string part = part_of_key(expression, name, key); is_address(part))
      add_once(std::move(part), candidates.named);
    if (of[name].is_own && find_sender(is_text(expression, name, key), candidates, asked)) continue;
    const Answers answers = {{i, true}};
    const schema::MtaContainer::Arm& arm = container.arms()[number];
    if (asked.answered.insert(written_answers(arm, number, answers)).second)
      asked.without.push_back({arm.text, true, taking(container, number, answers, asked)});
  }
}

/// Somebody for each answer that the sender alone decides, whom as few conditions in front as can
/// be catch before. `expression`: the condition of this number, or the same for one recipient.
void SenderQuestions::read_condition(const schema::MtaContainer& container, std::size_t number,
                                     const schema::MtaExpression& expression, Asked& asked) {
  const schema::MtaContainer::Arm& arm = container.arms()[number];
  // What a pattern has found is kept for the conditions behind it.
  if (asked.has_pattern && has_capture_alone(expression))
    asked.without.push_back({arm.text, true, nullptr});
  if (!asks_sender(expression)) return;
  const std::vector<OfSender> of = of_sender(expression.nodes);
  for (std::size_t i = 0; i < of.size(); ++i)
    asked.has_pattern =
        asked.has_pattern || (expression.nodes[i].kind == Node::Kind::matches && of[i].has_sender);
  const WaysOfCondition ways = ways_of(arm, expression, of);
  Candidates candidates = candidates_in(expression);
  read_keys(container, number, expression, candidates, asked);
  std::vector<schema::MtaExpression> ways_to_true;
  bool is_true_for_all = false;
  for (const bool is_true : {true, false}) {
    const Ways& some = is_true ? ways.to_true : ways.to_false;
    // What makes it false is what most senders do.
    if (is_true && some.are_too_many()) asked.without.push_back({arm.text, true, nullptr});
    for (const Answers& answers : some.all()) {
      if (answers.empty()) {
        is_true_for_all = is_true_for_all || is_true;
        continue;
      }
      schema::MtaExpression question = question_of(expression, answers);
      // What is written alike is answered alike in all of the expression at once.
      if (!find_sender(question, candidates, asked) &&
          asked.answered.insert(written_answers(arm, number, answers)).second)
        asked.without.push_back({arm.text, is_true, taking(container, number, answers, asked)});
      if (is_true) ways_to_true.push_back(std::move(question));
    }
  }
  for (const std::string& sender : candidates.named) {
    if (asked.named.size() < kSendersMax) add_once(sender, asked.named);
  }
  if (!is_true_for_all) asked.in_front.push_back(std::move(ways_to_true));
}

/// Somebody for each text that a result gives, `number` behind the last condition being `else`.
void SenderQuestions::read_result(const schema::MtaContainer& container, std::size_t number,
                                  const std::string* recipient, Asked& asked) {
  const auto& arms = container.arms();
  const bool is_else = number == arms.size();
  const schema::MtaExpression& result = is_else ? container.otherwise() : arms[number].result;
  if (!asks_sender(result)) return;
  const std::string name = is_else ? "else" : "then, for " + arms[number].text;
  const auto tell = [&] {
    if (asked.answered.insert("given " + name).second)
      asked.without.push_back({name, true, nullptr});
  };
  const auto of_one = [&](schema::MtaExpression expression) {
    return recipient == nullptr ? expression : for_recipient(expression, *recipient);
  };
  Candidates whole = candidates_in(of_one(result));
  for (const std::string& sender : whole.named) {
    if (asked.named.size() < kSendersMax) add_once(sender, asked.named);
  }
  const ResultTexts texts = result_texts(result);
  if (texts.is_beyond) tell();
  for (const WayToText& one : texts.ways) {
    const schema::MtaExpression expression = of_one(
        condition_of_way(is_else ? schema::MtaExpression() : arms[number].condition, result, one));
    if (asked.has_pattern && has_capture_alone(expression)) tell();
    if (recipient != nullptr && !mixed_nodes(expression.nodes).empty()) tell();
    // What is written alike is not known here: it has no text of its own.
    const schema::MtaContainer::Arm without_text{expression, {}, {}};
    const WaysOfCondition ways = ways_of(without_text, expression, of_sender(expression.nodes));
    Candidates candidates = candidates_in(expression);
    bool is_found = false;
    for (const Answers& answers : ways.to_true.all()) {
      is_found = is_found || answers.empty() ||
                 find_sender(question_of(expression, answers), candidates, asked);
    }
    if (!is_found) tell();
  }
}

/// By the condition itself, and with its texts in them.
SenderQuestions::Candidates SenderQuestions::candidates_in(
    const schema::MtaExpression& expression) {
  const std::vector<Node>& nodes = expression.nodes;
  const std::vector<OfSender> of = of_sender(nodes);
  Candidates found;
  Groups groups;
  const bool counts = std::any_of(nodes.begin(), nodes.end(), [](const Node& node) {
    return node.kind == Node::Kind::call && (node.text == "len" || node.text == "count_chars");
  });
  for (const Node& node : nodes) {
    if (node.children.size() != 2) continue;
    const Node* left = &nodes[node.children[0]];
    const Node* right = &nodes[node.children[1]];
    if (left->kind == Node::Kind::text) std::swap(left, right);
    if (left->kind == Node::Kind::capture && right->kind == Node::Kind::text)
      groups.try_emplace(static_cast<std::size_t>(left->number), right->text);
  }
  // What the recipient alone is asked for names no sender.
  std::vector<bool> is_beside_recipient(nodes.size());
  for (std::size_t i = nodes.size(); i-- > 0;) {
    if (!is_beside_recipient[i] && (of[i].has_sender || !of[i].has_recipient)) continue;
    for (const std::uint32_t child : nodes[i].children) is_beside_recipient[child] = true;
  }
  const auto add_text = [&](const std::string& text) {
    if (text.size() > kTextBytesMax) return;
    add_with(text, found.made);
    if (!text.empty() && found.texts.size() < kTextsJoinedMax) add_once(text, found.texts);
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    if (node.kind == Node::Kind::text && !is_beside_recipient[i]) {
      if (std::string sender = sender_of(node.text); !sender.empty())
        add_once(std::move(sender), found.named);
    }
    if (node.kind == Node::Kind::matches && of[i].is_own && of[i].has_sender) {
      const std::string& pattern = nodes[node.children[0]].text;
      if (!groups.empty()) {
        if (const auto text = text_for_pattern(pattern, &groups)) add_text(*text);
      }
      if (const auto text = text_for_pattern(pattern)) add_text(*text);
    } else if (node.kind == Node::Kind::text) {
      add_text(node.text);
    } else if (counts && node.kind == Node::Kind::number && node.number >= 1 &&
               node.number < static_cast<double>(kTextBytesMax)) {
      const auto size = static_cast<std::size_t>(node.number);
      constexpr std::string_view kOutside = "@outside.test";
      add_text(std::string(size + 1, 'a'));
      if (size > kOutside.size()) add_text(std::string(size - kOutside.size(), 'a'));
    }
    const bool asks_with_sender = !node.children.empty() && of[node.children.back()].has_sender;
    if (asks_with_sender) add_key_of(expression, node, found.named);
  }
  return found;
}

/// Is there one? He is among those who are tried then.
bool SenderQuestions::find_sender(const schema::MtaExpression& question, Candidates& candidates,
                                  Asked& asked) {
  std::string best;
  std::size_t best_caught = SIZE_MAX;
  bool is_tried = false;
  const auto look_at = [&](std::string_view sender, bool is_tried_already) {
    if (best_caught == 0 || (best_caught != SIZE_MAX && asked.work >= kWorkMax)) return;
    ++asked.work;
    if (!is_true_for(question, sender)) return;
    const std::size_t caught = asked.work < kWorkMax ? caught_in_front(sender, asked) : 0;
    if (caught >= best_caught) return;
    best_caught = caught;
    best = sender;
    is_tried = is_tried_already;
  };
  look_at(kStranger, true);
  look_at(kNobody, true);
  for (const std::string& sender : asked.named) look_at(sender, true);
  for (const std::string& sender : candidates.named) look_at(sender, false);
  for (const std::string& sender : candidates.made) look_at(sender, false);
  if (best_caught == SIZE_MAX) {
    for (const std::string& sender : candidates.joined()) look_at(sender, false);
  }
  if (best_caught == SIZE_MAX) return false;
  if (is_tried) return true;
  if (asked.named.size() >= kSendersMax) return false;
  asked.named.push_back(std::move(best));
  return true;
}

std::size_t SenderQuestions::caught_in_front(std::string_view sender, Asked& asked) {
  const std::size_t begin =
      asked.in_front.size() > kInFrontMax ? asked.in_front.size() - kInFrontMax : 0;
  std::size_t count = 0;
  for (std::size_t i = begin; i < asked.in_front.size(); ++i) {
    for (const schema::MtaExpression& way : asked.in_front[i]) {
      ++asked.work;
      if (!is_true_for(way, sender)) continue;
      ++count;
      break;
    }
  }
  return count;
}

/// Two texts of a condition in one address: one in front of the `@` and one behind it.
const std::vector<std::string>& SenderQuestions::Candidates::joined() {
  if (is_joined_) return joined_;
  is_joined_ = true;
  for (std::string local : texts) {
    local = local.substr(0, local.find('@'));
    for (std::string domain : texts) {
      domain = domain.substr(domain.rfind('@') + 1);  // npos + 1 is 0: all of it
      if (local.empty() || domain.empty() || local == domain) continue;
      for (const std::string& front : {local, local + "somebody", "somebody" + local}) {
        for (const std::string& behind : {domain, "a" + domain, domain + "a.test"}) {
          std::string one = front;
          one += '@';
          one += behind;
          if (is_address(one)) joined_.push_back(std::move(one));
        }
      }
    }
  }
  return joined_;
}

/// The expression with these answers, where nobody gives them; the same is answered of what is
/// written alike in other conditions. Nothing beyond the bound.
std::shared_ptr<const schema::MtaContainer> SenderQuestions::taking(
    const schema::MtaContainer& container, std::size_t number, const Answers& answers,
    Asked& asked) {
  if (++asked.taken > kTakenMax) return nullptr;
  const auto& arms = container.arms();
  std::map<std::string_view, bool> known;
  std::vector<schema::MtaContainer::Taken> taken;
  for (const auto& [node, is_true] : answers) {
    taken.push_back({number, node, is_true});
    const std::string_view text = text_of_part(arms[number], arms[number].condition.nodes[node]);
    if (!text.empty()) known.emplace(text, is_true);
  }
  for (std::size_t i = 0; i < arms.size() && !known.empty(); ++i) {
    const std::vector<Node>& nodes = arms[i].condition.nodes;
    for (std::uint32_t node = 0; node < nodes.size(); ++node) {
      if (nodes[node].kind == Node::Kind::text || nodes[node].kind == Node::Kind::variable)
        continue;
      const auto same = known.find(text_of_part(arms[i], nodes[node]));
      if (same != known.end()) taken.push_back({i, node, same->second});
    }
  }
  return std::make_shared<const schema::MtaContainer>(container.taking(taken));
}

const SenderQuestions::Asked& SenderQuestions::asked_by(const schema::MtaContainer& container) {
  const auto [known, is_new] = known_.try_emplace(&container);
  Asked& asked = known->second;
  if (!is_new) return asked;
  const auto& arms = container.arms();
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const bool is_mixed =
        !mixed_nodes(arms[i].condition.nodes).empty() || !mixed_nodes(arms[i].result.nodes).empty();
    if (is_mixed) asked.mixed.push_back({i, asked.in_front.size()});
    // The result first: its own condition does not stand in front of it.
    read_result(container, i, nullptr, asked);
    read_condition(container, i, arms[i].condition, asked);
  }
  if (!mixed_nodes(container.otherwise().nodes).empty())
    asked.mixed.push_back({arms.size(), asked.in_front.size()});
  read_result(container, arms.size(), nullptr, asked);
  // Where it is asked again, for one recipient, they are needed once more.
  if (asked.mixed.empty()) asked.in_front.clear();
  asked.answered.clear();
  return asked;
}

const SenderQuestions::Asked& SenderQuestions::asked_for(const schema::MtaContainer& container,
                                                         const std::string& recipient) {
  const auto [known, is_new] = known_for_.try_emplace({&container, recipient});
  Asked& asked = known->second;
  if (!is_new) return asked;
  const Asked& of_all = asked_by(container);
  for (const Mixed& one : of_all.mixed) {
    const std::size_t begin = one.in_front > kInFrontMax ? one.in_front - kInFrontMax : 0;
    asked.in_front.assign(of_all.in_front.begin() + static_cast<std::ptrdiff_t>(begin),
                          of_all.in_front.begin() + static_cast<std::ptrdiff_t>(one.in_front));
    work_ += asked.in_front.size();
    read_result(container, one.arm, &recipient, asked);
    if (one.arm == container.arms().size()) continue;
    const schema::MtaContainer::Arm& arm = container.arms()[one.arm];
    const schema::MtaExpression expression = for_recipient(arm.condition, recipient);
    read_condition(container, one.arm, expression, asked);
    // What a pattern of another condition has found may be anything.
    for (const std::uint32_t node : mixed_nodes(expression.nodes))
      asked.without.push_back({arm.text, true, taking(container, one.arm, {{node, true}}, asked)});
  }
  work_ += asked.work;
  asked.in_front.clear();
  asked.answered.clear();
  return asked;
}

void SenderQuestions::add(const Asked& asked, const World& world, NobodyFor::Place place,
                          Senders& senders) {
  using Place = NobodyFor::Place;
  for (const std::string& sender : asked.named) add_once(sender, senders.named);
  const auto origin = world.origins.find(place == Place::target_route ? "route expression"
                                         : place == Place::old_route  ? "old route expression"
                                                                      : "relay rule");
  for (const Without& one : asked.without)
    senders.without.push_back({one.condition,
                               origin == world.origins.end() ? Span{} : origin->second, place,
                               one.is_true, one.taken});
}

Senders SenderQuestions::of(const World& world) {
  Senders senders;
  const auto add_all = [&](const schema::MtaContainer* container, NobodyFor::Place place) {
    if (container != nullptr) add(asked_by(*container), world, place, senders);
  };
  add_all(world.target.route.get(), NobodyFor::Place::target_route);
  add_all(world.target.relay_rule.get(), NobodyFor::Place::relay_rule);
  if (world.source.stalwart)
    add_all(world.source.stalwart->route.get(), NobodyFor::Place::old_route);
  return senders;
}

Senders SenderQuestions::with(const World& world, const std::string& recipient) {
  Senders senders;
  const auto add_mixed = [&](const schema::MtaContainer* container, NobodyFor::Place place) {
    if (container == nullptr || asked_by(*container).mixed.empty()) return;
    add(asked_for(*container, recipient), world, place, senders);
  };
  add_mixed(world.target.route.get(), NobodyFor::Place::target_route);
  if (world.source.stalwart)
    add_mixed(world.source.stalwart->route.get(), NobodyFor::Place::old_route);
  return senders;
}

Senders SenderQuestions::relayed_to(const World& world, const std::string& recipient) {
  Senders senders;
  const schema::MtaContainer* rule = world.target.relay_rule.get();
  if (rule == nullptr) return senders;
  const Asked& of_all = asked_by(*rule);
  add(of_all, world, NobodyFor::Place::relay_rule, senders);
  if (!of_all.mixed.empty())
    add(asked_for(*rule, recipient), world, NobodyFor::Place::relay_rule, senders);
  return senders;
}

std::optional<World> world_taking(const World& world, const NobodyFor& nobody) {
  // Mail that a relay rule is asked for is of other domains, and is not tried from each sender.
  if (nobody.taken == nullptr || nobody.place == NobodyFor::Place::relay_rule) return std::nullopt;
  std::optional<World> other(world);
  if (nobody.place == NobodyFor::Place::target_route) {
    other->target.route = nobody.taken;
  } else if (other->source.stalwart) {
    other->source.stalwart->route = nobody.taken;
  }
  return other;
}

}  // namespace plan::flow
