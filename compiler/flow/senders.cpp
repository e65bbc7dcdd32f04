#include "compiler/flow/senders.h"

#include <algorithm>
#include <array>
#include <optional>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/name_questions.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using Node = schema::MtaNode;

constexpr std::size_t kSendersMax = 16;
constexpr std::size_t kPatternDepthMax = 32;
constexpr std::size_t kTextBytesMax = 256;
constexpr std::string_view kNobody = {};
constexpr std::string_view kStranger = "somebody@outside.test";

[[nodiscard]] bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

/// The shortest way through a regular expression: the first alternative, no repetition that may be
/// left out.
class PatternText {
 public:
  explicit PatternText(std::string_view pattern) : rest_(pattern) {
    if (rest_.starts_with("(?i)")) rest_.remove_prefix(4);
  }

  [[nodiscard]] std::optional<std::string> text() {
    std::string text = alternatives(0);
    if (is_beyond_ || !rest_.empty() || text.size() > kTextBytesMax) return std::nullopt;
    return text;
  }

 private:
  [[nodiscard]] bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string beyond() {
    is_beyond_ = true;
    rest_ = {};
    return {};
  }

  std::string alternatives(std::size_t depth) {
    if (depth > kPatternDepthMax) return beyond();
    std::string first = sequence(depth);
    while (take('|')) (void)sequence(depth);
    return first;
  }

  std::string sequence(std::size_t depth) {
    std::string text;
    while (!rest_.empty() && rest_.front() != '|' && rest_.front() != ')') {
      const std::string atom = this->atom(depth);
      const std::size_t times = repetitions();
      for (std::size_t i = 0; i < times && text.size() <= kTextBytesMax; ++i) text += atom;
    }
    return text;
  }

  std::string atom(std::size_t depth) {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    switch (c) {
      case '(': {
        if (take('?') && !take(':')) return beyond();
        std::string inner = alternatives(depth + 1);
        return take(')') ? inner : beyond();
      }
      case '[':
        return one_of_class();
      case '\\':
        return escaped();
      case '.':
        return "a";
      case '^':
      case '$':
        return {};
      case '*':
      case '+':
      case '?':
      case '{':
        return beyond();
      default:
        return {c};
    }
  }

