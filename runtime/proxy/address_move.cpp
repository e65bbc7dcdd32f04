#include "runtime/proxy/address_move.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "runtime/proxy/errors.h"
#include "runtime/proxy/proxy_fleet.h"
#include "runtime/proxy/public_name.h"
#include "runtime/step/errors.h"

namespace plan::proxy {
namespace {

constexpr std::chrono::milliseconds kLookPause{2'000};
constexpr int kLooksMax = 1800;  // an hour

class AddressMoveDriver final : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(missing, what_is_missing(context));
    ir::Observation observation;
    observation.standing = missing.empty() ? ir::Standing::satisfied : ir::Standing::differs;
    if (!missing.empty())
      observation.differences.push_back(
          {"public", context.arguments["public"], context.arguments["to"]});
    observation.remark = missing;
    observation.prior = ir::Value::map({{"was_at_proxies", missing.empty()}});
    return observation;
  }

  Result<ir::Value> apply(step::StepContext& context) override {
    PLAN_TRY(missing, what_is_missing(context));
    if (missing.empty()) return ir::Value::map();
    PLAN_TRY_VOID(run_command_of(context, "run"));
    PLAN_TRY_VOID(wait_until(context, true));
    return ir::Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(missing, what_is_missing(context));
    if (missing.empty()) return {};
    return Error(errors::address_not_moved, missing)
        .with_blame(Blame::local)
        .with_retry(Retry::safe);
  }

  Outcome undo(step::StepContext& context) override {
    if (context.prior["was_at_proxies"].bool_or(false)) return {};
    PLAN_TRY(missing, what_is_missing(context));
    if (!missing.empty()) return {};
    PLAN_TRY_VOID(run_command_of(context, "undo"));
    return wait_until(context, false);
  }

 private:
  static Outcome wait_until(step::StepContext& context, bool is_wanted_at_proxies) {
    for (int look = 0; look < kLooksMax; ++look) {
      PLAN_TRY(missing, what_is_missing(context));
      if (missing.empty() == is_wanted_at_proxies) return {};
      if (context.stop.is_requested())
        return Error(step::errors::stopped, "waiting for the public address")
            .with_retry(Retry::safe);
      if (context.progress)
        context.progress({.done = 0, .total = 0, .unit = {}, .remark = missing});
      context.clock.sleep_for(kLookPause);
    }
    return Error(errors::address_not_moved, fmt::format("{} was not moved within an hour",
                                                        context.arguments["public"].string_or("")))
        .with_retry(Retry::safe);
  }

  /// Empty when every door of the proxies, at every address of the public name, greets with the
  /// token of one of them.
  static Result<std::string> what_is_missing(step::StepContext& context) {
    const std::string name(context.arguments["public"].string_or(""));
    if (name.empty())
      return Error(step::errors::argument_missing, "the step has no public name")
          .with_argument("public")
          .with_blame(Blame::plan);
    PLAN_TRY(fleet, ProxyFleet::open(context));
    PLAN_TRY_VOID(fleet.read_status());
    std::set<Door> doors;
    std::vector<std::string> tokens;
    for (const ProxyFleet::Member& member : fleet.members()) {
      const std::string_view token = member.status["greeting_token"].string_or("");
      if (token.size() >= 8) tokens.emplace_back(token);
      for (const ir::Value& listener : member.status["listeners"].items()) {
        const std::string protocol(listener["protocol"].string_or(""));
        // ManageSieve greets with its capabilities, port 25 with the source's own words: they move
        // with the others.
        if (protocol != "imap" && protocol != "pop3" && protocol != "submission") continue;
        doors.insert({protocol, static_cast<std::uint16_t>(listener["port"].integer_or(0)),
                      listener["tls"].string_or("") == "implicit"});
      }
    }
    if (doors.empty())
      return Error(errors::proxy_differs, "no proxy has a listener for IMAP, POP3 or submission")
          .with_blame(Blame::proxy);
    const std::vector<std::string> addresses = addresses_of(name);
    if (addresses.empty()) return std::string(name + " has no address");
    for (const std::string& address : addresses) {
      for (const Door& door : doors) {
        const auto greeting = greeting_at(address, door);
        const std::string named = name == address ? std::string() : fmt::format(" ({})", name);
        if (!greeting)
          return fmt::format("nobody answers on port {} of {}{}", door.port, address, named);
        const bool is_ours =
            std::any_of(tokens.begin(), tokens.end(), [&greeting](const std::string& token) {
              return greeting->find(token) != std::string::npos;
            });
        if (!is_ours)
          return fmt::format("no proxy answers on port {} of {}{}", door.port, address, named);
      }
    }
    return std::string();
  }
};

}  // namespace

std::shared_ptr<step::StepDriver> make_address_move_driver() {
  return std::make_shared<AddressMoveDriver>();
}

}  // namespace plan::proxy
