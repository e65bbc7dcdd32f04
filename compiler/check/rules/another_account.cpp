// Prevents: a step of one account that is about another one. The proof follows the account that the
// steps are stamped out for, and takes a hold or a forward among them for its own; the servers go
// by what the step says (design.md section 6). Nor does it follow anybody whom the plan has no row
// for: whose mail a step of no row would hold, it would hold for good.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/ir/row_values.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

/// Steps that an account's move consists of, and what is wrong when it is another's.
constexpr std::array<std::pair<StepKind, Kind>, 20> kOfAccount = {{
    {StepKind::admin_account, Kind::mail_flow},
    {StepKind::admin_account_refresh, Kind::move_unproved},
    {StepKind::admin_account_open, Kind::account_powerless},
    {StepKind::admin_keys, Kind::mail_flow},
    {StepKind::archive_copy, Kind::move_unproved},
    {StepKind::archive_delta, Kind::move_unproved},
    {StepKind::archive_grade, Kind::move_unproved},
    {StepKind::archive_sweep, Kind::move_unproved},
    {StepKind::postfix_hold, Kind::delta_without_hold},
    {StepKind::postfix_forward, Kind::mail_flow},
    {StepKind::source_hold, Kind::delta_without_hold},
    {StepKind::source_forward, Kind::mail_flow},
    {StepKind::source_freeze, Kind::delta_without_hold},
    {StepKind::dovecot_deny, Kind::delta_without_hold},
    {StepKind::proxy_hold, Kind::delta_without_hold},
    {StepKind::proxy_prepare, Kind::move_unproved},
    {StepKind::proxy_release, Kind::move_unproved},
    {StepKind::probe_login, Kind::move_unproved},
    {StepKind::probe_mail, Kind::move_unproved},
    {StepKind::queue_flush, Kind::move_unproved},
}};

class Rule {
 public:
  Rule(const GraphView& view, Sink& sink) : view_(view), sink_(sink) {
    const std::vector<Account>& accounts = view.migration().accounts;
    has_logins_ = std::any_of(accounts.begin(), accounts.end(),
                              [](const Account& one) { return !one.lock->login.empty(); });
  }

  void look(StepKind kind, Kind wrong) {
    const ir::StepGraph& graph = view_.graph();
    std::set<const ir::StepShape*> done;  // nothing is wrong with any row, or it was said
    const ir::StepShape* last = nullptr;
    for (const StepId step : view_.of_kind(kind)) {
      const ir::StepShape& shape = graph.shape(step);
      if (&shape == last || done.contains(&shape)) continue;
      if (is_own_by_shape(shape)) {
        done.insert(&shape);
        last = &shape;
        continue;
      }
      const facts::LockAccount* own = account_of(step);
      if (own != nullptr && is_said(step, *own, wrong)) done.insert(&shape);
    }
  }

  /// Steps of no account's row that decide the mail of somebody who is no account of the plan.
  void look_apart(StepKind kind) {
    const ir::StepGraph& graph = view_.graph();
    std::set<const ir::StepShape*> said;
    for (const StepId step : view_.of_kind(kind)) {
      const ir::StepShape& shape = graph.shape(step);
      if (said.contains(&shape) || is_own_by_shape(shape)) continue;
      if (graph.row(step) != ir::RowId::none && account_of(step) != nullptr) continue;
      const ir::Value account = graph.argument(step, "account");
      const std::string_view name = account.string_or("");
      if (name.empty() || view_.migration().account_with(name) >= 0) continue;
      said.insert(&shape);
      report_step(view_, step, Kind::mail_flow,
                  fmt::format("decides the mail of `{}`, which is no account of the plan",
                              printable(name, 120)),
                  sink_)
          .label("no step of its move would let go what waits, and none is proved")
          .help("let the plan move the account too, or leave the step out");
    }
  }

 private:
  /// Decided without the rows, as it nearly always is.
  [[nodiscard]] bool is_own_by_shape(const ir::StepShape& shape) const {
    const ir::Value& names = shape.arguments["addresses"];
    const std::string_view member = ir::row_member(names);
    // A hold at the proxies is of every name that logs in.
    const bool is_hold = shape.kind == StepKind::proxy_hold;
    const bool are_own = member == "logins" ||
                         (member == "addresses" && !(is_hold && has_logins_)) ||
                         (names.is_null() && !is_hold);
    return ir::row_member(shape.arguments["account"]) == "address" && are_own;
  }

  const facts::LockAccount* account_of(StepId step) const {
    const ir::StepGraph& graph = view_.graph();
    if (graph.row(step) == ir::RowId::none) return nullptr;
    const Migration& migration = view_.migration();
    const std::string_view name = graph.row_name(graph.row(step));
    const std::int64_t index = migration.account_with(name);
    if (index < 0) return nullptr;
    const facts::LockAccount* lock = migration.accounts[static_cast<std::size_t>(index)].lock;
    return equals_ignoring_case(lock->address, name) ? lock : nullptr;
  }

  bool is_said(StepId step, const facts::LockAccount& own, Kind wrong) {
    const ir::StepGraph& graph = view_.graph();
    const ir::Value account = graph.argument(step, "account");
    if (account.is_string() && !equals_ignoring_case(account.as_string(), own.address)) {
      say(step, wrong,
          fmt::format("is a step of {} and names the account `{}`", printable(own.address, 120),
                      printable(account.as_string(), 120)),
          "the account of this row would go on without it", "write `account = account.address`");
      return true;
    }
    const ir::Value names = graph.argument(step, "addresses");
    std::set<std::string> said;
    for (const ir::Value& name : names.items()) said.insert(lower_ascii(name.string_or("")));
    for (const std::string& name : said) {
      const std::int64_t of = view_.migration().account_with(name);
      if (of < 0) continue;
      const Account& other = view_.migration().accounts[static_cast<std::size_t>(of)];
      if (other.lock == &own) continue;
      say(step, wrong,
          fmt::format("is a step of {} and names `{}`, which is {}", printable(own.address, 120),
                      printable(name, 120), printable(other.lock->address, 120)),
          "that account has steps of its own, which know nothing of this one",
          "write `addresses = account.addresses`");
      return true;
    }
    if (graph.kind(step) != StepKind::proxy_hold) return false;
    // The account's own address is held in any case, whatever stands in `addresses`.
    if (own.login.empty() || equals_ignoring_case(own.login, own.address) ||
        said.contains(lower_ascii(own.login)))
      return false;
    say(step, wrong, fmt::format("holds nobody who logs in as `{}`", printable(own.login, 120)),
        "clients of the proxies still write", "write `addresses = account.logins`");
    return true;
  }

  void say(StepId step, Kind wrong, std::string_view what, std::string_view label,
           std::string_view help) {
    report_step(view_, step, wrong, what, sink_)
        .severity(Severity::error)
        .label(std::string(label))
        .help(std::string(help));
  }

  const GraphView& view_;
  Sink& sink_;
  bool has_logins_ = false;  // some that are no addresses
};

}  // namespace

void another_account(const GraphView& view, Sink& sink) {
  Rule rule(view, sink);
  for (const auto& [kind, wrong] : kOfAccount) rule.look(kind, wrong);
  for (const StepKind kind : {StepKind::postfix_hold, StepKind::postfix_forward,
                              StepKind::source_hold, StepKind::source_forward})
    rule.look_apart(kind);
}

}  // namespace plan::check::rules
