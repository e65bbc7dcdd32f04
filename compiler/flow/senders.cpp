#include "compiler/flow/senders.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/name_questions.h"
#include "compiler/flow/text_for_pattern.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using Node = schema::MtaNode;

constexpr std::size_t kSendersMax = 16;
constexpr std::size_t kTextsJoinedMax = 8;
constexpr std::size_t kTakenMax = 16;     // copies of one expression
constexpr std::size_t kGivenMax = 16;     // texts that one result gives
constexpr std::size_t kInFrontMax = 64;   // conditions that may catch a sender before
constexpr std::size_t kWorkMax = 50'000;  // evaluations, of one expression
constexpr std::string_view kNobody = {};
constexpr std::string_view kStranger = "somebody@outside.test";

[[nodiscard]] bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

[[nodiscard]] bool is_sender(const Node& node) {
  return node.kind == Node::Kind::variable && node.text.starts_with("sender");
}

[[nodiscard]] bool is_recipient(const Node& node) {
  return node.kind == Node::Kind::variable && (node.text == "rcpt" || node.text == "rcpt_domain");
}

[[nodiscard]] bool asks_sender(const schema::MtaExpression& expression) {
  return std::any_of(expression.nodes.begin(), expression.nodes.end(), is_sender);
}

/// The part of a condition as it was written; empty where it asks what a pattern has found, which
/// may be another one there.
[[nodiscard]] std::string_view written(const schema::MtaContainer::Arm& arm, const Node& node) {
  if (node.begin >= node.end || node.end > arm.text.size()) return {};
  const std::string_view text =
      trim(std::string_view(arm.text).substr(node.begin, node.end - node.begin));
  for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
    if (at + 1 < text.size() && is_digit(text[at + 1])) return {};
  }
  return text;
}

/// What each node asks of the sender, and whether it asks of him alone.
struct OfSender {
  bool is_own = true;
  bool has_sender = false;
  bool has_recipient = false;
};
[[nodiscard]] std::vector<OfSender> of_sender(const std::vector<Node>& nodes) {
  std::vector<OfSender> found(nodes.size());
  const OfSender* pattern = nullptr;  // the last one: captures are its
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    OfSender& one = found[i];
    for (const std::uint32_t child : node.children) {
      one.is_own = one.is_own && found[child].is_own;
      one.has_sender = one.has_sender || found[child].has_sender;
      one.has_recipient = one.has_recipient || found[child].has_recipient;
    }
    one.has_sender = one.has_sender || is_sender(node);
    one.has_recipient = one.has_recipient || is_recipient(node);
    if (node.kind == Node::Kind::variable) one.is_own = is_sender(node);
    if (node.kind == Node::Kind::capture && pattern != nullptr) one = *pattern;
    // Of a condition in front, whomever that one asks for.
    if (node.kind == Node::Kind::capture && pattern == nullptr) one = {false, false, true};
    if (node.kind == Node::Kind::global || asks_server(node)) one.is_own = false;
    if (node.kind == Node::Kind::matches) pattern = &one;
  }
  return found;
}

[[nodiscard]] bool is_logical(const Node& node) {
  return node.kind == Node::Kind::negate ||
         (node.kind == Node::Kind::binary &&
          (node.op == Node::Operator::logical_and || node.op == Node::Operator::logical_or ||
           node.op == Node::Operator::logical_xor));
}

/// Questions that are asked of the sender and the recipient at once, such as `sender == rcpt`, and
/// in no part of them alone.
[[nodiscard]] std::vector<std::uint32_t> mixed_nodes(const std::vector<Node>& nodes) {
  const std::vector<OfSender> of = of_sender(nodes);
  const auto is_mixed = [&](std::uint32_t i) { return of[i].has_sender && of[i].has_recipient; };
  std::vector<std::uint32_t> mixed;
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    const bool is_choice = node.kind == Node::Kind::call && node.text == "if_then";
    if (!is_mixed(i) || is_logical(node) || is_choice || node.children.empty()) continue;
    if (std::none_of(node.children.begin(), node.children.end(), is_mixed)) mixed.push_back(i);
  }
  return mixed;
}

