#pragma once
#include "compiler/source/error_table.h"

namespace plan::step::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/step/errors.def"
#undef PLAN_ERROR
}  // namespace plan::step::errors
