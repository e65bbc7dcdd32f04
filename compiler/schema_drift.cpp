#include "compiler/schema_drift.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/schema/check_value.h"
#include "compiler/schema/required.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

using ir::StepKind;
using ir::Value;
using schema::ObjectType;
using schema::Property;
using schema::Schema;
using schema::Struct;
using schema::Type;
using schema::TypeKind;

constexpr std::size_t kStepsOfShapeMax = 200;  // steps of one shape differ in values only
constexpr std::size_t kStepsNamedMax = 3;
constexpr int kDepthMax = 32;

/// What one step writes of an object.
struct Written {
  std::string type = {};
  std::string variant = {};
  Value value = Value::map();
  std::vector<std::string> unknown = {};  ///< properties whose values the step finds when it runs
  bool is_create = false;                 ///< what is required has to be given
  bool is_known = false;                  ///< the values are those that the server gets
};

Written without_values(const char* type, const char* variant,
                       std::initializer_list<const char*> properties) {
  Written written;
  written.type = type;
  written.variant = variant;
  written.unknown.assign(properties.begin(), properties.end());
  written.is_create = true;
  return written;
}

/// Of admin.upsert, admin.update and admin.destroy.
Written of_arguments(StepKind kind, const Value& arguments) {
  Written written;
  written.type = arguments["object"].string_or("");
  if (written.type.starts_with("x:")) written.type.erase(0, 2);
  for (const char* part : {"match", "set"}) {
    for (const auto& [name, value] : arguments[part].members()) written.value.set(name, value);
  }
  written.variant = written.value["@type"].string_or("");
  written.is_create = kind == StepKind::admin_upsert;
  written.is_known = kind != StepKind::admin_destroy;
  return written;
}

/// What a step writes: an object of one type, or of several.
std::vector<Written> written_by(const ir::StepGraph& graph, ir::StepId step) {
  switch (graph.kind(step)) {
    case StepKind::admin_upsert:
    case StepKind::admin_update:
    case StepKind::admin_destroy:
      return {of_arguments(graph.kind(step), graph.arguments(step))};
    case StepKind::admin_account:
      return {without_values("Account", "User",
                             {"name", "domainId", "aliases", "credentials", "roles", "permissions",
                              "quotas", "description"})};
    case StepKind::admin_list:
      return {without_values("MailingList", "", {"name", "domainId", "recipients", "aliases"})};
    case StepKind::admin_keys:
      // The second is the account's generation.
      return {without_values("MemoryLookupKey", "", {"namespace", "key", "isGlobPattern"}),
              without_values("MemoryLookupKeyValue", "",
                             {"namespace", "key", "value", "isGlobPattern"})};
    case StepKind::admin_action: {
      Written written = without_values("Action", "", {});
      written.variant = graph.arguments(step)["action"].string_or("");
      written.is_create = !written.variant.empty();
      return {std::move(written)};
    }
    default:
      return {};
  }
}

class Comparison {
 public:
  Comparison(const Schema& before, const Schema& after) : before_(before), after_(after) {}

  /// What has changed for what is written; empty: nothing.
  std::vector<std::string> changes(const Written& written) {
    found_.clear();
    visited_.clear();
    const ObjectType* was = before_.resolved(written.type);
    const ObjectType* is = after_.resolved(written.type);
    if (was == nullptr && is == nullptr) return {};
    if (is == nullptr) return {"there is no such type any more"};
    if (was == nullptr) return {"the type is new"};
    if (was->kind != is->kind)
      found_.push_back(
          fmt::format("it was a {}, and is a {}", to_string(was->kind), to_string(is->kind)));
    if (!was->is_enterprise && is->is_enterprise) found_.emplace_back("it needs a licence now");
    for (const std::string& name : written.unknown)
      compare_property(find(*was, written.variant, name), find(*is, written.variant, name), nullptr,
                       name, 0);
    compare_object(*was, *is, written.variant, written.value, "", 0);
    if (written.is_create) compare_required(*was, *is, written.variant, written, "", 0);
    if (written.is_known) compare_refusals(written);
    return std::move(found_);
  }

