// Says that a mailing list which a module writes has a list of the source as a recipient: the
// target expands one level only, the inner list's address bounces (reference/split-delivery.md 4).
#include <fmt/format.h>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"

namespace plan::check::rules {

void list_written(const GraphView& view, Sink& sink) {
  const facts::Lock& lock = *view.migration().lock;
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "MailingList") continue;
    Examples examples;
    for (const std::string_view recipient : members_of(write.set["recipients"])) {
      if (const facts::LockList* inner = lock.list(recipient); inner != nullptr)
        examples.add(inner->address, inner->span);
    }
    if (examples.count == 0) continue;
    report_write(view, write, Kind::nested_list,
                 fmt::format("makes a list with {}: {}",
                             counted(examples.count, "list as a recipient", "lists as recipients"),
                             examples.text()),
                 sink)
        .label("the target expands one level only: mail to the inner one bounces")
        .note(examples.first, "this is a list")
        .help("write the inner list's members instead of its address");
  }
}

}  // namespace plan::check::rules
