#include "compiler/lower/written_place.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "compiler/lower/given_place.h"
#include "compiler/source/text.h"
#include "compiler/syntax/expression.h"
#include "compiler/syntax/tree_value.h"

namespace plan::lower {
namespace {

using syntax::Entry;
using syntax::Expression;
using syntax::Node;

/// A name that stands for a name that stands for a name: so many are followed.
constexpr std::size_t kNamesMax = 32;

/// `credentials/0/secret` as a path: `credentials.0.secret`.
std::string path_of_pointer(std::string_view key) {
  if (key.starts_with('/')) key.remove_prefix(1);
  std::string path;
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key.substr(i).starts_with("~1") || key.substr(i).starts_with("~0")) {
      path += key[++i] == '1' ? '/' : '~';
    } else {
      path += key[i] == '/' ? '.' : key[i];
    }
  }
  return path;
}

/// How much of the path this key is; nothing: it begins with another one.
std::optional<std::size_t> taken_by(std::string_view key, std::string_view path) {
  const auto is_taken = [&](std::string_view words) {
    return !words.empty() && path.starts_with(words) &&
           (path.size() == words.size() || path[words.size()] == '.');
  };
  if (is_taken(key)) return key.size();
  if (key.find('/') == std::string_view::npos) return std::nullopt;
  const std::string pointer = path_of_pointer(key);
  return is_taken(pointer) ? std::optional(pointer.size()) : std::nullopt;
}

std::string_view behind(std::string_view path, std::size_t taken) {
  return taken < path.size() ? path.substr(taken + 1) : std::string_view();
}

/// The value of this tree that stands there.
const Node* value_in(const Node& tree, Span place) {
  if (tree.span == place) return &tree;
  for (const Node& item : tree.items) {
    if (const Node* found = value_in(item, place); found != nullptr) return found;
  }
  for (const Entry& entry : tree.entries) {
    if (const Node* found = value_in(entry.value, place); found != nullptr) return found;
  }
  return nullptr;
}

/// Of a scalar its value, of what holds others its name.
Span own_span(const Node* node, Span key) {
  if (node->is_scalar() && node->span.end > node->span.begin) return node->span;
  return key.is_known() ? key : node->span;
}

/// `settings.mta.route` and nothing else: the name, and the path behind it.
struct PlainName {
  std::string name = {};
  std::string members = {};
};
std::optional<PlainName> plain_name(const Node& value, const SourceSet& sources) {
  Sink unheard;
  const auto text = syntax::parse_template(value, sources, unheard);
  if (!text || text->parts.size() != 1 || !text->parts.front().expression) return std::nullopt;
  PlainName plain;
  const Expression* e = &*text->parts.front().expression;
  while (e->kind == Expression::Kind::member) {
    plain.members = plain.members.empty() ? e->text : e->text + "." + plain.members;
    e = &e->operands[0];
  }
  if (e->kind != Expression::Kind::name) return std::nullopt;
  plain.name = e->text;
  return plain;
}

}  // namespace

void WrittenPlaces::index() {
  if (is_indexed_) return;
  is_indexed_ = true;
  for (const ModuleInstance& module : modules_) {
    const Node* steps = module.tree == nullptr ? nullptr : module.tree->find("steps");
    if (steps == nullptr) continue;
    for (const Node& step : steps->items) {
      const Node* id = step.find("id");
      if (id == nullptr) continue;
      const Step written{&module, &step};
      by_id_.emplace(module.prefix + id->text, written);
      by_place_.emplace(std::pair(id->span.file, id->span.begin), written);
    }
  }
}

WrittenPlaces::Step WrittenPlaces::find(std::string_view step, Span id) {
  if (!id.is_known()) return {};
  index();
  if (const auto named = by_id_.find(std::string(step));
      named != by_id_.end() && named->second.node->find("id")->span == id)
    return named->second;
  const auto found = by_place_.find(std::pair(id.file, id.begin));
  return found == by_place_.end() ? Step{} : found->second;
}

WrittenPlaces::Found WrittenPlaces::walk(const Node& from, std::string_view path) {
  Found found{&from, {}, path};
  while (!found.rest.empty()) {
    if (found.node->is_sequence()) {
      const std::string_view part = found.rest.substr(0, found.rest.find('.'));
      std::size_t at = 0;
      const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), at);
      if (error != std::errc{} || end != part.data() + part.size()) break;
      const auto& items = found.node->items;
      // Nobody knows how many items the ones with `for` stand for: the last of them may be any.
      const auto repeated = std::find_if(items.begin(), items.end(),
                                         [](const Node& item) { return item.tag.is("!for"); });
      const auto before = static_cast<std::size_t>(repeated - items.begin());
      if (at >= before) {
        if (before + 1 == items.size()) found.node = &items[before];
        break;
      }
      found = {&items[at], {}, behind(found.rest, part.size())};
      continue;
    }
    const Entry* inner = nullptr;
    std::size_t taken = 0;
    for (const Entry& entry : found.node->entries) {
      const auto size = taken_by(entry.key, found.rest);
      if (!size || *size < taken) continue;
      inner = &entry;
      taken = *size;
    }
    if (inner == nullptr) break;
    found = {&inner->value, inner->key_span, behind(found.rest, taken)};
  }
  return found;
}

