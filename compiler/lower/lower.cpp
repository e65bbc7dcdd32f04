#include "compiler/lower/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "compiler/ir/row_values.h"
#include "compiler/ir/secrets.h"
#include "compiler/lower/absent_value.h"
#include "compiler/lower/argument_type.h"
#include "compiler/lower/procedure.h"
#include "compiler/lower/step_arguments.h"
#include "compiler/source/report_again.h"
#include "compiler/source/std_place.h"
#include "compiler/source/text.h"

namespace plan::lower {
namespace {

using ir::StepGraph;
using ir::StepId;
using ir::Value;

constexpr auto kNoStep = static_cast<StepId>(UINT32_MAX);
constexpr std::string_view kWaves = "waves";

class Expander {
 public:
  Expander(const LowerInput& input, Procedure procedure, Sink& sink)
      : input_(input), procedure_(std::move(procedure)), sink_(sink) {}

  std::optional<StepGraph> expand() {
    for (const ir::WaveInfo& wave : input_.waves) graph_.add_wave(wave);
    add_shapes();
    reserve();
    add_rows();
    refuse_secrets_of_rows();
    if (is_broken_) return std::nullopt;
    add_steps();
    for (std::size_t s = 0; s < procedure_.steps.size(); ++s) add_edges(s);
    if (is_broken_) return std::nullopt;
    if (auto problem = graph_.freeze()) {
      report_unfrozen(std::move(*problem));
      return std::nullopt;
    }
    return std::move(graph_);
  }

 private:
  Sink::Report refuse(Span span, std::string message, std::string help) {
    is_broken_ = true;
    auto report = sink_.report(Kind::procedure_broken,
                               {span.file, span.begin, std::min(span.end, span.begin + 80)},
                               std::move(message));
    report.help(std::move(help));
    return report;
  }
  void broken(Span span, std::string message, std::string help) {
    refuse(span, std::move(message), std::move(help));
  }

  /// Two steps of the text may make one id in some row.
  void report_unfrozen(std::string problem) {
    std::unordered_map<std::string, StepId> first;
    for (std::size_t i = 0; i < graph_.size(); ++i) {
      const auto step = static_cast<StepId>(i);
      const auto [known, is_new] = first.emplace(graph_.id(step), step);
      if (is_new) continue;
      const bool is_one_shape = graph_.origin(step) == graph_.origin(known->second);
      // Where both stand in one place, the rows are what collides.
      Span here = graph_.origin(step);
      Span there =
          is_one_shape ? graph_.row_origin(graph_.row(step)) : graph_.origin(known->second);
      const SourceSet& sources = *input_.sources;
      if (is_of_std(sources, here) && there.is_known() && !is_of_std(sources, there))
        std::swap(here, there);
      auto report = refuse(
          here, std::move(problem),
          is_one_shape
              ? "let each of the rows have a name of its own"
              : "give one of the two steps another id: `{}` stands for the name of each row");
      if (there.is_known())
        report.note(there, is_one_shape ? "this row has a name that is there already"
                                        : "it stands here too");
      return;
    }
    broken(input_.module->span, std::move(problem), "let one of these steps wait for no other");
  }
  [[nodiscard]] std::size_t rows_of(const ProcedureStep& step) const {
    return step.variable.empty() ? 1 : input_.rows[step.set].size;
  }
  /// Of a row, or of none.
  std::optional<Value> value_in(const std::string& row, const syntax::Template& text,
                                const syntax::Scope& scope) {
    Sink said;
    auto value = evaluate(text, scope, said);
    if (said.empty()) return value;
    for (Diagnostic one : said.sorted()) {
      if (!row.empty() && one.label.empty()) one.label = fmt::format("of `{}`", printable(row, 80));
      report_again(one, sink_);
    }
    return value;
  }

