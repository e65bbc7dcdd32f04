#pragma once
// One exchange held against its record.
#include <optional>
#include <string>

#include "alter.h"
#include "compiler/ir/value.h"
#include "normalise.h"
#include "player.h"

namespace plan::replay {

/// The body of an answer as JSON, or as text.
[[nodiscard]] ir::Value answer_value(const HttpAnswer& answer);
/// The recorded body in the same form.
[[nodiscard]] ir::Value recorded_value(const ir::Value& body);

/// The first difference of status, headers and body, or nothing.
[[nodiscard]] std::optional<std::string> judge(const ir::Value& record, const HttpAnswer& answer,
                                               NameMap& names);

/// Alters one member of the recorded answer (or its status, when no member is compared) and notes
/// in the score whether `judge` objects. `names` as they were before the exchange. An answer that
/// disagreed is held against itself.
void alter_and_judge(const ir::Value& record, const HttpAnswer& answer, const NameMap& names,
                     bool has_agreed, const std::string& where, Score& score);

}  // namespace plan::replay
