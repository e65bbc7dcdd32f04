#include "runtime/server/probe/hold_probes.h"

#include <fmt/format.h>

#include "runtime/server/probe/probe_message.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/hold_probe.h"

namespace plan::server::probe {
namespace {

using ir::Value;

constexpr const char* kNoted = "probes";

}  // namespace

OpenMailbox source_mailboxes(std::shared_ptr<source::LiveSources> sources) {
  return [sources = std::move(sources)](
             step::StepContext& context,
             const std::string& account) -> Result<std::unique_ptr<MailboxSearch>> {
    PLAN_TRY(source, sources->open(context));
    return search_source(*source, account, context.secrets);
  };
}

HoldProbes::HoldProbes(step::StepContext& context, const OpenMailbox& open, std::string account)
    : context_(context), open_(open), account_(std::move(account)) {
  for (const Value& id : context.notes[kNoted].items()) ids_.emplace_back(id.string_or({}));
}

Result<std::string> HoldProbes::make() {
  ids_.push_back(random_name());
  if (context_.remember) {
    Value noted = Value::list();
    for (const std::string& id : ids_) noted.push_back(id);
    PLAN_TRY_VOID(context_.remember(Value::map({{kNoted, std::move(noted)}})));
  }
  return ids_.back();
}

void HoldProbes::was_held() { ids_.pop_back(); }

Outcome HoldProbes::take_astray() {
  if (ids_.empty()) return {};
  std::vector<std::string> message_ids;
  for (const std::string& id : ids_) message_ids.push_back(source::hold_probe_message_id(id));
  PLAN_TRY(mailbox, open_(context_, account_));
  PLAN_TRY(found,
           mailbox->take(message_ids)
               .while_doing(fmt::format("removing a probe from the mailbox of {}", account_)));
  static_cast<void>(found);
  return {};
}

Error HoldProbes::failed(Error error) {
  if (!error.is(source::errors::hold_does_not_hold)) return error;
  const Outcome gone = take_astray();
  if (!gone) {
    std::string detail(error.detail());
    if (!detail.empty()) detail += "; ";
    error = std::move(error).with_detail(
        detail + "the probe may be in the mailbox: " + gone.error().to_line());
  }
  if (context_.attempt < 2) return std::move(error).with_retry_after(std::chrono::seconds(2));
  return error;
}

}  // namespace plan::server::probe
