#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/fields.h"
#include "compiler/ir/value.h"

namespace plan::check {

/// A key that may stand in a plan, with those below it: what editors complete, and what the JSON
/// Schema is made from. read_plan.cpp decides; a test compares the two.
struct PlanKey {
  std::string name = {};
  std::string what = {};  ///< "duration, 20s unless it is given", for a person
  bool is_required = false;
  bool is_list = false;            ///< `keys` are those of each item
  std::vector<PlanKey> keys = {};  ///< of a block
  ir::Value schema = {};           ///< JSON Schema of a value that is no block
};

/// The plan itself: its keys are the top-level ones. Of `std/dovecot-postfix`.
[[nodiscard]] const PlanKey& plan_keys();
/// The same of a plan about a store (`std/store-move`).
[[nodiscard]] const PlanKey& plan_keys_of_store();

/// The key at `path` ("source", "imap") of either; null when there is none.
[[nodiscard]] const PlanKey* find_plan_key(const std::vector<std::string>& path);

/// JSON Schema (draft 2020-12) of migration.yaml, for editors. Scalars may also be text with
/// `${expressions}`.
[[nodiscard]] ir::Value plan_json_schema();

}  // namespace plan::check
