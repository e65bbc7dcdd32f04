#pragma once
#include "compiler/source/error_table.h"

namespace plan::store::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/store/errors.def"
#undef PLAN_ERROR
}  // namespace plan::store::errors
