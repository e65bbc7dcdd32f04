#include "compiler/lower/step_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "compiler/ir/secrets.h"
#include "compiler/lower/absent_value.h"
#include "compiler/lower/argument_type.h"
#include "compiler/source/text.h"
#include "compiler/syntax/scalar.h"
#include "compiler/syntax/value_weight.h"

namespace plan::lower {
namespace {

using ir::Value;
using syntax::Node;

/// About what an expression weighs that is computed for each row.
constexpr std::size_t kComputedWeight = 1024;

/// Of the value that a node becomes, without what it consists of.
std::size_t weight_of_node(const Node& node) {
  std::size_t weight = sizeof(Value) + node.text.size();
  for (const syntax::Entry& entry : node.entries) weight += sizeof(std::string) + entry.key.size();
  return weight;
}

Value unknown_value() { return ir::OutputRef{"$unknown", "value"}; }
bool is_unknown(const Value& value) {
  return value.is_output() && value.as_output().step == "$unknown";
}

}  // namespace

bool needs_unknown(const syntax::Template& text, const ModuleInstance& module) {
  return std::any_of(module.unknown.begin(), module.unknown.end(),
                     [&](const std::string& name) { return mentions(text, name); });
}

// --- reading ------------------------------------------------------------------------------------

ReadArguments ArgumentReader::read(const Node& arguments, const ProcedureStep& step,
                                   const ModuleInstance& module, const syntax::Scope& scope,
                                   const syntax::TypeScope& types) {
  step_ = &step;
  module_ = &module;
  taken_.clear();
  is_whole_ = true;
  const Names names{scope, types};
  ReadArguments given;
  const auto type_of = [&](std::string_view name) {
    const ir::ArgumentSpec* spec = argument_of(step.kind, name);
    return spec == nullptr ? ir::ArgumentType::any : spec->type;
  };
  for (const syntax::Entry& entry : arguments.entries) {
    wanted_ = type_of(entry.key);
    type_.reset();
    Value read = value(entry.value, names);
    if (entry.value.is_scalar() && type_) given.types.emplace(entry.key, *type_);
    if (!read.is_null()) given.values.set(entry.key, as_argument(std::move(read), wanted_));
  }
  if (!arguments.is_mapping()) {
    // All of them by one name.
    wanted_ = ir::ArgumentType::any;
    const Value whole = value(arguments, names);
    given.is_unknown = is_unknown(whole);
    for (const auto& [name, member] : whole.members()) {
      if (!member.is_null()) given.values.set(name, as_argument(member, type_of(name)));
    }
  }
  if (input_.with_target_amounts)
    given.values = input_.with_target_amounts(step.kind, std::move(given.values));
  given.taken = std::move(taken_);
  given.is_whole = is_whole_;
  return given;
}

void ArgumentReader::broken(Span span, std::string message, std::string help) {
  is_whole_ = false;
  refuse_(span, std::move(message), std::move(help));
}

Value ArgumentReader::value(const Node& node, const Names& names) {
  if (loops_ > 0 && !has_room(weight_of_node(node), node.span)) return {};
  switch (node.kind) {
    case syntax::NodeKind::null:
      return {};
    case syntax::NodeKind::mapping: {
      Value map = Value::map();
      for (const syntax::Entry& entry : node.entries) map.set(entry.key, value(entry.value, names));
      return map;
    }
    case syntax::NodeKind::sequence:
      return list(node, names);
    case syntax::NodeKind::scalar:
      return scalar(node, names);
  }
  return {};
}

Value ArgumentReader::list(const Node& node, const Names& names) {
  ir::List items;
  for (const Node& item : node.items) add_items(item, names, items);
  if (!node.tag.is("!numbered")) {
    if (!node.tag.empty()) {
      const bool is_of_yaml = input_.sources->text(node.tag.span()).starts_with('!');
      broken(node.tag.span(),
             fmt::format("a list may be `{}`, nothing else", is_of_yaml ? "!numbered" : "numbered"),
             is_of_yaml ? "take the tag out" : "write the list alone");
    }
    return Value(std::move(items));
  }
  // What the target writes as {"0": ..., "1": ...}: its expressions' clauses.
  Value map = Value::map();
  for (std::size_t i = 0; i < items.size(); ++i) map.set(std::to_string(i), std::move(items[i]));
  return map;
}

/// An item of a list; `!for {each: NAME, in: ${LIST}, give: [...]}` stands for its items once for
/// every value.
void ArgumentReader::add_items(const Node& item, const Names& names, ir::List& into) {
  if (!item.tag.is("!for")) {
    into.push_back(value(item, names));
    return;
  }
  const Node* each = item.find("each");
  const Node* in = item.find("in");
  const Node* give = item.find("give");
  if (each == nullptr || in == nullptr || give == nullptr || !each->is_scalar() ||
      !give->is_sequence()) {
    return broken(item.span, "`!for` needs `each`, `in` and `give`",
                  "write `!for {each: NAME, in: \"${LIST}\", give: [...]}`");
  }
  const std::size_t errors = sink_.count(Severity::error);
  const Value values = value(*in, names);
  if (sink_.count(Severity::error) != errors || is_too_much_) {
    is_whole_ = false;
    return;
  }
  if (is_unknown(values)) return into.push_back(unknown_value());
  if (values.is_output())
    return broken(in->span, "what stands behind `in` of a `for` differs from row to row",
                  "go over a list that is the same in every row");
  if (!values.is_list())
    return broken(in->span, "what stands behind `in` of a `for` is no list",
                  "give it a list: `[a, b]`, or the name of one");
  add_rounds(item, values, names, into);
}

/// A few loops inside one another make as much of a short text as memory has.
void ArgumentReader::add_rounds(const Node& loop, const Value& values, const Names& names,
                                ir::List& into) {
  const std::string& variable = loop.find("each")->text;
  const std::size_t errors = sink_.count(Severity::error);
  ++loops_;
  for (const Value& one : values.items()) {
    std::optional<syntax::Scope> of_round;
    syntax::Scope* inner = nullptr;
    if (step_->variable.empty()) {
      inner = &of_round.emplace(&names.values);
    } else {
      // What differs from row to row is computed when the module was read.
      if (!has_room(sizeof(syntax::Scope) + syntax::weight_of(one), loop.span)) break;
      inner = &procedure_.loop_scopes.emplace_back(&names.values);
    }
    inner->set(variable, one);
    syntax::TypeScope inner_types(&names.types);
    inner_types.set(variable, syntax::type_of_value(one));
    for (const Node& given : loop.find("give")->items)
      add_items(given, {*inner, inner_types}, into);
    // What is wrong in one round is mostly wrong in each.
    if (sink_.count(Severity::error) != errors) is_whole_ = false;
    if (!is_whole_) break;
  }
  --loops_;
}

/// Is there room for so much more? That there is none is told once.
bool ArgumentReader::has_room(std::size_t weight, Span span) {
  weight_ += weight;
  if (weight_ <= syntax::kValuesWeightMax) return true;
  is_whole_ = false;
  if (!std::exchange(is_too_much_, true)) {
    broken(span,
           fmt::format("with this one the arguments of all steps come to more than {}",
                       show_bytes(syntax::kValuesWeightMax)),
           "give steps a part of the large value, not all of it");
  }
  return false;
}

/// `!output "STEP NAME"`: what an earlier step of the module gives.
Value ArgumentReader::output(const Node& node) {
  const std::size_t blank = node.text.rfind(' ');
  const std::string id = module_->prefix + node.text.substr(0, blank);
  const auto earlier = id == step_->id ? std::optional<EarlierStep>() : find_earlier_(id);
  if (blank == std::string::npos || !earlier) {
    broken(node.span, fmt::format("there is no earlier step `{}`", printable(id, 80)),
           "name a step of this module that stands before this one, and what it gives: `ID NAME`");
    return {};
  }
  std::string name = node.text.substr(blank + 1);
  if (earlier->kind) {
    std::vector<std::string_view> names;
    for (const ir::ArgumentSpec& spec : ir::outputs_of(*earlier->kind)) names.push_back(spec.name);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      broken(node.span,
             fmt::format("`{}` of kind `{}` gives no `{}`", printable(id, 80),
                         info(*earlier->kind).name, printable(name, 60)),
             names.empty() ? "steps of this kind give nothing that others could take"
                           : fmt::format("it gives `{}`", fmt::join(names, "`, `")));
      return {};
    }
  }
  // A loop may name one a thousand times.
  if (std::none_of(taken_.begin(), taken_.end(),
                   [&](const TakenOutput& one) { return one.step == id; }))
    taken_.push_back({id, node.span});
  return ir::OutputRef{id, std::move(name)};
}

