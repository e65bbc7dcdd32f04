#include "compiler/module_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "compiler/lower/given_place.h"
#include "compiler/lower/step_arguments.h"
#include "compiler/module_units.h"
#include "compiler/source/std_place.h"
#include "compiler/source/text.h"
#include "compiler/syntax/tree_value.h"
#include "compiler/syntax/value_weight.h"

namespace plan {

using ir::Value;
using syntax::Node;
using syntax::ValueType;

/// Binds one module after the other; the values of all of them have one bound.
class ModuleBinder::Binding {
 public:
  Binding(const lower::ModuleInstance& world, const std::vector<lower::RowSet>& rows,
          SourceSet& sources, Sink& sink)
      : world_(world), rows_(rows), sources_(sources), sink_(sink) {}

  /// A module is judged with what can be bound: what is made of the other names is not looked at.
  void bind(const ModuleUse& use, const lower::ModuleInstance& outer,
            lower::ModuleInstance& instance, bool is_damaged) {
    const Node& module = *instance.tree;
    const Node* inputs = module.find("inputs");
    if (use.with != nullptr && !is_damaged) report_unknown_inputs(*use.with, inputs, use);
    if (inputs == nullptr) {
      // A module without inputs sees what the plan gives, and what its user has for it.
      instance.scope = world_.scope;
      instance.types = world_.types;
      instance.unknown = world_.unknown;
      for (const std::string_view name : outer.scope.names()) {
        instance.scope.set(std::string(name), *outer.scope.find(name));
        instance.types.set(std::string(name), *outer.types.find(name));
        instance.unknown.erase(std::string(name));
        if (const Span place = given_by(outer, name); place.is_known())
          instance.given.emplace(std::string(name), place);
      }
      instance.unknown.insert(outer.unknown.begin(), outer.unknown.end());
      for (const lower::RowSet& set : rows_) {
        if (instance.types.find(set.name) == nullptr) instance.types.set(set.name, rows_type());
      }
    } else if (!inputs->is_mapping()) {
      sink_.report(Kind::wrong_type, inputs->span, "`inputs` is a mapping of names to types");
    } else {
      for (const syntax::Entry& input : inputs->entries) bind_input(input, use, outer, instance);
    }
    bind_lets(module, instance);
  }

 private:
  /// Does a value need a name that nobody knows the value of?
  [[nodiscard]] bool needs_unknown(const Node& value, const lower::ModuleInstance& seen) const {
    if (seen.unknown.empty()) return false;
    const auto is_unknown = [&](const Node& inner) { return needs_unknown(inner, seen); };
    if (!value.is_scalar())
      return std::any_of(value.items.begin(), value.items.end(), is_unknown) ||
             std::any_of(value.entries.begin(), value.entries.end(),
                         [&](const syntax::Entry& entry) { return is_unknown(entry.value); });
    Sink unheard;
    const auto text = syntax::parse_template(value, sources_, unheard);
    return text && lower::needs_unknown(*text, seen);
  }

  void report_unknown_inputs(const Node& with, const Node* inputs, const ModuleUse& use) {
    std::vector<std::string_view> known;
    if (inputs != nullptr) {
      for (const syntax::Entry& input : inputs->entries) known.push_back(input.key);
    }
    for (const syntax::Entry& given : with.entries) {
      if (std::find(known.begin(), known.end(), std::string_view(given.key)) != known.end())
        continue;
      auto report = sink_.report(
          Kind::unknown_key, given.key_span,
          fmt::format("`{}` has no input `{}`", printable(use.name, 80), printable(given.key, 60)));
      if (const auto near = nearest(given.key, known))
        report.label(fmt::format("did you mean `{}`?", *near));
    }
  }

  /// What an input is bound to, and where that was found.
  struct Bound {
    Value value = {};
    Span where = {};
    Span given_at = {};                ///< where the operator gives it; unknown: he does not
    const Node* written = nullptr;     ///< what is written for it, in the use or as its default
    bool is_given = false;             ///< in the use
    const ValueType* known = nullptr;  ///< where the value has a name already
  };

