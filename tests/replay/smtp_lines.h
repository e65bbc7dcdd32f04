#pragma once
// The SMTP conversations that the administration recordings have between their calls.
#include <string>
#include <string_view>
#include <vector>

#include "player.h"

namespace plan::replay {

/// How the recorder spoke SMTP: as whom, and from which address.
struct SmtpSide {
  std::string user = {};  ///< also the sender; empty: no login
  std::string password = {};
  std::string sender = "someone@elsewhere.test";
  std::string subject = {};
};

/// Plays one record `{"smtp": [[command or recipient, answer], ...]}`: the first difference as
/// "step: recorded X, here Y", or nothing.
[[nodiscard]] std::optional<std::string> play_smtp(Stage& stage, const ir::Value& lines,
                                                   const SmtpSide& side);

/// Alters one of the recorded answers: the comparison has to object.
void alter_smtp(const ir::Value& lines, const std::string& where, Score& score);

/// One mail as a client hands it over.
struct Envelope {
  rehearsal::Service service = rehearsal::Service::smtp;
  std::string client_address = {};  ///< one of loopback, or empty
  bool has_starttls = false;
  std::string user = {};  ///< empty: no login
  std::string password = {};
  std::string sender = {};
  std::vector<std::string> recipients = {};
  std::string bytes = {};
};
/// The codes ("250 2.1.0") of the answers to MAIL, each RCPT and the end of the data, at most
/// `answers_max` of them; of the refusal alone when the login is refused. Stops at the first
/// refusal behind MAIL.
[[nodiscard]] std::vector<std::string> send_mail(Stage& stage, const Envelope& envelope,
                                                 std::size_t answers_max);
/// The code of an answer as it was recorded: `(250, b'2.1.0 OK')`, `250 2.1.0 OK`, or an exception.
[[nodiscard]] std::string code_of_recorded(std::string_view text);

/// Sends one message to `recipient`, for a record that says it was sent before; on port 25 without
/// a login.
void submit(Stage& stage, const SmtpSide& side, const std::string& recipient);

}  // namespace plan::replay
