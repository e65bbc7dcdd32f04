#include "runtime/rehearsal/mta_eval.h"

#include "compiler/schema/mta_container.h"
#include "compiler/schema/mta_expression.h"
#include "runtime/rehearsal/directory.h"

namespace plan::rehearsal {

ir::Value evaluate_expression(const World& world, const ir::Value& expression,
                              std::string_view structure, std::string_view property,
                              const MtaFacts& facts) {
  if (!expression.is_map()) return {};
  const auto parsed =
      schema::MtaContainer::parse(expression, schema::context_of(structure, property));
  if (!parsed) return {};
  schema::MtaEnvironment environment;
  environment.variable = [&facts](std::string_view name) {
    const auto found = facts.find(name);
    return found == facts.end() ? ir::Value() : found->second;
  };
  environment.call = [&world](std::string_view name,
                              const std::vector<ir::Value>& arguments) -> std::optional<ir::Value> {
    const auto text = [&arguments](std::size_t index) {
      return index < arguments.size() ? schema::text_of(arguments[index]) : std::string{};
    };
    if (name == "is_local_domain") return world.registry.domain_by_name(text(0)).has_value();
    if (name == "is_local_address") {
      const auto owner = find_address(world, text(0));
      return owner && owner->is_enabled;
    }
    if (name == "key_exists") return world.lookups->find(text(0), text(1)) != nullptr;
    if (name == "key_get") {
      const std::string* value = world.lookups->find(text(0), text(1));
      return value == nullptr ? ir::Value("") : ir::Value(*value);
    }
    if (name == "system") {
      if (text(0) == "domain") return world.default_domain();
      return world.hostname();
    }
    return std::nullopt;
  };
  auto value = parsed->evaluate(environment);
  if (!value) return {};
  return std::move(*value);
}

ir::Value evaluate_live(const World& world, std::string_view type, std::string_view property,
                        const MtaFacts& facts) {
  return evaluate_expression(world, world.live->singleton(type)[property], type, property, facts);
}

bool holds(const ir::Value& value) { return schema::is_true(value); }

std::int64_t number_or(const ir::Value& value, std::int64_t fallback) {
  return value.is_number()
             ? static_cast<std::int64_t>(value.number_or(static_cast<double>(fallback)))
             : fallback;
}

}  // namespace plan::rehearsal