  void bind_input(const syntax::Entry& input, const ModuleUse& use,
                  const lower::ModuleInstance& outer, lower::ModuleInstance& instance) {
    // Until it has a value.
    instance.unknown.insert(input.key);
    const auto type = declared_type(input);
    if (!type) return;
    if (type->is(ValueType::Kind::rows)) {
      if (std::none_of(rows_.begin(), rows_.end(),
                       [&](const lower::RowSet& set) { return set.name == input.key; })) {
        sink_.report(Kind::input_missing, input.key_span,
                     fmt::format("there are no rows `{}`", printable(input.key, 60)));
        return;
      }
      instance.unknown.erase(input.key);
      instance.types.set(input.key, rows_type());
      return;
    }
    auto bound = value_for(input, *type, use, outer, instance);
    if (!bound || !is_of_type(*bound, input, *type, use, outer, instance)) return;
    instance.unknown.erase(input.key);
    if (bound->given_at.is_known()) instance.given.emplace(input.key, bound->given_at);
    instance.types.set(input.key, known_type(*type, type_of_bound(*bound, outer)));
    instance.scope.set(input.key, std::move(bound->value));
  }

  static ValueType rows_type() {
    ValueType type;
    type.kind = ValueType::Kind::rows;
    return type;
  }

  static const Node* type_node_of(const syntax::Entry& input) {
    return input.value.is_mapping() ? input.value.find("type") : &input.value;
  }

  std::optional<ValueType> declared_type(const syntax::Entry& input) {
    const Node* const node = type_node_of(input);
    auto type =
        node != nullptr && node->is_scalar() ? syntax::parse_type(node->text) : std::nullopt;
    if (type) return type;
    auto report =
        sink_.report(Kind::input_type, node == nullptr ? input.key_span : node->span,
                     fmt::format("input `{}` has no type that is known", printable(input.key, 60)));
    if (node != nullptr) {
      if (node->text.find("object") != std::string::npos)
        report.help("an object has its type in brackets: `object(Domain)`");
      else if (const auto near = near_type(node->text))
        report.label(fmt::format("did you mean `{}`?", *near));
      else
        report.help(fmt::format("types are `{}`", fmt::join(syntax::type_names(), "`, `")));
    }
    return std::nullopt;
  }

  /// Where the operator writes what this module has by a name of its own: what he gives it, a
  /// `let`, or a default that nothing took the place of.
  [[nodiscard]] Span given_by(const lower::ModuleInstance& module, std::string_view name) const {
    if (const auto given = module.given.find(std::string(name)); given != module.given.end())
      return given->second;
    if (module.tree == nullptr) return {};
    const Node* lets = module.tree->find("let");
    const Node* value = lets == nullptr ? nullptr : lets->find(name);
    if (value == nullptr && world_.scope.find(name) == nullptr) {
      const Node* inputs = module.tree->find("inputs");
      const Node* input = inputs == nullptr ? nullptr : inputs->find(name);
      if (input != nullptr && input->is_mapping()) value = input->find("default");
    }
    return value == nullptr || is_of_std(sources_, value->span) ? Span{} : value->span;
  }

  /// What the use gives, else what has its name where the module is used or in the plan, else its
  /// default. Nothing: it is not known, or that it is missing was reported.
  std::optional<Bound> value_for(const syntax::Entry& input, const ValueType& type,
                                 const ModuleUse& use, const lower::ModuleInstance& outer,
                                 const lower::ModuleInstance& instance) {
    Bound bound;
    bound.where = use.span;
    if (const syntax::Entry* given =
            use.with == nullptr ? nullptr : use.with->find_entry(input.key)) {
      bound.is_given = true;
      bound.given_at = given->value.span.is_known() && !is_of_std(sources_, given->value.span)
                           ? given->value.span
                           : lower::given_place_in(given->value, outer, sources_);
      return written_value(given->value, outer, std::move(bound));
    }
    if (outer.unknown.contains(input.key)) return std::nullopt;
    if (const Value* found = outer.scope.find(input.key)) {
      bound.value = *found;
      bound.known = outer.types.find(input.key);
      bound.given_at = given_by(outer, input.key);
      return bound;
    }
    if (world_.unknown.contains(input.key)) return std::nullopt;
    if (const Value* of_plan = world_.scope.find(input.key)) {
      bound.value = *of_plan;
      bound.known = world_.types.find(input.key);
      return bound;
    }
    if (const Node* fallback = input.value.is_mapping() ? input.value.find("default") : nullptr)
      return written_value(*fallback, instance, std::move(bound));
    if (type.is_optional) return bound;
    sink_
        .report(Kind::input_missing, use.span,
                fmt::format("`{}` needs `{}`, which is {}", printable(use.name, 80),
                            printable(input.key, 60), to_text(type)))
        .note(input.key_span, "it is declared here")
        .help(fmt::format("`use {} {{ {} = ... }}`", printable(use.name, 80),
                          printable(input.key, 60)));
    return std::nullopt;
  }

