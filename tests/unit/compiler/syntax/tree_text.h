#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "compiler/ir/json.h"
#include "compiler/syntax/scalar.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

/// What a tree means, whatever it was read from: tags, values with their types, keys in order of
/// their names.
inline std::string tree_text(const Node& node) {
  std::string text = node.tag.empty() ? "" : std::string(node.tag.text()) + " ";
  switch (node.kind) {
    case NodeKind::null:
      return text + "null";
    case NodeKind::scalar:
      return text + ir::write_json(node.tag.empty() ? scalar_value(node) : ir::Value(node.text));
    case NodeKind::sequence: {
      text += "[";
      for (const Node& item : node.items) text += tree_text(item) + ", ";
      return text + "]";
    }
    case NodeKind::mapping: {
      std::vector<std::string> entries;
      for (const Entry& entry : node.entries)
        entries.push_back(ir::write_json(entry.key) + ": " + tree_text(entry.value) + ",\n");
      std::sort(entries.begin(), entries.end());
      text += "{";
      for (const std::string& entry : entries) text += entry;
      return text + "}";
    }
  }
  return text;
}

}  // namespace plan::syntax
