// dovecot.deny: closes the source's own door for one account (reference/split-delivery.md 9.4): its
// names go into the deny file, Dovecot is seen to refuse it, its sessions are ended, and the master
// user is seen to get in still. That a login is refused is proved without the user's password:
// Dovecot says `user_disabled` to a wrong one only when a deny passdb refused it.
#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <future>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/imap/client.h"
#include "runtime/server/dovecot/deny_file.h"
#include "runtime/server/dovecot/drivers.h"
#include "runtime/server/dovecot/stray_sessions.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"
#include "runtime/step/errors.h"

namespace plan::server::dovecot {
namespace {

using ir::Standing;
using ir::Value;
using source::Source;

constexpr int kLookupUnknown = 67;  // sysexits EX_NOUSER: also for a user that a deny passdb names
constexpr int kLoginRefused = 77;   // EX_NOPERM
constexpr std::chrono::milliseconds kPoll{40};
/// A login that had passed the deny passdb before the write may show up this much later.
constexpr std::chrono::milliseconds kLateLogin{150};

struct Wanted {
  std::string account = {};
  std::string deny_file = {};
  std::vector<std::string> names = {};
};

Result<Wanted> wanted_of(const Value& arguments) {
  Wanted wanted;
  PLAN_TRY(account, source::text_argument(arguments, "account"));
  PLAN_TRY(deny_file, source::text_argument(arguments, "deny_file"));
  wanted.account = lower_ascii(account);
  wanted.deny_file = deny_file;
  wanted.names = source::names_of_account(arguments);
  return wanted;
}

std::vector<std::string> missing_of(const std::vector<std::string>& names,
                                    const std::set<std::string>& denied) {
  std::vector<std::string> missing;
  std::copy_if(names.begin(), names.end(), std::back_inserter(missing),
               [&](const std::string& name) { return !denied.contains(name); });
  return missing;
}

Outcome wait_until_denied(Source& source, const std::string& account, bool is_wanted) {
  const auto until = source.clock().now() + source::kDoorTime;
  while (true) {
    PLAN_TRY(is_so, is_denied(source, account));
    if (is_so == is_wanted) return {};
    if (source.clock().now() >= until) {
      return Error(source::errors::door_open,
                   fmt::format(
                       "Dovecot {} {} after {} s",
                       is_wanted ? "still does not refuse" : "still refuses", account,
                       std::chrono::duration_cast<std::chrono::seconds>(source::kDoorTime).count()))
          .with_blame(Blame::source)
          .with_retry_after(std::chrono::seconds(2));
    }
    source.clock().sleep_for(kPoll);
  }
}

Outcome check_master(Source& source, step::StepContext& context, const std::string& account) {
  const source::Block& block = source.block();
  if (block.master_name.empty() || !block.master_password.is_secret()) {
    return Error(step::errors::argument_missing, "the source's master user is missing")
        .with_blame(Blame::plan)
        .with_argument("source.master_user");
  }
  PLAN_TRY(password, context.secrets.read(block.master_password.as_secret()));
  PLAN_TRY(client, net::imap::Client::connect(block.endpoint(block.imap)));
  auto login = client->login(block.master_login(account), password);
  if (!login) {
    if (!login.error().is(net::errors::login_refused)) return std::move(login).error();
    return Error(source::errors::master_refused,
                 fmt::format("the master user {} is refused for {}", block.master_name, account))
        .with_blame(Blame::source)
        .with_detail(login.error().detail());
  }
  client->logout();
  return {};
}

class DenyDriver final : public step::StepDriver {
 public:
  explicit DenyDriver(std::shared_ptr<source::SourcePool> sources) : sources_(std::move(sources)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(denied, source->deny_file(wanted.deny_file).read());
    const std::vector<std::string> missing = missing_of(wanted.names, denied);
    ir::Observation observation;
    for (const std::string& name : missing) {
      observation.differences.push_back({.path = wanted.deny_file, .is = {}, .wanted = name});
    }
    if (missing.empty()) {
      // After a crash the names may stand there without the rest having been done: look at that,
      // too.
      PLAN_TRY(is_refused, is_denied(*source, wanted.account));
      PLAN_TRY(known, session_count(*source, wanted.account));
      PLAN_TRY(strays, stray_sessions(*source));
      const std::size_t sessions = known + strays;
      if (!is_refused)
        observation.differences.push_back({.path = "login", .is = "taken", .wanted = "refused"});
      if (sessions > 0) {
        observation.differences.push_back(
            {.path = "sessions", .is = static_cast<std::int64_t>(sessions), .wanted = 0});
      }
    }
    observation.standing = observation.differences.empty()         ? Standing::satisfied
                           : missing.size() == wanted.names.size() ? Standing::absent
                                                                   : Standing::differs;
    Value already = Value::list();
    for (const std::string& name : wanted.names) {
      if (denied.contains(name)) already.push_back(name);
    }
    observation.prior = Value::map({{"denied", already}});
    observation.fingerprint = Value::map({{"denied", already}});
    observation.duration_ms = 1000;
    if (context.is_rollback) return observation;  // the door opens at once
    // The rest of Dovecot's second; then two looks at the sessions.
    const auto rest = std::chrono::milliseconds(1000) - source::kBeginWithinSecond;
    observation.hold_ms = static_cast<std::uint64_t>((rest + kLateLogin).count());
    observation.hold_basis =
        fmt::format("{} ms until Dovecot looks again, {} ms until no session is there",
                    rest.count(), kLateLogin.count());
    return observation;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY_VOID(source->deny_file(wanted.deny_file).change(wanted.names, {}));
    PLAN_TRY_VOID(wait_until_denied(*source, wanted.account, true)
                      .while_doing("closing the door of " + wanted.account));
    PLAN_TRY(strays, end_sessions(*source, wanted.names)
                         .while_doing("ending the sessions of " + wanted.account));
    if (strays == 0) return Value::map();
    return Value::map({{"stray_sessions", static_cast<std::int64_t>(strays)}});
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    // A refused login takes Dovecot's failure delay where the deny file cannot lift it; the rest is
    // looked at meanwhile.
    Source& held = *source;
    std::future<Result<bool>> login = std::async(
        std::launch::async, [&held, &wanted] { return is_login_denied(held, wanted.account); });
    const auto look = [&]() -> Outcome {
      PLAN_TRY(sessions, session_count(held, wanted.account));
      PLAN_TRY(strays, stray_sessions(held));
      if (sessions + strays > 0) {
        return Error(
                   source::errors::sessions_stay,
                   fmt::format("sessions of {} are open: {}, and {} more of a Dovecot that is gone",
                               wanted.account, sessions, strays))
            .with_blame(Blame::source)
            .with_retry(Retry::safe);
      }
      return check_master(held, context, wanted.account);
    };
    const Outcome seen = look();
    PLAN_TRY(is_refused, login.get());
    if (!seen) return seen;
    if (is_refused) return {};
    return Error(source::errors::door_open,
                 fmt::format("a login of {} was not refused by the deny file", wanted.account))
        .with_blame(Blame::source)
        .with_retry(Retry::safe);
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    std::vector<std::string> added = wanted.names;
    for (const Value& name : context.prior["denied"].items())
      std::erase(added, std::string(name.string_or({})));
    if (added.empty()) return {};
    PLAN_TRY_VOID(source->deny_file(wanted.deny_file).change({}, added));
    if (std::find(added.begin(), added.end(), wanted.account) == added.end()) return {};
    return wait_until_denied(*source, wanted.account, false)
        .while_doing("opening the door of " + wanted.account);
  }

