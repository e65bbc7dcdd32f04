#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/source_set.h"
#include "compiler/syntax/tree.h"
#include "compiler/syntax/value_type.h"

namespace plan {

/// Types of what modules are given and bind. Durations and sizes are plain numbers once they are
/// read: their unit is told by what is written, and by the tables of the plan's own blocks.

/// Of a name that the plan gives (`move`, `source`, ...).
[[nodiscard]] syntax::ValueType type_of_given(std::string_view name, const ir::Value& value);
/// Of what is written as `node` and is `value`.
[[nodiscard]] syntax::ValueType type_of_let(const syntax::Node& node, const ir::Value& value,
                                            const syntax::TypeScope& types,
                                            const SourceSet& sources);
/// What was declared, with the members that the value is known to have.
[[nodiscard]] syntax::ValueType known_type(const syntax::ValueType& declared,
                                           syntax::ValueType of_value);
[[nodiscard]] bool is_of_unit(const syntax::ValueType& type);

/// Where, and what is wrong there; empty: nothing.
struct WrongUnit {
  Span where = {};
  std::string why = {};
};
/// Whether what is written has the unit that the declared type wants, items and members included.
[[nodiscard]] WrongUnit wrong_unit(const syntax::Node& node, const syntax::ValueType& wanted,
                                   const syntax::TypeScope& types, const SourceSet& sources);

/// The type that is meant by the first word that is none: other languages call some of them
/// otherwise.
[[nodiscard]] std::optional<std::string_view> near_type(std::string_view text);

}  // namespace plan