/// The condition as it is asked for this recipient: in those questions he is a text. What else is
/// asked of him stays, because it may have another answer after RCPT.
[[nodiscard]] schema::MtaExpression for_recipient(const schema::MtaExpression& expression,
                                                  const std::string& recipient) {
  schema::MtaExpression asked = expression;
  std::vector<Node>& nodes = asked.nodes;
  const Address address = parse_address(recipient);
  std::vector<std::uint32_t> open = mixed_nodes(nodes);
  std::vector<bool> is_done(nodes.size());
  while (!open.empty()) {
    const std::uint32_t number = open.back();
    open.pop_back();
    if (is_done[number]) continue;
    is_done[number] = true;
    Node& node = nodes[number];
    open.insert(open.end(), node.children.begin(), node.children.end());
    if (node.kind == Node::Kind::capture) {
      // What the pattern in front of it finds.
      for (std::uint32_t i = number; i-- > 0;) {
        if (nodes[i].kind != Node::Kind::matches) continue;
        open.push_back(i);
        break;
      }
    }
    if (!is_recipient(node)) continue;
    node.text = node.text == "rcpt" ? address.text() : address.domain;
    node.kind = Node::Kind::text;
  }
  return asked;
}

/// Does it ask what a pattern has found that is not its own?
[[nodiscard]] bool has_capture_alone(const schema::MtaExpression& expression) {
  const auto found =
      std::find_if(expression.nodes.begin(), expression.nodes.end(), [](const Node& node) {
        return node.kind == Node::Kind::capture || node.kind == Node::Kind::matches;
      });
  return found != expression.nodes.end() && found->kind == Node::Kind::capture;
}

/// How a result comes to one of its texts: questions and their answers, from the outside in, and
/// the choices that they decide.
struct WayToText {
  std::vector<std::pair<std::uint32_t, bool>> answers = {};
  std::vector<std::uint32_t> choices = {};
};

/// How a result (`then`, `else`) comes to each text that it gives, where it asks who sends.
struct Given {
  std::vector<WayToText> ways = {};
  bool is_beyond = false;  ///< a text is made of the sender, or there are too many

  void add(const WayToText& way) {
    if (way.answers.empty()) return;
    if (ways.size() < kGivenMax) {
      ways.push_back(way);
    } else {
      is_beyond = true;
    }
  }
};

/// Does it give yes or no?
[[nodiscard]] bool is_question(const Node& node) {
  if (node.kind == Node::Kind::negate || node.kind == Node::Kind::matches) return true;
  if (node.kind == Node::Kind::binary)
    return node.op != Node::Operator::add && node.op != Node::Operator::subtract &&
           node.op != Node::Operator::multiply && node.op != Node::Operator::divide;
  const std::string_view name = node.text;
  return node.kind == Node::Kind::call &&
         (name.starts_with("is_") || name.starts_with("contains") || name == "key_exists" ||
          name == "starts_with" || name == "ends_with" || name == "eq_ignore_case");
}

void add_given(const std::vector<Node>& nodes, const std::vector<OfSender>& of,
               std::uint32_t number, WayToText& way, Given& given) {
  const Node& node = nodes[number];
  if (!of[number].has_sender) return given.add(way);
  const bool is_choice = node.kind == Node::Kind::call && node.text == "if_then";
  if (is_choice || is_question(node)) {
    if (is_choice) way.choices.push_back(number);
    for (const bool is_true : {true, false}) {
      way.answers.emplace_back(is_choice ? node.children[0] : number, is_true);
      if (is_choice) {
        add_given(nodes, of, node.children[is_true ? 1 : 2], way, given);
      } else {
        given.add(way);
      }
      way.answers.pop_back();
    }
    if (is_choice) way.choices.pop_back();
    return;
  }
  // Whose key is in a map is among those who are tried.
  if (node.kind != Node::Kind::call || node.text != "key_get") given.is_beyond = true;
  given.add(way);
}

/// True where the condition is and the result comes that way; a condition without nodes always is.
[[nodiscard]] schema::MtaExpression condition_of_way(const schema::MtaExpression& condition,
                                                     const schema::MtaExpression& result,
                                                     const WayToText& way) {
  schema::MtaExpression both = condition;
  std::vector<Node>& nodes = both.nodes;
  const auto begin = static_cast<std::uint32_t>(nodes.size());
  for (const Node& one : result.nodes) {
    Node& node = nodes.emplace_back(one);
    for (std::uint32_t& child : node.children) child += begin;
  }
  // Every node has one parent: their questions belong to this way now.
  for (const std::uint32_t choice : way.choices) {
    nodes[begin + choice].kind = Node::Kind::number;
    nodes[begin + choice].children.clear();
  }
  const auto add = [&](Node::Kind kind, std::vector<std::uint32_t> children) {
    Node& node = nodes.emplace_back();
    node.kind = kind;
    if (kind == Node::Kind::binary) node.op = Node::Operator::logical_and;
    node.children = std::move(children);
    return static_cast<std::uint32_t>(nodes.size() - 1);
  };
  std::optional<std::uint32_t> all;
  if (begin != 0) all = begin - 1;
  for (const auto& [number, is_true] : way.answers) {
    const std::uint32_t question = begin + number;
    const std::uint32_t one = is_true ? question : add(Node::Kind::negate, {question});
    // One that is asked alone is the last node as well.
    all = all ? add(Node::Kind::binary, {*all, one}) : add(Node::Kind::binary, {one, one});
  }
  return both;
}

