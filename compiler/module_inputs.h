#pragma once
#include <memory>
#include <string>
#include <vector>

#include "compiler/lower/lower.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/source_set.h"
#include "compiler/syntax/tree.h"

namespace plan {

/// One `use`: in a plan or in a module.
struct ModuleUse {
  std::string name = {};  ///< "std/cutover", "./mine.plan"
  Span span = {};
  std::string prefix = {};  ///< stands in front of the ids of its steps
  std::string digest = {};  ///< "sha256:..." that it is pinned to; empty: it is not
  Span digest_span = {};
  const syntax::Node* with = nullptr;  ///< what it gives to the inputs
};

/// Gives modules the values of their inputs (what the use gives, else what has that name where it
/// is used or in the plan, else the default), and those of their `let`. Reports input-missing,
/// input-type, unknown-key, duplicate-name and what is wrong with the values.
class ModuleBinder {
 public:
  /// `world` is what the plan gives, which may still be filled. All must outlive this.
  ModuleBinder(const lower::ModuleInstance& world, const std::vector<lower::RowSet>& rows,
               SourceSet& sources, Sink& sink);
  ModuleBinder(const ModuleBinder&) = delete;
  ModuleBinder& operator=(const ModuleBinder&) = delete;
  ~ModuleBinder();

  /// `instance` has its tree; `outer` is the module that uses it. What cannot be bound becomes
  /// unknown. `is_damaged`: inputs that are not found may stand in what was left out.
  void bind(const ModuleUse& use, const lower::ModuleInstance& outer,
            lower::ModuleInstance& instance, bool is_damaged);

 private:
  class Binding;
  std::unique_ptr<Binding> binding_;
};

}  // namespace plan
