#pragma once
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "runtime/rehearsal/mail_store.h"

namespace plan::rehearsal {

/// An email as Email/get shows it (RFC 8621, 4): the properties that `arguments` asks for, or the
/// default ones. `bytes` are the message; not read when only metadata is asked for.
[[nodiscard]] ir::Value show_email(const MailAccount& account, const Email& email,
                                   std::string_view bytes, const ir::Value& arguments);
/// Does showing these properties need the message itself?
[[nodiscard]] bool needs_message(const ir::Value& properties);

}  // namespace plan::rehearsal
