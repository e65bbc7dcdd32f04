#pragma once
#include "compiler/source/error_table.h"

namespace plan::archive::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/archive/errors.def"
#undef PLAN_ERROR
}  // namespace plan::archive::errors
