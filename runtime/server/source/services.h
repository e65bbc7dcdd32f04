#pragma once
#include <string>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/imap/client.h"
#include "runtime/secret/secret.h"
#include "runtime/server/source/source.h"

namespace plan::server::source {

/// Puts `certificates` and `capabilities` of the source's services into a survey document, as they
/// show them. `login` is somebody as whom the master user is let in for that, best who has mail in
/// INBOX, of which one message is opened; empty: nobody is. Errors: master-login-refused,
/// mail-unreadable, those of the clients.
[[nodiscard]] Outcome survey_services(const Block& block, const std::string& login,
                                      secret::SecretSource& secrets, ir::Value& document);

/// IMAP of a source whose certificate is taken as shown when no pin is known yet.
[[nodiscard]] net::imap::Endpoint imap_of_survey(const Block& block);

}  // namespace plan::server::source
