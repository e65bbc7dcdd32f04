// admin.account, admin.account-open, admin.account-refresh. An account is created closed
// (permissions `authenticate` and `calendarAlarmsSend` disabled): nobody logs in and no alarm mail
// goes out before the flip, while the administrator writes into it by accountId
// (reference/split-delivery.md 9.6, 9.7). Once the account's generation on the target says that it
// is there, the target is the authority: then create and refresh are satisfied and touch nothing.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

#include "compiler/source/text.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/stalwart/arguments.h"
#include "runtime/server/stalwart/drivers.h"
#include "runtime/server/stalwart/errors.h"
#include "runtime/server/stalwart/password.h"
#include "runtime/server/stalwart/wire_value.h"
#include "runtime/step/errors.h"

namespace plan::server::stalwart {
namespace {

using ir::Standing;
using ir::StepKind;
using ir::Value;

constexpr std::array<std::string_view, 2> kClosing = {"authenticate", "calendarAlarmsSend"};

bool is_closed(const Value& permissions) {
  return permissions["disabledPermissions"]["authenticate"].bool_or(false);
}

/// `permissions` with the two of kClosing disabled, everything else as it is.
Value closed(const Value& permissions) {
  Value disabled = permissions["disabledPermissions"].is_map() ? permissions["disabledPermissions"]
                                                               : Value::map();
  for (const std::string_view name : kClosing) disabled.set(std::string(name), true);
  Value enabled =
      permissions["enabledPermissions"].is_map() ? permissions["enabledPermissions"] : Value::map();
  const std::string_view variant =
      permissions["@type"].string_or({}) == "Replace" ? "Replace" : "Merge";
  return Value::map({{"@type", variant},
                     {"enabledPermissions", std::move(enabled)},
                     {"disabledPermissions", std::move(disabled)}});
}

Value opened(const Value& permissions) {
  Value disabled = Value::map();
  for (const auto& [name, value] : permissions["disabledPermissions"].members()) {
    if (std::find(kClosing.begin(), kClosing.end(), name) == kClosing.end())
      disabled.set(name, value);
  }
  const bool is_replaced = permissions["@type"].string_or({}) == "Replace";
  if (!is_replaced && disabled.size() == 0 && permissions["enabledPermissions"].size() == 0)
    return Value::map({{"@type", "Inherit"}});
  Value result = permissions;
  result.set("disabledPermissions", std::move(disabled));
  return result;
}

std::string alias_key(const Value& alias) {
  return fmt::format("{}@{}", lower_ascii(alias["name"].string_or({})),
                     alias["domainId"].string_or({}));
}

/// Sorted "name@domainId" of the enabled aliases.
std::vector<std::string> alias_keys(const Value& aliases) {
  std::vector<std::string> keys;
  for (const auto& [number, alias] : aliases.members()) {
    if (alias["enabled"].bool_or(true)) keys.push_back(alias_key(alias));
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

/// What the target must have, password apart.
struct Wanted {
  std::string account = {};
  std::string local = {};
  std::string domain_id = {};  // empty: the domain is not there yet
  Value aliases = {};          // of the wire
  Value members = {};          // description, quotas, roles: only what the step names
};

class AccountDriver final : public step::StepDriver {
 public:
  AccountDriver(std::shared_ptr<TargetPool> targets, NamesAtSource names_at_source)
      : targets_(std::move(targets)), names_at_source_(std::move(names_at_source)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(wanted, wanted_of(*target, context, false));
    if (wanted.domain_id.empty())
      return unknowable(fmt::format("the domain of {} is not on the target yet", wanted.account));
    PLAN_TRY(
        live,
        target->account(wanted.account).while_doing(fmt::format("looking at {}", wanted.account)));
    PLAN_TRY(generation, target->generation(wanted.account));
    if (live.is_null() && context.kind != StepKind::admin_account) {
      return unknowable(fmt::format("{} is not on the target yet", wanted.account));
    }
    ir::Observation observation;
    observation.prior = prior_of(live);
    observation.fingerprint = fingerprint_of(live);
    if (live.is_null()) {
      observation.standing = Standing::absent;
      observation.differences = difference_of(wanted, Value::map());
      if (generation.is_at_target())
        observation.remark =
            "the target says that this account was moved to it, and does not have it";
      return observation;
    }
    if (context.kind == StepKind::admin_account_open) {
      const bool is_open = !is_closed(live["permissions"]);
      observation.standing = is_open ? Standing::satisfied : Standing::differs;
      if (!is_open)
        observation.differences.push_back(
            {.path = "permissions", .is = "closed", .wanted = "open"});
      return observation;
    }
    if (generation.is_at_target()) {
      observation.standing = Standing::satisfied;
      observation.remark = "moved already: the target is the authority for this account";
      return observation;
    }
    observation.differences = difference_of(wanted, live);
    if (context.kind == StepKind::admin_account_refresh) {
      observation.standing =
          observation.differences.empty() ? Standing::unknowable : Standing::differs;
      observation.remark = "the password is read again from the source during the hold";
      return observation;
    }
    const bool has_password = password_entry(live).has_value();
    if (context.arguments["password"].is_secret() && !has_password) {
      observation.differences.push_back({.path = "password", .is = {}, .wanted = "(secret)"});
    }
    if (!is_closed(live["permissions"])) {
      observation.differences.push_back(
          {.path = "permissions", .is = "open", .wanted = "closed until the flip"});
      observation.remark = "is on the target already and open";
    }
    observation.standing =
        observation.differences.empty() ? Standing::satisfied : Standing::differs;
    return observation;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(wanted, wanted_of(*target, context, true));
    PLAN_TRY(
        live,
        target->account(wanted.account).while_doing(fmt::format("looking at {}", wanted.account)));
    if (context.kind == StepKind::admin_account_open) return open(*target, wanted, live);
    PLAN_TRY(generation, target->generation(wanted.account));
    if (!live.is_null() && generation.is_at_target()) return outputs(live);
    PLAN_TRY_VOID(compare_with_source(wanted.account, context.arguments));
    if (context.kind == StepKind::admin_account_refresh) {
      if (live.is_null()) return missing(wanted);
      return refresh(*target, context, wanted, live);
    }
    PLAN_TRY_VOID(check_roles(*target, wanted.members["roles"]));
    if (live.is_null()) return create(*target, context, wanted);
    return converge(*target, context, wanted, live, true);
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(wanted, wanted_of(*target, context, true));
    PLAN_TRY(live, target->account(wanted.account));
    if (live.is_null()) return not_so(wanted, "is not on the target", {});
    if (context.kind == StepKind::admin_account_open) {
      if (is_closed(live["permissions"])) return not_so(wanted, "may still not log in", {});
      return {};
    }
    PLAN_TRY(generation, target->generation(wanted.account));
    if (generation.is_at_target()) return {};
    const std::vector<ir::Difference> differences = difference_of(wanted, live);
    if (!differences.empty())
      return not_so(wanted, show_differences(differences), differences.front().path);
    if (!is_closed(live["permissions"])) return not_so(wanted, "may log in before the flip", {});
    if (context.arguments["password"].is_secret() && !password_entry(live))
      return not_so(wanted, "has no password", "password");
    return {};
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(wanted, wanted_of(*target, context, false));
    if (wanted.domain_id.empty()) return {};
    PLAN_TRY(live, target->account(wanted.account));
    const Value& prior = context.prior;
    const bool existed = prior["exists"].bool_or(false);
    if (live.is_null()) return {};
    const std::string id(live["id"].string_or({}));
    const std::string what = fmt::format("account `{}`", wanted.account);
    if (context.kind == StepKind::admin_account_open) {
      if (prior["permissions"].is_null() || !is_closed(prior["permissions"]) ||
          is_closed(live["permissions"]))
        return {};
      return target->registry().update(
          "Account", id, Value::map({{"permissions", closed(live["permissions"])}}), what, {});
    }
    if (!existed) {
      // Destroying an account destroys its data. One that may log in has, or had, a life of its
      // own.
      PLAN_TRY(generation, target->generation(wanted.account));
      // Its content went back, but what no server of the old kind could take (app passwords,
      // identities, contacts) is there only: left in place, closed and not authoritative.
      if (generation.number > 0 && !generation.is_at_target() && is_closed(live["permissions"]))
        return {};
      if (!is_closed(live["permissions"]) || generation.is_at_target()) {
        return Error(
                   errors::account_open,
                   fmt::format("{} can log in on the target and is not destroyed", wanted.account))
            .with_blame(Blame::target);
      }
      return target->registry().destroy("Account", id, what);
    }
    if (context.kind == StepKind::admin_account_refresh)
      return {};  // the account as such goes back with its own step
    Value patch = Value::map();
    for (const std::string_view member :
         {"aliases", "quotas", "description", "roles", "permissions"}) {
      const Value& before = prior[member];
      if (prior.members().contains(member) && !(before == live[member]))
        patch.set(std::string(member), before);
    }
    return target->registry().update("Account", id, patch, what, {});
  }

 private:
  /// `must_have_domain`: a missing domain is an error, else the result has an empty domain id.
  static Result<Wanted> wanted_of(Target& target, const step::StepContext& context,
                                  bool must_have_domain) {
    const Value& arguments = context.arguments;
    Wanted wanted;
    PLAN_TRY(account, text_argument(arguments, "account"));
    wanted.account = lower_ascii(account);
    const AddressParts parts = split_address(wanted.account);
    wanted.local = parts.local;
    PLAN_TRY(domain, target.domain_id(parts.domain));
    wanted.domain_id = domain;
    if (domain.empty()) {
      if (!must_have_domain) return wanted;
      return Error(errors::domain_missing,
                   fmt::format("the target has no domain `{}`", parts.domain))
          .with_blame(Blame::target)
          .with_argument("account");
    }
    wanted.members = Value::map();
    if (!arguments["name"].string_or({}).empty())
      wanted.members.set("description", arguments["name"]);
    const std::int64_t quota = arguments["quota_bytes"].integer_or(0);
    if (quota > 0) wanted.members.set("quotas", Value::map({{"maxDiskQuota", quota}}));
    if (arguments["roles"].is_map()) wanted.members.set("roles", to_wire(arguments["roles"]));
    if (context.kind == StepKind::admin_account_open) return wanted;
    const std::string own = fmt::format("{}@{}", wanted.local, wanted.domain_id);
    wanted.aliases = Value::map();
    std::vector<std::string> seen{own};
    const std::vector<std::string> aliases = address_arguments(arguments, "aliases");
    for (std::size_t i = 0; i < aliases.size(); ++i) {
      const AddressParts alias = split_address(aliases[i]);
      PLAN_TRY(alias_domain, target.domain_id(alias.domain));
      if (alias_domain.empty()) {
        if (!must_have_domain) {
          wanted.domain_id.clear();
          return wanted;
        }
        return Error(errors::domain_missing,
                     fmt::format("the target has no domain `{}` for alias `{}`", alias.domain,
                                 aliases[i]))
            .with_blame(Blame::target)
            .with_argument(fmt::format("aliases[{}]", i));
      }
      // Two names of one domain give the same address twice; the server would store it without a
      // word.
      const std::string key = fmt::format("{}@{}", alias.local, alias_domain);
      if (std::find(seen.begin(), seen.end(), key) != seen.end()) continue;
      seen.push_back(key);
      wanted.aliases.set(
          std::to_string(wanted.aliases.size()),
          Value::map({{"name", alias.local}, {"domainId", alias_domain}, {"enabled", true}}));
    }
    return wanted;
  }

  static std::vector<ir::Difference> difference_of(const Wanted& wanted, const Value& live) {
    std::vector<ir::Difference> differences;
    if (alias_keys(wanted.aliases) != alias_keys(live["aliases"])) {
      differences.push_back({.path = "aliases", .is = live["aliases"], .wanted = wanted.aliases});
    }
    compare_members(wanted.members, live, differences);
    return differences;
  }

  static Value prior_of(const Value& live) {
    if (live.is_null()) return Value::map({{"exists", false}});
    Value prior = Value::map({{"exists", true}, {"id", live["id"]}});
    for (const std::string_view member :
         {"aliases", "quotas", "description", "roles", "permissions"}) {
      prior.set(std::string(member), live[member]);
    }
    return prior;
  }

  static Value fingerprint_of(const Value& live) {
    if (live.is_null()) return Value::map({{"exists", false}});
    return Value::map({{"exists", true},
                       {"id", live["id"]},
                       {"aliases", live["aliases"]},
                       {"roles", live["roles"]},
                       {"permissions", live["permissions"]}});
  }

  static Value outputs(const Value& live) { return Value::map({{"account_id", live["id"]}}); }

  static Error missing(const Wanted& wanted) {
    return Error(errors::account_not_there, fmt::format("{} is not on the target", wanted.account))
        .with_blame(Blame::target)
        .with_argument("account");
  }

  static Error not_so(const Wanted& wanted, const std::string& how, const std::string& argument) {
    return Error(step::errors::not_as_wanted, fmt::format("account {}: {}", wanted.account, how))
        .with_blame(Blame::target)
        .with_argument(argument);
  }

  /// Place of the Password entry in `credentials`, as its number is at this moment.
  static std::optional<std::string> password_entry(const Value& live) {
    for (const auto& [number, credential] : live["credentials"].members()) {
      if (credential["@type"].string_or("Password") == "Password") return number;
    }
    return std::nullopt;
  }

  /// One unknown role fails a whole call with effects in between (reference/stalwart-admin.md 3.4),
  /// so they are looked up.
  static Outcome check_roles(Target& target, const Value& roles) {
    std::vector<std::string> ids;
    for (const auto& [id, is_member] : roles["roleIds"].members()) ids.push_back(id);
    if (ids.empty()) return {};
    PLAN_TRY(found, target.registry().get("Role", ids));
    for (const std::string& id : ids) {
      const bool is_there = std::any_of(found.begin(), found.end(),
                                        [&](const Value& role) { return role["id"] == Value(id); });
      if (is_there) continue;
      return Error(errors::role_missing,
                   fmt::format("the target has no role with id `{}`", printable(id, 100)))
          .with_blame(Blame::plan)
          .with_argument(fmt::format("roles.roleIds.{}", printable(id, 100)));
    }
    return {};
  }

  static Result<std::optional<secret::Secret>> read_secret(step::StepContext& context,
                                                           const std::string& account) {
    const Value& reference = context.arguments["password"];
    if (!reference.is_secret()) return std::optional<secret::Secret>();
    PLAN_TRY(stored, context.secrets.read(reference.as_secret())
                         .while_doing(fmt::format("reading the password hash of {}", account)));
    PLAN_TRY(rewritten, secret_for_target(
                            stored, context.arguments["password_scheme"].string_or({}), account));
    return std::optional<secret::Secret>(std::move(rewritten));
  }

  static Result<Value> create(Target& target, step::StepContext& context, const Wanted& wanted) {
    PLAN_TRY(secret, read_secret(context, wanted.account));
    Value body =
        Value::map({{"@type", "User"}, {"name", wanted.local}, {"domainId", wanted.domain_id}});
    for (const auto& [key, value] : wanted.members.members()) body.set(key, value);
    if (wanted.aliases.size() > 0) body.set("aliases", wanted.aliases);
    body.set("permissions", closed({}));
    if (secret) {
      body.set("credentials",
               Value::map(
                   {{"0", Value::map({{"@type", "Password"},
                                      {"secret", secret->reveal_for("x:Account/set create")}})}}));
    }
    const std::string what = fmt::format("account `{}`", wanted.account);
    auto made = target.registry().create("Account", body, what, {});
    if (!made) {
      // A method error may come after the account was made: what exists is what counts.
      const bool is_doubtful = made.error().is(net::jmap::errors::method_refused) ||
                               made.error().is(net::jmap::errors::name_taken);
      if (!is_doubtful) return std::move(made).error();
      PLAN_TRY(live, target.account(wanted.account));
      if (!live.is_null()) return converge(target, context, wanted, live, true);
      if (made.error().is(net::jmap::errors::name_taken)) {
        return Error(errors::address_taken,
                     fmt::format("{} or one of its aliases belongs to another account, list or "
                                 "alias of the target",
                                 wanted.account))
            .with_blame(Blame::target)
            .with_argument("account")
            .with_detail(made.error().message());
      }
      return std::move(made).error().with_effect(Effect::none);
    }
    return Value::map({{"account_id", *made}});
  }

  /// A name that the source has got or lost since `plan fetch` has no way in this plan: mail for it
  /// would be bounced, or go to somebody else.
  Outcome compare_with_source(const std::string& account, const Value& arguments) const {
    if (!names_at_source_) return {};
    PLAN_TRY(now, names_at_source_(account));
    std::vector<std::string> then = address_arguments(arguments, "aliases");
    std::sort(then.begin(), then.end());
    std::sort(now.begin(), now.end());
    std::vector<std::string> changed;
    std::set_difference(now.begin(), now.end(), then.begin(), then.end(),
                        std::back_inserter(changed));
    const bool is_new = !changed.empty();
    if (!is_new)
      std::set_difference(then.begin(), then.end(), now.begin(), now.end(),
                          std::back_inserter(changed));
    if (changed.empty()) return {};
    return Error(errors::aliases_changed,
                 fmt::format("alias {} of {} {}", printable(changed.front(), 120), account,
                             is_new ? "is new at the source since `plan fetch`"
                                    : "is not at the source any more"))
        .with_blame(Blame::source)
        .with_argument("aliases");
  }

  /// Brings an account that is there to what is wanted. `must_close`: also shuts it, as before a
  /// flip.
  static Result<Value> converge(Target& target, step::StepContext& context, const Wanted& wanted,
                                const Value& live, bool must_close) {
    PLAN_TRY(secret, read_secret(context, wanted.account));
    Value patch = patch_for(wanted.members, live);
    if (alias_keys(wanted.aliases) != alias_keys(live["aliases"]))
      patch.set("aliases", wanted.aliases);
    if (must_close && !is_closed(live["permissions"]))
      patch.set("permissions", closed(live["permissions"]));
    if (secret) {
      // Never the whole list: that would drop app passwords and the second factor (5.3). The same
      // hash again is no change.
      const std::optional<std::string> number = password_entry(live);
      const std::string& text = secret->reveal_for("x:Account/set update");
      if (number)
        patch.set(fmt::format("credentials/{}/secret", *number), text);
      else
        patch.set(fmt::format("credentials/{}", live["credentials"].size()),
                  Value::map({{"@type", "Password"}, {"secret", text}}));
    }
    PLAN_TRY_VOID(target.registry().update("Account", std::string(live["id"].string_or({})), patch,
                                           fmt::format("account `{}`", wanted.account), {}));
    return outputs(live);
  }

  /// Only what the user can have changed at the source since the copy began. A changed set of names
  /// goes back to the beginning: mail for it was not routed.
  static Result<Value> refresh(Target& target, step::StepContext& context, const Wanted& wanted,
                               const Value& live) {
    if (alias_keys(wanted.aliases) != alias_keys(live["aliases"])) {
      return Error(errors::aliases_changed,
                   fmt::format("the aliases of {} on the target are not those of the lock",
                               wanted.account))
          .with_blame(Blame::target)
          .with_argument("aliases");
    }
    return converge(target, context, wanted, live, true);
  }

  static Result<Value> open(Target& target, const Wanted& wanted, const Value& live) {
    if (live.is_null()) return missing(wanted);
    if (is_closed(live["permissions"])) {
      PLAN_TRY_VOID(
          target.registry().update("Account", std::string(live["id"].string_or({})),
                                   Value::map({{"permissions", opened(live["permissions"])}}),
                                   fmt::format("account `{}`", wanted.account), {}));
    }
    return outputs(live);
  }

  std::shared_ptr<TargetPool> targets_;
  NamesAtSource names_at_source_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_account_driver(std::shared_ptr<TargetPool> targets,
                                                      NamesAtSource names_at_source) {
  return std::make_shared<AccountDriver>(std::move(targets), std::move(names_at_source));
}

}  // namespace plan::server::stalwart
