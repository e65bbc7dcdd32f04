// address.finalize. Until here port 25 went to the source through the proxies; from here mail and
// clients come to the target itself. No way back by plan: what comes in then is the target's alone,
// and the relaxations that let the source speak for it go next.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/proxy/address_move.h"
#include "runtime/proxy/errors.h"
#include "runtime/proxy/public_name.h"
#include "runtime/step/errors.h"

namespace plan::proxy {
namespace {

/// A name takes its time to change everywhere, and operators theirs.
constexpr std::chrono::milliseconds kLookPause{5'000};
/// The seeded throttle of the target closes the sixth connection of an address within a second.
constexpr std::chrono::milliseconds kConnectApart{250};

class AddressFinalizeDriver final : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(missing, where_it_points(context));
    ir::Observation observation;
    observation.standing = missing.empty() ? ir::Standing::satisfied : ir::Standing::differs;
    if (!missing.empty())
      observation.differences.push_back(
          {"public", context.arguments["public"], context.arguments["to"]});
    observation.remark = missing;
    return observation;
  }

  Result<ir::Value> apply(step::StepContext& context) override {
    // The command may be run again: it converges, as the one of the cutover.
    if (!context.notes["has_run"].bool_or(false)) {
      PLAN_TRY_VOID(run_command_of(context, "run"));
      if (context.remember) PLAN_TRY_VOID(context.remember(ir::Value::map({{"has_run", true}})));
    }
    PLAN_TRY(missing, what_is_missing(context));
    if (missing.empty()) return ir::Value::map();
    if (context.progress) context.progress({.done = 0, .total = 0, .unit = {}, .remark = missing});
    return step::not_yet(kLookPause, missing);
  }

  Outcome verify(step::StepContext&) override { return {}; }  // apply is the look from outside

  Outcome undo(step::StepContext&) override { return {}; }  // irreversible: never called

 private:
  static std::vector<Door> doors_of(const ir::Value& target) {
    std::vector<Door> doors;
    const auto add = [&](const char* protocol, std::int64_t fallback) {
      const ir::Value& service = target[protocol];
      const std::int64_t port = service["port"].integer_or(fallback);
      if (port < 1 || port > 65535) return;
      const std::string_view security = service["security"].string_or("");
      doors.push_back({protocol, static_cast<std::uint16_t>(port), security == "tls"});
    };
    add("smtp", 25);
    add("imap", 143);
    add("submission", 587);
    return doors;
  }

  /// Empty when the public name has the target's own addresses, and nothing else.
  static Result<std::string> where_it_points(step::StepContext& context) {
    const std::string name(context.arguments["public"].string_or(""));
    const std::string to(context.arguments["to"].string_or(""));
    if (name.empty() || to.empty())
      return Error(step::errors::argument_missing, "the step has no public name or no target")
          .with_argument(name.empty() ? "public" : "to")
          .with_blame(Blame::plan);
    const std::vector<std::string> addresses = addresses_of(name);
    const std::vector<std::string> wanted = addresses_of(to);
    if (addresses.empty()) return std::string(name + " has no address");
    for (const std::string& address : addresses) {
      if (std::find(wanted.begin(), wanted.end(), address) == wanted.end())
        return fmt::format("{} has the address {}", name, address);
    }
    return std::string();
  }

  /// Empty when every address of the public name greets on every port as the target does, whether
  /// it is the target's own or leads there.
  static Result<std::string> what_is_missing(step::StepContext& context) {
    const std::string name(context.arguments["public"].string_or(""));
    const std::string to(context.arguments["to"].string_or(""));
    PLAN_TRY(elsewhere, where_it_points(context));
    for (const Door& door : doors_of(context.arguments["target"])) {
      context.clock.sleep_for(kConnectApart);
      PLAN_TRY(wanted, greeting_at(to, door).while_doing(
                           fmt::format("looking at port {} of the target", door.port)));
      if (elsewhere.empty()) continue;  // one address, one server: it has answered
      for (const std::string& address : addresses_of(name)) {
        context.clock.sleep_for(kConnectApart);
        const auto greeting = greeting_at(address, door);
        if (!greeting)
          return fmt::format("{} port {} of {} does not answer", address, door.port, name);
        if (*greeting != wanted)
          return fmt::format("{} port {} of {} is not answered by the target", address, door.port,
                             name);
      }
    }
    return std::string();
  }
};

}  // namespace

std::shared_ptr<step::StepDriver> make_address_finalize_driver() {
  return std::make_shared<AddressFinalizeDriver>();
}

}  // namespace plan::proxy
