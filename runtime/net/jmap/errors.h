#pragma once
#include "compiler/source/error_table.h"

namespace plan::net::jmap::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/net/jmap/errors.def"
#undef PLAN_ERROR
}  // namespace plan::net::jmap::errors