  /// `where`: what the text sees.
  std::optional<Bound> written_value(const Node& node, const lower::ModuleInstance& where,
                                     Bound bound) {
    bound.written = &node;
    bound.where = node.span;
    if (needs_unknown(node, where)) return std::nullopt;
    auto value = kept(node, where);
    if (!value) return std::nullopt;
    bound.value = std::move(*value);
    return bound;
  }

  bool is_of_type(const Bound& bound, const syntax::Entry& input, const ValueType& type,
                  const ModuleUse& use, const lower::ModuleInstance& outer,
                  const lower::ModuleInstance& instance) {
    WrongUnit wrong = {bound.where, syntax::why_not(bound.value, type)};
    if (wrong.why.empty() && bound.written != nullptr)
      wrong =
          wrong_unit(*bound.written, type, bound.is_given ? outer.types : instance.types, sources_);
    if (wrong.why.empty() && type.is(ValueType::Kind::object)) {
      ValueType found;
      if (bound.known != nullptr) found = *bound.known;
      if (bound.is_given) found = type_of_let(*bound.written, bound.value, outer.types, sources_);
      if (found.is(ValueType::Kind::object) && found.object != type.object)
        wrong = {bound.where, fmt::format("this is object({}), where {} is needed", found.object,
                                          syntax::to_text(type))};
    }
    if (wrong.why.empty()) return true;
    sink_
        .report(Kind::input_type, wrong.where,
                fmt::format("input `{}` of `{}`: {}", printable(input.key, 60),
                            printable(use.name, 80), wrong.why))
        .note(type_node_of(input)->span, "its type");
    return false;
  }

  ValueType type_of_bound(const Bound& bound, const lower::ModuleInstance& outer) const {
    ValueType bare = syntax::type_of_value(bound.value);
    if (bound.is_given && bound.value.is_map())
      bare = type_of_let(*bound.written, bound.value, outer.types, sources_);
    const ValueType* const known = bound.known;
    const bool is_map = bound.value.is_map() && known != nullptr && known->has_members;
    if (is_map || (bound.value.is_integer() && known != nullptr && is_of_unit(*known)))
      bare = *known;
    bare.is_optional = bound.value.is_null();
    return bare;
  }

  /// The value of what stands in a module, while there is room for it: a name of three letters may
  /// stand for a list of thousands, and the next one for two of them.
  std::optional<Value> kept(const Node& node, const lower::ModuleInstance& where) {
    if (values_weight_ > syntax::kValuesWeightMax) return std::nullopt;
    auto value = syntax::value_of_tree(node, where.scope, where.types, sources_, sink_);
    if (!value) return std::nullopt;
    values_weight_ += syntax::weight_of(*value);
    if (values_weight_ <= syntax::kValuesWeightMax) return value;
    sink_
        .report(Kind::expression_type, node.span,
                fmt::format("with this one the values of the modules come to more than {}",
                            show_bytes(syntax::kValuesWeightMax)))
        .help("make no lists of lists that are there already");
    return std::nullopt;
  }

  void bind_lets(const Node& module, lower::ModuleInstance& instance) {
    const Node* lets = module.find("let");
    if (lets == nullptr) return;
    for (const syntax::Entry& let : lets->entries) {
      if (instance.scope.find(let.key) != nullptr) {
        sink_.report(Kind::duplicate_name, let.key_span,
                     fmt::format("`{}` is an input already", printable(let.key, 60)));
        continue;
      }
      instance.unknown.insert(let.key);
      if (needs_unknown(let.value, instance)) continue;
      auto value = kept(let.value, instance);
      if (!value) continue;
      instance.unknown.erase(let.key);
      if (const Span place = lower::given_place_in(let.value, instance, sources_); place.is_known())
        instance.given.emplace(let.key, place);
      instance.types.set(let.key, type_of_let(let.value, *value, instance.types, sources_));
      instance.scope.set(let.key, std::move(*value));
    }
  }

  const lower::ModuleInstance& world_;
  const std::vector<lower::RowSet>& rows_;
  SourceSet& sources_;
  Sink& sink_;
  std::size_t values_weight_ = 0;
};

ModuleBinder::ModuleBinder(const lower::ModuleInstance& world,
                           const std::vector<lower::RowSet>& rows, SourceSet& sources, Sink& sink)
    : binding_(std::make_unique<Binding>(world, rows, sources, sink)) {}
ModuleBinder::~ModuleBinder() = default;

void ModuleBinder::bind(const ModuleUse& use, const lower::ModuleInstance& outer,
                        lower::ModuleInstance& instance, bool is_damaged) {
  binding_->bind(use, outer, instance, is_damaged);
}

}  // namespace plan
