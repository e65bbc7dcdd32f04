#pragma once
#include "compiler/source/error_table.h"

namespace plan::proxy::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/proxy/errors.def"
#undef PLAN_ERROR
}  // namespace plan::proxy::errors
