#pragma once
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "compiler/lower/lower.h"
#include "compiler/syntax/expression.h"

namespace plan::lower {

/// An argument that has to be computed for each row: the row gets a member of this name.
struct Computed {
  std::string member = {};
  syntax::Template text = {};
  std::string variable = {};                      ///< the row's name in it
  const syntax::Scope* scope = nullptr;           ///< of the module, or of a round of a loop in it
  ir::ArgumentType type = ir::ArgumentType::any;  ///< what the argument takes
  bool is_off = false;                            ///< its step is switched off
};

/// A member of a row's value that arguments need, and where the first of them says so.
struct RowMember {
  std::string name = {};
  Span span = {};
};

/// A step whose output is an argument of another one, and where that one says so.
struct GivingStep {
  std::size_t step = 0;  ///< index
  Span span = {};
};

/// One entry of a module's `steps`, read and checked, before it is expanded.
struct ProcedureStep {
  std::string id = {};  ///< with `{}` when it is expanded for rows
  Span span = {};
  ir::StepKind kind = {};
  ir::Stage stage = ir::Stage::prepare;
  ir::TransactionRole role = ir::TransactionRole::none;
  std::string variable = {};   ///< "account"; empty: one step
  std::size_t set = SIZE_MAX;  ///< index in LowerInput::rows
  std::optional<syntax::Template> when = {};
  bool is_when_of_row = false;
  bool is_off = false;  ///< switched off in every row, or nobody knows whether it is
  std::vector<std::size_t> after = {};  ///< by index: its own `after`, and the `before` of others
  std::vector<std::size_t> after_previous_wave = {};  ///< only of steps for the rows of `waves`
  std::vector<std::size_t> after_members = {};
  std::vector<GivingStep> takes_from = {};  ///< they are in `after` too
  ir::Value arguments = {};
  const syntax::Node* written = nullptr;  ///< its `args`; of a tree that the input has
  const syntax::Scope* scope = nullptr;   ///< of the module that it stands in
};

/// A module, read. `row_members[set]`: members of the row's value that arguments need;
/// `computed[set]`: what has to be evaluated for each row. Is moved and never copied: what is
/// computed points into `loop_scopes`.
struct Procedure {
  std::vector<ProcedureStep> steps = {};
  std::vector<std::vector<RowMember>> row_members = {};
  std::vector<std::vector<Computed>> computed = {};
  std::deque<syntax::Scope> loop_scopes = {};
};

[[nodiscard]] std::optional<Procedure> read_procedure(const LowerInput& input, Sink& sink);

}  // namespace plan::lower
