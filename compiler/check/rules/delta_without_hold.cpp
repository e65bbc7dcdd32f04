// Prevents: a last copy that is not the last, because somebody still writes: a client, the user at
// the source's own door, or the mail that arrives (design.md section 6).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/check/given_texts.h"
#include "compiler/check/graph_view.h"
#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

namespace {

using ir::StepId;
using ir::StepKind;

/// Holds and forwards write into a file that another step puts into the server's configuration:
/// `way` is the kind that does. What the lock shows as configured needs none.
struct Way {
  StepKind writes = {};
  StepKind way = {};
  const char* file = nullptr;      ///< the argument of both
  const char* measured = nullptr;  ///< setting of the lock that names the files in use
  std::string_view server = {};
  Kind wrong = {};
  std::string_view what = {};
  std::string_view open = {};
};

constexpr std::array<Way, 4> kWays = {{
    {StepKind::dovecot_deny, StepKind::dovecot_door, "deny_file", nullptr, "Dovecot",
     Kind::delta_without_hold, "holds nothing", "the source's own door stays open"},
    {StepKind::postfix_hold, StepKind::postfix_hook, "transport_map", "source.transport_maps",
     "Postfix", Kind::delta_without_hold, "holds nothing", "mail goes on arriving at the source"},
    {StepKind::source_hold, StepKind::source_settings, "list", nullptr, "the old server",
     Kind::delta_without_hold, "holds nothing", "mail goes on arriving at the source"},
    {StepKind::postfix_forward, StepKind::postfix_hook, "transport_map", "source.transport_maps",
     "Postfix", Kind::mail_flow, "forwards nothing", "what is held waits until it is bounced"},
}};

/// Is this file one of Postfix's maps (`hash:/etc/postfix/transport, hash:/etc/postfix/more`)?
bool names_map(std::string_view maps, std::string_view file) {
  constexpr std::string_view kBetween = ":,{}() \t\r\n";
  for (std::size_t at = maps.find(file); at != std::string_view::npos;
       at = maps.find(file, at + 1)) {
    const std::size_t end = at + file.size();
    const bool begins = at == 0 || kBetween.find(maps[at - 1]) != std::string_view::npos;
    const bool ends = end == maps.size() || kBetween.find(maps[end]) != std::string_view::npos;
    if (begins && ends) return true;
  }
  return false;
}

void look_at_files(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  for (const Way& way : kWays) {
    std::set<std::string> files;
    Span first = {};
    for (const StepId step : view.of_kind(way.way)) {
      const ir::Value given = graph.argument(step, way.file);
      if (given.string_or("").empty()) continue;
      if (files.empty()) first = graph.origin(step);
      files.emplace(given.string_or(""));
    }
    const ir::Value none;
    const std::string_view measured =
        (way.measured == nullptr ? none : setting(view.migration(), way.measured)).string_or("");
    for (const auto& [step, file] : given_texts(view, way.writes, way.file)) {
      if (files.contains(file) || names_map(measured, file)) continue;
      auto report = report_step(
          view, step, way.wrong,
          fmt::format("{}: {} does not read `{}`", way.what, way.server, printable(file, 120)),
          sink);
      report.label(std::string(way.open));
      if (!files.empty())
        report.note(first,
                    fmt::format("it reads `{}` by this step", printable(*files.begin(), 120)));
      report.help(
          fmt::format("name one file in it and in a step of kind `{}` that stands before it",
                      info(way.way).name));
    }
  }
}

/// A hold stays where it is written: Postfix takes the first of its maps that has the account.
void look_at_maps(const GraphView& view, Sink& sink) {
  constexpr const char* kMap = "transport_map";
  const auto maps_of = [&](StepKind kind) {
    std::set<std::string> maps;
    for (GivenText& one : given_texts(view, kind, kMap)) maps.insert(std::move(one.text));
    return maps;
  };
  const std::set<std::string> held = maps_of(StepKind::postfix_hold);
  if (held.empty()) return;
  const std::set<std::string> hooked = maps_of(StepKind::postfix_hook);
  std::set<const ir::StepShape*> said;
  for (const auto& [step, file] : given_texts(view, StepKind::postfix_forward, kMap)) {
    if (held.contains(file) || !hooked.contains(file)) continue;  // the latter was said
    if (!said.insert(&view.graph().shape(step)).second) continue;
    report_step(view, step, Kind::mail_flow,
                fmt::format("forwards in `{}`, and mail is held in `{}`", printable(file, 120),
                            printable(*held.begin(), 120)),
                sink)
        .severity(Severity::warning)
        .label("if the map of the holds comes first, what is held waits until it is bounced")
        .help("write both into one map: `transport_map = source.postfix.transport_map`");
  }
}

/// A proxy holds whoever comes through it. Before the public name is the proxies', nobody does.
void look_at_cutover(const GraphView& view, Sink& sink) {
  const std::span<const StepId> holds = view.of_kind(StepKind::proxy_hold);
  const std::span<const StepId> moves = view.of_kind(StepKind::address_move);
  if (holds.empty() || moves.empty()) return;
  const std::vector<bool> needs = view.needs_of(holds.front());
  if (needs[ir::index(moves.front())]) return;
  report_step(view, holds.front(), Kind::delta_without_hold,
              "holds nobody: the public name is not the proxies' yet", sink)
      .label("clients still reach the source itself")
      .note(view.graph().origin(moves.front()), "from here on they come through the proxies")
      .help(fmt::format("let the waves wait for `{}`",
                        printable(view.graph().id(moves.front()), 160)));
}

/// A hold that ends before the last copy can: the proxies give the account back by themselves.
void look_at_bounds(const GraphView& view, Sink& sink) {
  // What the plan says in `move` is judged where it stands there.
  constexpr std::int64_t kLeastMs = 5'000;
  const ir::StepGraph& graph = view.graph();
  const std::int64_t said = view.plan().move["hold_bound"].integer_or(0);
  const ir::StepShape* last = nullptr;
  for (const StepId step : view.of_kind(StepKind::proxy_hold)) {
    if (&graph.shape(step) == last) continue;
    last = &graph.shape(step);
    const ir::Value bound = graph.argument(step, "bound_ms");
    if (!bound.is_integer() || bound.integer_or(0) >= kLeastMs || bound.integer_or(0) == said)
      continue;
    report_step(
        view, step, Kind::delta_without_hold,
        fmt::format("holds for {} only", show_duration_ms(static_cast<std::uint64_t>(
                                             std::max<std::int64_t>(0, bound.integer_or(0))))),
        sink)
        .label("the proxies give the account back before its last copy is made and compared")
        .help("write `bound_ms = move.hold_bound`");
  }
}

/// The account's own door at the source is closed for good: who comes in by it again writes into a
/// mailbox that nobody copies any more.
void look_at_doors_opened_again(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> said;
  for (const StepId step : view.of_kind(StepKind::restore)) {
    if (said.contains(&graph.shape(step))) continue;
    const ir::Value of = graph.argument(step, "step");
    const auto closed = graph.find(of.string_or(""));
    if (!closed) continue;  // said by another rule
    const StepKind kind = graph.kind(*closed);
    if (kind != StepKind::dovecot_deny && kind != StepKind::source_freeze) continue;
    const ir::Value account = graph.argument(*closed, "account");
    const std::string_view name = account.string_or("");
    const bool is_moved = view.has_in_row(*closed, StepKind::archive_copy) ||
                          view.has_in_row(*closed, StepKind::archive_delta) ||
                          view.migration().account_with(name) >= 0;
    if (!is_moved) continue;
    said.insert(&graph.shape(step));
    report_step(view, step, Kind::delta_without_hold,
                fmt::format("opens the old mailbox of `{}` again", printable(name, 120)), sink)
        .label("what is written there from here on is carried over by no step")
        .note(graph.origin(*closed), "this step closes it")
        .help("leave it out: `plan rollback` opens the mailbox of an account that goes back");
  }
}

}  // namespace

