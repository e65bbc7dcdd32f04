// Prevents: an address that a module gives to an object of the target although another one has it.
// Accounts, groups, lists and their aliases share one space there; within one object it looks at
// nothing at all (reference/stalwart-admin.md 5.1).
#include <fmt/format.h>

#include <map>
#include <string>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/check/written_addresses.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

struct Owner {
  std::string name = {};
  Span span = {};
};

/// The account or list of the plan that has the address; nobody: no name.
Owner owner_in_plan(const Migration& migration, const std::string& address) {
  if (const std::int64_t index = migration.account_with(address); index >= 0) {
    const facts::LockAccount& lock = *migration.accounts[static_cast<std::size_t>(index)].lock;
    return {fmt::format("account `{}`", printable(lock.address, 120)), lock.span};
  }
  if (const facts::LockList* list = migration.lock->list(address); list != nullptr)
    return {fmt::format("list `{}`", printable(list->address, 120)), list->span};
  return {};
}

}  // namespace

void address_written(const GraphView& view, Sink& sink) {
  std::map<std::string, WrittenAddress> first;
  for (const WrittenAddress& address : written_addresses(view)) {
    const auto [entry, is_new] = first.emplace(address.text(), address);
    const std::string shown = printable(address.text(), 160);
    if (!is_new) {
      const WrittenAddress& other = entry->second;
      const bool is_same_object = other.object == address.object;
      // Another step may write the same object once more.
      if (is_same_object && other.write != address.write) continue;
      auto report = report_write(
          view, *address.write, Kind::alias_collision,
          is_same_object ? fmt::format("gives `{}` twice to one {}", shown, address.write->object)
                         : fmt::format("gives `{}`, which `{}` gives to another object", shown,
                                       printable(view.graph().id(other.write->step), 160)),
          sink);
      report.help("decide who has the address; one with two readers is a list");
      report.label(is_same_object ? (other.is_alias ? "the alias stands there twice"
                                                    : "the alias is its own name")
                                  : "the target refuses the second one");
      if (!is_same_object) report.note(view.graph().origin(other.write->step), "the first one");
      continue;
    }
    if (!address.is_domain_known) continue;
    const Owner owner = owner_in_plan(view.migration(), address.text());
    if (owner.name.empty()) continue;
    report_write(view, *address.write, Kind::alias_collision,
                 fmt::format("gives `{}`, which belongs to {} of the plan", shown, owner.name),
                 sink)
        .label("the target refuses the second one, in the middle of a wave")
        .note(owner.span, "it moves")
        .help("leave it to the plan's own steps, or leave it out of the plan with `except`");
  }
}

}  // namespace plan::check::rules
