// Prevents: a move that is called done because a process runs. A store that lacks subspace g looks
// healthy, and every login is refused (reference/stalwart-store.md 0.1; 12, 12).
#include "compiler/check/rules.h"

namespace plan::check::rules {

void start_not_proved(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  if (!plan.store.is_moved || plan.target["ready"].size() > 0) return;
  sink.report(Kind::start_not_proved, plan.place("target", "service"),
              "nothing looks whether the server serves from the new store")
      .label("it is started, and that a process runs is taken for success")
      .help(
          "name a command that ends with 0 when it does, best one that logs in and delivers a "
          "message: `ready: [curl, -fsS, \"http://127.0.0.1:8080/healthz/ready\"]`");
}

}  // namespace plan::check::rules
