#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/secret/secret.h"
#include "runtime/server/stalwart/target.h"

namespace plan::server::stalwart {

/// What `plan admin` does, as functions: one call of the operator each, no step, no journal. Types
/// with or without `x:`; values in the spelling of a plan (lists for sets, SecretRefs for secrets).
/// Secrets come back masked, as the server has it. Errors: those of the registry; destroys-data;
/// object-type-unknown when the server does not know the type.
class AdminTool {
 public:
  explicit AdminTool(std::shared_ptr<Target> target) : target_(std::move(target)) {}

  /// The objects with these ids, all when there are none; of a singleton the one object. A list.
  [[nodiscard]] Result<ir::Value> get(std::string_view type,
                                      const std::vector<std::string>& ids = {});
  /// {"ids": [...], "total": n}; `filter` as the server takes it (reference/stalwart-admin.md 3.6).
  [[nodiscard]] Result<ir::Value> query(std::string_view type, const ir::Value& filter = {});
  /// {"id": ...}
  [[nodiscard]] Result<ir::Value> create(std::string_view type, const ir::Value& object,
                                         secret::SecretSource& secrets);
  /// Sends what differs and reads it back: {"id", "changed": [{"path", "is", "was"}]}. `id` of a
  /// singleton is "singleton".
  [[nodiscard]] Result<ir::Value> update(std::string_view type, const std::string& id,
                                         const ir::Value& set, secret::SecretSource& secrets);
  /// {"destroyed": [...]}; stops at the first that is refused. `may_destroy_accounts` must be said
  /// in so many words.
  [[nodiscard]] Result<ir::Value> destroy(std::string_view type,
                                          const std::vector<std::string>& ids,
                                          bool may_destroy_accounts);
  [[nodiscard]] Outcome action(std::string_view name) { return target_->registry().action(name); }

 private:
  std::shared_ptr<Target> target_;
};

}  // namespace plan::server::stalwart
