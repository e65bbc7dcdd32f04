#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/proxy/control_client.h"
#include "runtime/step/step_driver.h"

namespace plan::proxy {

/// Names of one account on one proxy that stand alike, and so are moved by one command.
struct StandingGroup {
  std::string state = {};
  std::string destination = {};
  std::string next_destination = {};
  std::uint64_t generation = 0;
  std::int64_t left_ms = 0;
  std::vector<std::string> names = {};
};
[[nodiscard]] std::vector<StandingGroup> group_standings(
    const std::vector<NameStanding>& standings);

/// All proxies of a plan, asked and told together: every proxy gets each command, from a thread of
/// its own, so that a hold takes as long as the slowest and not as all of them. For one step.
class ProxyFleet {
 public:
  struct Member {
    std::string name = {};
    ControlAddress address = {};
    std::unique_ptr<ProxyControl> control = {};
    std::vector<StandingGroup> groups = {};  ///< of survey()
    ir::Value status = {};                   ///< of read_status()
  };

  /// From arguments["proxies"]; connects to each. Errors: argument-missing, proxy-unreachable,
  /// token-refused; the first one.
  [[nodiscard]] static Result<ProxyFleet> open(step::StepContext& context);

  /// open() and survey() for the login names of the step's account. Errors: argument-missing too.
  [[nodiscard]] static Result<ProxyFleet> look(step::StepContext& context);

  /// Fills `groups` of every member.
  [[nodiscard]] Outcome survey(const std::vector<std::string>& names);
  [[nodiscard]] Outcome read_status();
  /// Runs `call` for every member at the same time; the first error in the order of the plan.
  /// `failed` counts them.
  [[nodiscard]] Outcome each(const std::function<Outcome(Member&)>& call,
                             std::size_t* failed = nullptr);
  /// Opens a member's connection anew (a proxy that was started again).
  [[nodiscard]] Outcome reopen(Member& member);

  [[nodiscard]] std::vector<Member>& members() { return members_; }
  /// The names of the last survey().
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// The greatest generation that any proxy knows for any of the names; after survey().
  [[nodiscard]] std::uint64_t generation_max() const;
  /// After survey(): every name on every proxy is in that state (and at that destination, when not
  /// empty; and prepared for `next`, when not empty).
  [[nodiscard]] bool are_all(std::string_view state, std::string_view destination,
                             std::string_view next = {}) const;
  /// The destination that has authority for all names on all proxies. Errors: proxies-disagree.
  [[nodiscard]] Result<std::string> authority() const;

 private:
  ProxyFleet() = default;
  std::vector<Member> members_;
  std::vector<std::string> names_;
  std::shared_ptr<std::vector<secret::Secret>> tokens_;
};

/// The login names of the step's account, lower case, no name twice. Errors: argument-missing.
[[nodiscard]] Result<std::vector<std::string>> names_of(const step::StepContext& context);

}  // namespace plan::proxy
