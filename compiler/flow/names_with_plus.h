#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compiler/flow/classes.h"
#include "compiler/flow/proof.h"

namespace plan::flow {

/// Names with a `+` that an old Stalwart takes for a tagged one of somebody else. No mail has come
/// to them there, and none of it can be followed.
class NamesWithPlus {
 public:
  [[nodiscard]] static bool is_among(const Subject& subject);
  /// Takes them out of the subject. False: nothing else is left.
  [[nodiscard]] bool leave_out(Subject& subject);
  /// All that were left out; nothing when there are none.
  [[nodiscard]] std::optional<Counterexample> told() const;

 private:
  std::vector<std::string> left_out_;
};

}  // namespace plan::flow
