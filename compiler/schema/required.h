#pragma once
#include <cstddef>

#include "compiler/schema/schema.h"

namespace plan::schema {

/// Which properties a create must give. The document has no mark for it: the rule was found by
/// trying (reference 1.5).
class RequiredProperties {
 public:
  explicit RequiredProperties(const Schema& schema) : schema_(schema) {}

  /// `depth` objects are around the property.
  [[nodiscard]] bool is_required(const Property& property, int depth);

 private:
  const Schema& schema_;
  std::size_t nodes_ = 0;
};

}  // namespace plan::schema
