#pragma once
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "compiler/schema/type.h"

namespace plan::schema {

/// "`text`", "an object", "a secret": how a message says what a value is.
[[nodiscard]] std::string shown(const ir::Value& value);

/// "a number of bytes": what a type needs, in a sentence.
[[nodiscard]] std::string wanted_words(const Type& type);

/// The name of a type as a person writes it: without `x:`.
[[nodiscard]] std::string plain_name(std::string_view name);

}  // namespace plan::schema
