// admin.upsert, admin.update, admin.destroy, admin.action. The registry has no transactions and no
// optimistic locking (reference/stalwart-admin.md 3.3), so everything is: read by natural key, send
// the smallest patch, read back.
#include <fmt/format.h>

#include <algorithm>
#include <array>

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
using ir::StepKind;
using ir::Value;

/// What a step says about its object, in the spelling of the wire.
struct Wanted {
  std::string type = {};
  Value match = {};
  Value set = {};
  bool is_singleton = false;
  std::string what = {};  // "Domain `example.org`"
};

Result<Wanted> wanted_of(const step::StepContext& context) {
  PLAN_TRY(type, text_argument(context.arguments, "object"));
  Wanted wanted;
  wanted.type = type.starts_with("x:") ? type.substr(2) : type;
  wanted.match = to_wire(context.arguments["match"]);
  wanted.set = to_wire(context.arguments["set"]);
  wanted.is_singleton = context.kind == StepKind::admin_update && wanted.match.size() == 0;
  std::string name;
  for (const auto& [key, value] : wanted.match.members()) {
    if (value.is_string() && name.empty()) name = value.as_string();
  }
  wanted.what =
      name.empty() ? wanted.type : fmt::format("{} `{}`", wanted.type, printable(name, 200));
  return wanted;
}

Result<Value> find(Target& target, const Wanted& wanted) {
  if (wanted.is_singleton) return target.registry().singleton(wanted.type);
  return target.registry().find(wanted.type, wanted.match);
}

/// Where in the step's arguments the blame of a refused create belongs.
Error place(Error error, const Wanted& wanted) {
  const std::string& argument = error.argument();
  if (!argument.starts_with("set.")) return error;
  const std::string member = argument.substr(4, argument.find_first_of(".[", 4) - 4);
  if (wanted.set.members().contains(member) || !wanted.match.members().contains(member))
    return error;
  return std::move(error).with_argument("match." + argument.substr(4));
}

