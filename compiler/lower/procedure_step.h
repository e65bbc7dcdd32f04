#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/lower/procedure.h"

namespace plan::lower {

/// What is said of a kind of step that is none: the one that was meant, or empty, and what to do.
struct UnknownKind {
  std::string near = {};
  std::string help = {};
};
[[nodiscard]] UnknownKind unknown_kind(std::string_view name);

/// Takes out arguments that are null: they were not given. Deeper down null is a value of its own.
void drop_absent(ProcedureStep& step);

/// Turns durations and sizes that a step gives as words with a unit (`30s`, `50MiB`) into the
/// milliseconds and bytes that drivers take.
void read_units(ProcedureStep& step);

/// Why this value is none of an argument's type, as the end of a sentence ("takes a duration, and
/// this is a list"); empty when it is one, or when it is known only for each row or in the night.
[[nodiscard]] std::string why_not_argument(const ir::Value& value, ir::ArgumentType type);

/// What is wrong with a value, as the end of a sentence, and what to write instead.
struct WrongContent {
  std::string why = {};
  std::string help = {};
};
/// The same of what stands in a value of the right type: items of another type, a word that is none
/// of those that the step knows, a text that is no address. Nothing of what is not known yet.
[[nodiscard]] std::optional<WrongContent> wrong_content(const ir::Value& value,
                                                        const ir::ArgumentSpec& spec);

/// What to write for an argument of this type.
[[nodiscard]] std::string_view argument_remedy(ir::ArgumentType type);

/// Adds the servers that the step's host needs to its arguments.
void add_connections(ProcedureStep& step, const std::map<std::string, ir::Value>& connections);

/// Steps that wait for one another in a circle, each for the one behind it; empty: there is none.
[[nodiscard]] std::vector<std::size_t> circle_among(const std::vector<ProcedureStep>& steps);

}  // namespace plan::lower