  /// True, false, or false with a report when it is no truth value.
  bool holds(const std::string& row, const syntax::Template& when, const syntax::Scope& scope,
             Span span) {
    const auto value = value_in(row, when, scope);
    if (value && value->is_bool()) return value->bool_or(false);
    // Where it cannot be evaluated, why was said.
    is_broken_ = true;
    if (value)
      broken(span, "`when` is no truth value",
             "compare it with something: `==`, `!=`, `<`, `contains(...)`");
    return false;
  }

  void add_shapes() {
    steps_.resize(procedure_.steps.size());
    is_on_.resize(procedure_.steps.size(), true);
    for (std::size_t s = 0; s < procedure_.steps.size(); ++s) {
      ProcedureStep& step = procedure_.steps[s];
      graph_.add_shape(
          {step.kind, step.stage, step.role, step.id, std::move(step.arguments), step.span});
      if (step.when && !step.is_when_of_row)
        is_on_[s] = holds({}, *step.when, *step.scope, step.span);
      steps_[s].assign(rows_of(step), kNoStep);
    }
  }

  /// Room for what most plans come to; a condition may leave some of it empty.
  void reserve() {
    std::set<std::size_t> sets;
    std::size_t steps = 0;
    std::size_t edges = 0;
    for (const ProcedureStep& step : procedure_.steps) {
      if (!step.variable.empty()) sets.insert(step.set);
      steps += rows_of(step);
      for (const std::size_t reference : step.after)
        edges += std::max(rows_of(step), rows_of(procedure_.steps[reference]));
      for (const std::size_t reference : step.after_previous_wave)
        edges += rows_of(procedure_.steps[reference]);
    }
    std::size_t rows = 0;
    for (const std::size_t set : sets) rows += input_.rows[set].size;
    graph_.reserve(rows, steps, edges);
  }

  /// One row of the graph for each row that some step is expanded for, with only the members that
  /// arguments need and those that are kept of every row. Also decides the conditions that depend
  /// on the row.
  void add_rows() {
    rows_.resize(input_.rows.size());
    waves_.resize(input_.rows.size());
    members_.resize(input_.rows.size());
    secret_members_.resize(input_.rows.size());
    conditions_.resize(procedure_.steps.size());
    for (std::size_t set = 0; set < input_.rows.size(); ++set) {
      std::vector<std::size_t> steps;
      for (std::size_t s = 0; s < procedure_.steps.size(); ++s) {
        if (!procedure_.steps[s].variable.empty() && procedure_.steps[s].set == set)
          steps.push_back(s);
      }
      if (steps.empty()) continue;
      const RowSet& rows = input_.rows[set];
      for (const std::size_t s : steps) {
        if (procedure_.steps[s].is_when_of_row) conditions_[s].assign(rows.size, true);
      }
      const std::vector<RowArgument> arguments = arguments_of_rows(steps);
      rows_[set].reserve(rows.size);
      waves_[set].reserve(rows.size);
      for (std::size_t r = 0; r < rows.size; ++r) {
        Row row = rows.row(r);
        if (row.wave > input_.waves.size())
          return broken(input_.module->span, "a row is in a wave that is not there",
                        "this is a bug of plan");
        add_row(set, r, steps, std::move(row));
        if (is_broken_) return;
        for (const RowArgument& one : arguments) {
          const std::vector<bool>& is_on = conditions_[one.step];
          if (is_on.empty() || is_on[r]) check_row_argument(one, rows_[set].back());
        }
        if (is_broken_) return;
      }
    }
  }

  /// An argument whose value is a member of the row, or a list with members of it.
  struct RowArgument {
    const ir::ArgumentSpec* spec = nullptr;
    const Value* given = nullptr;
    std::size_t step = 0;
  };

