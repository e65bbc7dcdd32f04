#include "compiler/lower/procedure.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <unordered_map>
#include <utility>

#include "compiler/ir/row_values.h"
#include "compiler/lower/given_place.h"
#include "compiler/lower/missing_steps.h"
#include "compiler/lower/procedure_step.h"
#include "compiler/lower/step_arguments.h"
#include "compiler/lower/written_place.h"
#include "compiler/lower/wrong_elsewhere.h"
#include "compiler/source/std_place.h"
#include "compiler/source/text.h"

namespace plan::lower {
namespace {

using ir::Value;
using syntax::Node;

const std::vector<std::string_view> kStepKeys = {"id",
                                                 "kind",
                                                 "for",
                                                 "stage",
                                                 "role",
                                                 "when",
                                                 "after",
                                                 "after_previous_wave",
                                                 "after_members",
                                                 "before",
                                                 "args",
                                                 "about"};
const std::vector<std::string_view> kModuleKeys = {"module", "about", "use",
                                                   "inputs", "let",   "steps"};

bool holds_unknown(const Value& value) {
  if (value.is_output()) return value.as_output().step == "$unknown";
  return std::any_of(value.items().begin(), value.items().end(), holds_unknown) ||
         std::any_of(value.members().begin(), value.members().end(),
                     [](const auto& member) { return holds_unknown(member.second); });
}

/// The arguments that a graph can have.
Value known_part(const Value& arguments) {
  Value known = Value::map();
  for (const auto& [name, value] : arguments.members()) {
    if (!holds_unknown(value)) known.set(name, value);
  }
  return known;
}

constexpr std::size_t kCycleShownMax = 6;
constexpr std::size_t kComparedMax = 100;  // ids that are not there, with those that are
/// Instead of a step's number: there is or was one of that id, and nothing else is known of it.
constexpr std::size_t kLost = SIZE_MAX;
constexpr const char* kBugOfStd =
    "the module is part of plan: where the plan and your own modules are right, it is a bug of "
    "plan";

class ProcedureReader {
 public:
  ProcedureReader(const LowerInput& input, Sink& sink)
      : input_(input),
        sink_(sink),
        arguments_(
            input, procedure_, sink,
            [this](Span span, std::string message, std::string help) {
              broken(span, std::move(message), std::move(help));
            },
            [this](const std::string& id) { return earlier(id); }),
        missing_(input, by_id_, sink),
        written_(input.modules, *input.sources) {
    procedure_.row_members.resize(input.rows.size());
    procedure_.computed.resize(input.rows.size());
  }