void delta_without_hold(const GraphView& view, Sink& sink) {
  const SourceSteps source = steps_of_source(view.plan());
  const std::array<std::pair<StepKind, std::string_view>, 3> holds = {{
      {StepKind::proxy_hold, "clients of the proxies still write"},
      {source.hold, "mail still arrives at the source"},
      {source.door, "the source's own door is still open"},
  }};
  const ir::StepGraph& graph = view.graph();
  look_at_doors_opened_again(view, sink);
  // A procedure that moves mail only, without clients, has nobody to hold.
  if (view.of_kind(StepKind::proxy_release).empty()) return;
  look_at_files(view, sink);
  look_at_maps(view, sink);
  look_at_cutover(view, sink);
  look_at_bounds(view, sink);
  std::set<std::pair<const ir::StepShape*, StepKind>> said;
  for (const ir::StepId delta : view.of_kind(StepKind::archive_delta)) {
    std::vector<std::string> missing;
    std::string open;
    for (const auto& [hold, why] : holds) {
      if (view.follows_in_row(delta, hold) || !said.emplace(&graph.shape(delta), hold).second)
        continue;
      missing.push_back(fmt::format("`{}`", info(hold).name));
      open += fmt::format("{}{}", open.empty() ? "" : ", ", why);
    }
    if (missing.empty()) continue;
    sink.report(Kind::delta_without_hold, graph.origin(delta),
                fmt::format("the last copy `{}` is made before {}", printable(graph.id(delta), 160),
                            fmt::join(missing, ", ")))
        .label(std::move(open))
        .help(fmt::format("let it wait for the account's {} of kind {}",
                          missing.size() == 1 ? "step" : "steps", fmt::join(missing, ", ")));
  }
}

}  // namespace plan::check::rules
