#pragma once
// How a module declares its errors. Its errors.def holds lines
//   PLAN_ERROR(connection_lost, "connection-lost", "the connection ended in the middle", "run the
//   same command again")
// its errors.h is
//   #include "compiler/source/error_table.h"
//   namespace plan::net::errors {
//   #define PLAN_ERROR PLAN_DECLARE_ERROR
//   #include "runtime/net/errors.def"
//   #undef PLAN_ERROR
//   }
// and the generator of docs/diagnostics.md reads all errors.def files.
#include "compiler/source/error.h"

#define PLAN_DECLARE_ERROR(identifier, name, summary, remedy) \
  inline constexpr ::plan::ErrorCode identifier{name, summary, remedy};
