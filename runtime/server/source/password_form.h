#pragma once
#include <string>

#include "runtime/server/dovecot/passwd_file.h"

namespace plan::server::source {

/// The form of a stored password as the lock has it (compiler/facts/survey.md). A hash of a form
/// that the target takes, but which is damaged so that nothing of it can be sent, ends in
/// `:damaged`: the compiler refuses it, and no account is made whose password is the text of its
/// hash.
[[nodiscard]] std::string lock_form(const dovecot::StoredPassword& password);

}  // namespace plan::server::source