  /// Also where something is missing: which steps there would be is known from `lost`. Those that
  /// are right are given back.
  std::vector<ProcedureStep> read_what_is_there(const LostSteps& lost) {
    for (const std::string& id : lost.ids) by_id_.emplace(id, kLost);
    has_unknown_steps_ = lost.has_others;
    for (const ModuleInstance& module : input_.modules) read_module(module);
    tell_elsewhere();
    resolve_names();
    std::vector<ProcedureStep> right;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i].is_broken) right.push_back(std::move(procedure_.steps[i]));
    }
    return right;
  }

  std::optional<Procedure> read() {
    if (input_.modules.empty()) {
      ModuleInstance only;
      only.tree = input_.module;
      only.scope = input_.scope;
      for (const std::string_view name : input_.scope.names())
        only.types.set(std::string(name), syntax::type_of_value(*input_.scope.find(name)));
      read_module(only);
    }
    for (const ModuleInstance& module : input_.modules) read_module(module);
    tell_elsewhere();
    sort_by_stage();
    resolve_names();
    if (is_broken_) return std::nullopt;
    refuse_cycle();
    if (is_broken_) return std::nullopt;
    for (ProcedureStep& step : procedure_.steps) {
      if (step.is_off) step.arguments = known_part(step.arguments);
    }
    return std::move(procedure_);
  }

 private:
  /// Where a step was read from.
  struct Origin {
    const Node* node = nullptr;
    std::string prefix = {};
    bool is_broken = false;  ///< something about it was reported
    std::vector<TakenOutput> taken = {};
    std::vector<Span> waits = {};  ///< where each entry of the step's `after` was said
  };
  /// A step that another one names.
  struct Reference {
    std::size_t step = 0;
    Span span = {};
  };

  /// Steps may wait for later ones of the text, so names are resolved when all are known.
  void resolve_names() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      ProcedureStep& step = procedure_.steps[i];
      for (const Reference& one : references(nodes_[i], "after")) wait(i, one.step, one.span);
      for (const Reference& one : references(nodes_[i], "before")) wait(one.step, i, one.span);
      for (const TakenOutput& one : nodes_[i].taken) wait_for_output(i, one);
      step.after_previous_wave = steps_of(references(nodes_[i], "after_previous_wave"));
      step.after_members = steps_of(references(nodes_[i], "after_members"));
      if (step.kind == ir::StepKind::restore) name_restored(step, nodes_[i]);
    }
  }

  void read_module(const ModuleInstance& instance) {
    const Node& module = *instance.tree;
    module_ = &instance;
    scope_ = input_.modules.empty() ? &input_.scope : &instance.scope;
    const Node* steps = module.find("steps");
    const bool has_steps = steps != nullptr && steps->is_sequence();
    // A module may be there for those that it uses.
    if (!module.is_mapping() || (!has_steps && module.find("use") == nullptr)) {
      has_unknown_steps_ = true;
      if (module.is_mapping() && instance.may_lack_steps) return;
      return broken(module.span, "a procedure is a mapping with a list `steps`",
                    "write its steps, or the modules that it uses; docs/language.md shows both");
    }
    check_keys(module, kModuleKeys, "a procedure");
    if (!has_steps) return;
    for (const Node& node : steps->items) read_step(node);
  }

  /// Modules stand one behind the other, stages run one behind the other: within a stage the order
  /// of the text stays.
  void sort_by_stage() {
    std::vector<std::size_t> order(procedure_.steps.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return procedure_.steps[a].stage < procedure_.steps[b].stage;
    });
    std::vector<ProcedureStep> steps;
    std::vector<Origin> nodes;
    for (const std::size_t i : order) {
      by_id_[procedure_.steps[i].id] = steps.size();
      steps.push_back(std::move(procedure_.steps[i]));
      nodes.push_back(std::move(nodes_[i]));
    }
    procedure_.steps = std::move(steps);
    nodes_ = std::move(nodes);
  }

  /// `help`: what to do where the module is the operator's own.
  Sink::Report refuse(Span span, std::string message, std::string help) {
    is_broken_ = true;
    auto report = sink_.report(Kind::procedure_broken, span, std::move(message));
    report.help(std::move(help));
    if (is_of_std(span)) report.help(kBugOfStd);
    return report;
  }
  void broken(Span span, std::string message, std::string help) {
    refuse(span, std::move(message), std::move(help));
  }
  [[nodiscard]] bool is_of_std(Span span) const { return plan::is_of_std(*input_.sources, span); }

  void check_keys(const Node& node, const std::vector<std::string_view>& known,
                  std::string_view what) {
    for (const syntax::Entry& entry : node.entries) {
      if (std::find(known.begin(), known.end(), std::string_view(entry.key)) != known.end())
        continue;
      auto report = refuse(entry.key_span,
                           fmt::format("unknown key `{}` in {}", printable(entry.key, 60), what),
                           fmt::format("known here: `{}`", fmt::join(known, "`, `")));
      if (const auto near = nearest(entry.key, known))
        report.label(fmt::format("did you mean `{}`?", *near));
    }
  }

  void read_step(const Node& node) {
    ProcedureStep step;
    step.span = {node.span.file, node.span.begin, node.span.begin + 1};
    if (!node.is_mapping()) {
      has_unknown_steps_ = true;
      return broken(node.span, "a step is a mapping", "write its `id`, `kind`, `stage` and `args`");
    }
    check_keys(node, kStepKeys, "a step");
    const Node* id = node.find("id");
    if (id == nullptr || !id->is_scalar() || id->text.empty()) {
      has_unknown_steps_ = true;
      return broken(step.span, "a step needs an `id`",
                    "give it a name that no other step has, like `target/domain`");
    }
    if (id->text.find("${") != std::string::npos)
      return broken(id->span, "an `id` has no expressions",
                    "write `{}` for the row's name, as in `account/{}/copy`, and a `for`");
    step.id = module_->prefix + id->text;
    step.span = id->span;
    const std::size_t errors_before = sink_.count(Severity::error);
    // Until it is read it is one that others may name, and that nothing is known of.
    if (!by_id_.emplace(step.id, kLost).second) return report_twice(step);
    places_.emplace(step.id, id->span);
    // A step with two mistakes in front has both of them told.
    const bool has_kind = read_kind(node, step);
    const bool has_stage = read_stage(node, step);
    if (!has_kind || !has_stage) return;
    if (const Node* role = node.find("role")) {
      if (role->text == "held")
        step.role = ir::TransactionRole::held;
      else if (role->text == "commit")
        step.role = ir::TransactionRole::commit;
      else
        broken(role->span, fmt::format("there is no role `{}`", printable(role->text, 60)),
               "write `held` for a step between the hold and the release of an account, `commit` "
               "for the one that gives it to the target, or leave `role` out");
    }
    read_loop(node, step);
    check_role(node, step);
    if (is_variable_misspelt(node, step)) return;
    syntax::TypeScope types(&module_->types);
    if (!step.variable.empty()) types.set(step.variable, *syntax::parse_type("map"));
    read_condition(node, step, types);
    step.is_off = step.is_off || is_switched_off(step);
    step.written = node.find("args");
    ReadArguments given;
    if (step.written != nullptr)
      given = arguments_.read(*step.written, step, *module_, *scope_, types);
    if (!given.is_whole) is_broken_ = true;
    step.arguments = std::move(given.values);
    check_arguments(step, given);
    add_connections(step, input_.connections);
    step.scope = scope_;
    by_id_[step.id] = procedure_.steps.size();
    nodes_.push_back({&node,
                      module_->prefix,
                      sink_.count(Severity::error) != errors_before,
                      std::move(given.taken),
                      {}});
    procedure_.steps.push_back(std::move(step));
  }

  /// Of two places that of the operator's own module is the one that can be mended.
  void report_twice(const ProcedureStep& step) {
    Span here = step.span;
    Span there = {};
    if (const auto first = places_.find(step.id); first != places_.end()) there = first->second;
    if (there.is_known() && is_of_std(here) && !is_of_std(there)) std::swap(here, there);
    auto report =
        refuse(here, fmt::format("step `{}` is there twice", printable(step.id, 80)),
               "give one of the two another id, or use its module `as` a word, which then "
               "stands in front of its ids");
    if (there.is_known()) report.note(there, "it stands here too");
  }

  /// The entry that is this key of a step with a mistake in it; nullptr: there is none.
  static const syntax::Entry* misspelt(const Node& node, std::string_view key) {
    for (const syntax::Entry& entry : node.entries) {
      const bool is_known = std::find(kStepKeys.begin(), kStepKeys.end(),
                                      std::string_view(entry.key)) != kStepKeys.end();
      if (!is_known && nearest(entry.key, std::vector<std::string_view>{key})) return &entry;
    }
    return nullptr;
  }

  /// Reported as a key that is not known.
  bool is_said_misspelt(const Node& node, std::string_view key) {
    if (misspelt(node, key) == nullptr) return false;
    is_broken_ = true;
    return true;
  }

  bool read_kind(const Node& node, ProcedureStep& step) {
    const Node* kind = node.find("kind");
    if (kind == nullptr) {
      if (is_said_misspelt(node, "kind")) return false;
      broken(step.span, "a step needs a `kind`",
             "say what it does: `admin.upsert` writes an object at the target, for example");
      return false;
    }
    if (const auto known = ir::step_kind_by_name(kind->text)) {
      step.kind = *known;
      return true;
    }
    auto [near, help] = unknown_kind(kind->text);
    auto report =
        refuse(kind->span, fmt::format("there is no kind of step `{}`", printable(kind->text, 60)),
               std::move(help));
    if (!near.empty()) report.label(fmt::format("did you mean `{}`?", near));
    return false;
  }

  /// The engine undoes what is held account by account: outside of a move the word means nothing.
  void check_role(const Node& node, const ProcedureStep& step) {
    const Node* role = node.find("role");
    if (role == nullptr || step.role == ir::TransactionRole::none) return;
    const bool is_of_waves = step.set != SIZE_MAX && input_.rows[step.set].name == "waves";
    if (step.stage == ir::Stage::waves && !step.variable.empty() && !is_of_waves) return;
    broken(role->span,
           fmt::format("`{}` of stage {} is no part of an account's move", printable(step.id, 80),
                       to_string(step.stage)),
           "take `role` out; it belongs to a step `for account in accounts` of stage `waves`");
  }

  bool read_stage(const Node& node, ProcedureStep& step) {
    const Node* stage = node.find("stage");
    if (stage == nullptr) {
      if (is_said_misspelt(node, "stage")) return false;
      // Whatever the plan language does not know of a step is an argument.
      const Node* arguments = node.find("args");
      const syntax::Entry* near = arguments == nullptr ? nullptr : misspelt(*arguments, "stage");
      auto report = refuse(near == nullptr ? step.span : near->key_span, "a step needs a `stage`",
                           "say when it runs: `prepare`, `cutover`, `waves` or `finalize`");
      if (near != nullptr) report.label("did you mean `stage`?");
      return false;
    }
    if (const auto known = ir::stage_by_name(stage->text)) {
      step.stage = *known;
      return true;
    }
    auto report =
        refuse(stage->span, fmt::format("there is no stage `{}`", printable(stage->text, 60)),
               "the stages are `prepare`, `cutover`, `waves` and `finalize`");
    static const std::vector<std::string_view> kStages = {"prepare", "cutover", "waves",
                                                          "finalize"};
    if (const auto near = nearest(stage->text, kStages))
      report.label(fmt::format("did you mean `{}`?", *near));
    return false;
  }

  void read_loop(const Node& node, ProcedureStep& step) {
    const Node* loop = node.find("for");
    const bool has_hole = step.id.find("{}") != std::string::npos;
    if (loop == nullptr) {
      if (has_hole)
        broken(step.span, "an `id` with `{}` needs a `for`",
               "say what it is expanded for (`account in accounts`), or take the `{}` out");
      return;
    }
    const auto words = split(loop->text, ' ');
    if (words.size() != 3 || words[1] != "in")
      return broken(loop->span, "`for` reads `NAME in ROWS`",
                    fmt::format("write `account in accounts`; rows are {}", known_rows()));
    step.variable = std::string(words[0]);
    for (std::size_t s = 0; s < input_.rows.size(); ++s) {
      if (input_.rows[s].name == words[2]) step.set = s;
    }
    if (step.set == SIZE_MAX && module_->unknown.contains(std::string(words[2]))) {
      is_broken_ = true;  // that there are none was reported
      return;
    }
    if (step.set == SIZE_MAX)
      return broken(loop->span, fmt::format("there are no rows `{}`", printable(words[2], 60)),
                    fmt::format("rows are {}", known_rows()));
    if (!has_hole)
      broken(
          step.span, "the `id` of a step with `for` needs a `{}`",
          fmt::format("write where the name of the row stands: `{}/{{}}`", printable(step.id, 80)));
  }

  struct Named {
    bool is_there = false;
    bool has_loops = false;  ///< which have names of their own
  };
  void look_for(const Node* value, std::string_view name, Named& named) const {
    if (value == nullptr || named.is_there) return;
    for (const Node& item : value->items) look_for(&item, name, named);
    for (const syntax::Entry& entry : value->entries) {
      named.has_loops = named.has_loops || entry.key == "each" || entry.key == "for";
      look_for(&entry.value, name, named);
    }
    if (!value->is_scalar()) return;
    Sink unheard;
    const auto text = syntax::parse_template(*value, *input_.sources, unheard);
    named.is_there = named.is_there || (text && mentions(*text, name));
  }

  /// Where the step says `account`, and its `for` says `acount`, one word is wrong and not each
  /// argument.
  bool is_variable_misspelt(const Node& node, const ProcedureStep& step) {
    if (step.variable.empty() || step.set == SIZE_MAX) return false;
    std::string usual = input_.rows[step.set].name;
    if (usual.ends_with('s')) usual.pop_back();
    if (usual == step.variable || scope_->find(usual) != nullptr ||
        module_->unknown.contains(usual))
      return false;
    Named own;
    Named other;
    for (const char* key : {"when", "args"}) {
      look_for(node.find(key), step.variable, own);
      look_for(node.find(key), usual, other);
    }
    if (own.is_there || own.has_loops || !other.is_there) return false;
    broken(node.find("for")->span,
           fmt::format("the step names `{}`, and its rows are called `{}`", usual,
                       printable(step.variable, 60)),
           fmt::format("write `for {} in {}`", usual, input_.rows[step.set].name));
    return true;
  }

  [[nodiscard]] std::string known_rows() const {
    std::string text;
    for (const RowSet& set : input_.rows)
      text += fmt::format("{}`{}`", text.empty() ? "" : ", ", set.name);
    return text;
  }

  void read_condition(const Node& node, ProcedureStep& step, const syntax::TypeScope& types) {
    const Node* when = node.find("when");
    if (when == nullptr) return;
    auto text = when->is_scalar() ? parse_template(*when, *input_.sources, sink_) : std::nullopt;
    if (!text || text->parts.size() != 1 || !text->parts.front().expression) {
      return broken(when->span, "`when` is not one expression",
                    "write one that is true or false: `contains(rollback_points, "
                    "'before-cutover')`; in YAML it "
                    "stands in `${...}`");
    }
    if (needs_unknown(*text, *module_)) {
      step.is_off = true;
      return;
    }
    if (const auto type = check_type(*text, types, sink_);
        !fits(type, *syntax::parse_type("boolean")))
      return broken(when->span, fmt::format("`when` is {}, no truth value", to_text(type)),
                    "compare it with something: `==`, `!=`, `<`, `contains(...)`");
    step.is_when_of_row = !step.variable.empty() && mentions(*text, step.variable);
    step.when = std::move(*text);
  }

  static std::vector<std::size_t> steps_of(const std::vector<Reference>& references) {
    std::vector<std::size_t> steps;
    for (const Reference& one : references) steps.push_back(one.step);
    return steps;
  }

  /// A module that is used `as` a word means its own step first, as in `after`.
  void name_restored(ProcedureStep& step, const Origin& origin) {
    const std::string own = origin.prefix + std::string(step.arguments["step"].string_or(""));
    if (by_id_.contains(own)) step.arguments.set("step", own);
  }

  /// What `before` says of one step is what `after` would say of the other.
  void wait(std::size_t step, std::size_t earlier, Span span) {
    const ProcedureStep& waiting = procedure_.steps[step];
    const ProcedureStep& other = procedure_.steps[earlier];
    if (other.stage > waiting.stage) {
      broken(
          span,
          fmt::format("`{}` of stage {} cannot wait for `{}` of stage {}",
                      printable(waiting.id, 80), to_string(waiting.stage), printable(other.id, 80),
                      to_string(other.stage)),
          fmt::format("stages run in the order prepare, cutover, waves, finalize: take this out, "
                      "or move `{}` to stage {}",
                      printable(waiting.id, 80), to_string(other.stage)));
    }
    procedure_.steps[step].after.push_back(earlier);
    nodes_[step].waits.push_back(span);
  }

  [[nodiscard]] std::optional<EarlierStep> earlier(const std::string& id) const {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return std::nullopt;
    EarlierStep step;
    if (found->second != kLost) step.kind = procedure_.steps[found->second].kind;
    return step;
  }

  /// What another step gives is there behind it: so it is waited for, whether `after` says it or
  /// not.
  void wait_for_output(std::size_t step, const TakenOutput& taken) {
    const auto found = by_id_.find(taken.step);
    if (found == by_id_.end() || found->second == kLost) return;
    const ProcedureStep& giving = procedure_.steps[found->second];
    ProcedureStep& taking = procedure_.steps[step];
    if (giving.set != SIZE_MAX && giving.set != taking.set)
      return broken(taken.span,
                    fmt::format("`{}` is there for each of `{}`, and this step is not",
                                printable(giving.id, 80), input_.rows[giving.set].name),
                    fmt::format("let this step be `for NAME in {}` too: each takes what is of its "
                                "own row",
                                input_.rows[giving.set].name));
    taking.takes_from.push_back({found->second, taken.span});
    if (std::find(taking.after.begin(), taking.after.end(), found->second) == taking.after.end())
      wait(step, found->second, taken.span);
  }

  /// Also where a step of the circle is switched off: it hands on what it would have waited for.
  void refuse_cycle() {
    const std::vector<std::size_t> way = circle_among(procedure_.steps);
    if (!way.empty()) report_cycle(way);
  }

  /// `way`: each step waits for the one behind it, the last one for the first.
  void report_cycle(const std::vector<std::size_t>& way) {
    std::string text;
    std::vector<Span> places;
    for (std::size_t i = 0; i < way.size(); ++i) {
      const ProcedureStep& step = procedure_.steps[way[i]];
      const std::size_t earlier = way[(i + 1) % way.size()];
      const auto wait = std::find(step.after.begin(), step.after.end(), earlier);
      places.push_back(nodes_[way[i]].waits[static_cast<std::size_t>(wait - step.after.begin())]);
      if (i < kCycleShownMax) text += printable(step.id, 80) + " after ";
    }
    if (way.size() > kCycleShownMax) text += "... after ";
    auto report =
        refuse(places.front(), fmt::format("cycle: {}{}", text, procedure_.steps[way.front()].id),
               "take one of these out of its `after` or `before`");
    report.label("each of these steps waits for the next one");
    for (std::size_t i = 1; i < places.size() && i < kCycleShownMax; ++i)
      report.note(places[i], fmt::format("here `{}` is made to wait",
                                         printable(procedure_.steps[way[i]].id, 80)));
  }

  std::vector<Reference> references(const Origin& origin, std::string_view key) {
    std::vector<Reference> steps;
    const Node* list = origin.node->find(key);
    if (list == nullptr) return steps;
    if (!list->is_sequence()) {
      broken(list->span, fmt::format("`{}` is a list of ids", key),
             fmt::format("put it into brackets: `[{}]`",
                         list->is_scalar() ? printable(list->text, 80) : std::string("ID")));
      return steps;
    }
    for (const Node& item : list->items) {
      // A module means its own steps first, and those of the modules that it uses.
      auto found = by_id_.find(origin.prefix + item.text);
      if (found == by_id_.end()) found = by_id_.find(item.text);
      if (found == by_id_.end())
        no_such_step(item);
      else if (found->second != kLost)
        steps.push_back({found->second, item.span});
    }
    return steps;
  }

  void no_such_step(const Node& item) {
    is_broken_ = true;
    if (has_unknown_steps_ || missing_.tell(item)) return;
    auto report = refuse(item.span, fmt::format("there is no step `{}`", printable(item.text, 80)),
                         "write the `id` of a step as it stands there, with its `{}`; one of a "
                         "module that is used `as` a word begins with that word");
    // Each is compared with each step, and whoever has thousands reads none of the last ones.
    if (++compared_ > kComparedMax) return;
    std::vector<std::string_view> ids;
    for (const auto& [id, unused] : by_id_) ids.push_back(id);
    std::sort(ids.begin(), ids.end());
    if (const auto near = nearest(item.text, ids))
      report.label(fmt::format("did you mean `{}`?", *near));
  }

  /// Where the operator gives a module of std what stands in this argument of its step.
  [[nodiscard]] Span given_to_std(const ProcedureStep& step, Span argument) const {
    if (step.written == nullptr || !is_of_std(argument)) return {};
    for (const syntax::Entry& entry : step.written->entries) {
      if (entry.value.span == argument)
        return given_place_in(entry.value, *module_, *input_.sources);
    }
    return {};
  }

  /// By a condition that is false in every row: what its arguments ask for may not be there.
  [[nodiscard]] bool is_switched_off(const ProcedureStep& step) const {
    if (!step.when) return false;
    // Where it names the row, what stands in front of that may decide.
    if (step.is_when_of_row && scope_->find(step.variable) != nullptr) return false;
    Sink unheard;
    const auto is_on = evaluate(*step.when, *scope_, unheard);
    return is_on && !is_on->bool_or(true);
  }

  void check_arguments(const ProcedureStep& step, const ReadArguments& given) {
    for (ArgumentProblem& one : problems_of_arguments(step, given)) {
      if (one.kind != Kind::procedure_broken) {
        is_broken_ = true;
        sink_.report(one.kind, one.span, std::move(one.message)).help(std::move(one.help));
        continue;
      }
      Span own = given_to_std(step, one.span);
      if (!own.is_known() && !one.is_of_step) own = written_.in_value(one.span, "", false);
      if (!own.is_known()) own = one.span;
      if (own == one.span) {
        auto report = refuse(own, std::move(one.message), std::move(one.help));
        if (!one.label.empty()) report.label(std::move(one.label));
        continue;
      }
      is_broken_ = true;
      elsewhere_.add(own, std::move(one));
    }
  }

  void tell_elsewhere() {
    for (WrongElsewhere& wrong : elsewhere_.take()) {
      auto report =
          refuse(wrong.place, std::move(wrong.problem.message), std::move(wrong.problem.help));
      if (!wrong.problem.label.empty()) report.label(std::move(wrong.problem.label));
      wrong.note_arguments(report);
    }
  }

  const LowerInput& input_;
  Sink& sink_;
  Procedure procedure_;
  ArgumentReader arguments_;
  std::unordered_map<std::string, std::size_t> by_id_;
  MissingSteps missing_;
  WrittenPlaces written_;
  ValuesWrongElsewhere elsewhere_;
  std::unordered_map<std::string, Span> places_;  // where each id stands
  const ModuleInstance* module_ = nullptr;        // that is being read
  const syntax::Scope* scope_ = nullptr;          // its; lives as long as the input
  std::vector<Origin> nodes_;
  std::size_t compared_ = 0;
  bool has_unknown_steps_ = false;
  bool is_broken_ = false;
};

