// Prevents: a check that was loosened for the migration and stays loose: relaying for a domain,
// throttles that do not count, an address that is never banned (reference/split-delivery.md 8 rules
// 5 and 8).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/ir/json.h"
#include "compiler/ir/shape_sample.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;
using ir::Value;

constexpr std::size_t kNamesMax = 1'000;

/// Objects that a migration makes for its own time; the others (domains, accounts) are to stay.
bool is_made_for_the_time(std::string_view object) {
  return object == "MtaRoute" || object == "AllowedIp" || object == "MemoryLookupKey" ||
         object == "MemoryLookupKeyValue";
}

/// Objects that keep something out: without one of them the server lets through what it stopped.
bool keeps_out(std::string_view object) {
  return object == "MtaInboundThrottle" || object == "MtaOutboundThrottle" ||
         object == "MtaQueueQuota" || object == "MtaMilter" || object == "MtaHook" ||
         object == "BlockedIp" || object == "SpamRule" || object == "SpamDnsblServer";
}

std::string name_of(std::string_view object, const Value& match) {
  return fmt::format("{}\n{}", object, match.is_map() ? ir::canonical_json(match) : std::string());
}

/// What finalize and the stages before it take back.
struct Undone {
  std::set<std::string> destroyed = {};
  std::multimap<std::string, Value> matches = {};   ///< of what is destroyed, by type
  std::map<std::string, std::string> members = {};  ///< "OBJECT\nMATCH\nMEMBER": its value
  std::set<std::string> made = {};                  ///< objects that finalize makes again
  std::set<std::string> restored = {};
};

/// The same address in any spelling, with and without the length of a network of one.
std::string plain(const Value& value) {
  std::string_view text = value.string_or("");
  for (const std::string_view end : {"/32", "/128"}) {
    if (text.ends_with(end)) text.remove_suffix(end.size());
  }
  return is_ip_address(text) ? schema::canonical_host(text) : ir::canonical_json(value);
}

/// Is the object that `write` makes what a step of finalize destroys, found by other members of it?
bool is_destroyed(const Undone& undone, const TargetWrite& write) {
  const auto [begin, end] = undone.matches.equal_range(write.object);
  return std::any_of(begin, end, [&](const auto& one) {
    const Value& match = one.second;
    return match.size() > 0 &&
           std::all_of(match.members().begin(), match.members().end(), [&](const auto& member) {
             const Value& written = write.match[member.first].is_null() ? write.set[member.first]
                                                                        : write.match[member.first];
             return !written.is_null() && plain(written) == plain(member.second);
           });
  });
}

/// The step that a `restore` names. One that is misspelt is reported where it stands: what it means
/// is not missed as well.
std::string restored_by(const GraphView& view, std::string_view step) {
  const ir::StepGraph& graph = view.graph();
  if (graph.find(step)) return std::string(step);
  std::vector<std::string> ids;
  for (const TargetWrite& write : view.writes()) {
    if (graph.row(write.step) == ir::RowId::none && ids.size() < kNamesMax)
      ids.push_back(graph.id(write.step));
  }
  const auto near = nearest(step, std::vector<std::string_view>(ids.begin(), ids.end()));
  return std::string(near.value_or(step));
}

Undone undone_by(const GraphView& view) {
  Undone undone;
  const ir::StepGraph& graph = view.graph();
  for (const TargetWrite& write : view.writes()) {
    if (graph.stage(write.step) != ir::Stage::finalize) continue;
    for (const auto& [member, value] : write.set.members())
      undone.members[name_of(write.object, write.match) + "\n" + member] =
          ir::canonical_json(value);
    if (write.is_upsert) undone.made.insert(name_of(write.object, write.match));
  }
  ir::ShapeSample sample(graph);
  for (const StepKind kind : {StepKind::restore, StepKind::admin_destroy}) {
    for (const StepId step : view.of_kind(kind)) {
      if (!sample.takes(step)) continue;
      const Value arguments = graph.arguments(step);
      if (kind == StepKind::restore) {
        undone.restored.insert(restored_by(view, arguments["step"].string_or("")));
      } else {
        const std::string object(object_type(arguments["object"].string_or("")));
        undone.destroyed.insert(name_of(object, arguments["match"]));
        if (is_made_for_the_time(object) && graph.stage(step) == ir::Stage::finalize)
          undone.matches.emplace(object, arguments["match"]);
      }
    }
  }
  return undone;
}

