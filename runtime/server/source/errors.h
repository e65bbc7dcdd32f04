#pragma once
#include "compiler/source/error_table.h"

namespace plan::server::source::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/server/source/errors.def"
#undef PLAN_ERROR
}  // namespace plan::server::source::errors
