#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/rehearsal/groupware.h"

namespace plan::rehearsal {

/// The name of the first condition that ContactCard/query or CalendarEvent/query does not know, or
/// nothing. Operators nest 16 deep.
[[nodiscard]] std::optional<std::string> unsupported_filter(ShelfKind kind,
                                                            const ir::Value& filter);
[[nodiscard]] bool fits_filter(ShelfKind kind, const Entry& entry, const ir::Value& filter);

/// Sorts by the first comparator; the name of one that is not known, or nothing.
[[nodiscard]] std::optional<std::string> sort_entries(ShelfKind kind,
                                                      std::vector<const Entry*>& entries,
                                                      const ir::Value& sort);

/// Seconds of an ISO 8601 duration ("PT1H30M", "P1D"); nothing when it is none.
[[nodiscard]] std::optional<std::int64_t> duration_seconds(std::string_view text);

}  // namespace plan::rehearsal
