#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/flow/asking.h"
#include "compiler/flow/journey.h"
#include "compiler/flow/mail_address.h"
#include "compiler/schema/mta_expression.h"

namespace plan::flow {

/// What is supposed of conditions of the route expression that nobody but the server can tell, by
/// arm.
using Supposed = std::map<std::size_t, bool>;

/// The rule of a hop at which the target relays for a stranger, or does not.
inline constexpr std::string_view kRelayRuleOfTarget = "MtaStageRcpt.allowRelaying";

/// What the new server does with a copy: RCPT, its queue, the route and the mailbox.
class AtTarget {
 public:
  /// Without `supposed` what nobody but the server can tell ends as `undecided`.
  AtTarget(Journey& journey, const Supposed* supposed)
      : journey_(journey),
        telling_(journey.telling()),
        world_(journey.world()),
        target_(world_.target),
        supposed_(supposed) {}

  void take(Copy& copy);

  /// The first condition that was asked for and nothing is supposed of.
  [[nodiscard]] std::optional<std::size_t> asked() const { return asked_; }

 private:
  [[nodiscard]] std::string throttled(const Copy& copy) const;
  bool may_come_without_login(Copy& copy);
  bool may_submit(Copy& copy);
  [[nodiscard]] std::string account_of(const std::string& lower) const;
  [[nodiscard]] bool is_known(const std::string& lower) const;

  void rcpt(Copy& copy);
  void expand(Copy& copy, const std::string& list, const std::vector<std::string>& members);
  [[nodiscard]] std::optional<bool> relays_for(const Copy& copy, const Address& address) const;
  [[nodiscard]] schema::MtaEnvironment environment_for(const Asking& asking) const;

  void queue(Copy& copy, const Address& address);
  [[nodiscard]] Result<std::string> route_name(Copy& copy, const Address& address, Hop& hop);
  std::optional<bool> supposed_of(std::size_t arm, Copy& copy, const Hop& route);
  void relay(Copy& copy, const Address& address, const std::string& name, const TargetRoute& route);
  void leave_for(Copy& copy, const Address& address, const std::string& name,
                 const std::string& host);
  void leave_by(Copy& copy, const Address& address, const std::string& name);
  void deliver(Copy& copy, const Address& address);

  Journey& journey_;
  const Telling& telling_;
  const World& world_;
  const Target& target_;
  const Supposed* supposed_ = nullptr;
  std::optional<std::size_t> asked_;
};

}  // namespace plan::flow
