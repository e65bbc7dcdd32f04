// probe.mail. Reading the configuration proves nothing: maps and settings lag until their reload
// (reference/split-delivery.md section 8, rule 3). A message that went in at each port 25 and was
// found in the right mailbox does.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/smtp/client.h"
#include "runtime/server/probe/errors.h"
#include "runtime/server/probe/limits.h"
#include "runtime/server/probe/mailbox_search.h"
#include "runtime/server/probe/probe_message.h"
#include "runtime/server/probe/probes.h"
#include "runtime/server/probe/queue_watch.h"
#include "runtime/step/errors.h"

namespace plan::server::probe {
namespace {

using ir::Value;

// At the target alone (split-delivery.md 9.8), and by way of the source's queue as moves took it.
constexpr std::uint64_t kTargetProbeMs = 80;
constexpr std::uint64_t kSourceProbeMs = 120;

class MailProbe final : public step::StepDriver {
 public:
  MailProbe(std::shared_ptr<source::LiveSources> sources,
            std::shared_ptr<stalwart::TargetPool> targets)
      : sources_(std::move(sources)), targets_(std::move(targets)) {}

  Result<ir::Observation> observe(step::StepContext&) override {
    ir::Observation observation;
    observation.remark = "sends a message of its own when its moment comes, and destroys it";
    observation.hold_ms = kTargetProbeMs + kSourceProbeMs;
    observation.hold_basis = "a message through each port 25 until it is found";
    return observation;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(account_text, source::text_argument(context.arguments, "account"));
    PLAN_TRY(at, source::text_argument(context.arguments, "at"));
    const std::string account = lower_ascii(account_text);
    std::vector<std::string> entries;
    for (const Value& entry : context.arguments["entries"].items())
      entries.emplace_back(entry.string_or({}));

    std::shared_ptr<stalwart::Target> target;
    PLAN_TRY(search, open_search(context, at, account, target));
    // Whatever an attempt before this one sent may still arrive: it is known by its ids, and goes
    // too.
    std::vector<std::string> old;
    for (const Value& id : context.notes["message_ids"].items()) old.emplace_back(id.string_or({}));
    if (!old.empty()) PLAN_TRY_VOID(take_old(*search, old));
    PLAN_TRY_VOID(search->begin());

    std::vector<ProbeMessage> probes;
    std::vector<std::string> ids = old;
    const std::string random = random_name();
    for (const std::string& entry : entries) {
      probes.push_back(make_probe(account, entry, random, context.clock.wall_ms()));
      ids.push_back(probes.back().message_id);
    }
    if (context.remember) {
      Value noted = Value::list();
      for (const std::string& id : ids) noted.push_back(id);
      PLAN_TRY_VOID(context.remember(Value::map({{"message_ids", std::move(noted)}})));
    }
    for (std::size_t i = 0; i < entries.size(); ++i)
      PLAN_TRY_VOID(send(context, entries[i], account, probes[i]));
    return find(context, *search, at, account, entries, probes, ids, random);
  }

  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext&) override { return {}; }

 private:
  static std::int64_t port_of(const step::StepContext& context, const std::string& entry) {
    return context.arguments[entry]["smtp"]["port"].integer_or(25);
  }

  /// `target` keeps alive what the search works on.
  Result<std::unique_ptr<MailboxSearch>> open_search(step::StepContext& context,
                                                     const std::string& at,
                                                     const std::string& account,
                                                     std::shared_ptr<stalwart::Target>& target) {
    if (at == "source") {
      PLAN_TRY(source, sources_->open(context));
      return search_source(*source, account, context.secrets);
    }
    PLAN_TRY(opened, targets_->open(context));
    target = opened;
    return search_target(*target, account);
  }

  /// Without a state to begin from, the newest messages are looked through: that is where they are.
  static Outcome take_old(MailboxSearch& search, const std::vector<std::string>& ids) {
    PLAN_TRY(gone, search.take(ids));
    static_cast<void>(gone);
    return {};
  }

