// Says which lists of the source no step makes on the target. Until finalize the target hands mail
// for them to the source; from then on it refuses it.
#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/check/written_addresses.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

namespace {

/// A list that a step makes with fewer members than it has at the source.
void look_at_members(const GraphView& view, Sink& sink) {
  const Migration& migration = view.migration();
  std::map<std::string_view, const MailList*> lists;
  for (const MailList& list : migration.lists) lists.emplace(list.lock->address, &list);
  for (const ir::StepId step : view.of_kind(ir::StepKind::admin_list)) {
    const ir::Value address = view.graph().argument(step, "address");
    const auto known = lists.find(address.string_or(""));
    if (known == lists.end()) continue;
    const ir::Value given = view.graph().argument(step, "members");
    std::set<std::string_view> members;
    for (const ir::Value& member : given.items()) members.insert(member.string_or(""));
    Examples left;
    for (const std::string& member : known->second->members) {
      if (!members.contains(member)) left.add(member, known->second->lock->span);
    }
    if (left.count == 0) continue;
    report_step(view, step, Kind::account_left_behind,
                fmt::format("makes `{}` without {} that it has at the source: {}",
                            printable(known->first, 120), counted(left.count, "member", "members"),
                            left.text()),
                sink)
        .label("mail to the list would reach them no more from then on")
        .note(left.first, "seen by `plan fetch`")
        .help("write `members = list.members`, which are the source's, nested lists taken apart");
  }
}

}  // namespace

void list_left_behind(const GraphView& view, Sink& sink) {
  const Migration& migration = view.migration();
  if (migration.lists.empty() || view.of_kind(ir::StepKind::admin_account).empty()) return;
  look_at_members(view, sink);
  std::set<std::string, std::less<>> made;
  for (const ir::StepId step : view.of_kind(ir::StepKind::admin_list))
    made.emplace(view.graph().argument(step, "address").string_or(""));
  for (const WrittenAddress& address : written_addresses(view)) {
    if (address.is_given) made.insert(address.text());
  }
  const Apart apart(migration.plan, {Kind::account_left_behind});
  std::map<std::string_view, Examples> left;
  for (const MailList& list : migration.lists) {
    const facts::LockList& lock = *list.lock;
    if (!made.contains(lock.address)) left[apart.of(lock.address)].add(lock.address, lock.span);
  }
  for (const auto& [place, examples] : left) {
    sink.report(Kind::account_left_behind, examples.first,
                counted(examples.count, "list of the source is", "lists of the source are") +
                    " made by no step: " + examples.text())
        .label("from finalize on the target refuses mail for them")
        .help("use std/account-move, or add a step of kind `admin.list` for each of the `lists`");
  }
}

}  // namespace plan::check::rules
