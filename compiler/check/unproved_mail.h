#pragma once
#include <string>
#include <string_view>

#include "compiler/check/graph_view.h"
#include "compiler/source/diagnostic.h"

namespace plan::check {

/// Something that may decide where mail goes, and that the proof does not follow, or to which it
/// has no sure answer.
///
/// It is found in two ways, which stay two. What a step writes and the proof does not evaluate is
/// read from the steps, whoever's mail it is and whether a proof reaches it or not: the rule
/// mail_unmodelled. What the proof comes upon it knows only with a message in a state of the steps,
/// by which it may as well turn out to be an error (`mail-flow`): flow/proof_report.cpp, a layer
/// above the rules. Both say it by this, and nothing else reports `mail-flow-unproved`.
struct UnprovedMail {
  Span place = {};          ///< where a person can change it
  std::string claim = {};   ///< what is not proved
  std::string label = {};   ///< why not
  std::string remedy = {};  ///< what an operator may do
};

/// What is left where nothing in the plan is to be changed; ends a `remedy`.
inline constexpr std::string_view kTryIt =
    "try it with a message of your own, and silence this line with what you saw as the reason";

/// Of something that a step does; `what` goes on behind its id.
[[nodiscard]] UnprovedMail unproved_step(const GraphView& view, ir::StepId step,
                                         std::string_view what, std::string label,
                                         std::string remedy);

Sink::Report report_unproved(UnprovedMail one, Sink& sink);

}  // namespace plan::check
