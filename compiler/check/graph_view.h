#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/names.h"
#include "compiler/check/plan.h"
#include "compiler/ir/step_graph.h"

namespace plan::schema {
class Schema;
}

namespace plan::check {

/// What one step would write to an object of the target.
struct TargetWrite {
  ir::StepId step = {};
  bool is_upsert = false;   ///< makes the object when it is not there
  std::string object = {};  ///< "MtaRoute", without `x:`
  ir::Value match = {};     ///< null for a singleton
  ir::Value set = {};
};

/// Where a part of a step's arguments is written (`set.rewrite`); unknown where nobody knows.
using MemberPlace = std::function<Span(ir::StepId step, std::string_view path)>;

/// The steps as the rules about order and about written values look at them.
class GraphView {
 public:
  /// `schema`: the target's types, null when nobody has fetched them.
  GraphView(const Migration& migration, const ir::StepGraph& graph, const schema::Schema* schema,
            MemberPlace member_place = {});

  [[nodiscard]] const Plan& plan() const { return migration_.plan; }
  [[nodiscard]] const Migration& migration() const { return migration_; }
  [[nodiscard]] const ir::StepGraph& graph() const { return graph_; }
  [[nodiscard]] const schema::Schema* schema() const { return schema_; }
  /// Where a part of the step's arguments is written; the step where nobody knows.
  [[nodiscard]] Span place_of(ir::StepId step, std::string_view path) const;
  /// Steps of one kind, in the order of the graph.
  [[nodiscard]] std::span<const ir::StepId> of_kind(ir::StepKind kind) const;
  /// Those of the kinds `admin.upsert` and `admin.update`. Steps of one shape differ in names only:
  /// at most 200 of each shape are here.
  [[nodiscard]] std::span<const TargetWrite> writes() const { return writes_; }
  /// Everything that has to be done before `step`; soft edges are an order and no need. One bit a
  /// step.
  [[nodiscard]] std::vector<bool> needs_of(ir::StepId step) const;
  /// Is there a step of `kind` for the same account that has to be done before `step`? Looks at the
  /// account's own steps only, which is what makes it cheap for every account.
  [[nodiscard]] bool follows_in_row(ir::StepId step, ir::StepKind kind) const {
    return ((kinds_before_[ir::index(step)] >> static_cast<unsigned>(kind)) & 1U) != 0;
  }
  /// Is there a step of `kind` for the same account at all, before `step` or behind it?
  [[nodiscard]] bool has_in_row(ir::StepId step, ir::StepKind kind) const;

 private:
  const Migration& migration_;
  const ir::StepGraph& graph_;
  const schema::Schema* schema_;
  MemberPlace member_place_;
  std::vector<TargetWrite> writes_;
  std::vector<std::vector<ir::StepId>> by_kind_;
  std::vector<std::uint64_t> kinds_before_;  // one bit a kind: what the step's row does before it
  std::vector<std::uint64_t> kinds_of_row_;  // the same of all steps of a row
};

/// Members of a set of the target, which is a map on the wire and a list where authors write one.
[[nodiscard]] std::vector<std::string_view> members_of(const ir::Value& set);
/// The texts that an expression of the target can give: its `else` and every `then`.
[[nodiscard]] std::vector<std::string_view> results_of(const ir::Value& expression);

/// Type of an object without the `x:` of the wire.
[[nodiscard]] std::string_view object_type(std::string_view object);

/// Reports about what a step writes, at its place; `what` goes on behind the step's id.
Sink::Report report_write(const GraphView& view, const TargetWrite& write, Kind kind,
                          std::string_view what, Sink& sink);

/// The same at the place of a part of it: `set.selector`.
Sink::Report report_member(const GraphView& view, const TargetWrite& write, std::string_view path,
                           Kind kind, std::string_view what, Sink& sink);

/// The same about a step of any kind.
Sink::Report report_step(const GraphView& view, ir::StepId step, Kind kind, std::string_view what,
                         Sink& sink);

/// Runs every rule of graph_rules.def.
void check_graph_rules(const Migration& migration, const ir::StepGraph& graph,
                       const schema::Schema* schema, const MemberPlace& member_place, Sink& sink);

namespace rules {
#define PLAN_GRAPH_RULE(function) void function(const GraphView& view, Sink& sink);
#include "compiler/check/graph_rules.def"
#undef PLAN_GRAPH_RULE
}  // namespace rules

}  // namespace plan::check
