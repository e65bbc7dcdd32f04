#include "compiler/source/report_again.h"

namespace plan {

void report_again(const Diagnostic& diagnostic, Sink& sink) {
  if (const std::size_t others = left_out_by(diagnostic); others != 0)
    return sink.leave_out(diagnostic.kind, diagnostic.severity, others);
  auto report = sink.report(diagnostic.kind, diagnostic.span, diagnostic.message);
  report.severity(diagnostic.severity).label(diagnostic.label);
  for (const Label& note : diagnostic.notes) report.note(note.span, note.text);
  for (const std::string& help : diagnostic.help) report.help(help);
  for (const auto& [name, value] : diagnostic.arguments) report.argument(name, value);
}

}  // namespace plan
