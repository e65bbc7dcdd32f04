#pragma once
#include "compiler/source/error_table.h"

namespace plan::dump::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/dump/move/errors.def"
#undef PLAN_ERROR
}  // namespace plan::dump::errors
