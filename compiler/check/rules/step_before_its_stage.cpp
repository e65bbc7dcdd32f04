// Prevents: a step of the author's own module that runs at the very beginning although it belongs
// to the cutover or to the waves: a stage is no order, only what a step waits for is
// (docs/language.md, Modules). The same for a wave that does not wait for the moment that the plan
// names, and for an end that nobody is asked about: those are steps too, which a procedure of one's
// own may lack. And for mail that is held long before the move that lets it go.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/kind_of_source.h"
#include "compiler/ir/steps_before.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::Stage;
using ir::StepId;

constexpr unsigned bit_of(Stage stage) { return 1U << static_cast<unsigned>(stage); }

bool changes(const ir::StepGraph& graph, StepId step) {
  return info(graph.kind(step)).effect != ir::StepEffect::read;
}

/// Is there a step of kind `window` for this moment, or a later one, that stands before?
template <class IsBefore>
bool has_window(const GraphView& view, std::int64_t moment_ms, const IsBefore& is_before) {
  const auto windows = view.of_kind(ir::StepKind::window);
  return std::any_of(windows.begin(), windows.end(), [&](StepId window) {
    return view.graph().argument(window, "not_before_ms").integer_or(0) >= moment_ms &&
           is_before(window);
  });
}

/// The first copy of each wave, by the wave's name.
std::map<std::string_view, StepId> copies_of_waves(const GraphView& view) {
  const ir::StepGraph& graph = view.graph();
  std::map<std::string_view, StepId> first;
  const ir::WaveInfo* last = nullptr;
  for (const StepId step : view.of_kind(ir::StepKind::archive_copy)) {
    const ir::WaveInfo* info = graph.wave_info(graph.wave(step));
    if (info == nullptr || info == last) continue;
    last = info;
    first.emplace(info->name, step);
  }
  return first;
}

/// A moment of a wave that its steps do not keep: what the first copy does instead, what would keep
/// it, and how.
struct MissedMoment {
  std::string what;
  std::string_view keeper;
  std::string_view remedy;
};

void report_moment(const GraphView& view, const PlanWave& wave, StepId copy,
                   const MissedMoment& missed, Sink& sink) {
  report_step(view, copy, Kind::step_before_its_stage, missed.what, sink)
      .label(std::string(missed.keeper))
      .note(wave.window_span, "the plan names it here")
      .help(std::string(missed.remedy));
}

void look_at_windows(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const std::vector<PlanWave>& waves = view.plan().waves;
  if (std::none_of(waves.begin(), waves.end(), [](const PlanWave& wave) {
        return wave.start_after_ms != 0 || wave.complete_after_ms != 0;
      }))
    return;
  const std::map<std::string_view, StepId> copies = copies_of_waves(view);
  // What the steps of one shape do in one wave they do in the others.
  std::set<const ir::StepShape*> begun;
  std::set<const ir::StepShape*> kept;
  for (const PlanWave& wave : waves) {
    const auto found = copies.find(wave.name);
    if (found == copies.end()) continue;  // nobody is in it
    const StepId copy = found->second;
    const ir::StepShape* shape = &graph.shape(copy);
    std::vector<bool> before;
    if (wave.start_after_ms != 0 && begun.insert(shape).second)
      before = ir::all_before(graph, copy);
    if (!before.empty() && !has_window(view, wave.start_after_ms,
                                       [&](StepId window) { return before[ir::index(window)]; }))
      report_moment(
          view, wave, copy,
          {.what = fmt::format("begins wave `{}` before the moment that the plan names",
                               printable(wave.name, 60)),
           .keeper = "only a step of kind `window` keeps `start_after`, and none stands before it",
           .remedy = "let the wave wait for one with `not_before_ms = wave.start_after_ms`, as "
                     "std/waves has it"},
          sink);
    if (wave.complete_after_ms != 0 && kept.insert(shape).second &&
        graph.argument(copy, "keep_until_ms").integer_or(0) < wave.complete_after_ms &&
        !has_window(view, wave.complete_after_ms, [](StepId) { return true; }))
      report_moment(
          view, wave, copy,
          {.what = fmt::format("lets accounts of wave `{}` be held as soon as they are copied",
                               printable(wave.name, 60)),
           .keeper =
               "`keep_until_ms` of this step keeps `complete_after`, and it is not that moment",
           .remedy = "write `keep_until_ms = account.keep_until_ms`, as std/account-move does"},
          sink);
  }
}