WrittenPlaces::Found WrittenPlaces::argument(const Node& step, std::string_view path) {
  const Node* arguments = step.find("args");
  if (arguments == nullptr) return {};
  const Node* set = arguments->find("set");
  const Node* match = arguments->find("match");
  const Found found = walk(*arguments, path);
  const bool is_there = found.node != arguments && (found.node != set || found.rest.empty());
  if (is_there) return found;
  // What an object is found by is a member of it too.
  constexpr std::string_view kSet = "set.";
  if (match != nullptr && path.starts_with(kSet)) {
    const Found of_match = walk(*match, path.substr(kSet.size()));
    if (of_match.node != match || match->is_scalar()) return of_match;
  }
  if (found.node->is_scalar()) return found;  // one name gives all of it
  return {};
}

Span WrittenPlaces::given(std::string_view step, Span id, std::string_view path) {
  const Step written = find(step, id);
  if (written.node == nullptr) return {};
  const Node* value = argument(*written.node, path).node;
  const Node* arguments = written.node->find("args");
  if (value == nullptr && arguments != nullptr) {
    value = arguments->find("match");
    if (value == nullptr) value = arguments;
  }
  return value == nullptr ? Span{} : given_place_in(*value, *written.module, sources_);
}

Span WrittenPlaces::written(std::string_view step, Span id, std::string_view path, bool is_name) {
  const Step written = find(step, id);
  if (written.node == nullptr) return {};
  const Found found = argument(*written.node, path);
  if (found.node == nullptr) return {};
  if (is_name && found.rest.empty() && found.key.is_known()) return found.key;
  const Node* rows = written.node->find("for");
  if (rows != nullptr && rows->is_scalar()) {
    const std::string_view variable = std::string_view(rows->text).substr(0, rows->text.find(' '));
    if (!variable.empty() && mentions_in(*found.node, variable)) return {};
  }
  return span_of(found, *written.module, is_name);
}

Span WrittenPlaces::span_of(Found found, const ModuleInstance& of, bool is_name) {
  const ModuleInstance* module = &of;
  std::string path;  // of what is looked for, in what a name stands for
  for (std::size_t names = 0; names < kNamesMax && found.node->is_scalar(); ++names) {
    const auto plain = plain_name(*found.node, sources_);
    if (!plain) break;
    std::string members = plain->members;
    if (!found.rest.empty()) members += fmt::format("{}{}", members.empty() ? "" : ".", found.rest);
    const Node* lets = module->tree->find("let");
    const Node* value = lets == nullptr ? nullptr : lets->find(plain->name);
    if (value == nullptr) {
      const Span place = value_of(*module, plain->name);
      if (!place.is_known()) break;
      value = value_at(place);
      module = module_at(modules_, place);
      if (value == nullptr) return place;
    }
    path = std::move(members);
    found = walk(*value, path);
    if (found.node == value && !value->is_scalar()) return value->span;
  }
  if (is_name && found.rest.empty() && found.key.is_known()) return found.key;
  return own_span(found.node, found.key);
}

Span WrittenPlaces::in_value(Span value, std::string_view path, bool is_name) {
  const Node* whole = value_at(value);
  if (whole == nullptr) return value;
  const Found found = walk(*whole, path);
  if (found.node == whole && !whole->is_scalar()) return value;
  return span_of(found, *module_at(modules_, value), is_name);
}

Span WrittenPlaces::value_of(const ModuleInstance& module, std::string_view name) {
  const auto [known, is_new] = names_.try_emplace(std::pair(&module, std::string(name)));
  if (!is_new) return known->second;
  Span& place = known->second;
  if (const auto given = module.given.find(std::string(name)); given != module.given.end())
    return place = given->second;
  if (module.tree == nullptr) return place;
  const Node* inputs = module.tree->find("inputs");
  const Node* input = inputs == nullptr ? nullptr : inputs->find(name);
  const Node* fallback =
      input == nullptr || !input->is_mapping() ? nullptr : input->find("default");
  const ir::Value* value = module.scope.find(name);
  if (fallback == nullptr || value == nullptr) return place;
  // Another value comes from the plan, or from the module that uses this one.
  Sink unheard;
  const auto own = syntax::value_of_tree(*fallback, module.scope, module.types, sources_, unheard);
  if (own && *own == *value) place = fallback->span;
  return place;
}

const Node* WrittenPlaces::value_at(Span place) {
  const auto key = std::tuple(place.file, place.begin, place.end);
  if (const auto known = values_.find(key); known != values_.end()) return known->second;
  const ModuleInstance* module = module_at(modules_, place);
  const Node* value = module == nullptr ? nullptr : value_in(*module->tree, place);
  values_.emplace(key, value);
  return value;
}

bool WrittenPlaces::mentions_in(const Node& node, std::string_view name) const {
  if (node.is_scalar()) {
    Sink unheard;
    const auto text = syntax::parse_template(node, sources_, unheard);
    return text && mentions(*text, name);
  }
  return std::any_of(node.items.begin(), node.items.end(),
                     [&](const Node& item) { return mentions_in(item, name); }) ||
         std::any_of(node.entries.begin(), node.entries.end(),
                     [&](const Entry& entry) { return mentions_in(entry.value, name); });
}

}  // namespace plan::lower