/// What has to be true and false at once of parts that the sender alone decides, in their order.
using Answers = std::map<std::uint32_t, bool>;

/// The ways in which those parts make a condition true, or false, whatever the others say.
class Ways {
 public:
  Ways() = default;
  explicit Ways(Answers one) { ways_.insert(std::move(one)); }

  [[nodiscard]] const std::set<Answers>& all() const { return ways_; }
  /// More than are looked at.
  [[nodiscard]] bool are_too_many() const { return are_too_many_; }

  [[nodiscard]] Ways or_else(const Ways& other) const {
    Ways both = *this;
    both.are_too_many_ = are_too_many_ || other.are_too_many_;
    for (const Answers& one : other.ways_) both.add(one);
    return both;
  }

  /// Of very many that go together each one is looked at, and not each pair.
  [[nodiscard]] Ways and_then(const Ways& other) const {
    Ways both;
    both.are_too_many_ = are_too_many_ || other.are_too_many_;
    const bool is_each_pair = ways_.size() * other.ways_.size() <= kWaysMax;
    std::size_t left = 0;
    for (const Answers& one : ways_) {
      std::size_t right = 0;
      for (const Answers& more : other.ways_) {
        if (is_each_pair || left == 0 || right == 0) {
          Answers joined = one;
          joined.insert(more.begin(), more.end());
          both.add(joined);
        }
        ++right;
      }
      ++left;
    }
    return both;
  }

 private:
  static constexpr std::size_t kWaysMax = 32;

  void add(const Answers& one) {
    if (ways_.size() < kWaysMax) {
      ways_.insert(one);
    } else if (!ways_.contains(one)) {
      are_too_many_ = true;
    }
  }

  std::set<Answers> ways_;
  bool are_too_many_ = false;
};

struct WaysOfCondition {
  Ways to_true;
  Ways to_false;
};

/// Parts that are written alike are one part, but for those that ask what a pattern has found.
[[nodiscard]] std::vector<std::uint32_t> first_written(const schema::MtaContainer::Arm& arm,
                                                       const std::vector<Node>& nodes) {
  std::map<std::string_view, std::uint32_t> known;
  std::vector<std::uint32_t> first(nodes.size());
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    const std::string_view text = written(arm, nodes[i]);
    first[i] = text.empty() ? i : known.try_emplace(text, i).first->second;
    if (nodes[first[i]].kind != nodes[i].kind) first[i] = i;
  }
  return first;
}

[[nodiscard]] WaysOfCondition ways_of(const schema::MtaContainer::Arm& arm,
                                      const schema::MtaExpression& expression,
                                      const std::vector<OfSender>& asked) {
  const std::vector<Node>& nodes = expression.nodes;
  const std::vector<std::uint32_t> first = first_written(arm, nodes);
  std::vector<WaysOfCondition> ways(nodes.size());
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    WaysOfCondition& one = ways[i];
    if (asked[i].is_own && asked[i].has_sender) {
      one = {Ways(Answers{{first[i], true}}), Ways(Answers{{first[i], false}})};
    } else if (!asked[i].has_sender || !is_logical(node)) {
      // Of a choice, or a comparison, each answer of each part may matter.
      Ways any(Answers{});
      for (const std::uint32_t child : node.children) {
        if (asked[child].has_sender)
          any = any.or_else(ways[child].to_true).or_else(ways[child].to_false);
      }
      one = {any, any};
    } else if (node.kind == Node::Kind::negate) {
      one = {ways[node.children[0]].to_false, ways[node.children[0]].to_true};
    } else {
      const WaysOfCondition& left = ways[node.children[0]];
      const WaysOfCondition& right = ways[node.children[1]];
      switch (node.op) {
        case Node::Operator::logical_and:
          one.to_true = left.to_true.and_then(right.to_true);
          one.to_false = left.to_false.or_else(right.to_false);
          break;
        case Node::Operator::logical_or:
          one.to_true = left.to_true.or_else(right.to_true);
          one.to_false = left.to_false.and_then(right.to_false);
          break;
        default:
          one.to_true =
              left.to_true.and_then(right.to_false).or_else(left.to_false.and_then(right.to_true));
          one.to_false =
              left.to_true.and_then(right.to_true).or_else(left.to_false.and_then(right.to_false));
          break;
      }
    }
    // Every node has one parent: what it had is not kept.
    for (const std::uint32_t child : node.children) ways[child] = {};
  }
  return std::move(ways.back());
}

