#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/span.h"

namespace plan::syntax {

enum class NodeKind : std::uint8_t { null = 0, scalar = 1, sequence = 2, mapping = 3 };
[[nodiscard]] std::string_view to_string(NodeKind kind);

struct Entry;

/// One node of the syntax tree that both front ends (YAML and the plan language) build. A
/// value; knows where every part of it stands. Depth is bounded by the reader.
struct Node {
  NodeKind kind = NodeKind::null;
  bool is_quoted = false;  ///< a quoted or block scalar: always text, never a number
  /// A bare expression of the plan language: `text` is `${...}`, `span` what stands inside.
  bool is_expression = false;
  /// A null where an entry was left out because its syntax is broken (`read_sound_part`).
  bool is_left_out = false;
  Span span = {};         ///< begin and end of the value itself, without its tag
  std::string text = {};  ///< of a scalar, decoded
  std::string tag = {};   ///< "!secret", or empty
  Span tag_span = {};
  std::vector<Node> items = {};  ///< of a sequence
  /// Of a mapping, in the order of the text, keys unique. No initializer: clang would want Entry
  /// complete here.
  std::vector<Entry> entries;

  [[nodiscard]] bool is_null() const { return kind == NodeKind::null; }
  [[nodiscard]] bool is_scalar() const { return kind == NodeKind::scalar; }
  [[nodiscard]] bool is_sequence() const { return kind == NodeKind::sequence; }
  [[nodiscard]] bool is_mapping() const { return kind == NodeKind::mapping; }
  /// The value of `key` in a mapping, or null.
  [[nodiscard]] const Node* find(std::string_view key) const;
  [[nodiscard]] const Entry* find_entry(std::string_view key) const;
};

struct Entry {
  std::string key = {};
  Span key_span = {};
  Node value = {};
};

}  // namespace plan::syntax