/// The plan language has words where YAML has tags.
void ArgumentReader::refuse_tag(const syntax::Tag& tag) {
  const bool is_of_yaml = input_.sources->text(tag.span()).starts_with('!');
  if (tag.is("!secret")) {
    broken(tag.span(), "a secret stands in a step by its name only",
           is_of_yaml
               ? "name it in the module, `let: {NAME: !secret file:secrets/NAME}`, and write "
                 "`${NAME}` here"
               : "name it in the module, `let NAME = secret \"file:secrets/NAME\"`, and write "
                 "`NAME` here");
    return;
  }
  const std::string_view word = is_of_yaml || !tag.is("!lock") ? tag.text() : "lock";
  broken(tag.span(), fmt::format("`{}` means nothing here", printable(word, 40)),
         is_of_yaml ? "take the tag out: arguments know `!output`, `!for` and `!numbered`"
                    : "take it out: arguments know `numbered [...]`, `for` in a list, and "
                      "`tagged \"!output\" \"STEP NAME\"`");
}

Value ArgumentReader::scalar(const Node& node, const Names& names) {
  if (node.tag.is("!output")) return output(node);
  if (!node.tag.empty()) {
    refuse_tag(node.tag);
    return {};
  }
  auto text = parse_template(node, *input_.sources, sink_);
  if (!text) {
    is_whole_ = false;
    return {};
  }
  if (!text->has_expression()) {
    Node plain = node;
    plain.text = text->parts.empty() ? std::string() : text->parts.front().text;
    return syntax::scalar_value(plain);
  }
  if (needs_unknown(*text, *module_)) return unknown_value();
  const std::size_t errors = sink_.count(Severity::error);
  auto type = check_type(*text, names.types, sink_);
  if (sink_.count(Severity::error) != errors) {
    is_whole_ = false;
    return {};
  }
  type_ = std::move(type);
  if (!step_->variable.empty() && mentions(*text, step_->variable))
    return of_row(std::move(*text), node, names);
  if (step_->is_off && asks_of_absent(*text, names.values)) return unknown_value();
  return evaluated(*text, node, names);
}