/// Members of rows are not there without the rows: values that are not known.
Value without_rows(const Value& value) {
  if (const std::string_view member = ir::row_member(value); !member.empty())
    return ir::OutputRef{"$unknown", std::string(member)};
  if (value.is_list()) {
    ir::List items;
    for (const Value& item : value.items()) items.push_back(without_rows(item));
    return Value(std::move(items));
  }
  if (!value.is_map()) return value;
  Value map = Value::map();
  for (const auto& [name, member] : value.members()) map.set(name, without_rows(member));
  return map;
}

}  // namespace

std::optional<Procedure> read_procedure(const LowerInput& input, Sink& sink) {
  return ProcedureReader(input, sink).read();
}

namespace {

/// Each of the operator's steps once, without rows.
std::optional<ir::StepGraph> graph_of(std::vector<ProcedureStep> steps, const LowerInput& input) {
  ir::StepGraph graph;
  std::uint32_t shape = 0;
  for (ProcedureStep& step : steps) {
    // What only follows from the plan is not said of a module that is not the operator's.
    if (is_of_std(*input.sources, step.span)) continue;
    graph.add_shape(
        {step.kind, step.stage, step.role, step.id, without_rows(step.arguments), step.span});
    static_cast<void>(graph.add_step(shape++, ir::RowId::none, ir::WaveId::none));
  }
  if (shape == 0 || graph.freeze()) return std::nullopt;
  return graph;
}

}  // namespace

std::optional<ir::StepGraph> check_steps(const LowerInput& input, const LostSteps& lost,
                                         Sink& sink) {
  return graph_of(ProcedureReader(input, sink).read_what_is_there(lost), input);
}

std::optional<ir::StepGraph> steps_switched_off(const LowerInput& input) {
  Sink heard;  // what is wrong with the steps themselves was said
  std::vector<ProcedureStep> steps = ProcedureReader(input, heard).read_what_is_there({});
  std::erase_if(steps, [](const ProcedureStep& step) { return !step.is_off; });
  return graph_of(std::move(steps), input);
}

}  // namespace plan::lower
