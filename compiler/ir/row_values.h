#pragma once
#include <string_view>

#include "compiler/ir/value.h"

namespace plan::ir {

/// The member of its row that an argument of a shape is ("addresses"); empty: it is something else.
/// What a module computes from a row is a member too, called "=" and a number.
[[nodiscard]] inline std::string_view row_member(const Value& written) {
  if (written.type() != Value::Type::output || written.as_output().step != "$row") return {};
  return written.as_output().field;
}

/// Can this argument of a shape differ from row to row?
[[nodiscard]] inline bool is_of_row(const Value& written) {
  if (!row_member(written).empty()) return true;
  for (const Value& item : written.items()) {
    if (is_of_row(item)) return true;
  }
  for (const auto& [unused, member] : written.members()) {
    if (is_of_row(member)) return true;
  }
  return false;
}

}  // namespace plan::ir
