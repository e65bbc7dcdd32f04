// admin.list. A mailing list delivers from the moment it exists (reference/split-delivery.md 9.5),
// so it is made in the step that flips it. The server does not expand a list inside a list: members
// come flattened.
#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/stalwart/arguments.h"
#include "runtime/server/stalwart/drivers.h"
#include "runtime/server/stalwart/errors.h"
#include "runtime/server/stalwart/wire_value.h"
#include "runtime/step/errors.h"

namespace plan::server::stalwart {
namespace {

using ir::Standing;
using ir::Value;

struct Wanted {
  std::string address = {};
  std::string local = {};
  std::string domain_id = {};
  Value members = {};  // recipients, aliases
};

class ListDriver final : public step::StepDriver {
 public:
  explicit ListDriver(std::shared_ptr<TargetPool> targets) : targets_(std::move(targets)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(wanted, wanted_of(*target, context.arguments));
    if (wanted.domain_id.empty())
      return unknowable(fmt::format("the domain of {} is not on the target yet", wanted.address));
    PLAN_TRY(live, target->list(wanted.address)
                       .while_doing(fmt::format("looking at list {}", wanted.address)));
    ir::Observation observation;
    observation.prior = Value::map({{"exists", !live.is_null()},
                                    {"recipients", live["recipients"]},
                                    {"aliases", live["aliases"]}});
    observation.fingerprint = observation.prior;
    compare_members(wanted.members, live.is_null() ? Value::map() : live, observation.differences);
    if (live.is_null())
      observation.standing = Standing::absent;
    else
      observation.standing =
          observation.differences.empty() ? Standing::satisfied : Standing::differs;
    return observation;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(wanted, wanted_of(*target, context.arguments));
    if (wanted.domain_id.empty()) {
      return Error(errors::domain_missing,
                   fmt::format("the target has no domain for list {}", wanted.address))
          .with_blame(Blame::target)
          .with_argument("address");
    }
    const std::string what = fmt::format("list `{}`", wanted.address);
    for (int attempt = 0;; ++attempt) {
      PLAN_TRY(live, target->list(wanted.address));
      if (!live.is_null()) {
        PLAN_TRY_VOID(target->registry().update("MailingList",
                                                std::string(live["id"].string_or({})),
                                                patch_for(wanted.members, live), what, {}));
        return Value::map();
      }
      Value body = Value::map({{"name", wanted.local}, {"domainId", wanted.domain_id}});
      for (const auto& [key, value] : wanted.members.members()) body.set(key, value);
      auto made = target->registry().create("MailingList", body, what, {});
      target->forget_lists();
      if (made) return Value::map();
      const bool is_doubtful = made.error().is(net::jmap::errors::name_taken) ||
                               made.error().is(net::jmap::errors::method_refused);
      if (attempt > 0 || !is_doubtful) return std::move(made).error();
      PLAN_TRY(now, target->list(wanted.address));
      if (!now.is_null()) continue;
      if (made.error().is(net::jmap::errors::name_taken)) {
        return Error(errors::address_taken,
                     fmt::format("{} belongs to an account or an alias of the target",
                                 wanted.address))
            .with_blame(Blame::target)
            .with_argument("address");
      }
      return std::move(made).error().with_effect(Effect::none);
    }
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(wanted, wanted_of(*target, context.arguments));
    PLAN_TRY(live, target->list(wanted.address));
    std::vector<ir::Difference> differences;
    compare_members(wanted.members, live.is_null() ? Value::map() : live, differences);
    if (!live.is_null() && differences.empty()) return {};
    return Error(
               step::errors::not_as_wanted,
               fmt::format("list {}: {}", wanted.address,
                           live.is_null() ? "is not on the target" : show_differences(differences)))
        .with_blame(Blame::target);
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(wanted, wanted_of(*target, context.arguments));
    target->forget_lists();
    PLAN_TRY(live, target->list(wanted.address));
    if (live.is_null()) return {};
    const std::string id(live["id"].string_or({}));
    const std::string what = fmt::format("list `{}`", wanted.address);
    std::vector<ir::Difference> differences;
    compare_members(wanted.members, live, differences);
    const bool existed = context.prior["exists"].bool_or(false);
    Value before = Value::map();
    if (existed)
      before = Value::map(
          {{"recipients", context.prior["recipients"]}, {"aliases", context.prior["aliases"]}});
    if (existed && before["recipients"] == live["recipients"] &&
        before["aliases"] == live["aliases"])
      return {};
    if (!differences.empty()) {
      return Error(step::errors::changed_since, fmt::format("{} was changed by somebody else: {}",
                                                            what, show_differences(differences)))
          .with_blame(Blame::target);
    }
    if (existed) return target->registry().update("MailingList", id, before, what, {});
    Outcome gone = target->registry().destroy("MailingList", id, what);
    target->forget_lists();
    return gone;
  }

 private:
  static Result<Wanted> wanted_of(Target& target, const Value& arguments) {
    PLAN_TRY(address, text_argument(arguments, "address"));
    Wanted wanted;
    wanted.address = lower_ascii(address);
    const AddressParts parts = split_address(wanted.address);
    wanted.local = parts.local;
    PLAN_TRY(domain, target.domain_id(parts.domain));
    wanted.domain_id = domain;
    Value recipients = Value::map();
    for (const std::string& member : address_arguments(arguments, "members")) {
      if (member != wanted.address) recipients.set(member, true);
    }
    wanted.members = Value::map({{"recipients", std::move(recipients)}});
    Value aliases = Value::map();
    for (const std::string& alias : address_arguments(arguments, "aliases")) {
      const AddressParts alias_parts = split_address(alias);
      PLAN_TRY(alias_domain, target.domain_id(alias_parts.domain));
      if (alias_domain.empty()) {
        wanted.domain_id.clear();
        return wanted;
      }
      aliases.set(
          std::to_string(aliases.size()),
          Value::map({{"name", alias_parts.local}, {"domainId", alias_domain}, {"enabled", true}}));
    }
    if (aliases.size() > 0) wanted.members.set("aliases", std::move(aliases));
    return wanted;
  }

  std::shared_ptr<TargetPool> targets_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_list_driver(std::shared_ptr<TargetPool> targets) {
  return std::make_shared<ListDriver>(std::move(targets));
}

}  // namespace plan::server::stalwart
