#include "runtime/server/stalwart/wire_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/ir/json.h"
#include "compiler/ir/secrets.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/server/stalwart/limits.h"

namespace plan::server::stalwart {
namespace {

bool is_number_text(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// {"0": {...}, "1": {...}}
bool is_numbered(const ir::Value& value) {
  if (!value.is_map() || value.size() == 0) return false;
  for (const auto& [key, item] : value.members()) {
    if (!is_number_text(key)) return false;
  }
  return true;
}

/// {"a": true, "b": true}
bool is_set(const ir::Value& value) {
  if (!value.is_map()) return false;
  for (const auto& [key, item] : value.members()) {
    if (!item.is_bool()) return false;
    if (!item.bool_or(false)) return false;
  }
  return true;
}

bool is_expression(const ir::Value& value) {
  if (!value.is_map() || !value.members().contains("else")) return false;
  for (const auto& [key, item] : value.members()) {
    if (key != "else" && key != "match") return false;
  }
  return true;
}

std::string join(const std::string& path, std::string_view member) {
  if (is_number_text(member)) return fmt::format("{}[{}]", path, member);
  return path.empty() ? std::string(member) : fmt::format("{}.{}", path, member);
}

std::string pointer(const std::string& base, std::string_view member) {
  std::string escaped;
  for (const char c : member) {
    if (c == '~')
      escaped += "~0";
    else if (c == '/')
      escaped += "~1";
    else
      escaped.push_back(c);
  }
  return base.empty() ? escaped : base + "/" + escaped;
}

/// Items of a numbered list in the order of their numbers.
std::vector<const ir::Value*> numbered_items(const ir::Value& value) {
  std::vector<std::pair<std::string_view, const ir::Value*>> items;
  for (const auto& [key, item] : value.members()) items.emplace_back(key, &item);
  std::sort(items.begin(), items.end(), [](const auto& left, const auto& right) {
    return left.first.size() != right.first.size() ? left.first.size() < right.first.size()
                                                   : left.first < right.first;
  });
  std::vector<const ir::Value*> sorted;
  for (const auto& [key, item] : items) sorted.push_back(item);
  return sorted;
}

bool holds_mask(const ir::Value& value) {
  if (is_mask(value)) return true;
  for (const auto& [key, item] : value.members()) {
    if (holds_mask(item)) return true;
  }
  return false;
}

/// For a person: no secret, no mask.
ir::Value shown(const ir::Value& value) {
  if (value.is_secret() || is_mask(value)) return "(secret)";
  if (value.is_map()) {
    ir::Value copy = ir::Value::map();
    for (const auto& [key, item] : value.members()) copy.set(key, shown(item));
    return copy;
  }
  return value;
}

bool are_equal(const ir::Value& wanted, const ir::Value& live) {
  if (wanted.is_number() && live.is_number()) {
    if (wanted.is_integer() && live.is_integer()) return wanted == live;
    return wanted.number_or(0) == live.number_or(0);
  }
  return wanted == live;
}

enum class Shape { leaf, secret, set, numbered, expression, members };

Shape shape_of(const ir::Value& wanted, const ir::Value& live) {
  if (wanted.is_secret()) return Shape::secret;
  if (!wanted.is_map()) return Shape::leaf;
  if (is_expression(wanted)) return Shape::expression;
  if (is_numbered(wanted) || is_numbered(live)) return Shape::numbered;
  if (is_set(wanted) && (is_set(live) || live.is_null())) return Shape::set;
  return Shape::members;
}

bool is_same(const ir::Value& wanted, const ir::Value& live) {
  std::vector<ir::Difference> differences;
  compare({}, wanted, live, differences);
  return differences.empty();
}

ir::Value to_wire_at(const ir::Value& planned, std::size_t depth) {
  if (depth > kValueDepthMax) return planned;
  if (planned.is_list()) {
    const bool is_all_text = std::all_of(planned.items().begin(), planned.items().end(),
                                         [](const ir::Value& item) { return item.is_string(); });
    ir::Value wire = ir::Value::map();
    std::size_t number = 0;
    for (const ir::Value& item : planned.items()) {
      if (is_all_text)
        wire.set(item.as_string(), true);
      else
        wire.set(std::to_string(number++), to_wire_at(item, depth + 1));
    }
    return wire;
  }
  if (planned.is_map()) {
    ir::Value wire = ir::Value::map();
    if (is_expression(planned) && !planned.members().contains("match"))
      wire.set("match", ir::Value::map());
    for (const auto& [key, item] : planned.members()) wire.set(key, to_wire_at(item, depth + 1));
    return wire;
  }
  return planned;
}

void add_patches(const std::string& base, const ir::Value& wanted, const ir::Value& live,
                 ir::Value& patch, std::size_t depth) {
  for (const auto& [key, value] : wanted.members()) {
    const ir::Value& now = live[key];
    const bool has_secret = ir::holds_secret(value);
    if (!has_secret && is_same(value, now)) continue;
    const std::string at = pointer(base, key);
    const bool is_same_variant = value["@type"].is_null() || value["@type"] == now["@type"];
    const bool can_descend = depth < kValueDepthMax && shape_of(value, now) == Shape::members &&
                             now.is_map() && now.size() > 0 && value.size() > 0 && is_same_variant;
    if (can_descend) {
      add_patches(at, value, now, patch, depth + 1);
      continue;
    }
    if (key == "@type" && !base.empty())
      continue;  // `x/@type` is no patch; the variant is the same when we come here
    patch.set(at, value);
  }
}

}  // namespace

ir::Value to_wire(const ir::Value& planned) { return to_wire_at(planned, 0); }

void compare(const std::string& path, const ir::Value& wanted, const ir::Value& live,
             std::vector<ir::Difference>& differences) {
  const auto differ = [&] {
    differences.push_back({.path = path, .is = shown(live), .wanted = shown(wanted)});
  };
  switch (shape_of(wanted, live)) {
    case Shape::secret:
      if (live.is_null()) differ();
      return;
    case Shape::leaf:
      if (!are_equal(wanted, live)) differ();
      return;
    case Shape::set:
      if (!(wanted == live) && !(wanted.size() == 0 && live.is_null())) differ();
      return;
    case Shape::expression:
      if (!is_same(wanted["match"], live["match"]) || !are_equal(wanted["else"], live["else"]))
        differ();
      return;
    case Shape::numbered: {
      if (!live.is_map() || wanted.size() != live.size()) return differ();
      const auto left = numbered_items(wanted);
      const auto right = numbered_items(live);
      for (std::size_t i = 0; i < left.size(); ++i) {
        compare(fmt::format("{}[{}]", path, i), *left[i], *right[i], differences);
      }
      return;
    }
    case Shape::members:
      if (!live.is_map()) return differ();
      if (wanted.size() == 0 && live.size() > 0) return differ();
      for (const auto& [key, value] : wanted.members())
        compare(join(path, key), value, live[key], differences);
      return;
  }
}

void compare_members(const ir::Value& wanted, const ir::Value& live,
                     std::vector<ir::Difference>& differences) {
  for (const auto& [key, value] : wanted.members()) compare(key, value, live[key], differences);
}

ir::Value patch_for(const ir::Value& wanted, const ir::Value& live) {
  ir::Value patch = ir::Value::map();
  const ir::Value& variant = wanted["@type"];
  if (!variant.is_null() && !(variant == live["@type"]))
    return wanted;  // another variant: the object is rebuilt
  add_patches({}, wanted, live, patch, 0);
  return patch;
}

ir::Value touched_by(const ir::Value& wanted, const ir::Value& live) {
  ir::Value touched = ir::Value::map();
  for (const auto& [key, value] : wanted.members()) {
    if (holds_mask(live[key])) continue;
    touched.set(key, without_server_members(live[key]));
  }
  return touched;
}

bool fits(const ir::Value& match, const ir::Value& live) {
  const auto bare = [](std::string_view text) {
    if (text.ends_with("/32") && text.find(':') == std::string_view::npos) text.remove_suffix(3);
    if (text.ends_with("/128") && text.find(':') != std::string_view::npos) text.remove_suffix(4);
    return text;
  };
  for (const auto& [key, value] : match.members()) {
    const ir::Value& now = live[key];
    if (value.is_string() && now.is_string() && bare(value.as_string()) == bare(now.as_string()))
      continue;
    if (!is_same(value, now)) return false;
  }
  return true;
}

Result<ir::Value> with_secrets(const ir::Value& value, secret::SecretSource& secrets) {
  if (value.is_secret()) {
    PLAN_TRY(text, secrets.read(value.as_secret()));
    return ir::Value(text.reveal_for("a member of a registry object"));
  }
  if (value.is_map()) {
    ir::Value copy = ir::Value::map();
    for (const auto& [key, item] : value.members()) {
      PLAN_TRY(resolved, with_secrets(item, secrets));
      copy.set(key, std::move(resolved));
    }
    return copy;
  }
  if (value.is_list()) {
    ir::Value copy = ir::Value::list();
    for (const ir::Value& item : value.items()) {
      PLAN_TRY(resolved, with_secrets(item, secrets));
      copy.push_back(std::move(resolved));
    }
    return copy;
  }
  return value;
}

bool has_outputs(const ir::Value& value) {
  if (value.is_output()) return true;
  for (const ir::Value& item : value.items()) {
    if (has_outputs(item)) return true;
  }
  for (const auto& [key, item] : value.members()) {
    if (has_outputs(item)) return true;
  }
  return false;
}

bool is_mask(const ir::Value& value) {
  return value.is_string() && (value.as_string() == "****" || value.as_string() == "*****");
}

ir::Value without_server_members(const ir::Value& object) {
  constexpr std::array<std::string_view, 7> kServerSet = {
      "id",          "createdAt",     "credentialId", "emailAddress",
      "dnsZoneFile", "usedDiskQuota", "updatedAt"};
  if (!object.is_map()) return object;
  ir::Value copy = ir::Value::map();
  for (const auto& [key, value] : object.members()) {
    if (std::find(kServerSet.begin(), kServerSet.end(), key) != kServerSet.end() || is_mask(value))
      continue;
    copy.set(key, without_server_members(value));
  }
  return copy;
}

ir::Value make_set(const std::vector<std::string>& members) {
  ir::Value set = ir::Value::map();
  for (const std::string& member : members) set.set(member, true);
  return set;
}

}  // namespace plan::server::stalwart
