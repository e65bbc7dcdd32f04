#pragma once
#include "compiler/source/error_table.h"

namespace plan::net::sieve::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/net/sieve/errors.def"
#undef PLAN_ERROR
}  // namespace plan::net::sieve::errors
