#pragma once
#include "compiler/source/error_table.h"

namespace plan::net::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/net/errors.def"
#undef PLAN_ERROR
}  // namespace plan::net::errors
