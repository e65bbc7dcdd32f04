#pragma once
#include "compiler/source/error_table.h"

namespace plan::facts::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "compiler/facts/errors.def"
#undef PLAN_ERROR
}  // namespace plan::facts::errors
