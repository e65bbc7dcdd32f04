#include "runtime/server/stalwart/lease.h"

#include <fmt/format.h>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/stalwart/errors.h"

namespace plan::server::stalwart {
namespace {

constexpr std::string_view kType = "MemoryLookupKeyValue";
constexpr std::string_view kNamespace = "plan-lease";
constexpr std::string_view kKey = "target";

Error taken(const TargetLease::Holder& holder) {
  return Error(errors::lease_taken,
               fmt::format("the lease on the target belongs to {}",
                           holder.words.empty() ? "another run" : holder.words))
      .with_blame(Blame::local);
}

}  // namespace

Result<TargetLease::Holder> TargetLease::look() {
  PLAN_TRY(object, target_->registry()
                       .find(kType, ir::Value::map({{"namespace", kNamespace}, {"key", kKey}}))
                       .while_doing("looking at the lease on the target"));
  Holder holder;
  if (object.is_null()) return holder;
  holder.id = std::string(object["id"].string_or({}));
  const auto value =
      ir::parse_json(object["value"].string_or({}), {.bytes_max = 8192, .depth_max = 4});
  if (!value) return holder;
  holder.token = std::string((*value)["token"].string_or({}));
  holder.words =
      fmt::format("{}, since {}", printable((*value)["holder"].string_or("somebody"), 200),
                  printable((*value)["since"].string_or("an unknown time"), 40));
  return holder;
}

Outcome TargetLease::create(std::string_view token) {
  const ir::Value value = ir::Value::map(
      {{"holder", holder_}, {"since", net::show_utc(clock_.wall_ms())}, {"token", token}});
  const ir::Value object = ir::Value::map({{"namespace", kNamespace},
                                           {"key", kKey},
                                           {"value", ir::canonical_json(value)},
                                           {"isGlobPattern", false}});
  auto made = target_->registry().create(kType, object, "the lease on the target", {});
  if (made) return {};
  const bool is_settled_by_looking =
      made.error().is(net::jmap::errors::name_taken) || made.error().effect() == Effect::unknown;
  if (!is_settled_by_looking) return std::move(made).error();
  PLAN_TRY(holder, look());
  if (holder.id.empty())
    return std::move(made).error().with_effect(Effect::none).with_retry(Retry::safe);
  if (holder.token == token) return {};
  return taken(holder);
}

Outcome TargetLease::acquire(std::string_view token) {
  PLAN_TRY(holder, look());
  if (holder.id.empty()) return create(token);
  if (holder.token == token) return {};
  return taken(holder);
}

Outcome TargetLease::renew(std::string_view token) {
  PLAN_TRY(holder, look());
  if (!holder.id.empty() && holder.token == token) return {};
  return Error(errors::lease_lost,
               holder.id.empty()
                   ? std::string("nobody holds the lease on the target any more")
                   : fmt::format("the lease on the target belongs to {}", holder.words))
      .with_blame(Blame::local);
}

Outcome TargetLease::release(std::string_view token) {
  PLAN_TRY(holder, look());
  if (holder.id.empty() || holder.token != token) return {};
  return target_->registry().destroy(kType, holder.id, "the lease on the target");
}

Outcome TargetLease::take_over(std::string_view token) {
  PLAN_TRY(holder, look());
  if (!holder.id.empty()) {
    if (holder.token == token) return {};
    // Whoever destroys this very object has the right to the next one: the loser finds it gone, and
    // then the key taken.
    PLAN_TRY_VOID(target_->registry().destroy(kType, holder.id, "the lease on the target"));
  }
  return create(token);
}

}  // namespace plan::server::stalwart
