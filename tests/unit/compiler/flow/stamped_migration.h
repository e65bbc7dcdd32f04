#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {

/// Accounts' steps are stamped out of one shape for each kind, as lowering does.
class StampedMigration : public Migration {
 public:
  using Migration::Migration;

  /// Every account gets a step of this kind, behind those that were named before; `more`: what it
  /// is told beside the account's names.
  void stamp(StepKind kind, std::vector<std::pair<std::string, Value>> more = {}) {
    ir::StepShape shape;
    shape.kind = kind;
    shape.stage = Stage::waves;
    shape.id_pattern = fmt::format("account/{{}}/{}", ir::info(kind).name);
    more.emplace_back("account", ir::OutputRef{"$row", "address"});
    more.emplace_back("aliases", ir::OutputRef{"$row", "aliases"});
    more.emplace_back("addresses", ir::OutputRef{"$row", "addresses"});
    shape.arguments = Value::map(std::move(more));
    shapes_.push_back(graph.add_shape(std::move(shape)));
  }

  /// The order of design.md section 6.
  void stamp_exact() {
    for (const StepKind kind :
         {StepKind::admin_account, StepKind::archive_copy, StepKind::postfix_hold,
          StepKind::archive_delta, StepKind::admin_keys, StepKind::postfix_forward})
      stamp(kind, {{"namespace", "migrated"}});
  }

  /// The last step is known by the name "moved ADDRESS".
  void move(const std::string& address, const std::vector<std::string>& other_names = {}) {
    std::vector<std::string> all = {address};
    all.insert(all.end(), other_names.begin(), other_names.end());
    const ir::RowId account = graph.add_row(address,
                                            Value::map({{"address", address},
                                                        {"aliases", addresses(other_names)},
                                                        {"addresses", addresses(all)}}),
                                            {});
    ir::StepId before = steps.at("reload");
    for (const std::uint32_t shape : shapes_) {
      const ir::StepId step = graph.add_step(shape, account, wave);
      graph.add_edge(before, step);
      if (shape == shapes_.front()) {
        for (const ir::StepId one : before_accounts_) graph.add_edge(one, step);
      }
      before = step;
    }
    steps["moved " + address] = before;
  }

 protected:
  std::vector<ir::StepId> before_accounts_;  ///< beside `reload`

 private:
  std::vector<std::uint32_t> shapes_;
};

}  // namespace plan::flow
