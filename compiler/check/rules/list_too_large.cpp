// Prevents: a list that the target refuses, or is busy with for long: its time grows with the
// square of the members (reference/stalwart-admin.md 0a: 10,000 in 0.3 s, 20,000 in 1.2 s, 100,000
// in 30 s and then refused).
#include <fmt/format.h>

#include "compiler/check/limits.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void list_too_large(const Migration& migration, Sink& sink) {
  for (const MailList& list : migration.lists) {
    const std::size_t members = list.members.size();
    if (members <= kListSlow) continue;
    sink.report(Kind::list_too_large, list.lock->span,
                fmt::format("list `{}` has {} members", printable(list.lock->address, 120),
                            show_count(members)))
        .severity(members < kListRefused ? Severity::warning : Severity::error)
        .label(members < kListRefused ? "the target needs seconds for each change of it"
                                      : "the target refuses a list of this size")
        .help("split it at the source into several lists, or keep it in a mailing list program");
  }
}

}  // namespace plan::check::rules
