// Prevents: an address that a module gives to an object of the target although another one has it.
// Accounts, groups, lists and their aliases share one space there; within one object it looks at
// nothing at all (reference/stalwart-admin.md 5.1). And a list of one's own in a domain that the
// target does not get.
#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/check/written_addresses.h"
#include "compiler/ir/row_values.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

struct Owner {
  std::string name = {};
  std::string_view address = {};
  Span span = {};
  bool is_of_plan = true;
};

/// The account or list of the plan that has the address; nobody: no name.
Owner owner_in_plan(const Migration& migration, const std::string& address) {
  if (const std::int64_t index = migration.account_with(address); index >= 0) {
    const facts::LockAccount& lock = *migration.accounts[static_cast<std::size_t>(index)].lock;
    return {fmt::format("account `{}`", printable(lock.address, 120)), lock.address, lock.span};
  }
  if (const facts::LockList* list = migration.lock->list(address); list != nullptr)
    return {fmt::format("list `{}`", printable(list->address, 120)), list->address, list->span};
  return {};
}

/// What steps of kind `admin.list` make beside the lists of the source, of which the rules over
/// the lock say the same.
class OwnLists {
 public:
  OwnLists(const GraphView& view, Sink& sink) : view_(view), sink_(sink) {
    for (const MailList& list : view.migration().lists) moving_.insert(list.lock->address);
  }

  void run() {
    const ir::StepGraph& graph = view_.graph();
    for (const ir::StepId step : view_.of_kind(ir::StepKind::admin_list)) {
      const std::string address = lower_ascii(graph.argument(step, "address").string_or(""));
      if (!moving_.contains(address)) look_at(step, address);
      const ir::Value aliases = graph.argument(step, "aliases");
      for (const ir::Value& alias : aliases.items())
        look_at(step, lower_ascii(alias.string_or("")));
    }
  }

 private:
  void look_at(ir::StepId step, const std::string& address) {
    const std::string_view domain = domain_of(address);
    if (domain.empty()) return;
    const Migration& migration = view_.migration();
    const std::string shown = printable(address, 160);
    if (const std::int64_t index = migration.account_with(address); index >= 0) {
      const facts::LockAccount& lock = *migration.accounts[static_cast<std::size_t>(index)].lock;
      report_step(view_, step, Kind::alias_collision,
                  fmt::format("makes a list `{}`, which belongs to account `{}` of the plan", shown,
                              printable(lock.address, 120)),
                  sink_)
          .label("the target refuses the second one, in the middle of a wave")
          .note(lock.span, "it moves")
          .help("give the list another address; one with two readers is a list at the source");
    } else if (!domains().contains(domain)) {
      const std::vector<std::string_view> known(domains().begin(), domains().end());
      const auto near = nearest(domain, known);
      report_step(view_, step, Kind::domain_without_owner,
                  fmt::format("makes a list `{}` in a domain that the target does not get", shown),
                  sink_)
          .label(near ? fmt::format("did you mean `{}`?", printable(*near, 120))
                      : "neither the plan has it nor the target, and no step makes it")
          .help("name a domain of the plan, or make it in a step of kind `admin.upsert`");
    }
  }

  /// Those that the target has, or gets from the plan or one of its steps.
  const std::set<std::string, std::less<>>& domains() {
    if (is_read_) return domains_;
    is_read_ = true;
    for (const Named& domain : view_.plan().domains) domains_.insert(lower_ascii(domain.text));
    for (const facts::LockDomain& domain : view_.migration().lock->target_domains) {
      domains_.insert(domain.name);
      domains_.insert(domain.aliases.begin(), domain.aliases.end());
    }
    const ir::StepGraph& graph = view_.graph();
    for (const ir::StepId step : view_.of_kind(ir::StepKind::admin_upsert)) {
      if (object_type(graph.argument(step, "object").string_or("")) == "Domain")
        domains_.insert(lower_ascii(graph.argument(step, "match")["name"].string_or("")));
    }
    return domains_;
  }

  const GraphView& view_;
  Sink& sink_;
  std::unordered_set<std::string_view> moving_;
  std::set<std::string, std::less<>> domains_;
  bool is_read_ = false;
};

