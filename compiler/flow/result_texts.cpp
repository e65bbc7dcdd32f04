#include "compiler/flow/result_texts.h"

#include <cstddef>
#include <optional>
#include <string_view>

#include "compiler/flow/sender_ways.h"

namespace plan::flow {

using Node = schema::MtaNode;

namespace {

constexpr std::size_t kTextsMax = 16;  // texts that one result gives

void add_way(const WayToText& way, ResultTexts& texts) {
  if (way.answers.empty()) return;
  if (texts.ways.size() < kTextsMax) {
    texts.ways.push_back(way);
  } else {
    texts.is_beyond = true;
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

void add_texts(const std::vector<Node>& nodes, const std::vector<OfSender>& of,
               std::uint32_t number, WayToText& way, ResultTexts& texts) {
  const Node& node = nodes[number];
  if (!of[number].has_sender) return add_way(way, texts);
  const bool is_choice = node.kind == Node::Kind::call && node.text == "if_then";
  if (is_choice || is_question(node)) {
    if (is_choice) way.choices.push_back(number);
    for (const bool is_true : {true, false}) {
      way.answers.emplace_back(is_choice ? node.children[0] : number, is_true);
      if (is_choice) {
        add_texts(nodes, of, node.children[is_true ? 1 : 2], way, texts);
      } else {
        add_way(way, texts);
      }
      way.answers.pop_back();
    }
    if (is_choice) way.choices.pop_back();
    return;
  }
  // Whose key is in a map is among those who are tried.
  if (node.kind != Node::Kind::call || node.text != "key_get") texts.is_beyond = true;
  add_way(way, texts);
}

}  // namespace

ResultTexts result_texts(const schema::MtaExpression& result) {
  ResultTexts texts;
  WayToText way;
  add_texts(result.nodes, of_sender(result.nodes),
            static_cast<std::uint32_t>(result.nodes.size() - 1), way, texts);
  return texts;
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
  std::optional<std::uint32_t> first;
  if (begin != 0) first = begin - 1;
  std::vector<std::pair<std::uint32_t, bool>> answers = way.answers;
  for (auto& [number, is_true] : answers) number += begin;
  add_all_of(nodes, first, answers);
  return both;
}

}  // namespace plan::flow