class ObjectDriver final : public step::StepDriver {
 public:
  explicit ObjectDriver(std::shared_ptr<TargetPool> targets) : targets_(std::move(targets)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    if (has_outputs(context.arguments["match"]) || has_outputs(context.arguments["set"])) {
      return unknowable("refers to an object that an earlier step makes");
    }
    PLAN_TRY(wanted, wanted_of(context));
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(live, find(*target, wanted).while_doing(fmt::format("looking at {}", wanted.what)));
    ir::Observation observation;
    if (context.kind == StepKind::admin_destroy) {
      observation.standing = live.is_null() ? Standing::satisfied : Standing::differs;
      if (!live.is_null())
        observation.differences.push_back(
            {.path = wanted.type, .is = without_server_members(live), .wanted = {}});
      observation.prior =
          Value::map({{"exists", !live.is_null()}, {"object", without_server_members(live)}});
      observation.fingerprint = Value::map({{"exists", !live.is_null()}});
      return observation;
    }
    if (live.is_null()) {
      observation.standing =
          context.kind == StepKind::admin_upsert ? Standing::absent : Standing::unknowable;
      if (context.kind == StepKind::admin_update)
        observation.remark = fmt::format("{} is not there yet", wanted.what);
      for (const auto& [key, value] : wanted.set.members()) {
        observation.differences.push_back(
            {.path = key, .is = {}, .wanted = value.is_secret() ? Value("(secret)") : value});
      }
      observation.prior = Value::map({{"exists", false}});
      observation.fingerprint = Value::map({{"exists", false}});
      return observation;
    }
    compare_members(wanted.set, live, observation.differences);
    observation.standing =
        observation.differences.empty() ? Standing::satisfied : Standing::differs;
    const Value touched = touched_by(wanted.set, live);
    observation.prior = Value::map({{"exists", true}, {"id", live["id"]}, {"values", touched}});
    observation.fingerprint = Value::map({{"exists", true}, {"values", touched}});
    return observation;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context));
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(outputs, bring_about(*target, wanted, context));
    // The undo of a `restore`.
    if (context.is_rollback) PLAN_TRY_VOID(make_live(*target, wanted));
    return std::move(outputs);
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context));
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(live, find(*target, wanted));
    const bool should_exist = context.kind != StepKind::admin_destroy;
    if (live.is_null() == should_exist) {
      return Error(step::errors::not_as_wanted, fmt::format("{} is {} on the target", wanted.what,
                                                            should_exist ? "not" : "still"))
          .with_blame(Blame::target);
    }
    if (!should_exist) return {};
    std::vector<ir::Difference> differences;
    compare_members(wanted.set, live, differences);
    if (differences.empty()) return {};
    return Error(step::errors::not_as_wanted,
                 fmt::format("{}: {}", wanted.what, show_differences(differences)))
        .with_blame(Blame::target)
        .with_argument("set." + differences.front().path);
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context));
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(live, find(*target, wanted));
    const bool existed = context.prior["exists"].bool_or(false);
    if (context.kind == StepKind::admin_destroy)
      return bring_back(*target, wanted, context.prior, live, existed);
    if (live.is_null()) {
      if (!existed) return make_live_again(*target, wanted);
      return changed(wanted, "it is gone");
    }
    std::vector<ir::Difference> from_wanted;
    compare_members(wanted.set, live, from_wanted);
    if (!existed) {
      if (!from_wanted.empty()) return changed(wanted, show_differences(from_wanted));
      Outcome gone = target->registry().destroy(wanted.type, std::string(live["id"].string_or({})),
                                                wanted.what);
      if (wanted.type == "Domain") target->forget_domains();
      if (!gone) return gone;
      return make_live(*target, wanted);
    }
    const Value& values = context.prior["values"];
    std::vector<ir::Difference> from_prior;
    for (const auto& [key, value] : values.members())
      compare(key, value, without_server_members(live[key]), from_prior);
    if (from_prior.empty()) return make_live_again(*target, wanted);
    if (!from_wanted.empty()) return changed(wanted, show_differences(from_wanted));
    // Whole values: what was added since must go again, and a whole embedded object is what was
    // read.
    Value patch = Value::map();
    for (const auto& [key, value] : values.members()) {
      std::vector<ir::Difference> here;
      compare(key, value, without_server_members(live[key]), here);
      if (!here.empty()) patch.set(key, value);
    }
    const std::string id =
        wanted.is_singleton ? std::string("singleton") : std::string(live["id"].string_or({}));
    PLAN_TRY_VOID(target->registry().update(wanted.type, id, patch, wanted.what, "set"));
    return make_live(*target, wanted);
  }

 private:
  Result<Value> bring_about(Target& target, const Wanted& wanted, step::StepContext& context) {
    if (context.kind == StepKind::admin_destroy) return destroy(target, wanted);
    for (int attempt = 0;; ++attempt) {
      PLAN_TRY(live, find(target, wanted).while_doing(fmt::format("looking at {}", wanted.what)));
      if (!live.is_null()) {
        PLAN_TRY(patch, with_secrets(patch_for(wanted.set, live), context.secrets));
        const std::string id =
            wanted.is_singleton ? std::string("singleton") : std::string(live["id"].string_or({}));
        if (Outcome updated = target.registry().update(wanted.type, id, patch, wanted.what, "set");
            !updated) {
          return std::move(updated).error();
        }
        if (wanted.type == "Domain") target.forget_domains();
        return Value::map({{"id", id}});
      }
      if (context.kind == StepKind::admin_update) {
        return Error(net::jmap::errors::object_missing,
                     fmt::format("{} is not on the target", wanted.what))
            .with_blame(Blame::target)
            .with_argument("match");
      }
      Value body = wanted.match;
      for (const auto& [key, value] : wanted.set.members()) body.set(key, value);
      PLAN_TRY(whole, with_secrets(body, context.secrets));
      auto made = target.registry().create(wanted.type, whole, wanted.what, "set");
      if (wanted.type == "Domain") target.forget_domains();
      if (made) return Value::map({{"id", *made}});
      // Somebody was faster, or the call failed after the object was made: look again, once.
      const bool may_be_there = made.error().is(net::jmap::errors::name_taken) ||
                                made.error().is(net::jmap::errors::method_refused);
      if (attempt > 0 || !may_be_there) return place(std::move(made).error(), wanted);
      PLAN_TRY(now, find(target, wanted));
      if (now.is_null()) return place(std::move(made).error(), wanted).with_effect(Effect::none);
    }
  }

  /// A rollback goes newest first, so no later step makes live what this one restored.
  static Outcome make_live(Target& target, const Wanted& wanted) {
    constexpr std::array<std::string_view, 8> kLiveAtOnce = {
        "Domain", "Account",       "MailingList", "Role",
        "Tenant", "DkimSignature", "Task",        "QueuedMessage"};
    if (std::find(kLiveAtOnce.begin(), kLiveAtOnce.end(), wanted.type) != kLiveAtOnce.end())
      return {};
    if (wanted.type.starts_with("MemoryLookup")) return target.reload_lookups();
    Outcome reloaded = target.registry().action("ReloadSettings");
    if (reloaded || !reloaded.error().is(errors::reload_refused)) return reloaded;
    // Without DNS the server loads nothing while SpamPyzor is enabled, which is how it was before
    // plan came. So that the rest becomes live, it goes out of the way for one reload and comes
    // back as it is stored.
    PLAN_TRY(pyzor, target.registry().singleton("SpamPyzor"));
    if (!pyzor["enable"].bool_or(false)) return reloaded;
    const auto enable = [&](bool is_enabled) {
      return target.registry().update("SpamPyzor", "singleton",
                                      Value::map({{"enable", is_enabled}}), "SpamPyzor", {});
    };
    PLAN_TRY_VOID(enable(false));
    reloaded = target.registry().action("ReloadSettings");
    PLAN_TRY_VOID(enable(true));
    return reloaded;
  }

  /// The same when nothing had to be restored: an undo that was killed between the two may not have
  /// come to it.
  static Outcome make_live_again(Target& target, const Wanted& wanted) {
    static_cast<void>(make_live(target, wanted).has_value());
    return {};
  }

  static Error changed(const Wanted& wanted, const std::string& how) {
    return Error(step::errors::changed_since,
                 fmt::format("{} was changed by somebody else: {}", wanted.what, how))
        .with_blame(Blame::target);
  }

  Result<Value> destroy(Target& target, const Wanted& wanted) {
    if (wanted.type == "Account") {
      return Error(errors::destroys_data, fmt::format("{} holds data", wanted.what))
          .with_blame(Blame::plan)
          .with_argument("object");
    }
    PLAN_TRY(live, find(target, wanted));
    if (!live.is_null()) {
      PLAN_TRY_VOID(target.registry().destroy(wanted.type, std::string(live["id"].string_or({})),
                                              wanted.what));
    }
    if (wanted.type == "Domain") target.forget_domains();
    return Value::map();
  }

  static Outcome bring_back(Target& target, const Wanted& wanted, const Value& prior,
                            const Value& live, bool existed) {
    if (!existed) return {};
    if (!live.is_null()) return make_live_again(target, wanted);
    auto made = target.registry().create(wanted.type, prior["object"], wanted.what, "match");
    if (!made) return std::move(made).error();
    return make_live(target, wanted);
  }

  std::shared_ptr<TargetPool> targets_;
};

