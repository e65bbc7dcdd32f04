#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "compiler/ir/step_graph.h"

namespace plan::flow {

/// All names that the steps of a graph are about, read once. The world of one account has its own
/// names alone: what an expression asks about another one of the plan hangs on how far the steps of
/// that one are.
class PlanNames {
 public:
  explicit PlanNames(const ir::StepGraph& graph);

  /// Is this an account, an alias, a list or a single key (lower case) of another row than this
  /// one, or of a step without a row?
  [[nodiscard]] bool has_beside(std::string_view name, ir::RowId row) const;
  /// Is it a domain of the plan?
  [[nodiscard]] bool has_domain(std::string_view name) const;
  /// Does a step write keys into this lookup set, or list of an old server?
  [[nodiscard]] bool is_filled(std::string_view set) const;
  /// Somebody whose key a single step writes into this lookup set; empty: nobody.
  [[nodiscard]] std::string key_in(std::string_view set) const;

 private:
  void read_rows();
  void read_account_step(ir::StepId step);
  void read_object(ir::StepId step);
  void add(std::string_view name, ir::RowId row);
  void add_all(const ir::Value& names, ir::RowId row);
  /// What a shape says of the set that its steps fill; something else than a text: any set.
  void add_set(const ir::Value& written);

  const ir::StepGraph& graph_;
  std::unordered_map<std::string, ir::RowId> rows_of_;  // none: of several, or of no row
  std::unordered_set<std::string> domains_;
  std::unordered_set<std::string> globs_;  // domains for all of which a key is written
  std::unordered_set<std::string> sets_;
  std::unordered_map<std::string, std::string> key_in_;  // by set: the first one
  bool is_any_set_ = false;
};

}  // namespace plan::flow