  std::string escaped() {
    if (rest_.empty()) return beyond();
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == 'd') return "1";
    if (c == 'w' || c == 'S' || c == 'D') return "a";
    if (c == 'W') return "-";
    if (c == 'b') return {};
    return is_word(c) ? beyond() : std::string(1, c);
  }

  /// A character of a class; of one that excludes, a usual one that it does not exclude.
  std::string one_of_class() {
    const bool excludes = take('^');
    std::vector<std::pair<char, char>> ranges;
    bool is_first = true;
    while (is_first || rest_.empty() || rest_.front() != ']') {
      if (rest_.empty() || rest_.front() == '[') return beyond();
      is_first = false;
      const bool is_escaped = take('\\');
      if (rest_.empty()) return beyond();
      const char begin = rest_.front();
      rest_.remove_prefix(1);
      if (is_escaped && begin == 'd') {
        ranges.emplace_back('0', '9');
      } else if (is_escaped && begin == 'w') {
        ranges.insert(ranges.end(), {{'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {'_', '_'}});
      } else if (is_escaped && is_word(begin)) {
        return beyond();
      } else if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
        if (rest_[1] == '\\') return beyond();
        ranges.emplace_back(begin, rest_[1]);
        rest_.remove_prefix(2);
      } else {
        ranges.emplace_back(begin, begin);
      }
    }
    rest_.remove_prefix(1);
    const auto is_in = [&](char c) {
      return std::any_of(ranges.begin(), ranges.end(),
                         [&](const auto& range) { return c >= range.first && c <= range.second; });
    };
    constexpr std::string_view kUsual = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    const auto usual =
        std::find_if(kUsual.begin(), kUsual.end(), [&](char c) { return is_in(c) != excludes; });
    if (usual != kUsual.end()) return {*usual};
    return excludes ? beyond() : std::string(1, ranges.front().first);
  }

  [[nodiscard]] std::size_t repetitions() {
    std::size_t times = 1;
    if (take('*') || take('?')) {
      times = 0;
    } else if (!take('+') && take('{')) {
      const std::size_t end = rest_.find('}');
      if (end == std::string_view::npos || end == 0 || !is_digit(rest_.front())) {
        beyond();
        return 0;
      }
      times = 0;
      for (std::size_t i = 0; i < end && is_digit(rest_[i]); ++i)
        times = std::min(times * 10 + static_cast<std::size_t>(rest_[i] - '0'), kTextBytesMax + 1);
      rest_.remove_prefix(end + 1);
    }
    (void)take('?');  // a lazy one
    return times;
  }

  std::string_view rest_;
  bool is_beyond_ = false;
};

[[nodiscard]] bool is_sender(const Node& node) {
  return node.kind == Node::Kind::variable && node.text.starts_with("sender");
}

[[nodiscard]] bool asks_sender(const schema::MtaExpression& expression) {
  return std::any_of(expression.nodes.begin(), expression.nodes.end(), is_sender);
}

/// What each node asks of the sender alone.
struct OfSender {
  bool is_own = true;
  bool has_sender = false;
};
[[nodiscard]] std::vector<OfSender> of_sender(const std::vector<Node>& nodes) {
  std::vector<OfSender> found(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    OfSender& one = found[i];
    for (const std::uint32_t child : node.children) {
      one.is_own = one.is_own && found[child].is_own;
      one.has_sender = one.has_sender || found[child].has_sender;
    }
    one.has_sender = one.has_sender || is_sender(node);
    if (node.kind == Node::Kind::variable) one.is_own = is_sender(node);
    if (node.kind == Node::Kind::capture || node.kind == Node::Kind::global) one.is_own = false;
    if (asks_server(node)) one.is_own = false;
  }
  return found;
}

[[nodiscard]] bool is_logical(const Node& node) {
  return node.kind == Node::Kind::negate ||
         (node.kind == Node::Kind::binary &&
          (node.op == Node::Operator::logical_and || node.op == Node::Operator::logical_or ||
           node.op == Node::Operator::logical_xor));
}

/// The parts of a condition that the sender alone makes true or false.
[[nodiscard]] std::vector<std::size_t> questions_in(const std::vector<Node>& nodes,
                                                    const std::vector<OfSender>& asked) {
  std::vector<std::size_t> questions;
  std::vector<std::size_t> open = {nodes.size() - 1};
  while (!open.empty()) {
    const std::size_t node = open.back();
    open.pop_back();
    if (asked[node].is_own && asked[node].has_sender) questions.push_back(node);
    // The parts of what is true for a stranger may be false for him.
    if (is_logical(nodes[node]))
      open.insert(open.end(), nodes[node].children.begin(), nodes[node].children.end());
  }
  return questions;
}

[[nodiscard]] bool is_true_for(const schema::MtaExpression& expression, std::size_t node,
                               std::string_view sender) {
  schema::MtaExpression question;
  question.nodes.assign(expression.nodes.begin(),
                        expression.nodes.begin() + static_cast<std::ptrdiff_t>(node) + 1);
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

}  // namespace

std::optional<std::string> text_for_pattern(std::string_view pattern) {
  return PatternText(pattern).text();
}

/// Of a lookup set that is asked for the sender: somebody whose key a step writes.
void SenderQuestions::add_key_of(const schema::MtaExpression& expression, const Node& call,
                                 std::vector<std::string>& candidates) {
  if (call.kind != Node::Kind::call || call.children.size() != 2) return;
  if (call.text != "key_exists" && call.text != "key_get") return;
  const Node& set = expression.nodes[call.children[0]];
  if (set.kind != Node::Kind::text) return;
  std::string key = all_.names().key_in(set.text);
  if (!key.empty() && key.find('@') == std::string::npos) key = "somebody@" + key;
  if (is_address(key)) candidates.push_back(std::move(key));
}

void SenderQuestions::read_condition(const schema::MtaContainer::Arm& arm, Asked& asked) {
  const schema::MtaExpression& expression = arm.condition;
  const std::vector<Node>& nodes = expression.nodes;
  if (!asks_sender(expression)) return;
  const std::vector<OfSender> of = of_sender(nodes);
  std::vector<std::string> named;  // by the condition itself
  std::vector<std::string> made;   // with its texts in them
  std::vector<std::size_t> questions = questions_in(nodes, of);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    if (node.kind == Node::Kind::text) {
      if (std::string sender = sender_of(node.text); !sender.empty())
        add_once(std::move(sender), named);
      if (node.text.size() <= kTextBytesMax) add_with(node.text, made);
    }
    if (node.kind == Node::Kind::matches && of[i].is_own && of[i].has_sender) {
      if (std::find(questions.begin(), questions.end(), i) == questions.end())
        questions.push_back(i);
      if (const auto text = text_for_pattern(nodes[node.children[0]].text)) add_with(*text, made);
    }
    const bool asks_with_sender = !node.children.empty() && of[node.children.back()].has_sender;
    if (asks_with_sender) add_key_of(expression, node, named);
  }
  const auto first_for = [&](std::size_t question, const std::vector<std::string>& senders) {
    return std::find_if(senders.begin(), senders.end(), [&](const std::string& sender) {
      return is_true_for(expression, question, sender);
    });
  };
  for (const std::size_t question : questions) {
    if (is_true_for(expression, question, kStranger) || is_true_for(expression, question, kNobody))
      continue;
    if (first_for(question, asked.named) != asked.named.end()) continue;
    const auto one = first_for(question, named);
    const auto other = one == named.end() ? first_for(question, made) : made.end();
    const std::string* sender = one != named.end()    ? &*one
                                : other != made.end() ? &*other
                                                      : nullptr;
    if (sender == nullptr || asked.named.size() >= kSendersMax) {
      add_once(arm.text, asked.without);
    } else {
      asked.named.push_back(*sender);
    }
  }
  for (std::string& sender : named) {
    if (asked.named.size() < kSendersMax) add_once(std::move(sender), asked.named);
  }
}

const SenderQuestions::Asked& SenderQuestions::asked_by(const schema::MtaContainer& container) {
  const auto [known, is_new] = known_.try_emplace(&container);
  Asked& asked = known->second;
  if (!is_new) return asked;
  for (const auto& arm : container.arms()) read_condition(arm, asked);
  return asked;
}

Senders SenderQuestions::of(const World& world) {
  Senders senders;
  const auto add = [&](const schema::MtaContainer* container, std::string_view name) {
    if (container == nullptr) return;
    const Asked& asked = asked_by(*container);
    for (const std::string& sender : asked.named) add_once(sender, senders.named);
    const auto origin = world.origins.find(name);
    for (const std::string& condition : asked.without)
      senders.without.push_back(
          {condition, origin == world.origins.end() ? Span{} : origin->second});
  };
  add(world.target.route.get(), "route expression");
  add(world.target.relay_rule.get(), "relay rule");
  if (world.source.stalwart) add(world.source.stalwart->route.get(), "old route expression");
  return senders;
}

}  // namespace plan::flow