/// What cannot be undone waits for a person, unless the plan says otherwise.
void look_at_approval(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  if (!view.plan().finalize["is_held"].bool_or(true)) return;
  for (const StepId end : view.of_kind(ir::StepKind::address_finalize)) {
    const std::vector<bool> before = ir::all_before(graph, end);
    const auto approvals = view.of_kind(ir::StepKind::approval);
    if (std::any_of(approvals.begin(), approvals.end(), [&](StepId approval) {
          return before[ir::index(approval)] &&
                 graph.argument(approval, "stage") == ir::Value("finalize");
        }))
      continue;
    report_step(view, end, Kind::step_before_its_stage, "does for good what nobody was asked about",
                sink)
        .label("`finalize` waits for an approval, unless the plan says `hold: none`")
        .help(
            "let it wait for a step of kind `approval` with `stage = \"finalize\"`, as "
            "std/finalize has it, or write `finalize: {hold: none}`");
  }
}

[[nodiscard]] std::string_view own_move(const GraphView& view) {
  return is_from_stalwart(view.plan()) ? "std/stalwart-account-move" : "std/account-move";
}

/// A hold is for the minutes of the last copy, not for the hours of the first.
void look_at_holds_before_copies(const GraphView& view, Sink& sink) {
  const SourceSteps source = steps_of_source(view.plan());
  const std::array<std::pair<ir::StepKind, std::string_view>, 3> holds = {{
      {source.hold, "mail waits at the source from there until the account has moved"},
      {source.door, "the account is closed at the source from there until it has moved"},
      {ir::StepKind::proxy_hold, "clients wait from there until the proxies give up"},
  }};
  const ir::StepGraph& graph = view.graph();
  std::set<std::pair<const ir::StepShape*, ir::StepKind>> said;
  for (const StepId copy : view.of_kind(ir::StepKind::archive_copy)) {
    // A second copy stands where others have `archive.delta`.
    if (view.follows_in_row(copy, ir::StepKind::archive_copy)) continue;
    for (const auto& [hold, why] : holds) {
      if (!view.follows_in_row(copy, hold) || !said.emplace(&graph.shape(copy), hold).second)
        continue;
      report_step(view, copy, Kind::step_before_its_stage,
                  fmt::format("copies the whole mailbox behind the account's step of kind `{}`",
                              info(hold).name),
                  sink)
          .severity(Severity::warning)
          .label(std::string(why))
          .help(fmt::format("let `{}` wait for the account's step of kind `archive.copy`, as {} "
                            "does",
                            info(hold).name, own_move(view)));
    }
  }
}

/// Steps of no account's move that hold mail of accounts: a hold that names one, and settings of an
/// old Stalwart that put one into the list of those who are held.
class HoldsApart {
 public:
  explicit HoldsApart(const GraphView& view) : view_(view), graph_(view.graph()) {
    for (const StepId hold : view_.of_kind(ir::StepKind::source_hold)) {
      if (&graph_.shape(hold) == last_) continue;
      last_ = &graph_.shape(hold);
      const ir::Value list = graph_.argument(hold, "list");
      if (!list.string_or("").empty()) lists_.emplace(list.string_or(""));
    }
  }

  void look(Sink& sink) {
    for (const StepId step : view_.of_kind(steps_of_source(view_.plan()).hold)) {
      if (is_of_move(step)) continue;
      const ir::Value account = graph_.argument(step, "account");
      look_at(step, {std::string(account.string_or(""))}, sink);
    }
    if (lists_.empty()) return;
    for (const StepId step : view_.of_kind(ir::StepKind::source_settings)) {
      if (!is_of_move(step)) look_at(step, listed_by(step), sink);
    }
  }

 private:
  [[nodiscard]] bool is_of_move(StepId step) const {
    return view_.has_in_row(step, ir::StepKind::archive_copy);
  }

  /// Who is held by what these settings write.
  [[nodiscard]] std::vector<std::string> listed_by(StepId step) const {
    std::vector<std::string> names;
    const ir::Value values = graph_.argument(step, "values");
    for (const ir::Value& one : values.items()) {
      const std::string_view key = one["key"].string_or("");
      for (const std::string& list : lists_) {
        const std::string begin = fmt::format("lookup.{}.", list);
        if (key.starts_with(begin)) names.emplace_back(key.substr(begin.size()));
      }
    }
    const ir::Value list = graph_.argument(step, "list");
    if (!lists_.contains(std::string(list.string_or("")))) return names;
    const ir::Value members = graph_.argument(step, "members");
    for (const ir::Value& member : members.items()) names.emplace_back(member.string_or(""));
    return names;
  }

