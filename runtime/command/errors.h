#pragma once
#include "compiler/source/error_table.h"

namespace plan::command::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/command/errors.def"
#undef PLAN_ERROR
}  // namespace plan::command::errors
