// Prevents: settings that are written and not live. The target goes on with what it had loaded
// until the right action, or until its next start (reference/stalwart-admin.md 3.8); and the action
// is refused as a whole where it cannot resolve names (0a).
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "compiler/check/closed_ports.h"
#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/schema/schema.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

constexpr std::string_view kRestart = "a restart";

/// The action that makes a write of the type live; empty: it is live at once.
std::string_view action_for(const TargetWrite& write) {
  const std::string_view object = write.object;
  if (object == "DataStore" || object == "BlobStore" || object == "InMemoryStore" ||
      object == "SearchStore" || object == "NetworkListener")
    return kRestart;
  if (object == "SystemSettings" && !write.set["proxyTrustedNetworks"].is_null()) return kRestart;
  if (object == "MemoryLookupKey" || object == "MemoryLookupKeyValue" || object == "StoreLookup" ||
      object == "HttpLookup")
    return "ReloadLookupStores";
  if (object == "BlockedIp") return "ReloadBlockedIps";
  if (object == "Certificate") return "ReloadTlsCertificates";
  if (object == "DkimSignature") return write.is_upsert ? "InvalidateCaches" : "";
  static const std::set<std::string_view> kSettings = {"AllowedIp",
                                                       "Authentication",
                                                       "DataRetention",
                                                       "Directory",
                                                       "Email",
                                                       "Http",
                                                       "Imap",
                                                       "Jmap",
                                                       "OidcProvider",
                                                       "Search",
                                                       "Security",
                                                       "SieveSystemInterpreter",
                                                       "SieveSystemScript",
                                                       "SieveUserInterpreter",
                                                       "SieveUserScript",
                                                       "SystemSettings",
                                                       "Tracer",
                                                       "WebHook"};
  if (kSettings.contains(object) || object.starts_with("Mta") || object.starts_with("Spam") ||
      object.starts_with("Calendar"))
    return "ReloadSettings";
  return {};
}

struct Written {
  ir::StepId step = {};
  std::string_view object = {};
  std::string_view action = {};
};

/// Steps whose work is not live at once. A listener that is destroyed goes on until the restart.
std::vector<Written> written_by(const GraphView& view) {
  const ir::StepGraph& graph = view.graph();
  std::vector<Written> written;
  for (const TargetWrite& write : view.writes()) {
    // A type that the target does not have is reported as that.
    if (view.schema() != nullptr && view.schema()->object(write.object) == nullptr) continue;
    if (const std::string_view action = action_for(write); !action.empty())
      written.push_back({write.step, write.object, action});
  }
  constexpr std::string_view kListener = "NetworkListener";
  for (const ir::StepId step : view.of_kind(ir::StepKind::admin_destroy)) {
    if (object_type(graph.shape(step).arguments["object"].string_or("")) == kListener)
      written.push_back({step, kListener, kRestart});
  }
  return written;
}

/// The actions that have to run after each step: one bit an action, in the order of `actions`. One
/// pass against the order of the graph, however many actions there are.
std::vector<std::uint64_t> actions_after(const ir::StepGraph& graph,
                                         std::vector<std::string>& actions) {
  std::vector<std::uint64_t> after(graph.size());
  const auto bit_of = [&](ir::StepId step) -> std::uint64_t {
    const bool is_restart = graph.kind(step) == ir::StepKind::service_restart &&
                            !graph.argument(step, "only_back").bool_or(false);
    if (!is_restart && graph.kind(step) != ir::StepKind::admin_action) return 0;
    std::string name(is_restart ? kRestart : graph.argument(step, "action").string_or(""));
    auto at = std::find(actions.begin(), actions.end(), name);
    // The actions that make anything live are fewer than ten.
    if (at == actions.end() && actions.size() >= 64) return 0;
    if (at == actions.end()) at = actions.insert(actions.end(), std::move(name));
    return std::uint64_t{1} << static_cast<unsigned>(at - actions.begin());
  };
  const std::vector<ir::StepId>& order = graph.order();
  for (auto step = order.rbegin(); step != order.rend(); ++step) {
    const std::uint64_t all = after[ir::index(*step)] | bit_of(*step);
    if (all == 0) continue;
    for (const ir::StepId earlier : graph.after(*step)) {
      if (!graph.is_soft(earlier, *step)) after[ir::index(earlier)] |= all;
    }
  }
  return after;
}

