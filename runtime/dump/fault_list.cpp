#include "runtime/dump/fault_list.h"

#include <algorithm>

#include "compiler/source/text.h"

namespace plan::dump {

std::string_view to_string(Grade grade) {
  constexpr std::string_view kNames[] = {"proved", "intact", "unprovable", "damaged"};
  return kNames[static_cast<std::size_t>(grade)];
}

Grade worse(Grade left, Grade right) { return std::max(left, right); }

FaultList::Counted& FaultList::of(FaultKind kind) {
  for (Counted& counted : kinds_)
    if (counted.kind == kind) return counted;
  kinds_.push_back({.kind = kind});
  return kinds_.back();
}

bool FaultList::is_listed(FaultKind kind) const {
  for (const Counted& counted : kinds_)
    if (counted.kind == kind) return counted.first.size() < kListedPerKind;
  return true;
}

void FaultList::add(Fault fault) {
  Counted& counted = of(fault.kind);
  ++counted.count;
  if (counted.first.size() < kListedPerKind) counted.first.push_back(std::move(fault));
}

void FaultList::count_more(FaultKind kind, std::uint64_t more) {
  if (more > 0) of(kind).count += more;
}

bool FaultList::is_damaged() const {
  return std::any_of(kinds_.begin(), kinds_.end(), [](const Counted& counted) {
    return weight_of(counted.kind) == FaultWeight::damaged;
  });
}

bool FaultList::has(FaultKind kind) const {
  return std::any_of(kinds_.begin(), kinds_.end(),
                     [&](const Counted& counted) { return counted.kind == kind; });
}

ir::Value FaultList::to_value() const {
  ir::Value list = ir::Value::list();
  for (const Counted& counted : kinds_) {
    bool is_first = true;
    for (const Fault& fault : counted.first) {
      ir::Value item = ir::Value::map(
          {{"kind", to_string(fault.kind)},
           {"weight", weight_of(fault.kind) == FaultWeight::damaged ? "damaged" : "doubt"},
           {"summary", summary_of(fault.kind)},
           {"text", printable(fault.text, 400)},
           {"file_byte", fault.file_byte},
           {"content_byte", fault.content_byte},
           {"record", fault.record}});
      if (is_first) item.set("count", counted.count);
      is_first = false;
      list.push_back(std::move(item));
    }
  }
  return list;
}

}  // namespace plan::dump
