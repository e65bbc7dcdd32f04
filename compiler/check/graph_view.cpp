#include "compiler/check/graph_view.h"

#include <fmt/format.h>

#include "compiler/ir/shape_sample.h"
#include "compiler/ir/steps_before.h"
#include "compiler/source/text.h"

namespace plan::check {

using ir::StepId;
using ir::StepKind;

std::string_view object_type(std::string_view object) {
  return object.starts_with("x:") ? object.substr(2) : object;
}

std::vector<std::string_view> members_of(const ir::Value& set) {
  std::vector<std::string_view> members;
  for (const auto& [member, is_member] : set.members()) members.push_back(member);
  for (const ir::Value& member : set.items()) members.push_back(member.string_or(""));
  return members;
}

std::vector<std::string_view> results_of(const ir::Value& expression) {
  std::vector<std::string_view> results;
  const auto take = [&](const ir::Value& value) {
    if (value.is_string()) results.push_back(value.as_string());
  };
  const ir::Value& match = expression["match"];
  for (const auto& [number, branch] : match.members()) take(branch["then"]);
  for (const ir::Value& branch : match.items()) take(branch["then"]);
  take(expression["else"]);
  return results;
}

GraphView::GraphView(const Migration& migration, const ir::StepGraph& graph,
                     const schema::Schema* schema, MemberPlace member_place)
    : migration_(migration),
      graph_(graph),
      schema_(schema),
      member_place_(std::move(member_place)),
      by_kind_(ir::all_step_kinds().size()),
      kinds_before_(graph.size()),
      kinds_of_row_(graph.row_count() + 1) {
  PLAN_CHECK(by_kind_.size() <= 64, "a mask of kinds has 64 bits");
  std::vector<std::size_t> counts(by_kind_.size());
  for (std::size_t i = 0; i < graph.size(); ++i)
    ++counts[static_cast<std::size_t>(graph.kind(static_cast<StepId>(i)))];
  for (std::size_t kind = 0; kind < counts.size(); ++kind) by_kind_[kind].reserve(counts[kind]);
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const auto step = static_cast<StepId>(i);
    by_kind_[static_cast<std::size_t>(graph.kind(step))].push_back(step);
  }
  for (const StepId step : graph.order()) {
    const ir::RowId row = graph.row(step);
    std::uint64_t kinds = 0;
    for (const StepId earlier : graph.after(step)) {
      if (graph.row(earlier) != row) continue;
      kinds |= kinds_before_[ir::index(earlier)];
      kinds |= std::uint64_t{1} << static_cast<unsigned>(graph.kind(earlier));
    }
    kinds_before_[ir::index(step)] = kinds;
    kinds_of_row_[static_cast<std::size_t>(row)] |= std::uint64_t{1}
                                                    << static_cast<unsigned>(graph.kind(step));
  }
  ir::ShapeSample sample(graph);
  for (const StepKind kind : {StepKind::admin_upsert, StepKind::admin_update}) {
    for (const StepId step : of_kind(kind)) {
      if (!sample.takes(step)) continue;
      const ir::Value arguments = graph.arguments(step);
      writes_.push_back({step, kind == StepKind::admin_upsert,
                         std::string(object_type(arguments["object"].string_or(""))),
                         arguments["match"], arguments["set"]});
    }
  }
}

std::span<const StepId> GraphView::of_kind(StepKind kind) const {
  return by_kind_[static_cast<std::size_t>(kind)];
}

bool GraphView::has_in_row(StepId step, StepKind kind) const {
  const ir::RowId row = graph_.row(step);
  if (row == ir::RowId::none) return false;
  return ((kinds_of_row_[static_cast<std::size_t>(row)] >> static_cast<unsigned>(kind)) & 1U) != 0;
}

std::vector<bool> GraphView::needs_of(StepId step) const { return ir::needs_of(graph_, step); }

Sink::Report report_write(const GraphView& view, const TargetWrite& write, Kind kind,
                          std::string_view what, Sink& sink) {
  return report_step(view, write.step, kind, what, sink);
}

Span GraphView::place_of(StepId step, std::string_view path) const {
  const Span written = member_place_ ? member_place_(step, path) : Span{};
  return written.is_known() ? written : graph_.origin(step);
}

Sink::Report report_member(const GraphView& view, const TargetWrite& write, std::string_view path,
                           Kind kind, std::string_view what, Sink& sink) {
  return sink.report(kind, view.place_of(write.step, path),
                     fmt::format("`{}` {}", printable(view.graph().id(write.step), 160), what));
}

Sink::Report report_step(const GraphView& view, StepId step, Kind kind, std::string_view what,
                         Sink& sink) {
  return sink.report(kind, view.graph().origin(step),
                     fmt::format("`{}` {}", printable(view.graph().id(step), 160), what));
}

void check_graph_rules(const Migration& migration, const ir::StepGraph& graph,
                       const schema::Schema* schema, const MemberPlace& member_place, Sink& sink) {
  const GraphView view(migration, graph, schema, member_place);
#define PLAN_GRAPH_RULE(function) rules::function(view, sink);
#include "compiler/check/graph_rules.def"
#undef PLAN_GRAPH_RULE
}

}  // namespace plan::check
