#pragma once
#include "compiler/source/error_table.h"

namespace plan::server::stalwart::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/server/stalwart/errors.def"
#undef PLAN_ERROR
}  // namespace plan::server::stalwart::errors
