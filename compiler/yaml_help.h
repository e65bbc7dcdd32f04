#pragma once
#include <string>
#include <string_view>

namespace plan {

/// A help text as the author of a YAML file needs it: what it shows of a module in the plan
/// language (`role = held`) is written as YAML has it (`role: held`). What a server's own file
/// says, and names of other things, stay as they are.
[[nodiscard]] std::string help_in_yaml(std::string_view help);

}  // namespace plan
