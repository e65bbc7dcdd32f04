#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/net/clock.h"
#include "runtime/net/jmap/pool.h"
#include "runtime/server/stalwart/target.h"
#include "runtime/step/step_driver.h"

namespace plan::server::stalwart {

/// The aliases of an account as its source has them at this moment, in lower case.
using NamesAtSource = std::function<Result<std::vector<std::string>>(const std::string& account)>;

/// Adds the drivers of all `admin.*` step kinds. They look before they write, so that every apply
/// may be repeated:
///  - admin.upsert, admin.update, admin.destroy: registry objects by natural key
///  (object_driver.cpp);
///  - admin.action: reloads and the like;
///  - admin.account, admin.account-open, admin.account-refresh, admin.list (account_driver.cpp,
///  list_driver.cpp);
///  - admin.keys: the set of flipped addresses and the account's generation (keys_driver.cpp).
/// Once the target itself says that an account is there (its generation), account steps that
/// prepare the move are satisfied and change nothing: the target is the authority then.
/// `names_at_source` is asked before an account is made and while it is held; without it only the
/// target's own names are compared with the step's.
void add_drivers(step::DriverTable& table, std::shared_ptr<TargetPool> targets,
                 NamesAtSource names_at_source = {});

[[nodiscard]] std::shared_ptr<step::StepDriver> make_object_driver(
    std::shared_ptr<TargetPool> targets);
[[nodiscard]] std::shared_ptr<step::StepDriver> make_action_driver(
    std::shared_ptr<TargetPool> targets);
[[nodiscard]] std::shared_ptr<step::StepDriver> make_account_driver(
    std::shared_ptr<TargetPool> targets, NamesAtSource names_at_source = {});
[[nodiscard]] std::shared_ptr<step::StepDriver> make_list_driver(
    std::shared_ptr<TargetPool> targets);
[[nodiscard]] std::shared_ptr<step::StepDriver> make_keys_driver(
    std::shared_ptr<TargetPool> targets);

}  // namespace plan::server::stalwart
