#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace plan::check {

/// Does the target's Sieve know this extension? Only what it is known to lack is "no": Dovecot's
/// own ones and the deprecated ones (reference/sources.md 1.3).
[[nodiscard]] bool is_extension_of_target(std::string_view name);

/// The names in a script's `require`s, in the order of the text; comments are passed over. A script
/// that is cut off gives what stands before.
[[nodiscard]] std::vector<std::string> extensions_required(std::string_view script);

}  // namespace plan::check
