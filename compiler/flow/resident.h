#pragma once
#include <string>
#include <vector>

#include "compiler/ir/step_kind.h"

namespace plan::flow {

/// A group, or an account that no row moves, which an object of the plan makes on the target. The
/// source does not know it.
struct Resident {
  std::vector<std::string> names = {};  ///< its address, then its enabled aliases
  bool is_group = false;
  ir::Stage stage = {};  ///< of the step that makes it
};

}  // namespace plan::flow
