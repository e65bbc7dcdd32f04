#pragma once
#include "compiler/source/error_table.h"

namespace plan::engine::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/engine/errors.def"
#undef PLAN_ERROR
}  // namespace plan::engine::errors
