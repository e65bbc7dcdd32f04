#pragma once
// The bodies of recorded requests: names of our server put in, and large ones that the recording
// only describes made again.
#include <map>
#include <optional>
#include <string>

#include "compiler/ir/value.h"

namespace plan::replay {

using Captures = std::map<std::string, std::string>;

/// `${name}` by what our server gave, `${repeat:x:5000}` by that many characters.
[[nodiscard]] std::string substitute(std::string text, const Captures& captures);
[[nodiscard]] ir::Value substitute(const ir::Value& value, const Captures& captures);

/// What to send for the record of an exchange; nothing when the recording has not kept enough.
[[nodiscard]] std::optional<std::string> request_body(const ir::Value& record,
                                                      const Captures& captures);

}  // namespace plan::replay
