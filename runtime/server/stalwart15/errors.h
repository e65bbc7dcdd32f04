#pragma once
#include "compiler/source/error_table.h"

namespace plan::server::stalwart15::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/server/stalwart15/errors.def"
#undef PLAN_ERROR
}  // namespace plan::server::stalwart15::errors
