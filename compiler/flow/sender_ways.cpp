#include "compiler/flow/sender_ways.h"

#include <algorithm>

#include <fmt/format.h>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/name_questions.h"
#include "compiler/source/text.h"

namespace plan::flow {

using Node = schema::MtaNode;

namespace {

[[nodiscard]] bool is_digit(char c) { return c >= '0' && c <= '9'; }

[[nodiscard]] bool is_recipient(const Node& node) {
  return node.kind == Node::Kind::variable && (node.text == "rcpt" || node.text == "rcpt_domain");
}

[[nodiscard]] bool is_logical(const Node& node) {
  return node.kind == Node::Kind::negate ||
         (node.kind == Node::Kind::binary &&
          (node.op == Node::Operator::logical_and || node.op == Node::Operator::logical_or ||
           node.op == Node::Operator::logical_xor));
}

/// Parts that are written alike are one part, but for those that ask what a pattern has found.
[[nodiscard]] std::vector<std::uint32_t> first_written(const schema::MtaContainer::Arm& arm,
                                                       const std::vector<Node>& nodes) {
  std::map<std::string_view, std::uint32_t> known;
  std::vector<std::uint32_t> first(nodes.size());
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    const std::string_view text = text_of_part(arm, nodes[i]);
    first[i] = text.empty() ? i : known.try_emplace(text, i).first->second;
    if (nodes[first[i]].kind != nodes[i].kind) first[i] = i;
  }
  return first;
}

}  // namespace

bool is_sender(const Node& node) {
  return node.kind == Node::Kind::variable && node.text.starts_with("sender");
}

bool asks_sender(const schema::MtaExpression& expression) {
  return std::any_of(expression.nodes.begin(), expression.nodes.end(), is_sender);
}

std::string_view text_of_part(const schema::MtaContainer::Arm& arm, const Node& node) {
  if (node.begin >= node.end || node.end > arm.text.size()) return {};
  const std::string_view text =
      trim(std::string_view(arm.text).substr(node.begin, node.end - node.begin));
  for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
    if (at + 1 < text.size() && is_digit(text[at + 1])) return {};
  }
  return text;
}

std::vector<OfSender> of_sender(const std::vector<Node>& nodes) {
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

std::vector<std::uint32_t> mixed_nodes(const std::vector<Node>& nodes) {
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

schema::MtaExpression for_recipient(const schema::MtaExpression& expression,
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

bool has_capture_alone(const schema::MtaExpression& expression) {
  const auto found =
      std::find_if(expression.nodes.begin(), expression.nodes.end(), [](const Node& node) {
        return node.kind == Node::Kind::capture || node.kind == Node::Kind::matches;
      });
  return found != expression.nodes.end() && found->kind == Node::Kind::capture;
}

WaysOfCondition ways_of(const schema::MtaContainer::Arm& arm,
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

std::string written_answers(const schema::MtaContainer::Arm& arm, std::size_t number,
                            const Answers& answers) {
  std::string text;
  for (const auto& [node, is_true] : answers) {
    const std::string_view part = text_of_part(arm, arm.condition.nodes[node]);
    text += is_true ? "+ " : "- ";
    text += part.empty() ? fmt::format("{} {}", number, node) : std::string(part);
    text += '\n';
  }
  return text;
}

void add_all_of(std::vector<Node>& nodes, std::optional<std::uint32_t> first,
                const std::vector<std::pair<std::uint32_t, bool>>& answers) {
  const auto add = [&](Node::Kind kind, std::vector<std::uint32_t> children) {
    Node& node = nodes.emplace_back();
    node.kind = kind;
    if (kind == Node::Kind::binary) node.op = Node::Operator::logical_and;
    node.children = std::move(children);
    return static_cast<std::uint32_t>(nodes.size() - 1);
  };
  std::optional<std::uint32_t> all = first;
  for (const auto& [node, is_true] : answers) {
    const std::uint32_t one = is_true ? node : add(Node::Kind::negate, {node});
    all = all ? add(Node::Kind::binary, {*all, one}) : one;
  }
  if (all && *all + 1 != nodes.size()) add(Node::Kind::binary, {*all, *all});
}

schema::MtaExpression question_of(const schema::MtaExpression& expression, const Answers& answers) {
  schema::MtaExpression question;
  const std::uint32_t last = answers.rbegin()->first;
  question.nodes.assign(expression.nodes.begin(),
                        expression.nodes.begin() + static_cast<std::ptrdiff_t>(last) + 1);
  add_all_of(question.nodes, std::nullopt, {answers.begin(), answers.end()});
  return question;
}

schema::MtaExpression is_text(const schema::MtaExpression& expression, std::uint32_t number,
                              std::string text) {
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

}  // namespace plan::flow