 private:
  std::shared_ptr<source::SourcePool> sources_;
};

}  // namespace

Result<bool> is_denied(Source& source, const std::string& user) {
  PLAN_TRY(looked, source.host(source::Place::dovecot)
                       .run(source.doveadm({"auth", "lookup", "--", user}),
                            net::Deadline::after(source::kCommandTime)));
  if (looked.exit_code == 0) return false;
  if (looked.exit_code == kLookupUnknown) return true;
  return is_login_denied(source, user);
}

Result<bool> is_login_denied(Source& source, const std::string& user) {
  std::array<unsigned char, 16> bytes = {};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  const std::string word =
      ir::to_hex(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  PLAN_TRY(tried, source.host(source::Place::dovecot)
                      .run(source.doveadm({"auth", "test", "-x", "service=imap", "--", user, word}),
                           net::Deadline::after(source::kCommandTime)));
  if (tried.exit_code != kLoginRefused) {
    return Error(source::errors::source_command_failed,
                 fmt::format("`doveadm auth test` ended with exit code {}", tried.exit_code))
        .with_blame(Blame::source)
        .with_retry_after(std::chrono::seconds(2))
        .with_detail(trim(tried.errors));
  }
  return tried.output.find("code=user_disabled") != std::string::npos;
}

Result<std::size_t> session_count(Source& source, const std::string& user) {
  PLAN_TRY(text, source.run(source::Place::dovecot,
                            source.doveadm({"-f", "tab", "who", "-1", "--", user})));
  std::size_t count = 0;
  bool is_header = true;
  for (const std::string_view line : split(text, '\n')) {
    // The argument is a mask; only rows of exactly this user count.
    if (!is_header && equals_ignoring_case(line.substr(0, line.find('\t')), user)) ++count;
    is_header = false;
  }
  return count;
}

bool is_doveadm_mask(std::string_view user) {
  return user.find_first_of("*?") != std::string_view::npos;
}

Result<std::size_t> end_sessions(Source& source, const std::vector<std::string>& names) {
  const auto over = source.clock().now() + source::kKickTime;
  std::size_t ended_strays = 0;
  int quiet = 0;
  while (quiet < 2) {
    std::size_t count = 0;
    for (const std::string& name : names) {
      PLAN_TRY(sessions, session_count(source, name));
      count += sessions;
      if (sessions == 0) continue;
      if (is_doveadm_mask(name)) {
        return Error(source::errors::sessions_stay,
                     fmt::format("sessions of {} are open, {} of them, and doveadm takes the name "
                                 "for a mask: "
                                 "it would end sessions of others too",
                                 printable(name, 120), sessions))
            .with_blame(Blame::source)
            .with_retry_after(std::chrono::seconds(2));
      }
      // Exit code 68 says that there was nobody any more.
      PLAN_TRY_VOID(source.host(source::Place::dovecot)
                        .run(source.doveadm({"kick", "--", name}),
                             net::Deadline::after(source::kCommandTime)));
    }
    // After `who`: a master that dies in between leaves strays to be seen here.
    PLAN_TRY(strays, end_stray_sessions(source));
    ended_strays = std::max(ended_strays, strays);
    count += strays;
    quiet = count == 0 ? quiet + 1 : 0;
    if (quiet == 2) break;
    if (quiet == 0 && source.clock().now() > over) {
      return Error(source::errors::sessions_stay,
                   fmt::format(
                       "sessions of {} do not end: {} after {} s", names.front(), count,
                       std::chrono::duration_cast<std::chrono::seconds>(source::kKickTime).count()))
          .with_blame(Blame::source)
          .with_retry_after(std::chrono::seconds(2));
    }
    source.clock().sleep_for(kLateLogin);
  }
  return ended_strays;
}

std::shared_ptr<step::StepDriver> make_deny_driver(std::shared_ptr<source::SourcePool> sources) {
  return std::make_shared<DenyDriver>(std::move(sources));
}

}  // namespace plan::server::dovecot
