// Prevents: a list without members answers 250 to RCPT and then 503 to DATA on the target
// (reference/stalwart-admin.md 5.4).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void list_empty(const Migration& migration, Sink& sink) {
  for (const MailList& list : migration.lists) {
    if (!list.members.empty()) continue;
    sink.report(Kind::list_empty, list.lock->span,
                fmt::format("list `{}` reaches nobody", printable(list.lock->address, 120)))
        .label("its only members are lists, or itself, or there is none")
        .help("give it a member at the source and run `plan fetch`, or leave it out with `except`");
  }
}

}  // namespace plan::check::rules
