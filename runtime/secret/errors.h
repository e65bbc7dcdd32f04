#pragma once
#include "compiler/source/error_table.h"

namespace plan::secret::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/secret/errors.def"
#undef PLAN_ERROR
}  // namespace plan::secret::errors
