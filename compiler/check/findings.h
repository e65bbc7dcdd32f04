#pragma once
#include <vector>

#include "compiler/check/plan.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/source_set.h"

namespace plan::check {

/// A diagnostic that the plan silences, and what in the plan says so.
struct Silenced {
  Diagnostic diagnostic = {};
  FindingRule rule = {};
};

struct SortedFindings {
  std::vector<Diagnostic> diagnostics = {};
  std::vector<Silenced> silenced = {};
};

/// Gives diagnostics the severity that the plan's `findings` want, each for one code at one place:
/// the text that the diagnostic points at (an address in the lock, a value or key of the plan).
/// Errors and what says that something was not looked at stay what they are (`bad-value`). A rule
/// that fits nothing is reported as `finding-unmatched` when everything was looked at
/// (`is_complete`).
[[nodiscard]] SortedFindings apply_findings(const std::vector<FindingRule>& rules,
                                            std::vector<Diagnostic> diagnostics,
                                            const SourceSet& sources, bool is_complete);

}  // namespace plan::check
