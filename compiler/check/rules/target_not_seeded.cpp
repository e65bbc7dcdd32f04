// Prevents: a migration to a target that has never had its first normal start. In recovery mode
// nothing is seeded: no roles, no listeners, no queues, and its administrators get 403
// (reference/stalwart-admin.md 0a, 4.3).
#include <fmt/format.h>

#include "compiler/check/rules.h"

namespace plan::check::rules {

void target_not_seeded(const Migration& migration, Sink& sink) {
  struct Seeded {
    const char* setting = nullptr;
    std::string_view words = {};
  };
  constexpr Seeded kSeeded[] = {{"target.Role.roleIds", "roles"},
                                {"target.NetworkListener.bind", "listeners"},
                                {"target.MtaRoute.name", "routes"}};
  std::string lacking;
  for (const Seeded& seeded : kSeeded) {
    const ir::Value& list = setting(migration, seeded.setting);
    if (!list.is_list() || list.size() != 0) continue;
    lacking += (lacking.empty() ? "" : ", ") + std::string(seeded.words);
  }
  if (lacking.empty()) return;
  sink.report(Kind::target_not_seeded, migration.plan.place("target"),
              fmt::format("the target has no {}: it was never started normally", lacking))
      .label("what a first start makes is not there, and will not be made behind other objects")
      .help("start it once without recovery mode, wait until it serves, and run `plan fetch`");
}

}  // namespace plan::check::rules
