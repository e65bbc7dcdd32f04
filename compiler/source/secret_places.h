#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace plan {

/// Bytes of a text that may be a secret; begin inclusive, end exclusive.
struct SecretPlace {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  friend bool operator==(const SecretPlace&, const SecretPlace&) = default;
};

/// Where secrets may stand in clear in a plan, a module or a JSON document: behind keys that are
/// called like a secret (or nearly so), with whatever sign or none between the two, behind
/// `!secret` without `env:`, `file:` or `command:`, in the user's part of a URL, in commands. It
/// reads characters and not syntax: what it is for are texts that do not parse. So what follows
/// such a key is a secret to its end unless it says where one is read, or is a name of the plan.
/// Sorted, none overlaps another; linear in the text. `is_language`: of the plan language.
[[nodiscard]] std::vector<SecretPlace> secret_places(std::string_view text, bool is_language);

}  // namespace plan
