// Prevents: a dump of a server that goes on writing. Subspaces are read one after another and
// without a common transaction by the server's own export, and our own reader refuses a store in
// use: either there is no dump, or one that is torn (reference/stalwart-store.md 4). The same for
// another node: it goes on while the plan has stopped its own, stays on the old store, and purges
// blobs that only the new one links (12, 5 and 10; 7.1, I13).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

void look_at_nodes(const Migration& migration, Sink& sink) {
  if (migration.facts == nullptr) return;
  const facts::Measurement* nodes = migration.facts->find("store/from/nodes");
  if (nodes == nullptr || !nodes->value.is_list() || nodes->value.size() < 2) return;
  constexpr std::size_t kShown = 8;
  std::string names;
  for (std::size_t i = 0; i < nodes->value.size() && i < kShown; ++i)
    names += fmt::format("{}`{}`", names.empty() ? "" : ", ",
                         printable(nodes->value.item(i).string_or(""), 80));
  if (nodes->value.size() > kShown) names += ", ...";
  const Plan& plan = migration.plan;
  auto report =
      sink.report(Kind::dump_server_running, plan.place("target", "service"),
                  fmt::format("{} nodes have opened this store: {}", nodes->value.size(), names));
  report.severity(Severity::warning).label("the plan stops one").note(nodes->span, "measured here");
  if (plan.store.is_moved && !plan.target["blobs"]["folder"].string_or("").empty())
    report.note(plan.place("target", "blobs"),
                "a node that is left on the old store purges blobs here that the new one links");
  report.help(
      "stop the others first and keep them stopped until they have the new configuration; a name "
      "that this machine had before is no other node");
}

}  // namespace

void dump_server_running(const Migration& migration, Sink& sink) {
  look_at_nodes(migration, sink);
  for (const PlanDump& dump : migration.plan.dumps) {
    if (dump.when.text == "stopped") continue;
    const bool is_said = !dump.when.text.empty();
    sink.report(Kind::dump_server_running, is_said ? dump.when.span : dump.span,
                is_said ? fmt::format("dump `{}` would be taken while the server runs",
                                      printable(dump.name, 80))
                        : fmt::format("dump `{}` does not say that the server is stopped",
                                      printable(dump.name, 80)))
        .label("what is written meanwhile is in one part of it and not in another")
        .help("write `when: stopped`: plan stops the server before it and starts it afterwards");
  }
}

}  // namespace plan::check::rules
