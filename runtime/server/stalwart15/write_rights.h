#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"

namespace plan::server::stalwart15 {

/// Permissions of an account that let it change something in its mailboxes, scripts, calendars,
/// contacts and files, send mail, or change its own password, as 0.15.5 names them. Without them it
/// can read everything (reference/stalwart-v015-api.md 5.5).
[[nodiscard]] const std::vector<std::string_view>& write_permissions();

/// The names in a principal's `disabledPermissions`, sorted, each once.
[[nodiscard]] std::vector<std::string> disabled_of(const ir::Value& principal);
/// `disabled` with all write permissions among them.
[[nodiscard]] std::vector<std::string> with_writing_taken(const std::vector<std::string>& disabled);
/// `disabled` without any of them.
[[nodiscard]] std::vector<std::string> with_writing_given(const std::vector<std::string>& disabled);
/// `now` with the write permissions as they were in `before`: what somebody else changed meanwhile
/// stays.
[[nodiscard]] std::vector<std::string> with_writing_as(const std::vector<std::string>& now,
                                                       const std::vector<std::string>& before);

}  // namespace plan::server::stalwart15
