// Says which servers have a version that the procedure was never run with.
#include <fmt/format.h>

#include <array>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

struct Tested {
  std::string_view name = {};
  std::string_view program = {};
  std::string_view prefix = {};  ///< versions that begin so were tried
};

constexpr std::array kTested = {
    Tested{"source.dovecot", "Dovecot", "2.3."},
    Tested{"source.postfix", "Postfix", "3.7."},
    Tested{"target.stalwart", "Stalwart", "0.16."},
};

}  // namespace

void untested_version(const Migration& migration, Sink& sink) {
  for (const Tested& tested : kTested) {
    const auto found = migration.lock->versions.find(std::string(tested.name));
    if (found == migration.lock->versions.end() || found->second.starts_with(tested.prefix))
      continue;
    sink.report(Kind::untested_version,
                migration.plan.place(tested.name.starts_with("source") ? "source" : "target"),
                fmt::format("{} is {}, this procedure was tried with {}x", tested.program,
                            printable(found->second, 40), tested.prefix))
        .help("rehearse with `plan rehearse`, then apply with `--untested-version`");
  }
}

}  // namespace plan::check::rules