/// Mail that nobody delivers any more: a queue that is paused and never goes on.
void look_at_pauses(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  std::vector<StepId> pauses;
  std::vector<StepId> resumes;
  for (const StepId step : view.of_kind(StepKind::admin_action)) {
    const Value action = graph.argument(step, "action");
    if (action == Value("PauseMtaQueue")) pauses.push_back(step);
    if (action == Value("ResumeMtaQueue")) resumes.push_back(step);
  }
  for (const StepId pause : pauses) {
    if (std::any_of(resumes.begin(), resumes.end(),
                    [&](StepId resume) -> bool { return view.needs_of(resume)[ir::index(pause)]; }))
      continue;
    sink.report(Kind::relaxation_stays, graph.origin(pause),
                fmt::format("no `ResumeMtaQueue` follows `{}`", printable(graph.id(pause), 160)))
        .label("the target accepts mail and delivers none of it any more")
        .help(
            "add a step of kind `admin.action` with `action: ResumeMtaQueue` behind it; a move "
            "needs no pause, its hold is at the source");
  }
}

}  // namespace

void relaxation_stays(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const Undone undone = undone_by(view);
  bool has_end = false;
  for (const ir::StepShape& shape : graph.shapes())
    has_end = has_end || shape.stage == ir::Stage::finalize;
  std::set<std::string> said;
  const auto say = [&](StepId step, const std::string& what, std::string_view label) {
    if (!said.insert(graph.shape(step).id_pattern + what).second) return;
    if (!has_end && said.size() > 1) return;  // without an end nothing is taken back
    sink.report(Kind::relaxation_stays, graph.origin(step),
                fmt::format("nothing in stage finalize takes back what `{}` does: {}",
                            printable(graph.id(step), 160), what))
        .severity(has_end ? Severity::error : Severity::warning)
        .label(has_end ? std::string(label) : "the procedure has no stage finalize")
        .help(fmt::format("add a step of kind `restore` with `step: {}` to stage finalize",
                          printable(graph.id(step), 160)));
  };
  look_at_pauses(view, sink);
  for (const TargetWrite& write : view.writes()) {
    if (graph.stage(write.step) == ir::Stage::finalize && write.object == "Domain" &&
        write.set["allowRelaying"].bool_or(false)) {
      report_write(view, write, Kind::relaxation_stays,
                   "lets the target relay mail for unknown addresses when everybody has moved",
                   sink)
          .label("nothing takes it back behind the end")
          .help("write `allowRelaying: false` in stage finalize");
    }
    if (graph.stage(write.step) == ir::Stage::finalize ||
        undone.restored.contains(graph.id(write.step)))
      continue;
    const std::string name = name_of(write.object, write.match);
    if (undone.destroyed.contains(name)) continue;
    if (write.is_upsert && is_made_for_the_time(write.object)) {
      if (is_destroyed(undone, write)) continue;
      say(write.step, fmt::format("{} stays", write.object), "it is needed for the migration only");
      continue;
    }
    std::vector<std::string> staying;
    bool is_relaying = false;
    for (const auto& [member, value] : write.set.members()) {
      // How addresses are read: what their owners have told others stays true behind the end.
      if (write.object == "Domain" && member == "subAddressing") continue;
      const bool relays = write.object == "Domain" && member == "allowRelaying";
      if (write.is_upsert && !(relays && value.bool_or(false))) continue;
      const auto written = undone.members.find(name + "\n" + member);
      if (written != undone.members.end() && written->second != ir::canonical_json(value)) continue;
      is_relaying = is_relaying || relays;
      staying.push_back(fmt::format("{}.{}", write.object, member));
    }
    if (staying.empty()) continue;
    say(write.step,
        fmt::format("{} {} written here", fmt::join(staying, ", "),
                    staying.size() == 1 ? "stays as it is" : "stay as they are"),
        is_relaying ? "mail for unknown addresses would be relayed for ever"
                    : "the server would keep it for ever");
  }
  for (const StepId step : view.of_kind(StepKind::admin_destroy)) {
    // The type is of the shape: finalize destroys a key for each address.
    const std::string_view object =
        object_type(graph.shape(step).arguments["object"].string_or(""));
    if (graph.stage(step) == ir::Stage::finalize || !keeps_out(object)) continue;
    const Value arguments = graph.arguments(step);
    if (undone.restored.contains(graph.id(step)) ||
        undone.made.contains(name_of(object, arguments["match"])))
      continue;
    say(step, fmt::format("a {} is gone", object), "what it kept out is let through for ever");
  }
  for (const StepId step : view.of_kind(StepKind::postfix_listener)) {
    if (!undone.restored.contains(graph.id(step)))
      say(step, "the listener believes every client address that it is told", "it stays open");
  }
}

}  // namespace plan::check::rules
