#include "runtime/step/step_driver.h"

#include <filesystem>

namespace plan::step {

std::string beside_plan(const StepContext& context, std::string_view path) {
  // An empty path is the folder itself.
  const std::filesystem::path folder = std::filesystem::path(context.state_directory).parent_path();
  return (folder / path).string();
}

}  // namespace plan::step
