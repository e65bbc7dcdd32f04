#include "compiler/source/diagnostic.h"

#include <algorithm>

namespace plan {

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "error";
}

const std::vector<KindInfo>& all_kinds() {
  static const std::vector<KindInfo> kKinds = {
#define PLAN_DIAGNOSTIC(identifier, name, severity, summary) \
  {Kind::identifier, name, Severity::severity, summary},
#include "compiler/source/kinds.def"
#undef PLAN_DIAGNOSTIC
  };
  return kKinds;
}

namespace {

/// Empty: whoever reports this kind says himself what to do.
std::string_view remedy_of(Kind kind) {
  switch (kind) {
#define PLAN_REMEDY(identifier, remedy) \
  case Kind::identifier:                \
    return remedy;
#include "compiler/source/remedies.def"
#undef PLAN_REMEDY
    default:
      return {};
  }
}

}  // namespace

const KindInfo& info(Kind kind) { return all_kinds()[static_cast<std::size_t>(kind)]; }

Sink::Report& Sink::Report::severity(Severity severity) {
  diagnostic_->severity = severity;
  return *this;
}

Sink::Report Sink::report(Kind kind, Span span, std::string message) {
  Diagnostic diagnostic;
  diagnostic.kind = kind;
  diagnostic.severity = info(kind).severity;
  diagnostic.span = span;
  diagnostic.message = std::move(message);
  diagnostics_.push_back(std::move(diagnostic));
  return Report(diagnostics_.back());
}

bool Sink::has_errors() const { return count(Severity::error) != 0; }

std::size_t Sink::count(Severity severity) const {
  return static_cast<std::size_t>(
      std::count_if(diagnostics_.begin(), diagnostics_.end(),
                    [&](const Diagnostic& d) { return d.severity == severity; }));
}

std::vector<Diagnostic> Sink::sorted() const {
  std::vector<Diagnostic> sorted = diagnostics_;
  for (Diagnostic& diagnostic : sorted) {
    if (const std::string_view remedy = remedy_of(diagnostic.kind);
        diagnostic.help.empty() && !remedy.empty())
      diagnostic.help.emplace_back(remedy);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const Diagnostic& a, const Diagnostic& b) {
    if (a.span.file != b.span.file) return a.span.file < b.span.file;
    return a.span.begin < b.span.begin;
  });
  return sorted;
}

}  // namespace plan
