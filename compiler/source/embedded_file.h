#pragma once
#include <string_view>

namespace plan {

/// A file of the repository that was compiled into the binary (cmake/plan_library.cmake,
/// plan_embed). Both views live as long as the program.
struct EmbeddedFile {
  std::string_view name = {};  ///< path below the embedded folder, with `/`
  std::string_view text = {};
};

}  // namespace plan