/// What steps of kind `admin.account` make of other names than the account has at the source.
class OwnAliases {
 public:
  OwnAliases(const GraphView& view, Sink& sink) : view_(view), sink_(sink) {}

  void run() {
    const ir::StepGraph& graph = view_.graph();
    std::set<const ir::StepShape*> done;  // the account's own by the shape, or said
    for (const ir::StepId step : view_.of_kind(ir::StepKind::admin_account)) {
      const ir::StepShape& shape = graph.shape(step);
      if (done.contains(&shape)) continue;
      const bool is_own = ir::row_member(shape.arguments["aliases"]) == "aliases" &&
                          ir::row_member(shape.arguments["account"]) == "address";
      const std::string account = lower_ascii(graph.argument(step, "account").string_or(""));
      if (is_own || is_said(step, account)) done.insert(&shape);
    }
  }

 private:
  bool is_said(ir::StepId step, const std::string& account) {
    const ir::Value aliases = view_.graph().argument(step, "aliases");
    for (const ir::Value& alias : aliases.items()) {
      const std::string address = lower_ascii(alias.string_or(""));
      if (address.empty() || address == account) continue;
      if (const Owner owner = owner_of(address, account); !owner.name.empty()) {
        report_step(
            view_, step, Kind::alias_collision,
            fmt::format("gives `{}`, which belongs to {}", printable(address, 160), owner.name),
            sink_)
            .label("the target refuses the second one, in the middle of a wave")
            .note(owner.span, owner.is_of_plan ? "it moves" : "the first one")
            .help("write `aliases = account.aliases`; an address with two readers is a list");
        return true;
      }
      given_.emplace(address, std::pair(account, step));
    }
    return false;
  }

  /// Somebody else who has the address in the plan, or was given it by a step before.
  Owner owner_of(const std::string& address, const std::string& account) {
    const Migration& migration = view_.migration();
    const std::int64_t index = migration.account_with(address);
    const bool is_own =
        index >= 0 &&
        lower_ascii(migration.accounts[static_cast<std::size_t>(index)].lock->address) == account;
    if (!is_own) {
      Owner owner = owner_in_plan(migration, address);
      if (!owner.name.empty()) {
        owner.name += " of the plan";
        return owner;
      }
    }
    const auto given = given_.find(address);
    if (given == given_.end() || given->second.first == account) return {};
    return {fmt::format("`{}` by `{}`", printable(given->second.first, 120),
                        printable(view_.graph().id(given->second.second), 160)),
            given->second.first, view_.graph().origin(given->second.second), false};
  }

  const GraphView& view_;
  Sink& sink_;
  std::unordered_map<std::string, std::pair<std::string, ir::StepId>> given_;
};

}  // namespace

void address_written(const GraphView& view, Sink& sink) {
  std::map<std::string, WrittenAddress> first;
  for (const WrittenAddress& address : written_addresses(view)) {
    const auto [entry, is_new] = first.emplace(address.text(), address);
    const std::string shown = printable(address.text(), 160);
    const bool is_same_object = !is_new && entry->second.object == address.object;
    if (is_same_object && entry->second.write != address.write) {
      // Another step may write the same object once more; one that only finds it gives nothing.
      if (entry->second.is_given || !address.is_given) continue;
      entry->second = address;
    } else if (!is_new) {
      const WrittenAddress& other = entry->second;
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
    if (!address.is_domain_known || !address.is_given) continue;
    const Owner owner = owner_in_plan(view.migration(), address.text());
    if (owner.name.empty()) continue;
    // An update of the plan's own object gives nothing to another one.
    if (!address.write->is_upsert && address.is_alias && owner.address == address.own) continue;
    report_write(view, *address.write, Kind::alias_collision,
                 fmt::format("gives `{}`, which belongs to {} of the plan", shown, owner.name),
                 sink)
        .label("the target refuses the second one, in the middle of a wave")
        .note(owner.span, "it moves")
        .help("leave it to the plan's own steps, or leave it out of the plan with `except`");
  }
  OwnLists(view, sink).run();
  OwnAliases(view, sink).run();
}

}  // namespace plan::check::rules