 private:
  void add(std::string_view path, std::string_view what) {
    std::string line = fmt::format("`{}` {}", path, what);
    if (std::find(found_.begin(), found_.end(), line) == found_.end())
      found_.push_back(std::move(line));
  }
  static std::string joined(std::string_view path, std::string_view name) {
    return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
  }

  /// Of a union whose variant is not said each variant may be the one.
  static const Property* find(const ObjectType& type, std::string_view variant,
                              std::string_view name) {
    for (const schema::Variant& one : type.variants) {
      if (one.fields == nullptr) continue;
      if (type.is_multiple && !variant.empty() && one.name != variant) continue;
      if (const Property* property = one.fields->find(name)) return property;
    }
    return nullptr;
  }

  void compare_object(const ObjectType& was, const ObjectType& is, const std::string& variant,
                      const Value& value, const std::string& path, int depth) {
    if (depth > kDepthMax) return;
    if (was.is_multiple && !variant.empty() && was.variant(variant) != nullptr &&
        is.variant(variant) == nullptr) {
      if (path.empty()) {
        found_.push_back(fmt::format("there is no variant `{}` any more", variant));
      } else {
        add(path, fmt::format("has no variant `{}` any more", variant));
      }
      return;
    }
    for (const auto& [key, member] : value.members()) {
      if (key == "@type") continue;
      // A pointer of an update: what stands at its end is looked at with all of the property.
      const std::string_view whole = std::string_view(key).substr(key.starts_with('/') ? 1 : 0);
      const std::string name(whole.substr(0, whole.find('/')));
      compare_property(find(was, variant, name), find(is, variant, name),
                       name.size() == whole.size() ? &member : nullptr, joined(path, name), depth);
    }
  }

  /// What a create has to give that it had not to give before.
  void compare_required(const ObjectType& was, const ObjectType& is, const std::string& variant,
                        const Written& written, const std::string& path, int depth) {
    const Struct* fields = is.fields(is.is_multiple ? variant : std::string());
    if (fields == nullptr) return;
    schema::RequiredProperties now(after_);
    schema::RequiredProperties then(before_);
    for (const Property& property : fields->properties()) {
      if (written.value.members().contains(property.name)) continue;
      if (std::find(written.unknown.begin(), written.unknown.end(), property.name) !=
          written.unknown.end())
        continue;
      if (!now.is_required(property, depth)) continue;
      const Property* earlier = find(was, variant, property.name);
      if (earlier != nullptr && then.is_required(*earlier, depth)) continue;
      add(joined(path, property.name), earlier == nullptr
                                           ? "is new and has to be given, which the step does not"
                                           : "has to be given now, which the step does not");
    }
  }

  void compare_property(const Property* was, const Property* is, const Value* value,
                        const std::string& path, int depth) {
    if (was == nullptr && is == nullptr) return;
    if (is == nullptr) return add(path, "is not there any more");
    if (was == nullptr) return add(path, "is new");
    if (!was->is_enterprise && is->is_enterprise) add(path, "needs a licence now");
    if (was->update != is->update) {
      switch (is->update) {
        case schema::Update::server_set:
          return add(path, "is set by the server now");
        case schema::Update::immutable:
          return add(path, "cannot be changed any more");
        case schema::Update::can_change:
          return add(path, "can be changed now");
      }
    }
    compare_type(was->type, is->type, value, path, depth);
  }

  /// Of a list as a plan or as the wire has it.
  static std::vector<const Value*> members_of(const Value& list) {
    std::vector<const Value*> members;
    for (const Value& item : list.items()) members.push_back(&item);
    for (const auto& [unused, item] : list.members()) members.push_back(&item);
    return members;
  }

