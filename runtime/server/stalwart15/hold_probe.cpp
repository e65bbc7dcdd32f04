// What proves a hold: a message of our own that waits in the old server's queue, because the port
// of the route `plan-hold` refused it.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/server/source/hold_probe.h"
#include "runtime/server/stalwart15/drivers.h"
#include "runtime/server/stalwart15/limits.h"

namespace plan::server::stalwart15 {
namespace {

using source::not_held;

constexpr std::string_view kRefused = "Connection refused";

/// The number under which the old server has queued it. Errors: hold-does-not-hold, those of SMTP.
Result<std::uint64_t> send_probe(const source::Block& block, const std::string& account,
                                 const std::string& id, net::Deadline deadline) {
  PLAN_TRY(reply, source::send_hold_probe(block, account, id, deadline));
  const std::uint64_t number = queue_id_in(reply.to_text());
  if (number == 0) return not_held(account, "was accepted without a queue id", reply.to_text());
  return number;
}

}  // namespace

Result<std::int64_t> probe_hold(OldSource& source, const std::string& account,
                                const std::string& probe_id, net::Clock& clock) {
  PLAN_TRY(id, send_probe(source.block(), account, probe_id, net::Deadline::after(kProbeTime)));
  const auto until = clock.now() + kProbeTime;
  while (true) {
    PLAN_TRY(queue, source.messages().read());
    const auto found = std::find_if(queue->messages.begin(), queue->messages.end(),
                                    [&](const OldMessage& message) { return message.id == id; });
    if (found == queue->messages.end())
      return not_held(account, "left the queue", fmt::format("it had the id {:x}", id));
    const bool has_one = found->recipients.size() == 1;
    const bool is_tried = has_one && found->recipients.front().was_refused;
    if (is_tried || clock.now() >= until) {
      const std::string reason = has_one ? found->recipients.front().reason : std::string();
      PLAN_TRY_VOID(source.messages().remove(id));
      if (is_tried && reason.find(kRefused) != std::string::npos) return found->created_seconds;
      if (is_tried) return not_held(account, "waits for another reason than the hold", reason);
      return not_held(account, "was not tried in time",
                      queue->is_running ? "nothing may drop connections to the port of `plan-hold`"
                                        : "the old server's queue is paused");
    }
    clock.sleep_for(kLookApart);
  }
}

Outcome remove_probes(OldSource& source, const std::string& account) {
  PLAN_TRY(queue, source.messages().read());
  const std::string mark = fmt::format("\n{} ", source::kHoldProbeHeader);
  for (const OldMessage& message : queue->messages) {
    if (!message.sender.empty() || message.size_bytes > kProbeBytesMax ||
        !names_account(message, {account}))
      continue;
    PLAN_TRY(is_probe, source.messages().contains(message, mark));
    if (is_probe) PLAN_TRY_VOID(source.messages().remove(message.id));
  }
  return {};
}

}  // namespace plan::server::stalwart15
