#include "runtime/server/source/hold_probe.h"

#include <fmt/format.h>

#include "runtime/server/source/errors.h"

namespace plan::server::source {

Error not_held(const std::string& account, std::string_view why, std::string_view detail) {
  return Error(errors::hold_does_not_hold, fmt::format("a probe to {} {}", account, why))
      .with_blame(Blame::source)
      .with_detail(detail);
}

Result<net::smtp::Reply> send_hold_probe(const Block& block, const std::string& account,
                                         const std::string& id, net::Deadline deadline) {
  net::smtp::ConnectOptions options;
  options.host = block.address;
  options.port = block.smtp.port;
  options.ehlo_name = "probe.plan.invalid";
  PLAN_TRY(client, net::smtp::Client::connect(options, deadline));
  const std::string message = fmt::format(
      "From: <probe@plan.invalid>\r\nTo: <{}>\r\nSubject: plan probe {}\r\nMessage-ID: "
      "{}\r\n"
      "Auto-Submitted: auto-generated\r\n{} {}\r\n\r\nA probe of the hold; it is "
      "removed from the queue.\r\n",
      account, id, hold_probe_message_id(id), kHoldProbeHeader, id);
  PLAN_TRY(sent, client->send({.sender = {}, .recipients = {account}}, message, deadline));
  client->quit(deadline);
  if (!sent.is_accepted)
    return not_held(account, "was refused instead of held", sent.reply.to_text());
  return sent.reply;
}

std::string hold_probe_message_id(std::string_view id) {
  return fmt::format("<{}@probe.plan.invalid>", id);
}

}  // namespace plan::server::source
