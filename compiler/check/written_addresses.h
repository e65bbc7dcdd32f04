#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"

namespace plan::check {

/// An address that a step of a module gives to an account, a group or a list of the target.
struct WrittenAddress {
  const TargetWrite* write = nullptr;
  std::string object = {};  ///< the same for the steps that write the same object
  std::string local = {};   ///< lower case
  std::string domain = {};  ///< its name, lower case; else what the step says of it
  bool is_domain_known = false;
  bool is_alias = false;
  bool is_given = true;  ///< false: the object has it, and the step finds it by that
  std::string own = {};  ///< the object's own address, where its domain is known

  [[nodiscard]] std::string text() const { return local + "@" + domain; }
};

/// In the order of the steps, names before the aliases of the same step. What steps of kind
/// `admin.account` and `admin.list` make is in the plan, not here.
[[nodiscard]] std::vector<WrittenAddress> written_addresses(const GraphView& view);

}  // namespace plan::check
