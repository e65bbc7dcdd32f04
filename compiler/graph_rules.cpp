#include "compiler/graph_rules.h"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "compiler/schema/check_value.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

using ir::StepKind;

// Steps of one shape differ in names only: this many of them are looked at.
constexpr std::size_t kStepsOfShapeMax = 200;

}  // namespace

void check_target_values(const ir::StepGraph& graph, const schema::Schema& schema,
                         const check::Plan& plan, Sink& sink) {
  std::vector<std::size_t> seen(graph.shapes().size());
  std::set<std::string> said;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const auto step = static_cast<ir::StepId>(i);
    const StepKind kind = graph.kind(step);
    if (kind != StepKind::admin_upsert && kind != StepKind::admin_update) continue;
    const auto shape = static_cast<std::size_t>(&graph.shape(step) - graph.shapes().data());
    if (seen[shape]++ >= kStepsOfShapeMax) continue;
    const ir::Value arguments = graph.arguments(step);
    ir::Value value = ir::Value::map();
    schema::CheckOptions options;
    options.path = "set";
    if (kind == StepKind::admin_upsert) {
      for (const auto& [name, member] : arguments["match"].members()) value.set(name, member);
    } else {
      options.use = schema::Use::update;
    }
    for (const auto& [name, member] : arguments["set"].members()) value.set(name, member);
    const std::string_view object = arguments["object"].string_or("");
    for (const schema::Problem& problem : schema::check_value(schema, object, value, options)) {
      const std::string words = fmt::format("{} `{}`: {}", object, problem.path, problem.message);
      if (!said.insert(words).second) continue;
      const Span row =
          graph.row(step) == ir::RowId::none ? Span{} : graph.row_origin(graph.row(step));
      auto report =
          sink.report(Kind::schema_value, row.is_known() ? row : plan.place("target"), words);
      report.label("the target would refuse or misunderstand it")
          .note(graph.origin(step), fmt::format("step `{}` writes it", graph.id(step)));
      if (!problem.nearest.empty()) report.help(fmt::format("did you mean `{}`?", problem.nearest));
    }
  }
}

}  // namespace plan
