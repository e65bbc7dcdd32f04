#pragma once
#include "compiler/source/error_table.h"

namespace plan::schema::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "compiler/schema/errors.def"
#undef PLAN_ERROR
}  // namespace plan::schema::errors
