// Says which lists lead back to themselves. On the target they are written out, so nothing turns in
// a circle there; at the source it does, until the last of them has moved.
#include <fmt/format.h>

#include <unordered_map>
#include <vector>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

enum class Mark : std::uint8_t { open, done };

struct Visit {
  const facts::LockList* list = nullptr;
  std::size_t next = 0;
};

}  // namespace

void list_loop(const Migration& migration, Sink& sink) {
  const facts::Lock& lock = *migration.lock;
  std::unordered_map<const facts::LockList*, Mark> marks;
  for (const facts::LockList& root : lock.lists) {
    if (marks.contains(&root)) continue;
    std::vector<Visit> way = {{&root, 0}};
    marks.emplace(&root, Mark::open);
    while (!way.empty()) {
      Visit& here = way.back();
      if (here.next == here.list->members.size()) {
        marks[here.list] = Mark::done;
        way.pop_back();
        continue;
      }
      const facts::LockList* inner = lock.list(here.list->members[here.next++]);
      // A list with its own address as a member keeps a copy: it does not turn in a circle.
      if (inner == nullptr || inner == here.list) continue;
      const auto found = marks.find(inner);
      if (found == marks.end()) {
        marks.emplace(inner, Mark::open);
        way.push_back({inner, 0});
      } else if (found->second == Mark::open) {
        sink.report(Kind::list_loop, here.list->span,
                    fmt::format("list `{}` leads back to list `{}`",
                                printable(here.list->address, 120), printable(inner->address, 120)))
            .label("mail to one of them turns in a circle at the source")
            .note(inner->span, "it comes out here again")
            .help("take one of the two out of the other at the source, and run `plan fetch`");
      }
    }
  }
}

}  // namespace plan::check::rules