  /// Those of these steps. What several steps take for the same argument is there once, and once
  /// more for each step that is not there in every row.
  std::vector<RowArgument> arguments_of_rows(const std::vector<std::size_t>& steps) const {
    std::vector<RowArgument> found;
    std::set<std::tuple<std::string_view, std::string_view, ir::ArgumentType, std::size_t>> known;
    for (const std::size_t s : steps) {
      for (const ir::ArgumentSpec* taken : arguments_taken(procedure_.steps[s].kind)) {
        const ir::ArgumentSpec& spec = *taken;
        const Value& given = graph_.shapes()[s].arguments[spec.name];
        const std::string_view member = ir::row_member(given);
        const bool has_members =
            std::any_of(given.items().begin(), given.items().end(),
                        [](const Value& item) { return !ir::row_member(item).empty(); });
        if (member.empty() && !has_members) continue;
        const bool is_own = procedure_.steps[s].is_when_of_row || procedure_.steps[s].is_off;
        const std::size_t of = is_own ? s : SIZE_MAX;
        if (has_members || known.emplace(member, spec.name, spec.type, of).second)
          found.push_back({&spec, &given, s});
      }
    }
    return found;
  }

  /// What a row's members are is known only from the rows.
  void check_row_argument(const RowArgument& argument, ir::RowId row) {
    if (is_broken_) return;
    const ProcedureStep& step = procedure_.steps[argument.step];
    const Value& members = graph_.row_members(row);
    const std::string_view member = ir::row_member(*argument.given);
    if (step.is_off && !member.empty() && is_absent(members[member])) return;
    const auto wrong = judge_in_row(argument, members);
    if (!wrong) return;
    broken(place_of(step, argument.spec->name),
           fmt::format("`{}` of `{}` {} for `{}`", argument.spec->name, info(step.kind).name,
                       wrong->why, printable(graph_.row_name(row), 80)),
           wrong->help);
  }

  static std::optional<WrongArgument> judge_in_row(const RowArgument& argument,
                                                   const Value& members) {
    const Value& given = *argument.given;
    if (const std::string_view name = ir::row_member(given); !name.empty()) {
      const Value& value = members[name];
      if (ir::holds_secret(value)) return std::nullopt;  // refuse_secrets_of_rows
      // The addresses of the plan's own rows are judged where they stand; a member that is called
      // otherwise may be none.
      const bool is_own =
          !name.starts_with('=') && argument.spec->type == ir::ArgumentType::address &&
          (name == "address" || value.string_or("@").find('@') != std::string_view::npos);
      return is_own ? judge_type(value, *argument.spec) : judge_argument(value, *argument.spec);
    }
    for (const Value& item : given.items()) {
      const Value& value = members[ir::row_member(item)];
      if (value.is_null() || ir::holds_secret(value)) continue;
      if (auto wrong = judge_argument(Value(ir::List{value}), *argument.spec)) return wrong;
    }
    return std::nullopt;
  }

  /// Whether a row's member is a secret is known only from the rows.
  void refuse_secrets_of_rows() {
    for (std::size_t s = 0; s < procedure_.steps.size(); ++s) {
      const ProcedureStep& step = procedure_.steps[s];
      if (step.variable.empty() || secret_members_[step.set].empty()) continue;
      for (const auto& [name, value] : graph_.shapes()[s].arguments.members()) {
        if (takes_secret(step.kind, name) || !takes_from(value, secret_members_[step.set]))
          continue;
        is_broken_ = true;
        sink_
            .report(Kind::expression_type, place_of(step, name),
                    fmt::format("a secret cannot become `{}` of `{}`", printable(name, 60),
                                info(step.kind).name))
            .help(syntax::kSecretRemedy);
      }
    }
  }

  static bool takes_from(const Value& value, const std::set<std::string>& members) {
    if (const std::string_view name = ir::row_member(value); !name.empty())
      return members.contains(std::string(name));
    for (const Value& item : value.items()) {
      if (takes_from(item, members)) return true;
    }
    for (const auto& [unused, member] : value.members()) {
      if (takes_from(member, members)) return true;
    }
    return false;
  }

