#include "runtime/server/probe/queue_watch.h"

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/server/probe/limits.h"

namespace plan::server::probe {
namespace {

using ir::Value;

bool names(const Value& recipients, const std::string& account) {
  return std::any_of(recipients.members().begin(), recipients.members().end(),
                     [&](const auto& one) {
                       const std::string_view status = one.second["status"]["@type"].string_or({});
                       return lower_ascii(one.first) == account && status != "Completed" &&
                              status != "PermanentFailure";
                     });
}

}  // namespace

Result<bool> has_active_script(stalwart::Target& target, const std::string& account) {
  PLAN_TRY(object, target.account(account));
  PLAN_TRY(answer,
           target.client().call_one("SieveScript/get",
                                    Value::map({{"accountId", object["id"]}, {"ids", nullptr}}),
                                    {.is_read_only = true,
                                     .capabilities = {std::string(net::jmap::kSieve)},
                                     .created_ids = {},
                                     .deadline = net::Deadline::after(kSessionTime)}));
  const auto& scripts = answer["list"].items();
  return std::any_of(scripts.begin(), scripts.end(),
                     [](const Value& script) { return script["isActive"].bool_or(false); });
}

Result<bool> is_probe_queued(source::LiveSource& source, stalwart::Target& target,
                             const std::string& account, std::string_view random) {
  PLAN_TRY(is_at_source, source.holds_probe(account, random));
  if (is_at_source) return true;
  const stalwart::AddressParts parts = stalwart::split_address(account);
  PLAN_TRY(ids, target.registry().ids("QueuedMessage", Value::map({{"text", parts.domain}})));
  PLAN_TRY(objects, target.registry().get("QueuedMessage", ids));
  return std::any_of(objects.begin(), objects.end(), [&](const Value& object) {
    return object["returnPath"].string_or({}).empty() && names(object["recipients"], account);
  });
}

}  // namespace plan::server::probe
