// Says what is wrong with the recipients of a mailing list that a module writes: the target expands
// one level only, so the address of another list bounces (reference/split-delivery.md 4), and its
// time grows with the square of their number (reference/stalwart-admin.md 0a).
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/limits.h"
#include "compiler/check/rules.h"
#include "compiler/check/written_addresses.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

/// One list, whichever steps write it.
struct Written {
  const TargetWrite* write = nullptr;  ///< the first that gives it recipients
  std::string address = {};
  std::vector<std::string> inner = {};  ///< objects of the lists among its recipients
  std::size_t next = 0;
  bool is_open = false;
  bool is_done = false;
};

using Lists = std::map<std::string, Written>;  // by the object

void report_nested(const GraphView& view, const TargetWrite& write, const Examples& examples,
                   Sink& sink) {
  report_write(view, write, Kind::nested_list,
               fmt::format("makes a list with {}: {}",
                           counted(examples.count, "list as a recipient", "lists as recipients"),
                           examples.text()),
               sink)
      .label("the target expands one level only: mail to the inner one bounces")
      .note(examples.first, "this is a list")
      .help("write the inner list's members instead of its address");
}

void report_size(const GraphView& view, const TargetWrite& write, std::size_t recipients,
                 Sink& sink) {
  if (recipients <= kListSlow) return;
  report_write(view, write, Kind::list_too_large,
               fmt::format("makes a list of {} recipients", show_count(recipients)), sink)
      .severity(recipients < kListRefused ? Severity::warning : Severity::error)
      .label(recipients < kListRefused ? "the target needs seconds for each change of it"
                                       : "the target refuses a list of this size")
      .help("make several lists of it, or keep it in a mailing list program");
}

/// Lists that lead to one another in a circle: each bounces at the other, whoever writes first.
void report_circles(const GraphView& view, Lists& lists, Sink& sink) {
  std::vector<Written*> way;
  const auto enter = [&](Written& list) {
    list.is_open = true;
    way.push_back(&list);
  };
  for (auto& [object, root] : lists) {
    if (!root.is_done && !root.is_open) enter(root);
    while (!way.empty()) {
      Written& here = *way.back();
      if (here.next == here.inner.size()) {
        here.is_open = false;
        here.is_done = true;
        way.pop_back();
        continue;
      }
      Written& inner = lists.at(here.inner[here.next++]);
      if (inner.is_open) {
        report_write(view, *here.write, Kind::list_loop,
                     fmt::format("makes list `{}`, which leads back to list `{}`",
                                 printable(here.address, 120), printable(inner.address, 120)),
                     sink)
            .label("mail to one of them never reaches the members of the other")
            .note(view.graph().origin(inner.write->step), "it comes out here again")
            .help("write the members of the one into the other instead of its address");
      } else if (!inner.is_done) {
        enter(inner);
      }
    }
  }
}

}  // namespace

void list_written(const GraphView& view, Sink& sink) {
  const facts::Lock& lock = *view.migration().lock;
  Lists lists;
  std::map<std::string, std::string> object_of;     // by address, of the lists that steps make
  std::map<const TargetWrite*, std::string> named;  // the object of each write
  for (const WrittenAddress& address : written_addresses(view)) {
    if (address.write->object != "MailingList") continue;
    named.emplace(address.write, address.object);
    if (!address.is_domain_known) continue;
    object_of.emplace(address.text(), address.object);
    Written& list = lists[address.object];
    if (list.address.empty()) list.address = address.text();
    if (list.write == nullptr) list.write = address.write;
  }
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "MailingList") continue;
    const auto self = named.find(&write);
    const auto recipients = members_of(write.set["recipients"]);
    Examples examples;
    for (const std::string_view recipient : recipients) {
      const std::string address = lower_ascii(trim(recipient));
      const auto inner = object_of.find(address);
      if (inner != object_of.end()) {
        // Its own address is dropped by the target.
        if (self == named.end() || inner->second == self->second) continue;
        const Written& list = lists.at(inner->second);
        examples.add(list.address, view.graph().origin(list.write->step));
        if (const auto own = lists.find(self->second); own != lists.end()) {
          own->second.write = &write;
          own->second.inner.push_back(inner->second);
        }
      } else if (const facts::LockList* of_source = lock.list(address); of_source != nullptr) {
        examples.add(of_source->address, of_source->span);
      }
    }
    if (examples.count != 0) report_nested(view, write, examples, sink);
    report_size(view, write, recipients.size(), sink);
  }
  report_circles(view, lists, sink);
}

}  // namespace plan::check::rules
