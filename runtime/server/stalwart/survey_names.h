#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/ir/value.h"
#include "compiler/source/error.h"
#include "runtime/server/stalwart/registry.h"

namespace plan::server::stalwart {

/// Which object refers to which others by id, as far as the target would refuse to destroy those
/// (reference/stalwart-admin.md 5.1). Domains, accounts and tenants are left out: a plan does not
/// destroy them.
class LinkSurvey {
 public:
  /// `name` is what a person calls the object.
  void take(std::string_view type, std::string_view name, const ir::Value& object);

  /// One map for each object that others refer to: `object`, `name`, `by` (a few of them) and
  /// `count`. `names` has the names of the objects by type and id.
  using Names = std::map<std::pair<std::string, std::string>, std::string>;
  [[nodiscard]] ir::Value as_list(const Names& names) const;

 private:
  struct Referrers {
    std::int64_t count = 0;
    std::set<std::pair<std::string, std::string>> first = {};  ///< by type and name
  };
  std::map<std::pair<std::string, std::string>, Referrers> by_object_ = {};
};

/// Adds what a plan may name on the target to the settings of a survey: routes, schedules,
/// strategies, scripts, roles, tenants, and `links`. What cannot be asked is told to `could_not`.
void add_names(Registry& registry, LinkSurvey& links,
               const std::function<void(const std::string& what, const Error& why)>& could_not,
               ir::Value& settings);

}  // namespace plan::server::stalwart
