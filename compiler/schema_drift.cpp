#include "compiler/schema_drift.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace plan {
namespace {

using ir::StepKind;
using ir::Value;
using schema::Property;
using schema::Schema;
using schema::Struct;
using schema::Type;
using schema::TypeKind;

constexpr std::size_t kStepsOfShapeMax = 200;  // steps of one shape differ in values only

/// What the plan writes of one type.
struct Use {
  std::string step = {};  ///< the first that does
  std::set<std::string> properties = {};
  std::string variant = {};
};

std::map<std::string, Use> uses_of(const ir::StepGraph& graph) {
  std::map<std::string, Use> uses;
  std::vector<std::size_t> seen(graph.shapes().size());
  for (const ir::StepId step : graph.order()) {
    if (seen[static_cast<std::size_t>(&graph.shape(step) - graph.shapes().data())]++ >=
        kStepsOfShapeMax)
      continue;
    const auto use = [&](std::string_view object) -> Use& {
      if (object.starts_with("x:")) object.remove_prefix(2);
      Use& one = uses[std::string(object)];
      if (one.step.empty()) one.step = graph.id(step);
      return one;
    };
    switch (graph.kind(step)) {
      case StepKind::admin_upsert:
      case StepKind::admin_update:
      case StepKind::admin_destroy: {
        const Value arguments = graph.arguments(step);
        Use& one = use(arguments["object"].string_or(""));
        for (const char* part : {"match", "set"}) {
          for (const auto& [name, unused] : arguments[part].members()) one.properties.insert(name);
        }
        if (arguments["set"]["@type"].is_string())
          one.variant = arguments["set"]["@type"].as_string();
        break;
      }
      case StepKind::admin_account: {
        Use& one = use("Account");
        one.variant = "User";
        one.properties = {"name",  "domainId",    "aliases", "credentials",
                          "roles", "permissions", "quotas",  "description"};
        break;
      }
      case StepKind::admin_list:
        use("MailingList").properties = {"name", "domainId", "recipients", "aliases"};
        break;
      case StepKind::admin_keys:
        use("MemoryLookupKey").properties = {"namespace", "key", "isGlobPattern"};
        break;
      case StepKind::admin_action: {
        Use& one = use("Action");
        one.properties.insert("@type");
        one.variant = graph.arguments(step)["action"].string_or("");
        break;
      }
      default:
        break;
    }
  }
  return uses;
}

class Comparison {
 public:
  Comparison(const Schema& before, const Schema& after) : before_(before), after_(after) {}

  /// What has changed of the type for this use; empty: nothing.
  std::vector<std::string> changes(const std::string& name, const Use& use) {
    const schema::ObjectType* was = before_.object(name);
    const schema::ObjectType* is = after_.object(name);
    if (was == nullptr && is == nullptr) return {};
    if (is == nullptr) return {"there is no such type any more"};
    if (was == nullptr) return {"the type is new"};
    std::vector<std::string> found;
    if (was->kind != is->kind)
      found.push_back(
          fmt::format("it was a {}, and is a {}", to_string(was->kind), to_string(is->kind)));
    if (was->is_multiple && was->variant(use.variant) != nullptr &&
        is->variant(use.variant) == nullptr)
      found.push_back(fmt::format("there is no variant `{}` any more", use.variant));
    const Struct* old_fields = was->fields(was->is_multiple ? use.variant : "");
    const Struct* new_fields = is->fields(is->is_multiple ? use.variant : "");
    if (old_fields == nullptr || new_fields == nullptr) return found;
    for (const std::string& property : use.properties) {
      if (property == "@type") continue;
      visited_.clear();
      const std::string what =
          property_change(old_fields->find(property), new_fields->find(property));
      if (!what.empty()) found.push_back(fmt::format("`{}` {}", property, what));
    }
    return found;
  }

 private:
  std::string property_change(const Property* was, const Property* is) {
    if (was == nullptr && is == nullptr) return {};
    if (is == nullptr) return "is not there any more";
    if (was == nullptr) return "is new";
    if (was->update != is->update) {
      switch (is->update) {
        case schema::Update::server_set:
          return "is set by the server now";
        case schema::Update::immutable:
          return "cannot be changed any more";
        case schema::Update::can_change:
          return "can be changed now";
      }
    }
    return type_change(was->type, is->type);
  }

  std::string type_change(const Type& was, const Type& is) {
    if (was.notation() != is.notation())
      return fmt::format("was `{}`, is `{}`", was.notation(), is.notation());
    if (was.value != nullptr && is.value != nullptr) {
      if (std::string inner = type_change(*was.value, *is.value); !inner.empty()) return inner;
    }
    if (was.kind == TypeKind::enumeration) return enumeration_change(was.reference);
    const bool is_embedded = was.kind == TypeKind::object || was.kind == TypeKind::object_list;
    return is_embedded ? embedded_change(was.reference) : std::string();
  }

  std::string enumeration_change(const std::string& name) {
    const schema::EnumType* was = before_.enumeration(name);
    const schema::EnumType* is = after_.enumeration(name);
    if (was == nullptr || is == nullptr) return {};
    for (const std::string& value : was->values) {
      if (!is->contains(value)) return fmt::format("has no value `{}` any more", value);
    }
    return {};  // further values touch nothing that is written
  }

  /// An object inside the property: all of it may be written.
  std::string embedded_change(const std::string& name) {
    if (!visited_.insert(name).second) return {};
    const schema::ObjectType* was = before_.object(name);
    const schema::ObjectType* is = after_.object(name);
    if (was == nullptr || is == nullptr) return {};
    for (const schema::Variant& variant : was->variants) {
      if (is->variant(variant.name) == nullptr)
        return fmt::format("has no variant `{}` any more", variant.name);
      const Struct* old_fields = was->fields(variant.name);
      const Struct* new_fields = is->fields(variant.name);
      if (old_fields == nullptr || new_fields == nullptr) continue;
      for (const Property& property : old_fields->properties()) {
        const std::string what = property_change(&property, new_fields->find(property.name));
        if (!what.empty()) return fmt::format("has `{}`, which {}", property.name, what);
      }
    }
    return {};
  }

  const Schema& before_;
  const Schema& after_;
  std::set<std::string> visited_;
};

}  // namespace

SchemaDrift schema_drift(const Schema& before, const Schema& after, const ir::StepGraph& graph) {
  SchemaDrift drift;
  Comparison comparison(before, after);
  for (const auto& [name, use] : uses_of(graph)) {
    drift.types.push_back(name);
    const std::vector<std::string> changes = comparison.changes(name, use);
    if (!changes.empty())
      drift.touched.push_back(
          fmt::format("{} (step `{}`): {}", name, use.step, fmt::join(changes, "; ")));
  }
  return drift;
}

}  // namespace plan
