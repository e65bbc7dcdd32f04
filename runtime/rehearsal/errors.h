#pragma once
#include "compiler/source/error_table.h"

namespace plan::rehearsal::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/rehearsal/errors.def"
#undef PLAN_ERROR
}  // namespace plan::rehearsal::errors
