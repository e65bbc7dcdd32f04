// Prevents: settings that are written and not live. The target goes on with what it had loaded
// until the right action, or until its next start (reference/stalwart-admin.md 3.8).
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/check/graph_view.h"
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

}  // namespace

void reload_missing(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  std::map<std::string, std::vector<bool>> live;  // by action: what is done before one of them
  for (const ir::StepId step : view.of_kind(ir::StepKind::admin_action)) {
    const std::vector<bool> needs = view.needs_of(step);
    std::vector<bool>& all = live[std::string(graph.arguments(step)["action"].string_or(""))];
    all.resize(graph.size());
    for (std::size_t i = 0; i < needs.size(); ++i) all[i] = all[i] || needs[i];
  }
  std::set<const ir::StepShape*> said;
  for (const TargetWrite& write : view.writes()) {
    const std::string_view action = action_for(write);
    if (action.empty() || said.contains(&graph.shape(write.step))) continue;
    const auto found = live.find(std::string(action));
    if (found != live.end() && found->second[ir::index(write.step)]) continue;
    said.insert(&graph.shape(write.step));
    auto report = sink.report(
        Kind::reload_missing, graph.origin(write.step),
        action == kRestart
            ? fmt::format("{} is live only after a restart of the target", write.object)
            : fmt::format("no `{}` follows `{}`", action, printable(graph.id(write.step), 160)));
    if (action == kRestart) {
      report.severity(Severity::warning)
          .label("the procedure would go on with what the target had loaded")
          .help("write it before the migration, restart the target, and run `plan fetch`");
    } else {
      report.label(fmt::format("{} is not live before it", write.object))
          .help(
              fmt::format("add a step of kind `admin.action` with `action: {}` behind it", action));
    }
  }
}

}  // namespace plan::check::rules
