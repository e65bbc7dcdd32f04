#pragma once
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "compiler/syntax/scalar.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

/// Trees as a file may have them, with texts that are hard to write; the same for the same seed.
class Trees {
 public:
  explicit Trees(unsigned seed) : random_(seed) {}

  Node mapping(std::size_t depth) {
    Node node;
    node.kind = NodeKind::mapping;
    const std::size_t count = below(5);
    for (std::size_t i = 0; i < count; ++i)
      node.entries.push_back(Entry{text() + std::to_string(i), {}, value(depth)});
    return node;
  }
  Node root() {
    Node node = mapping(4);
    node.entries.push_back(Entry{"always", {}, scalar()});
    if (below(2) == 0) node.entries.push_back(Entry{"module", {}, scalar()});
    if (below(2) == 0) node.entries.push_back(Entry{"use", {}, value(2)});
    if (below(2) == 0) {
      Node steps;
      steps.kind = NodeKind::sequence;
      for (std::size_t i = below(3) + 1; i > 0; --i) steps.items.push_back(step());
      node.entries.push_back(Entry{"steps", {}, std::move(steps)});
    }
    return node;
  }
  /// With everything that the plan language has statements for.
  Node file() {
    Node node = root();
    const auto add = [&](const char* key, Node inner) {
      if (node.find_entry(key) == nullptr) node.entries.push_back(Entry{key, {}, std::move(inner)});
    };
    if (below(2) == 0) add("inputs", inputs());
    if (below(2) == 0) {
      Node lets;
      lets.kind = NodeKind::mapping;
      for (std::size_t i = below(3) + 1; i > 0; --i)
        lets.entries.push_back(Entry{"let" + std::to_string(i), {}, value(2)});
      add("let", std::move(lets));
    }
    if (below(2) == 0) add("use", uses());
    if (below(2) == 0) {
      Node list;
      list.kind = NodeKind::sequence;
      for (std::size_t i = below(2) + 1; i > 0; --i)
        list.items.push_back(below(3) == 0 ? value(2) : each());
      add("list", std::move(list));
    }
    return node;
  }

 private:
  static Node plain(const char* words) {
    Node node;
    node.kind = NodeKind::scalar;
    node.text = words;
    return node;
  }
  Node inputs() {
    Node node;
    node.kind = NodeKind::mapping;
    for (std::size_t i = below(3) + 1; i > 0; --i) {
      Node input = plain(below(2) == 0 ? "text" : "list(text)?");
      if (below(2) == 0) {
        Node with_default;
        with_default.kind = NodeKind::mapping;
        with_default.entries.push_back(Entry{"type", {}, std::move(input)});
        with_default.entries.push_back(Entry{"default", {}, value(1)});
        input = std::move(with_default);
      }
      node.entries.push_back(Entry{"input" + std::to_string(i), {}, std::move(input)});
    }
    return node;
  }
  Node use() {
    if (below(3) == 0) return plain("std/x");
    Node node;
    node.kind = NodeKind::mapping;
    node.entries.push_back(Entry{"module", {}, plain("./x.plan")});
    if (below(2) == 0) node.entries.push_back(Entry{"as", {}, plain("x")});
    if (below(2) == 0) node.entries.push_back(Entry{"digest", {}, plain("sha256:a")});
    if (below(2) == 0) node.entries.push_back(Entry{"with", {}, mapping(2)});
    return node;
  }
  Node uses() {
    if (below(2) == 0) return use();
    Node node;
    node.kind = NodeKind::sequence;
    for (std::size_t i = below(3) + 1; i > 0; --i) node.items.push_back(use());
    return node;
  }
  /// `for d in ... [ ... ]`
  Node each() {
    Node give;
    give.kind = NodeKind::sequence;
    for (std::size_t i = below(3); i > 0; --i) give.items.push_back(value(1));
    Node node;
    node.kind = NodeKind::mapping;
    node.tag = Tag("!for", Span());
    node.entries.push_back(Entry{"each", {}, plain("d")});
    node.entries.push_back(Entry{"in", {}, value(1)});
    node.entries.push_back(Entry{"give", {}, std::move(give)});
    return node;
  }
  std::size_t below(std::size_t n) { return random_() % n; }
  Node step() {
    Node node;
    node.kind = NodeKind::mapping;
    const auto add = [&](const char* key, Node inner) {
      node.entries.push_back(Entry{key, {}, std::move(inner)});
    };
    add("id", below(3) == 0 ? scalar() : plain("account/{}/x"));
    add("kind", plain("proxy.hold"));
    if (below(2) == 0) add("for", plain("a in rows"));
    if (below(2) == 0) add("stage", plain("waves"));
    if (below(2) == 0) add("when", scalar());
    if (below(2) == 0) add("args", below(4) == 0 ? value(1) : mapping(3));
    if (below(6) == 0) add("other", value(1));
    if (below(2) == 0) {
      Node after;
      after.kind = NodeKind::sequence;
      after.items.push_back(below(3) == 0 ? scalar() : plain("b/{}"));
      add(below(2) == 0 ? "after" : "before", std::move(after));
    }
    return node;
  }
  std::string text() {
    static const std::vector<std::string> kParts = {
        "a",   "word", "x-y", "${a.b}", "${",  "}",    "\"",   "'",
        " ",   ": ",   " #",  "\n",     "1",   "true", "é",    "\\",
        "[",   "{",    ",",   "-",      "$${", "for",  "step", "${f('x', 1) && !y}",
        "20s", "\t",   "."};
    std::string whole;
    for (std::size_t i = below(3) + 1; i > 0; --i) whole += kParts[below(kParts.size())];
    return whole;
  }
  Node scalar() {
    Node node;
    node.kind = NodeKind::scalar;
    node.text = text();
    Node plain = node;
    node.is_quoted = scalar_value(plain).is_string() || below(2) == 0;
    if (below(6) == 0) node.tag = Tag(below(2) == 0 ? "!secret" : "!other", Span());
    return node;
  }
  Node value(std::size_t depth) {
    const std::size_t which = below(depth == 0 ? 2 : 5);
    if (which == 0) return {};
    if (which == 1 || which == 2) return scalar();
    if (which == 3) return mapping(depth - 1);
    Node node;
    node.kind = NodeKind::sequence;
    for (std::size_t i = below(4); i > 0; --i) node.items.push_back(value(depth - 1));
    if (below(5) == 0) node.tag = Tag("!numbered", Span());
    return node;
  }

  std::mt19937 random_;
};

}  // namespace plan::syntax
