#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>

namespace plan::test {

/// What plans of tests differ in; all else of them is the same.
struct PlanText {
  std::string_view name = {};
  std::string_view use = "std/dovecot-postfix";
  std::string_view domains = "example.org";
  std::string_view accounts = "accounts: {from: {csv: accounts.csv}}\n";
  std::string_view waves = {};  ///< those in front of the last one
  std::string_view rest = "{name: rest, parallel: 8}";
};

/// Dovecot and Postfix behind one proxy, account by account.
inline std::string plan_text(const PlanText& of) {
  return fmt::format(R"(plan: 1
name: {}
use: {}
addresses: {{public: mail.example.org, proxy: 203.0.113.10, source: 203.0.113.20, target: 203.0.113.30}}
source:
  master_user: {{name: vmadmin, password: !secret env:VMADMIN}}
target:
  url: https://new.example.org
  login: {{user: admin, password: !secret env:ADMIN}}
proxies:
  - {{name: edge1, control: "unix:/run/plan-proxy/control.sock", token: !secret env:EDGE1}}
domains: [{}]
{}waves:
{}  - {}
cutover: {{address: operator}}
rollback_points: [before-cutover, each-account, before-finalize]
)",
                     of.name, of.use, of.domains, of.accounts, of.waves, of.rest);
}

/// Statements of a module: the target's trash is emptied after a week, as it was at the end.
inline constexpr std::string_view kTrashOfAWeek = R"(
step own/retention : admin.update {
  stage = prepare
  before = [target/reload]
  object = "DataRetention"
  set = { expungeTrashAfter = 7d }
}
step own/away : restore {
  stage = finalize
  after = [finalize/address]
  step = "own/retention"
}
)";

}  // namespace plan::test