  void compare_type(const Type& was, const Type& is, const Value* value, const std::string& path,
                    int depth) {
    if (depth > kDepthMax) return;
    if (was.notation() != is.notation())
      return add(path, fmt::format("was `{}`, is `{}`", was.notation(), is.notation()));
    switch (was.kind) {
      case TypeKind::enumeration:
        return compare_enumeration(was.reference, value, path);
      case TypeKind::object:
        return compare_embedded(was.reference, value, path, depth + 1);
      case TypeKind::object_list:
        if (value == nullptr) return compare_embedded(was.reference, value, path, depth + 1);
        for (const Value* item : members_of(*value))
          compare_embedded(was.reference, item, path, depth + 1);
        return;
      case TypeKind::set:
        if (was.value == nullptr || is.value == nullptr) return;
        if (value == nullptr) return compare_type(*was.value, *is.value, value, path, depth + 1);
        for (const Value& item : value->items())
          compare_type(*was.value, *is.value, &item, path, depth + 1);
        for (const auto& [member, unused] : value->members()) {
          const Value name(member);
          compare_type(*was.value, *is.value, &name, path, depth + 1);
        }
        return;
      case TypeKind::map:
        if (was.key == nullptr || is.key == nullptr || was.value == nullptr || is.value == nullptr)
          return;
        if (value == nullptr) {
          compare_type(*was.key, *is.key, value, path, depth + 1);
          return compare_type(*was.value, *is.value, value, path, depth + 1);
        }
        for (const auto& [key, member] : value->members()) {
          const Value name(key);
          compare_type(*was.key, *is.key, &name, path, depth + 1);
          compare_type(*was.value, *is.value, &member, joined(path, key), depth + 1);
        }
        return;
      default:
        return;
    }
  }

  void compare_enumeration(const std::string& name, const Value* value, const std::string& path) {
    const schema::EnumType* was = before_.enumeration(name);
    const schema::EnumType* is = after_.enumeration(name);
    if (was == nullptr || is == nullptr) return;
    for (const std::string& one : was->values) {
      if (is->contains(one)) continue;  // further values touch nothing that is written
      if (value != nullptr && value->is_string() && value->as_string() != one) continue;
      add(path, fmt::format("has no value `{}` any more", one));
    }
  }

  void compare_embedded(const std::string& name, const Value* value, const std::string& path,
                        int depth) {
    const ObjectType* was = before_.resolved(name);
    const ObjectType* is = after_.resolved(name);
    if (was == nullptr || is == nullptr) return;
    if (value != nullptr && value->is_map())
      return compare_object(*was, *is, std::string((*value)["@type"].string_or("")), *value, path,
                            depth);
    if (value != nullptr || depth > kDepthMax || !visited_.insert(name).second) return;
    // All of it may be written.
    for (const schema::Variant& variant : was->variants) {
      if (is->variant(variant.name) == nullptr) {
        add(path, fmt::format("has no variant `{}` any more", variant.name));
        continue;
      }
      if (variant.fields == nullptr) continue;
      for (const Property& property : variant.fields->properties())
        compare_property(&property, find(*is, variant.name, property.name), nullptr,
                         joined(path, property.name), depth);
    }
  }

  /// What only the new document refuses of the values that are written.
  void compare_refusals(const Written& written) {
    schema::CheckOptions options;
    options.use = written.is_create ? schema::Use::create : schema::Use::update;
    std::set<std::string> earlier;
    for (const schema::Problem& one :
         schema::check_value(before_, written.type, written.value, options))
      earlier.insert(one.path + one.message);
    for (const schema::Problem& one :
         schema::check_value(after_, written.type, written.value, options)) {
      if (earlier.contains(one.path + one.message)) continue;
      switch (one.code) {
        // What is not there any more stands above already.
        case schema::ProblemCode::unknown_type:
        case schema::ProblemCode::unknown_property:
        case schema::ProblemCode::unknown_variant:
        case schema::ProblemCode::unknown_enum_value:
        case schema::ProblemCode::server_set:
        case schema::ProblemCode::immutable:
          break;
        case schema::ProblemCode::missing_property:
          if (one.path.find('.') == std::string::npos) break;
          [[fallthrough]];
        default:
          add_refusal(one.path, printable(one.message, 200));
      }
    }
  }

