#include "compiler/source/diagnostic.h"

#include <algorithm>
#include <charconv>

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

std::size_t left_out_by(const Diagnostic& diagnostic) {
  for (const auto& [name, value] : diagnostic.arguments) {
    std::size_t count = 0;
    if (name == kLeftOut) std::from_chars(value.data(), value.data() + value.size(), count);
    if (count != 0) return count;
  }
  return 0;
}

bool comes_before(const Diagnostic& a, const Diagnostic& b) {
  const bool stands_a = left_out_by(a) != 0;
  const bool stands_b = left_out_by(b) != 0;
  if (stands_a != stands_b) return stands_b;
  if (a.span.file != b.span.file) return a.span.file < b.span.file;
  return a.span.begin < b.span.begin;
}

Sink::Report& Sink::Report::severity(Severity severity) {
  const auto was = static_cast<std::size_t>(diagnostic_->severity);
  const auto is = static_cast<std::size_t>(severity);
  --sink_->by_severity_[was];
  ++sink_->by_severity_[is];
  if (diagnostic_ == &sink_->unkept_) {
    BySeverity& left_out = sink_->by_code_[diagnostic_->kind].left_out;
    --left_out[was];
    ++left_out[is];
  }
  diagnostic_->severity = severity;
  return *this;
}

Sink::Report Sink::report(Kind kind, Span span, std::string message) {
  Diagnostic diagnostic;
  diagnostic.kind = kind;
  diagnostic.severity = info(kind).severity;
  diagnostic.span = span;
  diagnostic.message = std::move(message);
  const auto severity = static_cast<std::size_t>(diagnostic.severity);
  ++by_severity_[severity];
  OfCode& code = by_code_[kind];
  if (code.kept == of_code_max_) {
    ++code.left_out[severity];
    unkept_ = std::move(diagnostic);
    return {*this, unkept_};
  }
  ++code.kept;
  diagnostics_.push_back(std::move(diagnostic));
  return {*this, diagnostics_.back()};
}

void Sink::leave_out(Kind kind, Severity severity, std::size_t count) {
  by_severity_[static_cast<std::size_t>(severity)] += count;
  by_code_[kind].left_out[static_cast<std::size_t>(severity)] += count;
}

std::vector<Diagnostic> Sink::sorted() const {
  std::vector<Diagnostic> sorted = diagnostics_;
  for (Diagnostic& diagnostic : sorted) {
    if (const std::string_view remedy = remedy_of(diagnostic.kind);
        diagnostic.help.empty() && !remedy.empty())
      diagnostic.help.emplace_back(remedy);
  }
  std::stable_sort(sorted.begin(), sorted.end(), comes_before);
  for (const auto& [kind, code] : by_code_) {
    for (const Severity severity : {Severity::error, Severity::warning, Severity::note}) {
      const std::size_t count = code.left_out[static_cast<std::size_t>(severity)];
      if (count == 0) continue;
      Diagnostic rest;
      rest.kind = kind;
      rest.severity = severity;
      rest.message = std::to_string(count) + " more of this code are not kept";
      rest.help.emplace_back("mend those that are shown, then run it again");
      rest.arguments.emplace_back(kLeftOut, std::to_string(count));
      sorted.push_back(std::move(rest));
    }
  }
  return sorted;
}

}  // namespace plan
