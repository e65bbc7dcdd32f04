#pragma once
#include "compiler/source/error_table.h"

namespace plan::server::queue::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/server/queue/errors.def"
#undef PLAN_ERROR
}  // namespace plan::server::queue::errors
