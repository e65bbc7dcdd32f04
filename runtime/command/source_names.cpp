#include "runtime/command/source_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/source/text.h"
#include "runtime/command/session.h"

namespace plan::command {
namespace {

constexpr std::size_t kNamesShown = 20;

/// The accounts and lists that a plan still moves.
struct Moved {
  std::set<std::string> accounts = {};
  std::set<std::string> lists = {};
  std::set<std::string> domains = {};
};

bool is_over(const ir::SavedPlan& plan, ir::StepId step) {
  return plan.observations.is_satisfied(static_cast<std::uint32_t>(step));
}

std::string domain_of(const std::string& address) {
  const std::size_t at = address.rfind('@');
  return at == std::string::npos ? std::string() : address.substr(at + 1);
}

Moved moved_by(const ir::SavedPlan& plan) {
  Moved moved;
  std::set<std::string> committed;
  for (const ir::StepId step : plan.graph.order()) {
    const ir::StepKind kind = plan.graph.kind(step);
    const bool is_commit = plan.graph.role(step) == ir::TransactionRole::commit;
    if (kind != ir::StepKind::admin_account && kind != ir::StepKind::admin_list && !is_commit)
      continue;
    const ir::Value arguments = plan.graph.arguments(step);
    if (is_commit) {
      if (is_over(plan, step)) committed.insert(lower_ascii(arguments["account"].string_or("")));
    } else if (kind == ir::StepKind::admin_list) {
      if (!is_over(plan, step)) moved.lists.insert(lower_ascii(arguments["address"].string_or("")));
    } else {
      std::string account = lower_ascii(arguments["account"].string_or(""));
      moved.domains.insert(domain_of(account));
      moved.accounts.insert(std::move(account));
    }
  }
  for (const std::string& account : committed) moved.accounts.erase(account);
  return moved;
}

/// By address: its aliases or members, in lower case.
std::map<std::string, std::set<std::string>> named(const ir::Value& documents,
                                                   std::string_view member) {
  std::map<std::string, std::set<std::string>> all;
  for (const ir::Value& document : documents.items()) {
    const std::string address = lower_ascii(document["address"].string_or(""));
    std::set<std::string>& names = all[address];
    for (const ir::Value& name : document[member].items())
      names.insert(lower_ascii(name.string_or("")));
    names.erase(address);
  }
  return all;
}

class Lines {
 public:
  void add(std::string line) {
    if (lines_.size() < kNamesShown)
      lines_.push_back(std::move(line));
    else
      ++more_;
  }
  std::vector<std::string> take() {
    if (more_ > 0) lines_.push_back(fmt::format("and {} more", show_count(more_)));
    return std::move(lines_);
  }

 private:
  std::vector<std::string> lines_ = {};
  std::size_t more_ = 0;
};

/// Names of `then` that are not in `now`, and the other way round.
void compare_each(const std::vector<std::string>& then, const std::set<std::string>& now,
                  std::string_view what, const std::string& owner, Lines& drift) {
  const std::set<std::string> before(then.begin(), then.end());
  for (const std::string& name : before) {
    if (!now.contains(name))
      drift.add(fmt::format("{} {} of {} is not at the source any more", what, printable(name, 120),
                            printable(owner, 120)));
  }
  for (const std::string& name : now) {
    if (!before.contains(name))
      drift.add(fmt::format("{} {} of {} is new at the source since `plan fetch`", what,
                            printable(name, 120), printable(owner, 120)));
  }
}

}  // namespace

NameChanges compare_names(const ir::SavedPlan& plan, const facts::Lock& lock,
                          const ir::Value& now) {
  const Moved moved = moved_by(plan);
  const auto accounts = named(now["accounts"], "aliases");
  const auto lists = named(now["lists"], "members");
  Lines drift;
  Lines remarks;
  for (const facts::LockAccount& account : lock.accounts) {
    if (!moved.accounts.contains(account.address)) continue;
    const auto found = accounts.find(account.address);
    if (found == accounts.end())
      drift.add(fmt::format("account {} is not among the source's accounts any more",
                            printable(account.address, 120)));
    else
      compare_each(account.aliases, found->second, "alias", account.address, drift);
  }
  for (const facts::LockList& list : lock.lists) {
    if (!moved.lists.contains(list.address)) continue;
    const auto found = lists.find(list.address);
    if (found == lists.end())
      drift.add(fmt::format("list {} is not at the source any more", printable(list.address, 120)));
    else
      compare_each(list.members, found->second, "member", list.address, drift);
  }
  for (const auto& [address, aliases] : accounts) {
    if (lock.account(address) == nullptr && moved.domains.contains(domain_of(address)))
      remarks.add(
          fmt::format("account {} is new at the source since `plan fetch`; this plan does not "
                      "move it",
                      printable(address, 120)));
  }
  for (const auto& [address, members] : lists) {
    if (lock.list(address) == nullptr && moved.domains.contains(domain_of(address)))
      remarks.add(
          fmt::format("list {} is new at the source since `plan fetch`; this plan does not move it",
                      printable(address, 120)));
  }
  return {.drift = drift.take(), .remarks = remarks.take()};
}

Result<NameChanges> look_at_names(const ir::SavedPlan& plan, Session& session) {
  if (is_about_store(session.connections())) return NameChanges();
  for (const auto& [name, text] : plan.sources) {
    if (!text.starts_with("plan-lock ")) continue;
    SourceSet sources;
    Sink sink;
    const auto lock = facts::read_lock(sources, sources.add(name, text), sink);
    if (!lock) return NameChanges();  // the plan was compiled with it, so this is no lock of ours
    PLAN_TRY(now, session.survey_source_names().while_doing("asking the source for its accounts"));
    return compare_names(plan, *lock, now);
  }
  return NameChanges();
}

NameChanges since_review(const ir::SavedPlan& plan, NameChanges now) {
  const std::set<std::string> known(plan.notes.begin(), plan.notes.end());
  const auto is_known = [&](const std::string& line) { return known.contains(line); };
  std::erase_if(now.drift, is_known);
  std::erase_if(now.remarks, is_known);
  return now;
}

}  // namespace plan::command
