#include "compiler/check/unproved_mail.h"

#include <utility>

#include <fmt/format.h>

#include "compiler/source/text.h"

namespace plan::check {

UnprovedMail unproved_step(const GraphView& view, ir::StepId step, std::string_view what,
                           std::string label, std::string remedy) {
  const ir::StepGraph& graph = view.graph();
  return {graph.origin(step), fmt::format("`{}` {}", printable(graph.id(step), 160), what),
          std::move(label), std::move(remedy)};
}

Sink::Report report_unproved(UnprovedMail one, Sink& sink) {
  auto report = sink.report(Kind::mail_flow_unproved, one.place, std::move(one.claim));
  report.label(std::move(one.label)).help(std::move(one.remedy));
  return report;
}

}  // namespace plan::check
