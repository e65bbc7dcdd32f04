#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "compiler/source/diagnostic.h"
#include "compiler/syntax/expression.h"
#include "compiler/syntax/tree.h"
#include "compiler/syntax/value_type.h"

namespace plan::lower {

/// One of the things that a procedure is expanded for: an account, a domain, a wave.
struct Row {
  std::string name = {};   ///< readable, unescaped; fills the `{}` of step ids
  ir::Value value = {};    ///< what `account.address` and the like see: a map, or a text
  Span origin = {};        ///< where the plan or lock names it
  std::uint32_t wave = 0;  ///< 1 is the first wave; 0: belongs to none
  std::vector<std::uint32_t> members = {};  ///< rows of `members_of` that belong to it
};

/// The rows of one kind. Made one at a time, so that 100,000 accounts are never there twice.
struct RowSet {
  std::string name = {};  ///< "accounts": what `for: account in accounts` names
  std::size_t size = 0;
  std::function<Row(std::size_t)> row = {};
  std::string members_of = {};  ///< the set that Row::members points into
  /// Members of a row's value that the graph has, whether an argument names them or not: what is
  /// true of the row, which its steps may leave out.
  std::vector<std::string> kept = {};
};

/// A module where it is used: its tree, what its expressions see, what stands in front of the ids
/// of its steps (`more/` for `use ./more.plan as more`).
struct ModuleInstance {
  const syntax::Node* tree = nullptr;
  std::string prefix = {};
  syntax::Scope scope = syntax::Scope();
  syntax::TypeScope types = syntax::TypeScope();
  /// Names whose values nobody knows, because what gives them is broken: what is made of them is
  /// not judged.
  std::set<std::string> unknown = {};
  Span used_at = {};  ///< where the operator uses it, or the module of std that brings it
  /// Names of this module whose values the operator gives it, and where he writes each.
  std::map<std::string, Span> given = {};
  /// What was left out of its text, because its syntax is broken, may be its steps.
  bool may_lack_steps = false;
};

/// Steps that are missing because the text of their module is broken, or the module is not there.
struct LostSteps {
  std::set<std::string> ids = {};
  bool has_others = false;  ///< some whose ids nobody can tell
};

/// The module of std to use for a step that is named and not there.
struct StdModule {
  std::string has_step = {};  ///< "std/addresses"; empty: none has it
  std::string name = {};      ///< "std/cutover": what to use, which may bring the other
  bool can_be_used = true;    ///< false: steps or modules that it brings are there already
};
/// What a procedure has.
struct Present {
  std::set<std::string> modules = {};  ///< of std: "std/cutover"
  std::function<bool(const std::string& id)> has_step = {};
};

struct LowerInput {
  const syntax::Node* module = nullptr;  ///< the plan's own procedure, as a tree
  /// All modules, those that are used before those that use them; empty: only `module`.
  std::vector<ModuleInstance> modules = {};
  const SourceSet* sources = nullptr;
  syntax::Scope scope = syntax::Scope();  ///< what the plan gives
  std::vector<RowSet> rows = {};
  std::vector<ir::WaveInfo> waves = {};
  /// `source`, `target`, `proxies`, `addresses`: added to the arguments of the steps whose host
  /// needs them.
  std::map<std::string, ir::Value> connections = {};
  std::function<StdModule(std::string_view id, const Present& present)> std_module_of = {};
  /// Durations and sizes in words become numbers where the target's schema has one, members of sets
  /// get the form in which it looks for them; empty: nobody knows the schema.
  std::function<ir::Value(ir::StepKind kind, ir::Value arguments)> with_target_amounts = {};
};

/// Expands a procedure into the frozen graph of its steps. What is wrong with the module is
/// reported as `procedure-broken` at its place in it; nothing then. The number of edges stays
/// linear in rows plus memberships: whole waves are ordered through one step each.
[[nodiscard]] std::optional<ir::StepGraph> lower(const LowerInput& input, Sink& sink);

/// What is wrong with the steps of the input's modules where a part of the plan or of a module is
/// missing: each step, and which others it names, without what may follow from what is missing. The
/// steps that are right are given back, each once, in no order: for what else judges steps alone.
[[nodiscard]] std::optional<ir::StepGraph> check_steps(const LowerInput& input,
                                                       const LostSteps& lost, Sink& sink);
/// Those of the operator's steps that `lower` leaves out in every row, in the same way: what they
/// write is judged before the night in which they are switched on.
[[nodiscard]] std::optional<ir::StepGraph> steps_switched_off(const LowerInput& input);

}  // namespace plan::lower
