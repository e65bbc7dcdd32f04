// Says which lists of the source no step makes on the target. Until finalize the target hands mail
// for them to the source; from then on it refuses it.
#include <set>
#include <string>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/check/written_addresses.h"

namespace plan::check::rules {

void list_left_behind(const GraphView& view, Sink& sink) {
  const Migration& migration = view.migration();
  if (migration.lists.empty() || view.of_kind(ir::StepKind::admin_account).empty()) return;
  std::set<std::string, std::less<>> made;
  for (const ir::StepId step : view.of_kind(ir::StepKind::admin_list))
    made.emplace(view.graph().argument(step, "address").string_or(""));
  for (const WrittenAddress& address : written_addresses(view)) made.insert(address.text());
  Examples examples;
  for (const MailList& list : migration.lists) {
    if (!made.contains(list.lock->address)) examples.add(list.lock->address, list.lock->span);
  }
  if (examples.count == 0) return;
  sink.report(Kind::account_left_behind, examples.first,
              counted(examples.count, "list of the source is", "lists of the source are") +
                  " made by no step: " + examples.text())
      .label("from finalize on the target refuses mail for them")
      .help("use std/account-move, or add a step of kind `admin.list` for each of the `lists`");
}

}  // namespace plan::check::rules
