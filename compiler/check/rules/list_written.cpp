// Says what is wrong with the recipients of a mailing list that a module writes: the target expands
// one level only, so the address of another list bounces (reference/split-delivery.md 4), its time
// grows with the square of their number (reference/stalwart-admin.md 0a), and where there are none
// it answers 250 to RCPT and then 503 to DATA (5.4).
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
  ir::StepId step = {};  ///< the first that gives it recipients
  std::string address = {};
  std::vector<std::string> inner = {};  ///< objects of the lists among its recipients
  std::size_t next = 0;
  bool is_open = false;
  bool is_done = false;
};

using Lists = std::map<std::string, Written>;  // by the object

/// The recipients that one step gives to a list.
struct Recipients {
  ir::StepId step = {};
  std::string object = {};
  std::vector<std::string> addresses = {};
  bool is_known = true;    ///< which they are is written in the module
  bool is_counted = true;  ///< the source's own lists are counted by list_too_large
};

constexpr std::size_t kStepsOfShapeMax = 200;

void report_nested(const GraphView& view, ir::StepId step, const Examples& examples, Sink& sink) {
  report_step(view, step, Kind::nested_list,
              fmt::format("makes a list with {}: {}",
                          counted(examples.count, "list as a recipient", "lists as recipients"),
                          examples.text()),
              sink)
      .label("the target expands one level only: mail to the inner one bounces")
      .note(examples.first, "this is a list")
      .help("write the inner list's members instead of its address");
}

void report_empty(const GraphView& view, const Recipients& recipients, Sink& sink) {
  report_step(view, recipients.step, Kind::list_empty, "makes a list that reaches nobody", sink)
      .label(recipients.addresses.empty() ? "it has no member"
                                          : "its only member is itself, which the target drops")
      .help("give it a member, or take the step out");
}

void report_size(const GraphView& view, ir::StepId step, std::size_t recipients, Sink& sink) {
  if (recipients <= kListSlow) return;
  report_step(view, step, Kind::list_too_large,
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
        report_step(view, here.step, Kind::list_loop,
                    fmt::format("makes list `{}`, which leads back to list `{}`",
                                printable(here.address, 120), printable(inner.address, 120)),
                    sink)
            .label("mail to one of them never reaches the members of the other")
            .note(view.graph().origin(inner.step), "it comes out here again")
            .help("write the members of the one into the other instead of its address");
      } else if (!inner.is_done) {
        enter(inner);
      }
    }
  }
}

/// Makes a list known by one of its addresses.
void add_address(Lists& lists, std::map<std::string, std::string>& object_of,
                 const std::string& object, const std::string& address, ir::StepId step) {
  object_of.emplace(address, object);
  const auto [entry, is_new] = lists.try_emplace(object);
  if (!is_new) return;
  entry->second.address = address;
  entry->second.step = step;
}

/// What steps of kind `admin.list` make; those of std/account-move hold no other list.
void take_list_steps(const GraphView& view, Lists& lists,
                     std::map<std::string, std::string>& object_of, std::vector<Recipients>& all) {
  const ir::StepGraph& graph = view.graph();
  std::vector<std::size_t> seen(graph.shapes().size());
  for (const ir::StepId step : view.of_kind(ir::StepKind::admin_list)) {
    const auto shape = static_cast<std::size_t>(&graph.shape(step) - graph.shapes().data());
    if (seen[shape]++ >= kStepsOfShapeMax) continue;
    const ir::Value arguments = graph.arguments(step);
    const std::string address = lower_ascii(arguments["address"].string_or(""));
    Recipients recipients;
    recipients.step = step;
    recipients.object = "MailingList " + address;
    recipients.is_known = arguments["members"].is_list();
    recipients.is_counted = view.migration().lock->list(address) == nullptr;
    for (const ir::Value& member : arguments["members"].items())
      recipients.addresses.push_back(lower_ascii(trim(member.string_or(""))));
    add_address(lists, object_of, recipients.object, address, step);
    for (const ir::Value& alias : arguments["aliases"].items())
      add_address(lists, object_of, recipients.object, lower_ascii(alias.string_or("")), step);
    all.push_back(std::move(recipients));
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
    if (address.is_domain_known)
      add_address(lists, object_of, address.object, address.text(), address.write->step);
  }
  std::vector<Recipients> all;
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "MailingList") continue;
    const auto self = named.find(&write);
    Recipients recipients;
    recipients.step = write.step;
    if (self != named.end()) recipients.object = self->second;
    const ir::Value& written = write.set["recipients"];
    for (const std::string_view recipient : members_of(written))
      recipients.addresses.push_back(lower_ascii(trim(recipient)));
    recipients.is_known = written.is_map() || written.is_list();
    all.push_back(std::move(recipients));
  }
  take_list_steps(view, lists, object_of, all);
  for (const Recipients& recipients : all) {
    Examples examples;
    std::size_t others = 0;
    for (const std::string& address : recipients.addresses) {
      const auto inner = object_of.find(address);
      if (inner != object_of.end()) {
        // Its own address is dropped by the target.
        if (inner->second == recipients.object) continue;
        ++others;
        if (recipients.object.empty()) continue;
        const Written& list = lists.at(inner->second);
        examples.add(list.address, view.graph().origin(list.step));
        if (const auto own = lists.find(recipients.object); own != lists.end()) {
          own->second.step = recipients.step;
          own->second.inner.push_back(inner->second);
        }
        continue;
      }
      ++others;
      if (const facts::LockList* of_source = lock.list(address); of_source != nullptr)
        examples.add(of_source->address, of_source->span);
    }
    if (recipients.is_known && others == 0) report_empty(view, recipients, sink);
    if (examples.count != 0) report_nested(view, recipients.step, examples, sink);
    if (recipients.is_counted)
      report_size(view, recipients.step, recipients.addresses.size(), sink);
  }
  report_circles(view, lists, sink);
}

}  // namespace plan::check::rules