  void add_row(std::size_t set, std::size_t r, const std::vector<std::size_t>& steps, Row row) {
    ir::Map members;
    const std::vector<std::string>& kept = input_.rows[set].kept;
    members.reserve(procedure_.row_members[set].size() + kept.size() +
                    procedure_.computed[set].size());
    for (const auto& [name, span] : procedure_.row_members[set]) {
      const Value* value = row.value.is_map() ? row.value.as_map().find(name) : nullptr;
      if (value == nullptr) return no_such_member(input_.rows[set], row.value, name, span);
      if (!value->is_null()) members.set(name, *value);
    }
    for (const std::string& name : kept) {
      if (!members.contains(name) && !row.value[name].is_null()) members.set(name, row.value[name]);
    }
    // One scope for all that one module evaluates of this row.
    std::optional<syntax::Scope> scope;
    const syntax::Scope* outer = nullptr;
    std::string_view variable;
    const auto scope_in = [&](const syntax::Scope* wanted,
                              const std::string& name) -> const syntax::Scope& {
      if (!scope || outer != wanted || variable != name) {
        scope.emplace(wanted);
        scope->set(name, row.value);
        outer = wanted;
        variable = name;
      }
      return *scope;
    };
    for (const Computed& computed : procedure_.computed[set]) {
      const syntax::Scope& names = scope_in(computed.scope, computed.variable);
      if (computed.is_off && asks_of_absent(computed.text, names)) continue;
      auto value = value_in(row.name, computed.text, names);
      if (!value) {
        is_broken_ = true;
        return;
      }
      if (!value->is_null())
        members.set(computed.member, as_argument(std::move(*value), computed.type));
    }
    for (const auto& [name, value] : members) {
      if (ir::holds_secret(value)) secret_members_[set].insert(name);
    }
    for (const std::size_t s : steps) {
      const ProcedureStep& step = procedure_.steps[s];
      if (step.is_when_of_row)
        conditions_[s][r] =
            holds(row.name, *step.when, scope_in(step.scope, step.variable), step.span);
    }
    rows_[set].push_back(graph_.add_row(std::move(row.name), std::move(members), row.origin));
    waves_[set].push_back(row.wave);
    if (!input_.rows[set].members_of.empty()) members_[set].push_back(std::move(row.members));
  }

  void no_such_member(const RowSet& rows, const Value& row, const std::string& name, Span span) {
    std::vector<std::string_view> known;
    for (const auto& [member, unused] : row.members()) known.push_back(member);
    std::sort(known.begin(), known.end());
    auto report =
        refuse(span, fmt::format("rows `{}` have no member `{}`", rows.name, printable(name, 60)),
               fmt::format("members are `{}`", fmt::join(known, "`, `")));
    if (const auto near = nearest(name, known))
      report.label(fmt::format("did you mean `{}`?", *near));
  }

  void add_step(std::size_t s, std::size_t r) {
    const ProcedureStep& step = procedure_.steps[s];
    if (!is_on_[s] || (step.is_when_of_row && !conditions_[s][r])) return;
    const bool has_row = !step.variable.empty();
    steps_[s][r] = graph_.add_step(
        static_cast<std::uint32_t>(s), has_row ? rows_[step.set][r] : ir::RowId::none,
        has_row ? static_cast<ir::WaveId>(waves_[step.set][r]) : ir::WaveId::none);
  }

  /// In the order in which a person reads: the text of the module, but wave by wave and account by
  /// account where steps belong to waves.
  void add_steps() {
    std::size_t s = 0;
    while (s < procedure_.steps.size()) {
      if (procedure_.steps[s].stage != ir::Stage::waves) {
        for (std::size_t r = 0; r < rows_of(procedure_.steps[s]); ++r) add_step(s, r);
        ++s;
        continue;
      }
      std::size_t end = s;
      while (end < procedure_.steps.size() && procedure_.steps[end].stage == ir::Stage::waves)
        ++end;
      add_wave_steps(s, end);
      s = end;
    }
  }

