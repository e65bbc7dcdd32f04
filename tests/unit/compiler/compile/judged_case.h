#pragma once
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/plan.h"
#include "compiler/judged_plan.h"
#include "compiler/source/diagnostic.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {

/// What a rule looks at; `steps` are those of graph_rules.def.
enum class Plans : std::uint8_t { accounts, store, listeners, steps };

struct Rule {
  std::string_view name = {};
  bool needs_lock = false;
  Plans plans = Plans::accounts;
  void (*of_plan)(const check::Migration& migration, Sink& sink) = nullptr;
  void (*of_steps)(const check::GraphView& view, Sink& sink) = nullptr;

  /// The code of its own, if it has one.
  [[nodiscard]] std::string code() const {
    std::string code(name);
    std::replace(code.begin(), code.end(), '_', '-');
    return code;
  }
  friend void PrintTo(const Rule& rule, std::ostream* out) { *out << rule.name; }
};

/// Those of rules.def and graph_rules.def.
[[nodiscard]] const std::vector<Rule>& all_rules();

/// What rules are given of a case while it is compiled.
class JudgedCase {
 public:
  explicit JudgedCase(const std::filesystem::path& folder);

  /// Nothing: the rule does not look at this plan.
  [[nodiscard]] std::optional<std::vector<Diagnostic>> said_by(const Rule& rule) const;

 private:
  [[nodiscard]] bool runs(const Rule& rule) const;

  std::unique_ptr<GoldenCase> case_;
  std::optional<JudgedPlan> judged_;
};

}  // namespace plan::test
