#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/probe/errors.h"
#include "runtime/server/probe/limits.h"
#include "runtime/server/probe/mailbox_search.h"
#include "runtime/server/probe/probes.h"
#include "runtime/server/stalwart/errors.h"

namespace plan::server::probe {
namespace {

/// Refusals by a server that was just told to let the user in are the finding; everything else is
/// trouble on the way.
Error judged(Error error, const std::string& whose, const std::string& account,
             const std::string& at) {
  const bool is_refusal = error.is(net::errors::login_refused) ||
                          error.is(net::jmap::errors::not_permitted) ||
                          error.is(net::errors::http_status);
  if (!is_refusal) return error;
  return Error(errors::probe_login_failed,
               fmt::format("the {} cannot log in as {} at the {}", whose, account, at))
      .with_blame(at == "source" ? Blame::source : Blame::target)
      .with_detail(error.to_line());
}

class LoginProbe final : public step::StepDriver {
 public:
  LoginProbe(std::shared_ptr<source::LiveSources> sources,
             std::shared_ptr<stalwart::TargetPool> targets)
      : sources_(std::move(sources)), targets_(std::move(targets)) {}

  Result<ir::Observation> observe(step::StepContext&) override {
    ir::Observation observation;
    observation.remark = "logs in when its moment comes";
    observation.hold_ms = 100;
    observation.hold_basis = "a login with its hash";
    return observation;
  }

  Result<ir::Value> apply(step::StepContext& context) override {
    PLAN_TRY(account_text, source::text_argument(context.arguments, "account"));
    PLAN_TRY(at, source::text_argument(context.arguments, "at"));
    const std::string account = lower_ascii(account_text);
    PLAN_TRY_VOID(at == "source" ? at_source(context, account) : at_target(context, account));
    return ir::Value::map();
  }

  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext&) override { return {}; }

 private:
  Outcome at_target(step::StepContext& context, const std::string& account) {
    PLAN_TRY(target, targets_->open(context));
    PLAN_TRY(object, target->account(account));
    const std::string id(object["id"].string_or({}));
    if (id.empty()) {
      return Error(stalwart::errors::account_not_there,
                   fmt::format("{} is not on the target", account))
          .with_blame(Blame::target);
    }
    PLAN_TRY(client, targets_->open_as(context.arguments["target"], context.secrets, account));
    auto session = client->refresh(net::Deadline::after(kSessionTime));
    if (!session) return judged(std::move(session).error(), "administrator", account, "target");
    if ((*session)->document["accounts"].members().contains(id)) return {};
    return Error(errors::probe_login_failed,
                 fmt::format("the session of {} at the target does not show its own account",
                             account))
        .with_blame(Blame::target);
  }

  Outcome at_source(step::StepContext& context, const std::string& account) {
    PLAN_TRY(source, sources_->open(context));
    // Where names are looked up, a refusal of that is none of the account's.
    PLAN_TRY_VOID(source->login_of(account));
    auto client = log_in_at_source(*source, account, context.secrets);
    if (!client) return judged(std::move(client).error(), "master user", account, "source");
    (*client)->logout();
    return {};
  }

  std::shared_ptr<source::LiveSources> sources_;
  std::shared_ptr<stalwart::TargetPool> targets_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_login_probe(std::shared_ptr<source::LiveSources> sources,
                                                   std::shared_ptr<stalwart::TargetPool> targets) {
  return std::make_shared<LoginProbe>(std::move(sources), std::move(targets));
}

void add_drivers(step::DriverTable& table, std::shared_ptr<source::LiveSources> sources,
                 std::shared_ptr<stalwart::TargetPool> targets) {
  table.add(ir::StepKind::probe_login, make_login_probe(sources, targets));
  table.add(ir::StepKind::probe_mail, make_mail_probe(std::move(sources), std::move(targets)));
}

}  // namespace plan::server::probe