  void add_wave_steps(std::size_t begin, std::size_t end) {
    for (std::size_t s = begin; s < end; ++s) {
      if (procedure_.steps[s].variable.empty()) add_step(s, 0);
    }
    // Rows by wave, each set once.
    std::vector<std::size_t> sets;
    for (std::size_t s = begin; s < end; ++s) {
      const std::size_t set = procedure_.steps[s].set;
      if (!procedure_.steps[s].variable.empty() &&
          std::find(sets.begin(), sets.end(), set) == sets.end())
        sets.push_back(set);
    }
    std::vector<std::vector<std::vector<std::uint32_t>>> by_wave(sets.size());
    for (std::size_t i = 0; i < sets.size(); ++i) {
      by_wave[i].resize(input_.waves.size() + 1);
      for (std::size_t r = 0; r < waves_[sets[i]].size(); ++r)
        by_wave[i][waves_[sets[i]][r]].push_back(static_cast<std::uint32_t>(r));
    }
    for (std::size_t wave = 0; wave <= input_.waves.size(); ++wave) {
      for (std::size_t i = 0; i < sets.size(); ++i) {
        for (const std::uint32_t r : by_wave[i][wave]) {
          for (std::size_t s = begin; s < end; ++s) {
            if (!procedure_.steps[s].variable.empty() && procedure_.steps[s].set == sets[i])
              add_step(s, r);
          }
        }
      }
    }
  }

  // --- edges -------------------------------------------------------------------------------------

  /// Step `step` of the module in row `row`; 0 for a step without rows.
  struct Place {
    std::size_t step = 0;
    std::size_t row = 0;
  };

  /// `step` waits for what stands at `wanted`; where that is switched off, for what it would have
  /// waited for itself. `is_soft`: for its end, whatever that is. A chain of steps that are off may
  /// be as long as a module is.
  void wait_for(StepId step, Place wanted, bool is_soft = false) {
    if (const StepId other = steps_[wanted.step][wanted.row]; other != kNoStep) {
      if (is_soft)
        graph_.add_soft_edge(other, step);
      else
        graph_.add_edge(other, step);
      return;
    }
    // Several ways may lead to one step that is off: it is passed once.
    if (step != passing_for_) passed_.clear();
    passing_for_ = step;
    std::vector<Place> open = {wanted};
    while (!open.empty()) {
      const Place place = open.back();
      open.pop_back();
      if (const StepId other = steps_[place.step][place.row]; other != kNoStep) {
        graph_.add_edge(other, step);
        continue;
      }
      if (!passed_.emplace(place.step, place.row).second) continue;
      const ProcedureStep& off = procedure_.steps[place.step];
      for (const std::size_t earlier : off.after)
        each_place(off, place.row, earlier, [&](Place one) { open.push_back(one); });
    }
  }

  [[nodiscard]] bool is_waves(const ProcedureStep& step) const {
    return !step.variable.empty() && input_.rows[step.set].name == kWaves;
  }

  /// Where `reference` stands for what stands (or would stand) in row `r` of `from`.
  template <class Take>
  void each_place(const ProcedureStep& from, std::size_t r, std::size_t reference,
                  const Take& take) {
    const ProcedureStep& other = procedure_.steps[reference];
    if (other.variable.empty()) return take(Place{reference, 0});
    if (from.variable.empty()) {
      for (std::size_t i = 0; i < steps_[reference].size(); ++i) take(Place{reference, i});
      return;
    }
    if (other.set == from.set) return take(Place{reference, r});
    if (is_waves(other)) {
      const std::uint32_t wave = waves_[from.set][r];
      if (wave != 0) take(Place{reference, wave - 1});
      return;
    }
    broken(from.span, fmt::format("`{}` cannot wait for every `{}`", from.id, other.id),
           "put one step between them: it waits for all of those, and this one for it");
  }