class ActionDriver final : public step::StepDriver {
 public:
  explicit ActionDriver(std::shared_ptr<TargetPool> targets) : targets_(std::move(targets)) {}

  Result<ir::Observation> observe(step::StepContext&) override {
    return unknowable(
        "nothing shows whether written settings are live; runs after what it makes live");
  }
  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(name, text_argument(context.arguments, "action"));
    PLAN_TRY(target, targets_->open(context));
    // Reloads of lookups are shared with the flips that go on at the same time.
    Outcome done =
        name == "ReloadLookupStores" ? target->reload_lookups() : target->registry().action(name);
    if (!done) return std::move(done).error();
    return Value::map();
  }
  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext&) override { return {}; }

 private:
  std::shared_ptr<TargetPool> targets_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_object_driver(std::shared_ptr<TargetPool> targets) {
  return std::make_shared<ObjectDriver>(std::move(targets));
}

std::shared_ptr<step::StepDriver> make_action_driver(std::shared_ptr<TargetPool> targets) {
  return std::make_shared<ActionDriver>(std::move(targets));
}

void add_drivers(step::DriverTable& table, std::shared_ptr<TargetPool> targets,
                 NamesAtSource names_at_source) {
  const auto objects = make_object_driver(targets);
  table.add(StepKind::admin_upsert, objects);
  table.add(StepKind::admin_update, objects);
  table.add(StepKind::admin_destroy, objects);
  table.add(StepKind::admin_action, make_action_driver(targets));
  const auto accounts = make_account_driver(targets, std::move(names_at_source));
  table.add(StepKind::admin_account, accounts);
  table.add(StepKind::admin_account_open, accounts);
  table.add(StepKind::admin_account_refresh, accounts);
  table.add(StepKind::admin_list, make_list_driver(targets));
  table.add(StepKind::admin_keys, make_keys_driver(std::move(targets)));
}

}  // namespace plan::server::stalwart
