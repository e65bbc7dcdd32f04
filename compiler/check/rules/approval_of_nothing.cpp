// Prevents: an approval that nobody can give, because the wave that it waits for is not in the
// plan, or because it names none: the run would stop there for good. And one that is given with
// another: both have one name, so that whoever approves the first has approved the second.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;

class Approvals {
 public:
  Approvals(const GraphView& view, Sink& sink) : view_(view), sink_(sink) {
    for (const ir::WaveInfo& wave : view.graph().waves()) waves_.push_back(wave.name);
  }

  void look_at(StepId step) {
    const ir::StepGraph& graph = view_.graph();
    const ir::Value wave = graph.argument(step, "wave");
    const ir::Value stage = graph.argument(step, "stage");
    if (wave.is_output() || stage.is_output()) return;
    const std::string_view name = wave.string_or("");
    const bool has_stage = !stage.string_or("").empty();
    if (wave.is_string() && has_stage) {
      if (is_new(step))
        say(step, "names a stage and a wave")
            .label("`plan approve` would know it by the stage alone")
            .help("take one of the two out");
    } else if (wave.is_string() && std::find(waves_.begin(), waves_.end(), name) == waves_.end()) {
      if (!is_new(step)) return;
      auto report = say(step, fmt::format("waits for the approval of a wave `{}`, which the plan "
                                          "does not have",
                                          printable(name, 80)));
      report.help("give it a `wave` of the plan, or a `stage`");
      if (const auto near = nearest(name, waves_))
        report.label(fmt::format("did you mean `{}`?", *near));
    } else if (!wave.is_string() && !has_stage) {
      if (is_new(step))
        say(step, "waits for an approval of nothing")
            .help("give it a `wave` of the plan, or a `stage`");
    } else {
      look_at_name(step, has_stage, has_stage ? stage.as_string() : wave.as_string());
    }
  }

 private:
  /// Steps of one shape are told of once.
  [[nodiscard]] bool is_new(StepId step) { return said_.insert(&view_.graph().shape(step)).second; }

  Sink::Report say(StepId step, std::string_view what) {
    return report_step(view_, step, Kind::procedure_broken, what, sink_);
  }

  void look_at_name(StepId step, bool is_stage, const std::string& name) {
    const auto [first, is_first] = first_.try_emplace({is_stage, name}, step);
    if (!is_first) {
      if (is_new(step))
        say(step, fmt::format("waits for the approval `{}`, and so does `{}`", printable(name, 80),
                              printable(view_.graph().id(first->second), 160)))
            .label("both go on when it is given once")
            .note(view_.graph().origin(first->second), "the other one")
            .help(
                "give each a name of its own as its `stage`; steps that shall go on together wait "
                "for one approval: `after = [...]`");
      return;
    }
    if (is_stage) look_at_stage(step, name);
  }

  /// A name of one's own is right; one that misses a name of std by a letter or two is none.
  void look_at_stage(StepId step, std::string_view name) {
    constexpr std::array<std::string_view, 2> kOfStd = {"cutover", "finalize"};
    if (std::any_of(kOfStd.begin(), kOfStd.end(), [&](std::string_view known) {
          return name.find(known) != std::string_view::npos;
        }))
      return;
    const auto near = nearest(name, {kOfStd.begin(), kOfStd.end()});
    if (!near || !is_new(step)) return;
    say(step, fmt::format("waits for the approval `{}`", printable(name, 80)))
        .severity(Severity::warning)
        .label(fmt::format("did you mean `{}`?", *near))
        .help(
            "`plan approve` has to be given this very name; where it is one of your own, write "
            "one that is not so near");
  }

  const GraphView& view_;
  Sink& sink_;
  std::vector<std::string_view> waves_;
  std::map<std::pair<bool, std::string>, StepId> first_;  // by the name, which is a stage's or not
  std::set<const ir::StepShape*> said_;
};

}  // namespace

void approval_of_nothing(const GraphView& view, Sink& sink) {
  Approvals approvals(view, sink);
  for (const ir::StepId step : view.of_kind(ir::StepKind::approval)) approvals.look_at(step);
}

}  // namespace plan::check::rules
