#include "compiler/flow/given_texts.h"

#include <cstddef>
#include <optional>
#include <string_view>

#include "compiler/flow/sender_ways.h"

namespace plan::flow {

using Node = schema::MtaNode;

namespace {

constexpr std::size_t kGivenMax = 16;  // texts that one result gives

void add_way(const WayToText& way, GivenTexts& given) {
  if (way.answers.empty()) return;
  if (given.ways.size() < kGivenMax) {
    given.ways.push_back(way);
  } else {
    given.is_beyond = true;
  }
}

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
               std::uint32_t number, WayToText& way, GivenTexts& given) {
  const Node& node = nodes[number];
  if (!of[number].has_sender) return add_way(way, given);
  const bool is_choice = node.kind == Node::Kind::call && node.text == "if_then";
  if (is_choice || is_question(node)) {
    if (is_choice) way.choices.push_back(number);
    for (const bool is_true : {true, false}) {
      way.answers.emplace_back(is_choice ? node.children[0] : number, is_true);
      if (is_choice) {
        add_given(nodes, of, node.children[is_true ? 1 : 2], way, given);
      } else {
        add_way(way, given);
      }
      way.answers.pop_back();
    }
    if (is_choice) way.choices.pop_back();
    return;
  }
  // Whose key is in a map is among those who are tried.
  if (node.kind != Node::Kind::call || node.text != "key_get") given.is_beyond = true;
  add_way(way, given);
}

}  // namespace

GivenTexts given_texts(const schema::MtaExpression& result) {
  GivenTexts given;
  WayToText way;
  add_given(result.nodes, of_sender(result.nodes),
            static_cast<std::uint32_t>(result.nodes.size() - 1), way, given);
  return given;
}

schema::MtaExpression condition_of_way(const schema::MtaExpression& condition,
                                       const schema::MtaExpression& result, const WayToText& way) {
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

}  // namespace plan::flow
