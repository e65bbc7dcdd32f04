#pragma once
#include <utility>

#include "compiler/schema/schema.h"
#include "compiler/source/check.h"
#include "embedded/rehearsal_schema.h"

namespace plan::fuzz {

/// The schema of the rehearsal's target, read once.
inline const schema::Schema& target_schema() {
  static const schema::Schema kSchema = [] {
    auto read = schema::Schema::read(embedded::rehearsal_schema().front().text);
    PLAN_CHECK(read.has_value(), "our own document can be read");
    return std::move(*read);
  }();
  return kSchema;
}

}  // namespace plan::fuzz
