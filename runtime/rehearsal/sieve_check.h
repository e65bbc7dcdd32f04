#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace plan::rehearsal {

/// What the server's weak compiler says against a script, or nothing
/// (reference/stalwart-admin.md 8.4: unknown extensions and some unfinished scripts pass, unknown
/// commands do not).
[[nodiscard]] std::optional<std::string> sieve_complaint(std::string_view script);

}  // namespace plan::rehearsal