  /// The seeded throttle of the target closes the sixth connection of an address within a second,
  /// before the greeting; probes of several accounts come close.
  static Result<std::unique_ptr<net::smtp::Client>> connect(
      step::StepContext& context, const net::smtp::ConnectOptions& options,
      net::Deadline deadline) {
    auto connected = net::smtp::Client::connect(options, deadline);
    for (int attempt = 1; !connected && attempt < kConnectAttempts &&
                          connected.error().is(net::errors::connection_lost);
         ++attempt) {
      context.clock.sleep_for(kConnectApart * attempt);
      connected = net::smtp::Client::connect(options, deadline);
    }
    if (connected || !connected.error().is(net::errors::connection_lost)) return connected;
    // No throttle lasts as long as that.
    return Error(net::errors::connection_dropped,
                 fmt::format(
                     "port {} of {} takes {} connections and ends each without a greeting, as "
                     "a server does that has banned this address",
                     options.port, options.host, kConnectAttempts))
        .with_retry(Retry::safe)
        .with_blame(Blame::target)
        .with_detail(connected.error().to_line());
  }

  /// A Postfix that was just reloaded may give a connection to a process that was idle before: that
  /// one says nothing for a second and goes. Another connection is greeted at once.
  static Result<std::unique_ptr<net::smtp::Client>> connect_after_reload(
      const net::smtp::ConnectOptions& options, net::Deadline deadline) {
    for (auto patience = kGreetingPatience; patience < kGreetingPatienceMax; patience *= 2) {
      auto connected = net::smtp::Client::connect(options, net::Deadline::after(patience));
      if (connected || !(connected.error().is(net::errors::connection_lost) ||
                         connected.error().is(net::errors::timed_out)))
        return connected;
    }
    return net::smtp::Client::connect(options, deadline);
  }

  static Outcome send(step::StepContext& context, const std::string& entry,
                      const std::string& account, const ProbeMessage& probe) {
    const Value& block = context.arguments[entry];
    const Blame blame = entry == "source" ? Blame::source : Blame::target;
    net::smtp::ConnectOptions options;
    options.host = std::string(block["address"].string_or({}));
    const std::int64_t port = port_of(context, entry);
    if (options.host.empty() || port <= 0 || port > 65535) {
      return Error(step::errors::argument_missing,
                   fmt::format("the plan gives no address for port 25 of the {}", entry))
          .with_blame(Blame::plan)
          .with_argument(entry);
    }
    options.port = static_cast<std::uint16_t>(port);
    const net::Deadline deadline = net::Deadline::after(kSessionTime);
    const std::string doing = fmt::format("sending a probe to port {} of the {}", port, entry);
    auto connected = entry == "source" ? connect_after_reload(options, deadline)
                                       : connect(context, options, deadline);
    if (!connected) return std::move(connected).error().with_blame(blame).while_doing(doing);
    auto sent = (*connected)->send({.sender = {}, .recipients = {account}}, probe.text, deadline);
    if (!sent)
      return std::move(sent).error().with_blame(blame).with_effect(Effect::none).while_doing(doing);
    (*connected)->quit(deadline);
    if (sent->is_accepted) return {};
    Error refused =
        Error(errors::probe_refused,
              fmt::format("port {} of the {} does not take a probe for {}", port, entry, account))
            .with_blame(blame)
            .with_detail(sent->reply.to_text());
    if (sent->reply.is_temporary())
      return std::move(refused).with_retry_after(std::chrono::seconds(2));
    return refused;
  }

  /// What a script discarded cannot be found. But what is in no queue any more, was not sent round
  /// between the servers and is not in the old mailbox was delivered at the target.
  class Elimination {
   public:
    Elimination(step::StepContext& context, source::LiveSources& sources,
                stalwart::TargetPool& targets, const std::string& account,
                const std::string& random)
        : context_(context),
          sources_(sources),
          targets_(targets),
          account_(account),
          random_(random) {}

    /// One look; true when nothing else is left.
    Result<bool> look(const std::vector<std::string>& ids) {
      PLAN_TRY(target, targets_.open(context_));
      if (!has_script_) {
        PLAN_TRY(has_script, has_active_script(*target, account_));
        has_script_ = has_script;
      }
      if (!*has_script_) return false;
      PLAN_TRY(source, sources_.open(context_));
      PLAN_TRY(is_queued, is_probe_queued(*source, *target, account_, random_));
      const auto now = context_.clock.now();
      if (is_queued || looks_ == 0) since_ = now;
      looks_ = is_queued ? 0 : looks_ + 1;
      if (looks_ < kOutOfQueuesLooks || now - since_ < kOutOfQueuesTime) return false;
      PLAN_TRY(old, search_source(*source, account_, context_.secrets));
      PLAN_TRY(found, old->take(ids));
      if (found.empty()) return true;
      return Error(errors::probe_not_found,
                   fmt::format("a probe for {} arrived in the old mailbox", account_))
          .with_blame(Blame::source);
    }
    [[nodiscard]] bool may_apply() const { return !has_script_ || *has_script_; }

