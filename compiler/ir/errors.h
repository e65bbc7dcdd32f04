#pragma once
#include "compiler/source/error_table.h"

namespace plan::ir::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "compiler/ir/errors.def"
#undef PLAN_ERROR
}  // namespace plan::ir::errors