  void add_refusal(const std::string& path, const std::string& why) {
    const std::string begin = fmt::format("`{}` ", path);
    for (std::string& line : found_) {
      if (!line.starts_with(begin)) continue;
      line += fmt::format(", and refuses what is written: {}", why);
      return;
    }
    found_.push_back(fmt::format("`{}` is refused now: {}", path, why));
  }

  const Schema& before_;
  const Schema& after_;
  std::vector<std::string> found_;
  std::set<std::string> visited_;  // embedded types that were compared as a whole
};

/// The steps whose objects are touched in the same way.
struct Group {
  std::string type = {};
  std::string words = {};
  std::vector<std::string> steps = {};
  std::size_t count = 0;
};

std::string line_of(const Group& group) {
  std::string steps;
  for (std::size_t i = 0; i < group.steps.size(); ++i)
    steps += fmt::format("{}`{}`", i == 0 ? "" : ", ", group.steps[i]);
  if (group.count > group.steps.size())
    steps += fmt::format(" and {} more", show_count(group.count - group.steps.size()));
  return fmt::format("{} (step{} {}): {}", group.type, group.count == 1 ? "" : "s", steps,
                     group.words);
}

}  // namespace

std::vector<std::string> types_written(const ir::StepGraph& graph) {
  std::set<std::string> types;
  std::vector<std::size_t> seen(graph.shapes().size());
  for (const ir::StepId step : graph.order()) {
    // Steps of one shape write one type.
    if (seen[static_cast<std::size_t>(&graph.shape(step) - graph.shapes().data())]++ > 0) continue;
    for (Written& written : written_by(graph, step)) types.insert(std::move(written.type));
  }
  return {types.begin(), types.end()};
}

SchemaDrift schema_drift(const Schema& before, const Schema& after, const ir::StepGraph& graph) {
  Comparison comparison(before, after);
  std::set<std::string> types;
  std::set<std::string> touched;
  std::vector<Group> groups;
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  const auto add = [&](std::string_view type, const std::string& words, ir::StepId step) {
    const auto [place, is_new] = places.emplace(std::pair(std::string(type), words), groups.size());
    if (is_new) groups.push_back({std::string(type), words, {}, 0});
    Group& group = groups[place->second];
    if (++group.count <= kStepsNamedMax) group.steps.push_back(graph.id(step));
  };
  // What is not looked at any more of a shape is touched as its last step was.
  struct Seen {
    std::size_t count = 0;
    std::vector<std::string> words = {};  ///< one for each type that its steps write
  };
  std::vector<Seen> seen(graph.shapes().size());
  for (const ir::StepId step : graph.order()) {
    Seen& shape = seen[static_cast<std::size_t>(&graph.shape(step) - graph.shapes().data())];
    const std::vector<Written> all = written_by(graph, step);
    if (all.empty()) continue;
    if (++shape.count <= kStepsOfShapeMax) {
      shape.words.clear();
      for (const Written& written : all)
        shape.words.push_back(fmt::format("{}", fmt::join(comparison.changes(written), "; ")));
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      types.insert(all[i].type);
      if (shape.words[i].empty()) continue;
      touched.insert(all[i].type);
      add(all[i].type, shape.words[i], step);
    }
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const Group& a, const Group& b) { return a.type < b.type; });
  SchemaDrift drift;
  drift.types.assign(types.begin(), types.end());
  drift.touched_types.assign(touched.begin(), touched.end());
  for (const Group& group : groups) drift.touched.push_back(line_of(group));
  return drift;
}

}  // namespace plan
