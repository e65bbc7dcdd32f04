// Prevents: a throttle that goes on counting the source because another one has its name. The
// description is all that tells throttles apart (reference/stalwart-admin.md 5.1).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void throttle_ambiguous(const Migration& migration, Sink& sink) {
  const std::vector<facts::LockThrottle>& throttles = migration.lock->throttles;
  for (std::size_t i = 1; i < throttles.size(); ++i) {
    if (throttles[i].description != throttles[i - 1].description) continue;
    if (i > 1 && throttles[i].description == throttles[i - 2].description) continue;
    sink.report(Kind::throttle_ambiguous, throttles[i].span,
                fmt::format("the target has more than one throttle called `{}`",
                            printable(throttles[i].description, 120)))
        .label("only one of them would leave the source alone")
        .note(throttles[i - 1].span, "the first one")
        .help(
            "give each a description of its own on the target (make it anew: a description cannot "
            "be changed), and run `plan fetch`");
  }
}

}  // namespace plan::check::rules