/// Does the plan silence that the step closes a port? Its finding names the step as it is written,
/// without the word that its module is used `as`.
bool is_silenced(const GraphView& view, ir::StepId step) {
  const std::string& id = view.graph().shape(step).id_pattern;
  const auto& findings = view.plan().findings;
  return std::any_of(findings.begin(), findings.end(), [&](const FindingRule& rule) {
    return rule.kind == Kind::target_port_closed && !rule.severity &&
           (rule.at == id || id.ends_with("/" + rule.at));
  });
}

/// A target without a name service loads nothing while SpamPyzor is enabled, as it is at first.
void look_at_refusal(const GraphView& view, Sink& sink) {
  const Migration& migration = view.migration();
  const ir::Value off(false);
  if (setting(migration, "target.resolves_names") != off ||
      setting(migration, "target.SpamPyzor.enable") == off)
    return;
  const ir::StepGraph& graph = view.graph();
  for (const ir::StepId step : view.of_kind(ir::StepKind::admin_action)) {
    if (graph.argument(step, "action") != ir::Value("ReloadSettings")) continue;
    const std::vector<bool> needs = view.needs_of(step);
    if (std::any_of(view.writes().begin(), view.writes().end(), [&](const TargetWrite& write) {
          return write.object == "SpamPyzor" && write.set["enable"] == off &&
                 needs[ir::index(write.step)];
        }))
      continue;
    report_step(view, step, Kind::reload_missing,
                "is refused as a whole: the target cannot resolve names, and SpamPyzor is enabled",
                sink)
        .label("nothing that was written becomes live")
        .help(
            "let it wait for a step that writes `enable = false` to `SpamPyzor`, as `target/pyzor` "
            "of std/target-preparation does, or give the target a name service and run `plan "
            "fetch`");
    return;
  }
}

}  // namespace

void reload_missing(const GraphView& view, Sink& sink) {
  look_at_refusal(view, sink);
  const ir::StepGraph& graph = view.graph();
  std::vector<std::string> actions;
  const std::vector<std::uint64_t> after = actions_after(graph, actions);
  std::set<const ir::StepShape*> said;
  // Who is told to leave a listener as it is needs no restart that makes it live; what is open only
  // after one is another matter.
  for (const ClosedPort& closed : closed_ports(view)) {
    if (!closed.opens_others && !is_silenced(view, closed.told_by))
      said.insert(&graph.shape(closed.step));
  }
  for (const Written& write : written_by(view)) {
    const std::string_view action = write.action;
    if (said.contains(&graph.shape(write.step))) continue;
    const auto found = std::find(actions.begin(), actions.end(), action);
    const auto bit = static_cast<unsigned>(found - actions.begin());
    if (found != actions.end() && (after[ir::index(write.step)] >> bit & 1U) != 0) continue;
    said.insert(&graph.shape(write.step));
    auto report = sink.report(
        Kind::reload_missing, graph.origin(write.step),
        action == kRestart
            ? fmt::format("{} is live only after a restart of the target", write.object)
            : fmt::format("no `{}` follows `{}`", action, printable(graph.id(write.step), 160)));
    if (action == kRestart) {
      report.severity(Severity::warning)
          .label("the procedure would go on with what the target had loaded")
          .help(
              "let a step `service.restart` follow (std/restart has one), or write it before the "
              "migration, restart the target (`systemctl restart stalwart`, `docker restart "
              "CONTAINER`) and run `plan fetch`");
    } else {
      report.label(fmt::format("{} is not live before it", write.object))
          .help(
              fmt::format("add a step of kind `admin.action` with `action: {}` behind it", action));
    }
  }
}

}  // namespace plan::check::rules
