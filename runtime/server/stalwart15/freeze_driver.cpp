// source.freeze: the rights to write of one account are taken at the old server, which closes every
// door at once: IMAP, JMAP, DAV, ManageSieve, submission, with a password or a token. The account
// can still be read, by its user and by plan. A session that was open before keeps its rights until
// it ends (reference/stalwart-v015-api.md 5.5): the proxies have ended those that came through
// them.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/server/stalwart15/drivers.h"
#include "runtime/server/stalwart15/errors.h"
#include "runtime/server/stalwart15/limits.h"
#include "runtime/server/stalwart15/write_rights.h"
#include "runtime/step/errors.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Standing;
using ir::Value;

constexpr std::uint64_t kFreezeMs = 50;
/// One node follows within milliseconds; the others of a cluster are told.
constexpr std::chrono::milliseconds kFollowTime{5'000};

Result<std::string> account_argument(const Value& arguments) {
  PLAN_TRY(account, source::text_argument(arguments, "account"));
  return lower_ascii(account);
}

Value as_list(const std::vector<std::string>& texts) {
  Value list = Value::list();
  for (const std::string& text : texts) list.push_back(text);
  return list;
}

std::vector<std::string> texts_of(const Value& list) {
  std::vector<std::string> texts;
  for (const Value& item : list.items()) texts.emplace_back(item.string_or(""));
  std::sort(texts.begin(), texts.end());
  return texts;
}

class FreezeDriver final : public step::StepDriver {
 public:
  explicit FreezeDriver(std::shared_ptr<OldSources> sources) : sources_(std::move(sources)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(account, account_argument(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(principal, source->principal_of(account));
    const std::vector<std::string> now = disabled_of(principal);
    const std::size_t missing = with_writing_taken(now).size() - now.size();
    ir::Observation seen;
    seen.standing = missing == 0                            ? Standing::satisfied
                    : missing == write_permissions().size() ? Standing::absent
                                                            : Standing::differs;
    if (missing > 0) {
      seen.differences.push_back({.path = "disabledPermissions",
                                  .is = static_cast<std::int64_t>(now.size()),
                                  .wanted = static_cast<std::int64_t>(now.size() + missing)});
    }
    seen.prior = Value::map({{"disabled", as_list(now)}});
    seen.fingerprint = Value::map({{"disabled", as_list(now)}});
    seen.duration_ms = kFreezeMs;
    seen.hold_ms = kFreezeMs;
    seen.hold_basis = "a change of the account's permissions, and a write that is refused";
    return seen;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(account, account_argument(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY_VOID(source->end_writing(account).while_doing("freezing " + account));
    PLAN_TRY_VOID(must_be_frozen(*source, account));
    return Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(account, account_argument(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY_VOID(must_be_frozen(*source, account));
    const auto until = context.clock.now() + kFollowTime;
    while (true) {
      PLAN_TRY(may_write,
               source->may_write(account).while_doing("trying a write as the master user"));
      if (!may_write) return {};
      if (context.clock.now() >= until) {
        return Error(errors::still_writable,
                     fmt::format(
                         "a write as {} was still not refused after {} s", account,
                         std::chrono::duration_cast<std::chrono::seconds>(kFollowTime).count()))
            .with_blame(Blame::source)
            .with_retry(Retry::safe);
      }
      context.clock.sleep_for(kLookApart);
    }
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(account, account_argument(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(principal, source->principal_of(account));
    const std::vector<std::string> now = disabled_of(principal);
    const std::vector<std::string> before = texts_of(context.prior["disabled"]);
    // Frozen before the step: an attempt that died has done it, nobody takes exactly these away.
    const bool was_ours = with_writing_taken(before) == before;
    const std::vector<std::string> back =
        was_ours ? with_writing_given(now) : with_writing_as(now, before);
    const std::string name(principal["name"].string_or(""));
    if (now != back) PLAN_TRY_VOID(source->server().set_disabled_permissions(name, back));
    PLAN_TRY(seen, source->principal_of(account));
    if (disabled_of(seen) == back) return {};
    return not_taken(account);
  }

 private:
  static Error not_taken(const std::string& account) {
    return Error(errors::setting_not_taken,
                 fmt::format("disabledPermissions of {} are others than were written", account))
        .with_effect(Effect::applied)
        .with_blame(Blame::source);
  }

  static Outcome must_be_frozen(OldSource& source, const std::string& account) {
    PLAN_TRY(principal, source.principal_of(account));
    const std::vector<std::string> now = disabled_of(principal);
    if (with_writing_taken(now) == now) return {};
    return not_taken(account);
  }

  std::shared_ptr<OldSources> sources_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_freeze_driver(std::shared_ptr<OldSources> sources) {
  return std::make_shared<FreezeDriver>(std::move(sources));
}

}  // namespace plan::server::stalwart15