  void look_at(StepId step, const std::vector<std::string>& names, Sink& sink) {
    if (names.empty() || said_.contains(&graph_.shape(step)) || ++looked_at_ > kLookedAtMax) return;
    std::size_t moved = 0;
    for (const std::string& name : names) {
      const std::int64_t index = view_.migration().account_with(name);
      if (index < 0) continue;
      const Account& account = view_.migration().accounts[static_cast<std::size_t>(index)];
      const auto copy = copies().find(account.lock->address);
      if (copy == copies().end()) continue;
      if (++moved > kMovedMax) return;
      const std::vector<bool> before = view_.needs_of(copy->second);
      if (!before[ir::index(step)] || is_put_back(step, before)) continue;
      said_.insert(&graph_.shape(step));
      report_step(
          view_, step, Kind::step_before_its_stage,
          fmt::format("holds the mail of `{}` before its mailbox is copied", printable(name, 120)),
          sink)
          .severity(Severity::warning)
          .label("it waits at the source from here on until the account has moved")
          .note(graph_.origin(copy->second), "this step copies it")
          .help(fmt::format("leave it to the account's step of kind `{}`, behind the copy",
                            info(steps_of_source(view_.plan()).hold).name));
      return;
    }
  }

  /// The first copy of each account, by its address.
  const std::map<std::string, StepId>& copies() {
    if (!copies_.empty()) return copies_;
    for (const StepId copy : view_.of_kind(ir::StepKind::archive_copy)) {
      const ir::Value account = graph_.argument(copy, "account");
      copies_.emplace(lower_ascii(account.string_or("")), copy);
    }
    return copies_;
  }

  /// By one of those that stand before.
  [[nodiscard]] bool is_put_back(StepId step, const std::vector<bool>& before) const {
    const auto restores = view_.of_kind(ir::StepKind::restore);
    return std::any_of(restores.begin(), restores.end(), [&](StepId restore) {
      if (!before[ir::index(restore)]) return false;
      const ir::Value of = graph_.argument(restore, "step");
      return graph_.find(of.string_or("")) == step;
    });
  }

  static constexpr std::size_t kLookedAtMax = 1'000;  // steps
  static constexpr std::size_t kMovedMax = 8;         // accounts of one of them
  const GraphView& view_;
  const ir::StepGraph& graph_;
  const ir::StepShape* last_ = nullptr;
  std::set<std::string> lists_;  // of those who are held
  std::map<std::string, StepId> copies_;
  std::set<const ir::StepShape*> said_;
  std::size_t looked_at_ = 0;
};

}  // namespace

void step_before_its_stage(const GraphView& view, Sink& sink) {
  look_at_holds_before_copies(view, sink);
  HoldsApart(view).look(sink);
  look_at_windows(view, sink);
  look_at_approval(view, sink);
  const ir::StepGraph& graph = view.graph();
  // The stages whose changes stand before a step, whether it needs them or is only ordered so.
  std::vector<std::uint8_t> before(graph.size());
  unsigned all = 0;
  for (const StepId step : graph.order()) {
    unsigned stages = 0;
    for (const StepId earlier : graph.after(step)) {
      stages |= before[ir::index(earlier)];
      if (changes(graph, earlier)) stages |= bit_of(graph.stage(earlier));
    }
    before[ir::index(step)] = static_cast<std::uint8_t>(stages);
    if (changes(graph, step)) all |= bit_of(graph.stage(step));
  }
  std::set<const ir::StepShape*> said;
  for (const StepId step : graph.order()) {
    const Stage stage = graph.stage(step);
    if ((stage != Stage::cutover && stage != Stage::waves) || !changes(graph, step)) continue;
    const unsigned earlier = bit_of(stage) - 1;
    const unsigned seen = before[ir::index(step)];
    // What stands behind such a step is late or early with it, and is not reported again.
    if ((all & earlier) == 0 || (seen & (earlier | bit_of(stage))) != 0) continue;
    if (!said.insert(&graph.shape(step)).second) continue;
    sink.report(Kind::step_before_its_stage, graph.origin(step),
                fmt::format("`{}` of stage {} waits for nothing that was changed before",
                            printable(graph.id(step), 160), to_string(stage)))
        .label("it would run at the very beginning, before anything is prepared")
        .help(stage == Stage::cutover
                  ? "say what it stands behind: `after = [proxies/ready]`, or `[cutover/address]`"
                  : "say what it stands behind: `after = [wave/{}/approval]`, or a step of the "
                    "same account")
        .help("if it may run at the beginning, it is a step of stage `prepare`");
  }
}

}  // namespace plan::check::rules