  void add_edges(std::size_t s) {
    const ProcedureStep& step = procedure_.steps[s];
    for (std::size_t r = 0; r < steps_[s].size() && !is_broken_; ++r) {
      if (steps_[s][r] == kNoStep) continue;
      for (const std::size_t reference : step.after)
        each_place(step, r, reference, [&](Place place) { wait_for(steps_[s][r], place); });
      for (const std::size_t reference : step.after_members) wait_for_members(s, r, reference);
      for (const GivingStep& giving : step.takes_from) {
        each_place(step, r, giving.step, [&](Place place) {
          if (steps_[place.step][place.row] == kNoStep) not_given(step, giving);
        });
      }
    }
    if (step.after_previous_wave.empty()) return;
    if (!is_waves(step))
      return broken(step.span, "only steps for `waves` have a previous wave",
                    "write `for wave in waves`, or take `after_previous_wave` out");
    for (std::size_t wave = 1; wave < steps_[s].size(); ++wave) {
      if (steps_[s][wave] != kNoStep && steps_[s][wave - 1] != kNoStep)
        graph_.add_edge(steps_[s][wave - 1], steps_[s][wave]);
    }
    for (const std::size_t reference : step.after_previous_wave) {
      const ProcedureStep& other = procedure_.steps[reference];
      if (other.variable.empty())
        return broken(
            step.span, fmt::format("`{}` belongs to no wave", other.id),
            "name steps of accounts in `after_previous_wave`; others belong into `after`");
      for (std::size_t r = 0; r < steps_[reference].size(); ++r) {
        // The row's wave counts from 1, so it is the index of the next one.
        const std::uint32_t next = waves_[other.set][r];
        if (next == 0 || next >= steps_[s].size() || steps_[s][next] == kNoStep) continue;
        // A wave that says how many failures stop it goes on behind fewer, and so does the next.
        const ir::WaveInfo& wave = input_.waves[next - 1];
        wait_for(steps_[s][next], {reference, r},
                 wave.stop_after_failed != 0 || wave.stop_failed_permille != 0);
      }
    }
  }

  void not_given(const ProcedureStep& step, const GivingStep& giving) {
    if (is_broken_) return;
    const std::string& other = procedure_.steps[giving.step].id;
    broken(giving.span,
           fmt::format("`{}` takes what `{}` gives, and that one is switched off",
                       printable(step.id, 80), printable(other, 80)),
           "let both have the same `when`");
  }

  void wait_for_members(std::size_t s, std::size_t r, std::size_t reference) {
    const ProcedureStep& step = procedure_.steps[s];
    const ProcedureStep& other = procedure_.steps[reference];
    if (step.variable.empty() || other.variable.empty() ||
        input_.rows[step.set].members_of != input_.rows[other.set].name) {
      return broken(step.span,
                    fmt::format("`{}` has no members that `{}` is for", step.id, other.id),
                    "let a step `for wave in waves` wait for the members of each wave: steps `for "
                    "account in accounts`");
    }
    for (const std::uint32_t member : members_[step.set][r]) {
      // Also those of earlier waves: a wave may begin behind failures of the one before.
      if (member < steps_[reference].size()) wait_for(steps_[s][r], {reference, member});
    }
  }

  const LowerInput& input_;
  Procedure procedure_;
  Sink& sink_;
  StepGraph graph_;
  std::vector<std::vector<StepId>> steps_;  // [step of the module][row]
  std::vector<bool> is_on_;                 // [step of the module]
  std::vector<std::vector<bool>>
      conditions_;  // [step of the module][row], where `when` needs the row
  std::vector<std::vector<ir::RowId>> rows_;                      // [set][row]
  std::vector<std::vector<std::uint32_t>> waves_;                 // [set][row]
  std::vector<std::vector<std::vector<std::uint32_t>>> members_;  // [set][row]
  std::vector<std::set<std::string>> secret_members_;             // [set]
  StepId passing_for_ = kNoStep;                                  // whose edges `passed_` is about
  std::set<std::pair<std::size_t, std::size_t>> passed_;          // steps that are off, and rows
  bool is_broken_ = false;
};

}  // namespace

std::optional<StepGraph> lower(const LowerInput& input, Sink& sink) {
  auto procedure = read_procedure(input, sink);
  if (!procedure) return std::nullopt;
  return Expander(input, std::move(*procedure), sink).expand();
}

}  // namespace plan::lower