   private:
    step::StepContext& context_;
    source::LiveSources& sources_;
    stalwart::TargetPool& targets_;
    const std::string& account_;
    const std::string& random_;
    std::optional<bool> has_script_;
    int looks_ = 0;
    net::Clock::Monotonic since_ = {};
  };

  Result<Value> find(step::StepContext& context, MailboxSearch& search, const std::string& at,
                     const std::string& account, const std::vector<std::string>& entries,
                     const std::vector<ProbeMessage>& probes, const std::vector<std::string>& ids,
                     const std::string& random) {
    const auto began = context.clock.now();
    Elimination elimination(context, *sources_, *targets_, account, random);
    auto pause = kLookApart;
    std::vector<std::string> found;
    for (;;) {
      PLAN_TRY(more, search.take(ids).while_doing(
                         fmt::format("looking for the probes of {} at the {}", account, at)));
      found.insert(found.end(), more.begin(), more.end());
      std::vector<std::string> missing;
      for (std::size_t i = 0; i < probes.size(); ++i) {
        if (std::find(found.begin(), found.end(), probes[i].message_id) == found.end())
          missing.push_back(entries[i]);
      }
      const auto waited =
          std::chrono::duration_cast<std::chrono::milliseconds>(context.clock.now() - began);
      if (missing.empty())
        return Value::map({{"found_after_ms", static_cast<std::int64_t>(waited.count())}});
      if (context.stop.is_requested())
        return Error(step::errors::stopped, "stopped while waiting for a probe");
      if (waited >= kFindTime) {
        std::string by;
        for (const std::string& entry : missing)
          by += fmt::format("{}port {} of the {}", by.empty() ? "" : " and ",
                            port_of(context, entry), entry);
        say_what_may_come(context, at, account, entries, probes, found);
        return Error(errors::probe_not_found,
                     fmt::format("what {} accepted for {} did not arrive at the {} within {}", by,
                                 account, at,
                                 show_duration_ms(static_cast<std::uint64_t>(waited.count()))))
            .with_blame(at == "source" ? Blame::source : Blame::target)
            .with_argument("at");
      }
      if (at == "target" && waited >= kPlainFindTime && elimination.may_apply()) {
        PLAN_TRY(is_delivered, elimination.look(ids));
        if (is_delivered)
          return Value::map({{"found_after_ms", static_cast<std::int64_t>(waited.count())},
                             {"evidence", "out of both queues; a script of the user took it"}});
      }
      context.clock.sleep_for(pause);
      pause = std::min(pause * 2, elimination.may_apply() ? kLookApart * 2 : kLookApartMax);
    }
  }

  /// Nobody looks for it before the next attempt: what it is called stands with the run's events.
  static void say_what_may_come(step::StepContext& context, const std::string& at,
                                const std::string& account, const std::vector<std::string>& entries,
                                const std::vector<ProbeMessage>& probes,
                                const std::vector<std::string>& found) {
    if (!context.say) return;
    for (std::size_t i = 0; i < probes.size(); ++i) {
      const std::string& id = probes[i].message_id;
      if (std::find(found.begin(), found.end(), id) != found.end()) continue;
      context.say(
          fmt::format("the probe {} by way of {} may still arrive at the {} or where the account "
                      "was; the next attempt to move {} destroys it at the {}, nobody else does",
                      id, entries[i], at, account, at));
    }
  }

  std::shared_ptr<source::LiveSources> sources_;
  std::shared_ptr<stalwart::TargetPool> targets_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_mail_probe(std::shared_ptr<source::LiveSources> sources,
                                                  std::shared_ptr<stalwart::TargetPool> targets) {
  return std::make_shared<MailProbe>(std::move(sources), std::move(targets));
}

}  // namespace plan::server::probe
