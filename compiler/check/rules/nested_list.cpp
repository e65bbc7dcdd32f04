// Says that a list inside a list is written out: the target expands one level only, the inner
// list's address would bounce (reference/split-delivery.md 4).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void nested_list(const Migration& migration, Sink& sink) {
  for (const MailList& list : migration.lists) {
    Examples examples;
    for (const std::string& member : list.lock->members) {
      if (member != list.lock->address && migration.lock->list(member) != nullptr)
        examples.add(member, list.lock->span);
    }
    if (examples.count == 0) continue;
    sink.report(Kind::nested_list, list.lock->span,
                fmt::format("list `{}` has {}: {}", printable(list.lock->address, 120),
                            counted(examples.count, "list as a member", "lists as members"),
                            examples.text()))
        .label(fmt::format("it moves with {} instead",
                           counted(list.members.size(), "address", "addresses")))
        .help(
            "the target expands one level only; later changes of the inner list will not reach the "
            "outer one");
  }
}

}  // namespace plan::check::rules
