#pragma once
#include <string_view>

namespace plan::ir {

/// `2026-08-14T09:12:00Z`: a moment as plan writes it.
[[nodiscard]] bool is_utc_moment(std::string_view text);

}  // namespace plan::ir
