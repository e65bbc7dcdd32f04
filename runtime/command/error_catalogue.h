#pragma once
#include <span>
#include <string>
#include <string_view>

#include "compiler/source/error.h"

namespace plan::command {

/// One declared error of the world, with the module that declares it.
struct CatalogueEntry {
  std::string_view module = {};
  ErrorCode code = {};
};

/// All errors.def files of the program, in the order of the floors.
[[nodiscard]] std::span<const CatalogueEntry> error_catalogue();

/// docs/diagnostics.md: every diagnostic of the compiler and every error, from the tables in the
/// code.
[[nodiscard]] std::string diagnostics_page();

}  // namespace plan::command
