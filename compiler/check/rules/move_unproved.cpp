// Says that an account is given to the target before anybody has looked whether the move worked.
// Maps and settings lag behind what was written until they are loaded, so reading them proves
// nothing (reference/split-delivery.md 8 rules 3 and 12, design.md section 6).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

#include "compiler/check/graph_view.h"
#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

void look_at_grades(const GraphView& view, Sink& sink) {
  constexpr std::array<std::string_view, 5> kGrades = {"perfect", "good", "investigate", "poor",
                                                       "not-checked"};
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> seen;
  for (const StepId step : view.of_kind(StepKind::archive_grade)) {
    if (!seen.insert(&graph.shape(step)).second) continue;
    if (!view.follows_in_row(step, StepKind::archive_delta))
      report_step(view, step, Kind::move_unproved,
                  "compares both sides before the last copy is made", sink)
          .label("what came since is not looked at")
          .help("let it wait for the account's step of kind `archive.delta`");
    std::string below;
    const ir::Value accept = graph.argument(step, "accept");
    if (accept.is_list() && accept.size() == 0)
      sink.report(Kind::bad_value, graph.origin(step),
                  fmt::format("`{}` accepts no grade", printable(graph.id(step), 160)))
          .label("every account would be refused, one that is copied whole too")
          .help("accept `perfect` and `good`");
    for (const ir::Value& grade : accept.items()) {
      const std::string_view name = grade.string_or("");
      if (std::find(kGrades.begin(), kGrades.end(), name) == kGrades.end()) {
        sink.report(Kind::bad_value, graph.origin(step),
                    fmt::format("`{}` accepts `{}`, which is no grade",
                                printable(graph.id(step), 160), printable(name, 60)))
            .help(fmt::format("grades are {}", fmt::join(kGrades, ", ")));
      } else if (name != "perfect" && name != "good") {
        below += fmt::format("{}`{}`", below.empty() ? "" : ", ", name);
      }
    }
    if (below.empty()) continue;
    report_step(view, step, Kind::move_unproved, fmt::format("goes on with the grade {}", below),
                sink)
        .label("`poor` is content that is missing, `not-checked` a part that nobody looked at")
        .help(
            "accept `perfect` and `good`; whoever has looked at one account says so with `plan "
            "approve` for that account");
  }
}

void look_at_probes(const GraphView& view, StepId release, Sink& sink) {
  const auto say = [&](std::string_view what, std::string_view label, std::string_view kind) {
    report_step(view, release, Kind::move_unproved, what, sink)
        .label(std::string(label))
        .help(fmt::format(
            "let it wait for a step of kind `{}` of the account, as {} does", kind,
            is_from_stalwart(view.plan()) ? "std/stalwart-account-move" : "std/account-move"));
  };
  if (!view.follows_in_row(release, StepKind::archive_grade))
    say("commits the move without a comparison of both sides",
        "mail that is missing would be found by its owner", "archive.grade");
  if (!view.follows_in_row(release, StepKind::probe_mail))
    say("commits the move before a message has arrived at the target",
        "that maps and settings are written does not mean that they are used", "probe.mail");
  const ir::StepGraph& graph = view.graph();
  const std::int64_t index = view.migration().account_with(graph.row_name(graph.row(release)));
  const bool is_closed =
      index >= 0 && !view.migration().accounts[static_cast<std::size_t>(index)].lock->is_enabled;
  if (!is_closed && !view.follows_in_row(release, StepKind::probe_login))
    say("commits the move before the account has been opened as its user would",
        "a login that is refused would be found by its owner", "probe.login");
  // The account was made when its wave began, which may be days ago.
  if (!is_closed && !view.follows_in_row(release, StepKind::admin_account_refresh))
    report_step(view, release, Kind::password_lockout,
                "commits the move with the password that was read when the account was made", sink)
        .severity(Severity::warning)
        .label("who has changed it at the source since is refused")
        .help(fmt::format(
            "let it wait for a step of kind `admin.account-refresh` of the account, as {} does",
            is_from_stalwart(view.plan()) ? "std/stalwart-account-move" : "std/account-move"));
}

void look_at_mail(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const StepKind forward = steps_of_source(view.plan()).forward;
  std::set<const ir::StepShape*> seen;
  for (const StepId step : view.of_kind(StepKind::probe_mail)) {
    if (!view.has_in_row(step, StepKind::proxy_release) || !seen.insert(&graph.shape(step)).second)
      continue;
    if (!view.follows_in_row(step, forward))
      report_step(view, step, Kind::move_unproved,
                  "sends its messages before the source forwards the account's mail", sink)
          .label("the one that comes in at the source cannot arrive")
          .help(fmt::format("let it wait for the account's step of kind `{}`", info(forward).name));
    const ir::Value entries = graph.argument(step, "entries");
    for (const std::string_view entry : {"source", "target"}) {
      if (std::any_of(entries.items().begin(), entries.items().end(),
                      [&](const ir::Value& one) { return one == ir::Value(entry); }))
        continue;
      report_step(view, step, Kind::move_unproved,
                  fmt::format("sends no message to port 25 of the {}", entry), sink)
          .label("mail that comes in there is not looked at")
          .help("write `entries: [source, target]`");
    }
  }
}

}  // namespace

void move_unproved(const GraphView& view, Sink& sink) {
  look_at_grades(view, sink);
  look_at_mail(view, sink);
  const ir::StepGraph& graph = view.graph();
  // Those who are locked out at the source have steps of their own shapes or fewer of them, so a
  // shape is looked at for one account of each kind.
  std::set<std::pair<const ir::StepShape*, bool>> seen;
  for (const StepId step : view.of_kind(StepKind::proxy_release)) {
    const bool has_login = view.follows_in_row(step, StepKind::probe_login);
    if (!view.has_in_row(step, StepKind::admin_account) ||
        !seen.emplace(&graph.shape(step), has_login).second)
      continue;
    look_at_probes(view, step, sink);
  }
}

}  // namespace plan::check::rules
