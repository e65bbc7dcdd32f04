#pragma once
#include "compiler/source/diagnostic.h"

namespace plan {

/// Reports into another sink what was reported before: reading is tried with a sink of its own
/// where only some of what it says is to be heard.
void report_again(const Diagnostic& diagnostic, Sink& sink);

}  // namespace plan