/// The same in every row.
Value ArgumentReader::evaluated(const syntax::Template& text, const Node& node,
                                const Names& names) {
  auto found = evaluate(text, names.values, sink_);
  if (found && has_room(syntax::weight_of(*found), node.span)) return std::move(*found);
  is_whole_ = false;
  return {};
}

/// A value that differs from row to row: a reference to a member of the row.
Value ArgumentReader::of_row(syntax::Template text, const Node& node, const Names& names) {
  if (step_->set == SIZE_MAX) return unknown_value();  // reported
  if (text.parts.size() == 1) {
    const syntax::Expression& e = *text.parts.front().expression;
    const bool is_member = e.kind == syntax::Expression::Kind::member &&
                           e.operands[0].kind == syntax::Expression::Kind::name &&
                           e.operands[0].text == step_->variable;
    if (is_member) {
      auto& members = procedure_.row_members[step_->set];
      const auto is_same = [&](const RowMember& one) { return one.name == e.text; };
      if (std::none_of(members.begin(), members.end(), is_same))
        members.push_back({e.text, e.span});
      return ir::OutputRef{"$row", e.text};
    }
  }
  if (!has_room(kComputedWeight, node.span)) return {};
  auto& computed = procedure_.computed[step_->set];
  const std::string member = fmt::format("={}", computed.size());
  computed.push_back(
      {member, std::move(text), step_->variable, &names.values, wanted_, step_->is_off});
  return ir::OutputRef{"$row", member};
}

// --- judging ------------------------------------------------------------------------------------

Span place_of(const ProcedureStep& step, std::string_view argument) {
  const Node* value = step.written == nullptr ? nullptr : step.written->find(argument);
  return value == nullptr ? step.span : value->span;
}

namespace {

class Judge {
 public:
  Judge(const ProcedureStep& step, const ReadArguments& given)
      : step_(step),
        given_(given),
        specs_(ir::arguments_of(step.kind)),
        taken_(arguments_taken(step.kind)) {}

  std::vector<ArgumentProblem> judge() {
    for (const auto& [name, value] : step_.arguments.members()) {
      if (ir::holds_secret(value) && !takes_secret(step_.kind, name)) refuse_secret(name);
      if (!is_taken(name)) refuse_unknown(name);
    }
    for (const ir::ArgumentSpec* spec : taken_) judge_value(*spec);
    for (const ir::ArgumentSpec& spec : specs_) ask_for(spec);
    return std::move(problems_);
  }

 private:
  [[nodiscard]] std::string_view kind() const { return info(step_.kind).name; }
  [[nodiscard]] bool is_taken(std::string_view name) const {
    return std::any_of(taken_.begin(), taken_.end(),
                       [&](const ir::ArgumentSpec* spec) { return spec->name == name; });
  }
  [[nodiscard]] bool is_written(std::string_view name) const {
    return step_.written != nullptr && step_.written->find(name) != nullptr;
  }

  void refuse_secret(const std::string& name) {
    problems_.push_back(
        {Kind::expression_type,
         place_of(step_, name),
         fmt::format("a secret cannot become `{}` of `{}`", printable(name, 60), kind()),
         syntax::kSecretRemedy,
         {}});
  }

