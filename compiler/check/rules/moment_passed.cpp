// Prevents: accounts that are held in the middle of a working day, because the night that the plan
// names for their wave has passed.
#include <string_view>
#include <utility>

#include "compiler/check/graph_view.h"
#include "compiler/check/passed_moments.h"

namespace plan::check::rules {
namespace {

/// The moment as its author wrote it for this wave; nullptr: it comes from elsewhere.
const syntax::Node* written(const Plan& plan, const PlanWave& wave, std::string_view key) {
  const syntax::Node* waves = plan.tree == nullptr ? nullptr : plan.tree->find("waves");
  if (waves == nullptr || !waves->is_sequence()) return nullptr;
  for (const syntax::Node& item : waves->items) {
    const syntax::Node* name = item.is_mapping() ? item.find("name") : nullptr;
    if (name != nullptr && name->span == wave.span) return item.find(key);
  }
  return nullptr;
}

/// What is to be changed: also what a finding that is silenced is about, and not all of the wave.
Span place_of(const GraphView& view, const PassedMoment& moment) {
  const ir::StepGraph& graph = view.graph();
  const Plan& plan = view.migration().plan;
  const auto number = static_cast<std::size_t>(graph.wave(moment.step));
  if (number != 0 && number <= plan.waves.size()) {
    const PlanWave& wave = plan.waves[number - 1];
    const auto [key, moment_ms] = moment.is_of_copies
                                      ? std::pair("complete_after", wave.complete_after_ms)
                                      : std::pair("start_after", wave.start_after_ms);
    const syntax::Node* node = written(plan, wave, key);
    if (node != nullptr && moment_ms == moment.moment_ms) return node->span;
  }
  const ir::RowId row = graph.row(moment.step);
  const Span named = row == ir::RowId::none ? Span() : graph.row_origin(row);
  return named.is_known() ? named : graph.origin(moment.step);
}

}  // namespace

void moment_passed(const GraphView& view, Sink& sink) {
  if (!view.migration().now_ms) return;
  for (PassedMoment& one : passed_moments(view.graph(), *view.migration().now_ms)) {
    const Span place = place_of(view, one);
    sink.report(Kind::moment_passed, place, std::move(one.words))
        .label(one.is_of_copies ? "its accounts are held as soon as they are copied"
                                : "what waits for it begins when its turn comes")
        .help(one.is_of_copies ? "write a later moment as `complete_after`, or leave it out"
                               : "write a later moment (`start_after` of a wave), or leave it out");
  }
}

}  // namespace plan::check::rules
