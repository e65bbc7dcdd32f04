#include "runtime/dump/fault.h"

#include <fmt/format.h>

#include "runtime/dump/errors.h"

namespace plan::dump {
namespace {

struct Facts {
  std::string_view name = {};
  FaultWeight weight = FaultWeight::damaged;
  std::string_view text = {};
};

constexpr Facts kFacts[] = {
#define PLAN_FAULT(identifier, name, weight, text) {name, FaultWeight::weight, text},
#include "runtime/dump/fault.def"
#undef PLAN_FAULT
};

const Facts& facts_of(FaultKind kind) { return kFacts[static_cast<std::size_t>(kind)]; }

}  // namespace

std::string_view to_string(FaultKind kind) { return facts_of(kind).name; }
FaultWeight weight_of(FaultKind kind) { return facts_of(kind).weight; }
std::string_view summary_of(FaultKind kind) { return facts_of(kind).text; }

Error to_error(const Fault& fault) {
  const ErrorCode& code = fault.kind == FaultKind::not_a_file   ? errors::dump_foreign
                          : fault.kind == FaultKind::unreadable ? errors::dump_unreadable
                          : fault.kind == FaultKind::changed    ? errors::dump_changed
                                                                : errors::dump_damaged;
  return Error(code,
               fmt::format("{}: {} (byte {} of the file, after {} records)", summary_of(fault.kind),
                           fault.text, fault.file_byte, fault.record));
}

}  // namespace plan::dump
