#pragma once
#include "compiler/source/error_table.h"

namespace plan::net::imap::errors {
#define PLAN_ERROR PLAN_DECLARE_ERROR
#include "runtime/net/imap/errors.def"
#undef PLAN_ERROR
}  // namespace plan::net::imap::errors
