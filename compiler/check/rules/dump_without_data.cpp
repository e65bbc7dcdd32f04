// Prevents: a store without its schema version. Only the family `data` (subspace p, row 00) has it:
// without it 0.15.5 erases two subspaces at its first start and ends with 0, and 0.16 panics
// (reference/stalwart-store.md 7.1, I6).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

bool has_data(const PlanDump& dump) {
  return dump.named.empty() ||
         std::any_of(dump.named.begin(), dump.named.end(), [](const Named& name) {
           return name.text == "data" || name.text == "p" || name.text == "property";
         });
}

}  // namespace

void dump_without_data(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  if (plan.dumps.empty()) {
    if (!plan.store.is_moved) return;
    sink.report(Kind::dump_without_data, plan.store.span, "the store moves through no dump")
        .label("what is imported is what a dump holds")
        .help(
            "add `dump: [{of: target, subspaces: all, to: \"target:/srv/dump\", when: stopped}]`");
    return;
  }
  const bool has_whole = std::any_of(plan.dumps.begin(), plan.dumps.end(),
                                     [](const PlanDump& dump) { return dump.named.empty(); });
  if (plan.store.is_moved && !has_whole) {
    sink.report(Kind::dump_without_data, plan.dumps.front().subspaces_span,
                "no dump of this plan holds everything, and the store is to be moved")
        .note(plan.store.span, "it would be moved here")
        .help("give one of them `subspaces: all`");
    return;
  }
  // Next to a dump that has it, a part is a part; alone, nobody could start a server on it.
  if (std::any_of(plan.dumps.begin(), plan.dumps.end(), has_data)) return;
  for (const PlanDump& dump : plan.dumps) {
    sink.report(Kind::dump_without_data, dump.subspaces_span,
                fmt::format("dump `{}` leaves out the family `data`", printable(dump.name, 80)))
        .label("a server that starts on what is imported from it erases data or does not start")
        .help("add `data`, or a second dump with `subspaces: all`");
  }
}

}  // namespace plan::check::rules
