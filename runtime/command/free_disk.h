#pragma once
#include <string>
#include <vector>

#include "compiler/facts/measurement.h"
#include "compiler/ir/value.h"

namespace plan::command {

/// The free space where a migration writes: `disk/local/free` (the archives beside the plan),
/// `disk/target/free`, and `disk/source/free` (mail that waits while an account is held). That
/// of a Stalwart is looked at on its machine (`hosts`, or this one when the server's address is its
/// own); where it cannot be, the value is null and `how` says why.
[[nodiscard]] std::vector<facts::Measurement> measure_free_disks(const std::string& state_directory,
                                                                 const std::string& plan_directory,
                                                                 const ir::Value& connections,
                                                                 const std::string& when);

}  // namespace plan::command
