#include "compiler/check/named_results.h"

#include <functional>
#include <optional>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/schema/mta_expression.h"

namespace plan::check {
namespace {

using schema::MtaExpression;
using schema::MtaNode;

/// Every variable and constant is taken: that they are those of the place is the schema's check.
std::optional<MtaExpression> parsed(std::string_view text) {
  static const schema::MtaContext kAnywhere{"anywhere", {}, {}, true};
  schema::MtaError error;
  return schema::parse_mta_expression(text, kAnywhere, &error);
}

/// The text that is the first argument of a call; null when it is none.
const MtaNode* first_text(const MtaExpression& expression, const MtaNode& call) {
  if (call.children.empty()) return nullptr;
  const MtaNode& first = expression.nodes[call.children.front()];
  return first.kind == MtaNode::Kind::text ? &first : nullptr;
}

void take_result(const MtaExpression& expression, const MtaNode& node, NamedResults& results) {
  if (node.kind == MtaNode::Kind::text) {
    if (!node.text.empty()) results.texts.push_back(node.text);
  } else if (node.kind == MtaNode::Kind::call && node.text == "if_then" &&
             node.children.size() == 3) {
    take_result(expression, expression.nodes[node.children[1]], results);
    take_result(expression, expression.nodes[node.children[2]], results);
  } else if (node.kind == MtaNode::Kind::call && node.text == "key_get") {
    if (const MtaNode* name = first_text(expression, node); name != nullptr)
      results.namespaces.push_back(name->text);
  }
}

void each_text(const ir::Value& expression, const std::function<void(std::string_view)>& take) {
  const auto take_part = [&](const ir::Value& part) {
    if (part.is_string()) take(part.as_string());
  };
  const auto take_branch = [&](const ir::Value& branch) {
    take_part(branch["if"]);
    take_part(branch["then"]);
  };
  for (const auto& [number, branch] : expression["match"].members()) take_branch(branch);
  for (const ir::Value& branch : expression["match"].items()) take_branch(branch);
  take_part(expression["else"]);
}

}  // namespace

NamedResults named_results(const ir::Value& expression) {
  NamedResults results;
  for (const std::string_view text : results_of(expression)) {
    if (const auto tree = parsed(text); tree && !tree->nodes.empty())
      take_result(*tree, tree->root(), results);
  }
  return results;
}

std::vector<std::string> namespaces_asked(const ir::Value& expression) {
  std::vector<std::string> namespaces;
  each_text(expression, [&](std::string_view text) {
    // Most texts ask nothing, and a route expression of many domains is long.
    if (text.find("key_") == std::string_view::npos) return;
    const auto tree = parsed(text);
    if (!tree) return;
    for (const MtaNode& node : tree->nodes) {
      if (node.kind != MtaNode::Kind::call || (node.text != "key_get" && node.text != "key_exists"))
        continue;
      if (const MtaNode* name = first_text(*tree, node); name != nullptr)
        namespaces.push_back(name->text);
    }
  });
  return namespaces;
}

TargetNames target_names(const Migration& migration, const char* setting) {
  const ir::Value& list = rules::setting(migration, setting);
  TargetNames names{list.is_list(), {}};
  for (const ir::Value& name : list.items()) {
    if (name.is_string()) names.names.insert(name.as_string());
  }
  return names;
}

}  // namespace plan::check