/// The answers as text; of what asks what a pattern has found, those of this condition alone.
[[nodiscard]] std::string written_answers(const schema::MtaContainer::Arm& arm, std::size_t number,
                                          const Answers& answers) {
  std::string text;
  for (const auto& [node, is_true] : answers) {
    const std::string_view part = written(arm, arm.condition.nodes[node]);
    text += is_true ? "+ " : "- ";
    text += part.empty() ? fmt::format("{} {}", number, node) : std::string(part);
    text += '\n';
  }
  return text;
}

/// One condition that is true when all these answers are right: in the order in which they are
/// asked, because a capture is of the pattern in front of it.
[[nodiscard]] schema::MtaExpression question_of(const schema::MtaExpression& expression,
                                                const Answers& answers) {
  schema::MtaExpression question;
  std::vector<Node>& nodes = question.nodes;
  const std::uint32_t last = answers.rbegin()->first;
  nodes.assign(expression.nodes.begin(),
               expression.nodes.begin() + static_cast<std::ptrdiff_t>(last) + 1);
  const auto add = [&](Node::Kind kind, std::vector<std::uint32_t> children) {
    Node& node = nodes.emplace_back();
    node.kind = kind;
    if (kind == Node::Kind::binary) node.op = Node::Operator::logical_and;
    node.children = std::move(children);
    return static_cast<std::uint32_t>(nodes.size() - 1);
  };
  std::optional<std::uint32_t> all;
  for (const auto& [node, is_true] : answers) {
    const std::uint32_t one = is_true ? node : add(Node::Kind::negate, {node});
    all = all ? add(Node::Kind::binary, {*all, one}) : one;
  }
  return question;
}

/// Is what this node gives the text?
[[nodiscard]] schema::MtaExpression is_text(const schema::MtaExpression& expression,
                                            std::uint32_t number, std::string text) {
  schema::MtaExpression question;
  std::vector<Node>& nodes = question.nodes;
  nodes.assign(expression.nodes.begin(),
               expression.nodes.begin() + static_cast<std::ptrdiff_t>(number) + 1);
  Node& right = nodes.emplace_back();
  right.kind = Node::Kind::text;
  right.text = std::move(text);
  Node& both = nodes.emplace_back();
  both.kind = Node::Kind::binary;
  both.op = Node::Operator::equal;
  both.children = {number, number + 1};
  return question;
}

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

[[nodiscard]] bool is_address(std::string_view text) {
  const std::size_t at = text.find('@');
  return at != std::string_view::npos && at != 0 && at + 1 != text.size() &&
         text.find('@', at + 1) == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

/// Texts beside `sender` that read as an address, a domain, or one side of an address:
/// "partner.test", "@partner.test" and "boss@" are parts of somebody's address.
[[nodiscard]] std::string sender_of(const std::string& text) {
  const bool is_name = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_word(c) || std::string_view("@.-+").find(c) != std::string_view::npos;
  });
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
  Given given;
  WayToText way;
  add_given(result.nodes, of_sender(result.nodes),
            static_cast<std::uint32_t>(result.nodes.size() - 1), way, given);
  if (given.is_beyond) tell();
  for (const WayToText& one : given.ways) {
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
  const auto add_text = [&](const std::string& text) {
    if (text.size() > kTextBytesMax) return;
    add_with(text, found.made);
    if (!text.empty() && found.texts.size() < kTextsJoinedMax) add_once(text, found.texts);
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    if (node.kind == Node::Kind::text) {
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
    const std::string_view text = written(arms[number], arms[number].condition.nodes[node]);
    if (!text.empty()) known.emplace(text, is_true);
  }
  for (std::size_t i = 0; i < arms.size() && !known.empty(); ++i) {
    const std::vector<Node>& nodes = arms[i].condition.nodes;
    for (std::uint32_t node = 0; node < nodes.size(); ++node) {
      if (nodes[node].kind == Node::Kind::text || nodes[node].kind == Node::Kind::variable)
        continue;
      const auto same = known.find(written(arms[i], nodes[node]));
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
  if (rule != nullptr && !asked_by(*rule).mixed.empty())
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
