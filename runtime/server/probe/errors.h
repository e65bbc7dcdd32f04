#pragma once
#include "compiler/source/error_table.h"

namespace plan::server::probe::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/server/probe/errors.def"
#undef PLAN_ERROR
}  // namespace plan::server::probe::errors