  void refuse_unknown(const std::string& name) {
    std::vector<std::string_view> known;
    for (const ir::ArgumentSpec& spec : specs_) known.push_back(spec.name);
    const syntax::Entry* entry =
        step_.written == nullptr ? nullptr : step_.written->find_entry(name);
    ArgumentProblem problem;
    problem.span = entry == nullptr ? step_.span : entry->key_span;
    problem.message = fmt::format("`{}` takes no argument `{}`", kind(), printable(name, 60));
    problem.help = known.empty()
                       ? fmt::format("take it out: `{}` has no arguments", kind())
                       : fmt::format("arguments of `{}`: `{}`", kind(), fmt::join(known, "`, `"));
    const auto near = nearest(name, known);
    if (near && !step_.arguments.as_map().contains(*near)) {
      problem.label = fmt::format("did you mean `{}`?", *near);
      misspelt_.push_back(*near);
    }
    problems_.push_back(std::move(problem));
  }

  /// A driver that finds another type than its own would take the default and say nothing.
  void judge_value(const ir::ArgumentSpec& spec) {
    const Value& value = step_.arguments[spec.name];
    if (ir::holds_secret(value) && !takes_secret(step_.kind, spec.name)) return;  // reported
    std::optional<WrongArgument> wrong;
    bool is_of_step = false;
    if (const auto type = given_.types.find(std::string(spec.name)); type != given_.types.end()) {
      wrong = judge_unit(type->second, spec);
      if (!wrong) {
        wrong = judge_object(type->second, spec);
        is_of_step = wrong.has_value();
      }
      if (!wrong && is_unknown(value)) wrong = judge_type_alone(type->second, spec);
    }
    if (!wrong) wrong = judge_argument(value, spec);
    if (!wrong) return;
    problems_.push_back({Kind::procedure_broken,
                         place_of(step_, spec.name),
                         fmt::format("`{}` of `{}` {}", spec.name, kind(), wrong->why),
                         std::move(wrong->help),
                         {},
                         is_of_step});
  }

  /// An object of the target goes into what writes objects of its type, or looks for them.
  [[nodiscard]] std::optional<WrongArgument> judge_object(const syntax::ValueType& type,
                                                          const ir::ArgumentSpec& spec) const {
    if (!type.is(syntax::ValueType::Kind::object)) return std::nullopt;
    const bool is_of_target = step_.kind == ir::StepKind::admin_upsert ||
                              step_.kind == ir::StepKind::admin_update ||
                              step_.kind == ir::StepKind::admin_destroy;
    const bool takes_objects = is_of_target && (spec.name == "set" || spec.name == "match");
    if (!takes_objects)
      return WrongArgument{
          fmt::format("takes no object of the target, and this is {}", to_text(type)),
          fmt::format("write `set = NAME` in a step that writes {}", type.object)};
    const Value& object = step_.arguments["object"];
    if (!object.is_string() || is_unknown(object)) return std::nullopt;
    std::string_view written = object.as_string();
    if (written.starts_with("x:")) written.remove_prefix(2);
    if (written == type.object) return std::nullopt;
    return WrongArgument{
        fmt::format("is of {}, and this is {}", printable(written, 60), to_text(type)),
        fmt::format("write it in a step with `object = \"{}\"`", type.object)};
  }

  void ask_for(const ir::ArgumentSpec& spec) {
    if (!spec.is_required || step_.arguments.as_map().contains(spec.name)) return;
    if (given_.is_unknown) return;
    // One whose value was reported has been given, and so has one that is misspelt.
    if (!given_.is_whole && is_written(spec.name)) return;
    if (std::find(misspelt_.begin(), misspelt_.end(), spec.name) != misspelt_.end()) return;
    problems_.push_back(
        {Kind::procedure_broken,
         step_.span,
         fmt::format("`{}` needs argument `{}`: {}", kind(), spec.name, spec.meaning),
         fmt::format("add `{}` to the step's arguments", spec.name),
         {},
         false});
  }

  const ProcedureStep& step_;
  const ReadArguments& given_;
  const std::vector<ir::ArgumentSpec>& specs_;  // of the kind
  std::vector<const ir::ArgumentSpec*> taken_;  // of these, and of every account's steps
  std::vector<std::string_view> misspelt_;      // required ones: that they are missing is said once
  std::vector<ArgumentProblem> problems_;
};

}  // namespace

std::vector<ArgumentProblem> problems_of_arguments(const ProcedureStep& step,
                                                   const ReadArguments& given) {
  return Judge(step, given).judge();
}

}  // namespace plan::lower
