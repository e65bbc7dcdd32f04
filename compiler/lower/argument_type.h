#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/step_kind.h"
#include "compiler/ir/value.h"
#include "compiler/syntax/value_type.h"

namespace plan::lower {

// What ir/step_arguments.def says of the arguments of each kind, asked of their values: of those
// that stand in a module, and of those that come from a row.

/// As drivers take it: a duration or a size in words (`30s`, `50MiB`) becomes milliseconds or bytes
/// where the argument is one; all else stays as it is.
[[nodiscard]] ir::Value as_argument(ir::Value value, ir::ArgumentType type);
/// What a step of this kind may be given: the arguments of its kind, and the account and its names,
/// which each step about an account may carry, and which drivers read where they are.
[[nodiscard]] std::vector<const ir::ArgumentSpec*> arguments_taken(ir::StepKind kind);
/// What the table says of an argument of this kind; nullptr: there is none of that name.
[[nodiscard]] const ir::ArgumentSpec* argument_of(ir::StepKind kind, std::string_view name);
/// A duration or a size.
[[nodiscard]] bool is_amount(ir::ArgumentType type);

/// What is wrong with an argument, as the end of a sentence ("takes a duration, and this is a
/// list"), and what to write instead.
struct WrongArgument {
  std::string why = {};
  std::string help = {};
};
/// Of a value: only its type.
[[nodiscard]] std::optional<WrongArgument> judge_type(const ir::Value& value,
                                                      const ir::ArgumentSpec& spec);
/// Of a value: its type, how much it may be, what stands in it. Nothing of what is known only for
/// each row or in the night.
[[nodiscard]] std::optional<WrongArgument> judge_argument(const ir::Value& value,
                                                          const ir::ArgumentSpec& spec);
/// Of the type of an expression: durations and sizes are plain numbers once they are values.
[[nodiscard]] std::optional<WrongArgument> judge_unit(const syntax::ValueType& type,
                                                      const ir::ArgumentSpec& spec);
/// Of the type of an expression whose value is not known: no value of this type is one that the
/// argument takes. What judge_unit says is not said once more.
[[nodiscard]] std::optional<WrongArgument> judge_type_alone(const syntax::ValueType& type,
                                                            const ir::ArgumentSpec& spec);

/// How much an argument may be, or the words it is one of: "`1s` to `1d`", "`source` or `target`".
/// Empty: nothing is said of it here.
[[nodiscard]] std::string bounds_of(const ir::ArgumentSpec& spec);

/// A secret flows only into an argument that is one, and into the members that an object shall
/// have, which are checked with the target's schema.
[[nodiscard]] bool takes_secret(ir::StepKind kind, std::string_view name);

}  // namespace plan::lower
