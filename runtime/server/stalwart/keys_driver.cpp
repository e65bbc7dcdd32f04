// admin.keys. Which server delivers an account's mail is decided by an explicit set of addresses on
// the target (reference/split-delivery.md section 2): one plain lookup key for every address, in
// lower case, live after ReloadLookupStores. The account's generation is written only after the
// reload, so "keys there and generation at the target" means live; a crash in between makes apply
// run again, and all of it may be repeated.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/server/stalwart/arguments.h"
#include "runtime/server/stalwart/drivers.h"
#include "runtime/step/errors.h"

namespace plan::server::stalwart {
namespace {

using ir::Standing;
using ir::Value;

struct Wanted {
  std::string name_space = {};
  std::string account = {};
  std::vector<std::string> addresses = {};
};

Result<Wanted> wanted_of(const Value& arguments) {
  Wanted wanted;
  PLAN_TRY(name_space, text_argument(arguments, "namespace"));
  PLAN_TRY(account, text_argument(arguments, "account"));
  wanted.name_space = name_space;
  wanted.account = lower_ascii(account);
  wanted.addresses = address_arguments(arguments, "addresses");
  if (std::find(wanted.addresses.begin(), wanted.addresses.end(), wanted.account) ==
      wanted.addresses.end()) {
    wanted.addresses.insert(wanted.addresses.begin(), wanted.account);
  }
  return wanted;
}

class KeysDriver final : public step::StepDriver {
 public:
  explicit KeysDriver(std::shared_ptr<TargetPool> targets) : targets_(std::move(targets)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(found, target->keys(wanted.name_space).find(wanted.addresses));
    PLAN_TRY(generation, target->generation(wanted.account));
    ir::Observation observation;
    for (std::size_t i = 0; i < wanted.addresses.size(); ++i) {
      const auto key = found.find(wanted.addresses[i]);
      if (key != found.end() && !key->second.is_glob) continue;
      observation.differences.push_back(
          {.path = fmt::format("addresses[{}]", i), .is = {}, .wanted = wanted.addresses[i]});
    }
    if (!generation.is_at_target())
      observation.differences.push_back({.path = "at", .is = generation.at, .wanted = "target"});
    observation.standing = observation.differences.empty() ? Standing::satisfied
                           : found.empty()                 ? Standing::absent
                                                           : Standing::differs;
    Value existing = Value::list();
    for (const auto& [address, key] : found) existing.push_back(address);
    observation.prior =
        Value::map({{"keys", existing}, {"generation", generation.number}, {"at", generation.at}});
    // The generation only rises: a saved plan that moved the account is refused from then on, on
    // every machine, also when the account was brought back.
    observation.fingerprint =
        Value::map({{"keys", existing}, {"at", generation.at}, {"generation", generation.number}});
    return observation;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(target, targets_->open(context));
    KeySet& keys = target->keys(wanted.name_space);
    PLAN_TRY(found, keys.find(wanted.addresses));
    std::vector<std::string> missing;
    for (const std::string& address : wanted.addresses) {
      const auto key = found.find(address);
      if (key == found.end() || key->second.is_glob) missing.push_back(address);
    }
    PLAN_TRY_VOID(
        keys.add(missing).while_doing(fmt::format("adding the addresses of {}", wanted.account)));
    PLAN_TRY_VOID(target->reload_lookups().while_doing(
        fmt::format("making the addresses of {} live", wanted.account)));
    PLAN_TRY(generation, target->move_generation(wanted.account, "target"));
    return Value::map({{"generation", generation.number}});
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(found, target->keys(wanted.name_space).find(wanted.addresses));
    std::vector<std::string> ids;
    for (const auto& [address, key] : found) ids.push_back(key.id);
    // By id from the target itself: what was remembered is no evidence.
    PLAN_TRY(objects, target->registry().get("MemoryLookupKey", ids));
    for (const std::string& address : wanted.addresses) {
      const bool is_there = std::any_of(objects.begin(), objects.end(), [&](const Value& object) {
        return object["key"].string_or({}) == address &&
               object["namespace"].string_or({}) == wanted.name_space &&
               !object["isGlobPattern"].bool_or(false);
      });
      if (is_there) continue;
      target->keys(wanted.name_space).forget();
      return Error(step::errors::not_as_wanted,
                   fmt::format("`{}` is not in the set `{}` of the target", address,
                               wanted.name_space))
          .with_blame(Blame::target)
          .with_argument("addresses");
    }
    return {};
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(target, targets_->open(context));
    if (context.prior["at"].string_or({}) == "target")
      return {};  // it was there before the step: nothing of ours
    // First the word that it is not here any more: a crash after it makes the undo run again, and
    // never the reverse.
    auto generation = target->move_generation(wanted.account, "source");
    if (!generation) return std::move(generation).error();
    PLAN_TRY_VOID(target->keys(wanted.name_space)
                      .remove(wanted.addresses)
                      .while_doing(fmt::format("removing the addresses of {}", wanted.account)));
    return target->reload_lookups().while_doing(
        fmt::format("making it live that {} is at the source", wanted.account));
  }

 private:
  std::shared_ptr<TargetPool> targets_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_keys_driver(std::shared_ptr<TargetPool> targets) {
  return std::make_shared<KeysDriver>(std::move(targets));
}

}  // namespace plan::server::stalwart
