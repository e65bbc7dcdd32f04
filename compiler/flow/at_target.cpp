#include "compiler/flow/at_target.h"

#include <utility>

#include "compiler/flow/target_lookups.h"
#include "compiler/schema/formats.h"
#include "compiler/schema/mta_container.h"
#include "compiler/source/text.h"

namespace plan::flow {

namespace {

constexpr std::string_view kRouteExpression = "MtaOutboundStrategy.route";

/// By `+`, or by the rule that the domain has for the local part; nothing when that asks for
/// what nobody but the target can tell.
[[nodiscard]] std::optional<std::string> without_tag_at_target(const TargetDomain& domain,
                                                               const Address& address) {
  if (!domain.takes_tags_off) return address.text();
  if (domain.tag_rule == nullptr) return without_tag(address);
  schema::MtaEnvironment environment;
  environment.variable = [&](std::string_view name) -> std::optional<ir::Value> {
    if (name == "rcpt") return address.local;
    return std::nullopt;
  };
  const auto answer = domain.tag_rule->evaluate(environment);
  if (!answer) return std::nullopt;
  const std::string local = schema::text_of(*answer);
  return local.empty() ? address.text() : Address{local, address.domain}.text();
}

}  // namespace

void AtTarget::take(Copy& copy) {
  if (copy.is_queued) return queue(copy, parse_address(copy.recipient));
  if (target_.is_down)
    return journey_.defer(copy, lower_ascii(copy.recipient), {"target does not answer", "", {}});
  if (!copy.is_authenticated) {
    if (std::string why = throttled(copy); !why.empty())
      return journey_.defer(copy, lower_ascii(copy.recipient),
                            {std::move(why), "MtaInboundThrottle", {}});
    if (!may_come_without_login(copy)) return;
    // The other server comes again by itself and is let in then.
    if (target_.is_greylisting && copy.is_first_hop && !journey_.letter().is_tried_again)
      return journey_.defer(copy, lower_ascii(copy.recipient),
                            {"target: 452 4.2.2 greylisted", "SpamSettings.greylistFor", {}});
  } else if (copy.is_first_hop && !may_submit(copy)) {
    return;
  }
  rcpt(copy);
}

/// More in a short time than a throttle allows, at port 25.
std::string AtTarget::throttled(const Copy& copy) const {
  const Throttles& limits = target_.throttles;
  const Letter& letter = journey_.letter();
  const auto is_over = [](std::uint32_t nth, std::uint32_t limit) {
    return limit != 0 && nth > limit;
  };
  const bool is_counted = !target_.unthrottled.contains(copy.client);
  if (is_counted && is_over(letter.nth_in_second, limits.a_second))
    return fmt::format("target: more than {} connections a second", limits.a_second);
  if (is_counted && is_over(letter.nth_in_hour, limits.an_hour))
    return fmt::format("target: 452 4.4.5 more than {} messages an hour", limits.an_hour);
  if (is_over(letter.nth_in_session, limits.a_session))
    return fmt::format("target: 452 4.4.5 more than {} messages in a session", limits.a_session);
  return {};
}

/// At port 25 the server wants no login unless a step says so; refuses the copy where it does.
bool AtTarget::may_come_without_login(Copy& copy) {
  if (!target_.login_rule) return true;
  schema::MtaEnvironment environment;
  environment.variable = [&copy](std::string_view name) -> std::optional<ir::Value> {
    if (name == "local_port") return 25;
    if (name == "protocol") return "smtp";
    // The source may be known by another name than by its address.
    if (name == "remote_ip" && schema::is_ip_address(copy.client)) return copy.client;
    return std::nullopt;
  };
  const auto answer = target_.login_rule->evaluate(environment);
  if (answer && !schema::is_true(*answer)) return true;
  Hop hop{answer ? telling_.rule("target: 503 5.5.1 You must authenticate first.")
                 : telling_.rule("only the target can tell whether it wants a login at port 25"),
          std::string(kLoginRule), telling_.origin("login rule")};
  if (answer) {
    journey_.refuse(copy, std::move(hop));
  } else {
    journey_.leave_undecided(copy, std::move(hop));
  }
  return false;
}

/// Logins and senders of a submission; refuses the copy when it may not be sent.
bool AtTarget::may_submit(Copy& copy) {
  if (!journey_.may_log_in(copy, target_.accounts, target_.not_logging_in)) return false;
  if (journey_.letter().login.empty()) return true;
  const std::string login = lower_ascii(journey_.letter().login);
  const std::string sender = lower_ascii(copy.sender);
  if (sender.empty() || account_of(sender) == login) return true;
  journey_.refuse(copy, {telling_.say("target: 501 5.5.4 {} may not send as {}", login, sender),
                         "MtaStageAuth.mustMatchSender",
                         {}});
  return false;
}

std::string AtTarget::account_of(const std::string& lower) const {
  if (target_.accounts.contains(lower)) return lower;
  const auto alias = target_.aliases.find(lower);
  return alias == target_.aliases.end() ? std::string() : alias->second;
}

bool AtTarget::is_known(const std::string& lower) const {
  return target_.accounts.contains(lower) || target_.aliases.contains(lower);
}

void AtTarget::rcpt(Copy& copy) {
  Address address = parse_address(copy.recipient);
  const auto domain = target_.domains.find(address.domain);
  if (domain == target_.domains.end()) {
    const std::optional<bool> is_allowed =
        copy.is_authenticated ? std::optional(true) : relays_for(copy, address);
    if (!is_allowed)
      return journey_.leave_undecided(
          copy, {telling_.say("only the target can tell whether it relays for {}", address.text()),
                 std::string(kRelayRuleOfTarget), telling_.origin("relay rule")});
    if (!*is_allowed) {
      return journey_.refuse(
          copy, {telling_.say("target: 550 5.1.2 Relay not allowed for {}", address.text()),
                 telling_.rule("MtaStageRcpt.allowRelaying"), telling_.origin("relay rule")});
    }
    if (!copy.is_authenticated)
      telling_.add(copy,
                   {telling_.say("target relays {} for {}", address.text(), copy.client),
                    telling_.rule("MtaStageRcpt.allowRelaying"), telling_.origin("relay rule")});
    return queue(copy, address);
  }
  const std::string lower = lower_ascii(copy.recipient);
  if (const auto list = target_.lists.find(lower); list != target_.lists.end())
    return expand(copy, lower, list->second);
  if (is_known(lower)) return queue(copy, address);
  std::string base = lower;
  if (domain->second.tag_rule != nullptr || address.local.find('+') != std::string::npos) {
    const auto untagged = without_tag_at_target(domain->second, address);
    if (!untagged)
      return journey_.leave_undecided(
          copy, {telling_.say("only the target can tell which account {} is for", address.text()),
                 "Domain.subAddressing", telling_.origin_of("subAddressing", address.domain)});
    base = lower_ascii(*untagged);
  }
  if (base != lower && is_known(base)) {
    // Sub-addresses of an account that exists lose their tag here, wherever the message goes then.
    telling_.add(
        copy, {telling_.say("target takes the tag of {} off", lower),
               telling_.rule("the account exists"), telling_.origin("account", account_of(base))});
    address = parse_address(base);
  } else if (!domain->second.catch_all.empty()) {
    telling_.add(
        copy, {telling_.say("target: the catch-all of {} takes {}", address.domain, address.text()),
               telling_.rule("Domain.catchAllAddress"),
               telling_.origin_of("catchAllAddress", address.domain)});
    address = parse_address(domain->second.catch_all);
  } else if (!domain->second.allows_relaying) {
    return journey_.refuse(
        copy, {telling_.say("target: 550 5.1.2 Mailbox does not exist: {}", address.text()),
               telling_.rule("Domain.allowRelaying is false"),
               telling_.origin_of("allowRelaying", address.domain)});
  } else {
    telling_.add(copy, {telling_.say("target accepts {}, which it does not know", address.text()),
                        telling_.rule("Domain.allowRelaying is true"),
                        telling_.origin_of("allowRelaying", address.domain)});
  }
  queue(copy, address);
}

void AtTarget::expand(Copy& copy, const std::string& list,
                      const std::vector<std::string>& members) {
  telling_.add(copy, {telling_.say("target expands the list {}", list), "MailingList",
                      telling_.origin("list", list)});
  copy.expansion = journey_.next_expansion();
  copy.is_expanded_at_source = false;
  for (const std::string& member : members) {
    if (member == list) continue;  // its own address is skipped
    Copy each = copy;
    each.is_first_hop = false;
    queue(each, parse_address(member));
  }
}

/// Nothing where only the server can tell.
std::optional<bool> AtTarget::relays_for(const Copy& copy, const Address& address) const {
  if (!target_.relay_rule) return false;
  const Asking asking{world_, address, copy.sender, nullptr, journey_.asks_sender()};
  schema::MtaEnvironment environment = environment_for(asking);
  const auto variable = environment.variable;
  using Value = std::optional<ir::Value>;
  environment.variable = [variable, client = copy.client](std::string_view name) -> Value {
    if (name == "remote_ip") return client;
    if (name == "local_port") return 25;
    if (name == "authenticated_as") return "";
    if (name == "protocol") return "smtp";
    // The name of a client, or how it speaks: whatever the rule wants it may have.
    return variable(name);
  };
  const auto answer = target_.relay_rule->evaluate(environment);
  return answer ? std::optional(schema::is_true(*answer)) : std::nullopt;
}

/// As long as `asking` lives.
schema::MtaEnvironment AtTarget::environment_for(const Asking& asking) const {
  schema::MtaEnvironment environment;
  environment.variable = [&asking, is_first = supposed_ == nullptr](
                             std::string_view name) -> std::optional<ir::Value> {
    // The route is asked for again at each try.
    if (is_first && (name == "retry_num" || name == "notify_num")) return 0;
    return asking.told(name);
  };
  environment.call = lookups_of(asking);
  return environment;
}

void AtTarget::queue(Copy& copy, const Address& address) {
  if (target_.is_paused) {
    return journey_.end(copy, Fate::target_queue, lower_ascii(without_tag(address)),
                        {"target takes it and keeps it: its queue is paused", "PauseMtaQueue", {}});
  }
  Hop hop;
  const auto chosen = route_name(copy, address, hop);
  if (!chosen)
    return journey_.leave_undecided(
        copy, {"target: " + chosen.error().message(), std::string(kRouteExpression), hop.origin,
               std::move(hop.others)});
  const std::string& name = *chosen;
  if (telling_.tells()) {
    hop.text = fmt::format("target routes {} by `{}`", address.text(), printable(name, 40));
    copy.hops.push_back(std::move(hop));
  }
  TargetRoute route;
  if (const auto found = target_.routes.find(name); found != target_.routes.end()) {
    route = found->second;
  } else if (name == "local") {
    route.kind = TargetRoute::Kind::local;
  } else if (target_.written_routes.contains(name)) {
    telling_.add(copy, {telling_.say("target does not have the route `{}` now and falls back to "
                                     "the public MX",
                                     printable(name, 40)),
                        "", telling_.origin("route expression")});
  } else if (name != "mx") {
    // A route of the target itself, or a name that nobody has: the public MX then.
    return leave_by(copy, address, name);
  }
  switch (route.kind) {
    case TargetRoute::Kind::local:
      return deliver(copy, address);
    case TargetRoute::Kind::mx:
      if (target_.domains.contains(address.domain)) {
        return journey_.end(
            copy, Fate::public_mx, "",
            {telling_.say("target looks for the MX of its own domain {}", address.domain), "", {}});
      }
      return journey_.end(copy, Fate::outside, address.text(),
                          {telling_.say("target sends to the MX of {}", address.domain), "", {}});
    case TargetRoute::Kind::relay:
      return relay(copy, address, name, route);
  }
}

/// The name of the route, and the hop that says which rule chose it.
Result<std::string> AtTarget::route_name(Copy& copy, const Address& address, Hop& hop) {
  hop.origin = telling_.origin("route expression");
  if (!target_.route) {
    const bool is_own = target_.domains.contains(address.domain);
    hop.rule = is_own ? "the server's default: a local domain"
                      : "the server's default: not a local domain";
    return std::string(is_own ? "local" : "mx");
  }
  const Asking asking{world_, address, copy.sender, &hop.others, journey_.asks_sender()};
  const schema::MtaEnvironment environment = environment_for(asking);
  const auto suppose = [&](std::size_t arm) {
    ask_others_again(asking, target_.route->arms()[arm].condition, environment);
    const std::optional<bool> supposed = supposed_of(arm, copy, hop);
    if (supposed) hop.others.clear();
    return supposed;
  };
  PLAN_TRY(chosen, target_.route->choose(environment, suppose));
  hop.rule = telling_.rule_of(*target_.route, chosen.arm, kRouteExpression);
  return schema::text_of(chosen.value);
}

/// `route`: of the expression, and for whom this condition asks when that is not the recipient.
std::optional<bool> AtTarget::supposed_of(std::size_t arm, Copy& copy, const Hop& route) {
  if (supposed_ == nullptr) return std::nullopt;
  const auto known = supposed_->find(arm);
  if (known == supposed_->end()) {
    if (!asked_) asked_ = arm;
    return std::nullopt;
  }
  const std::string_view answer = known->second ? "true" : "false";
  Hop hop{
      route.others.empty()
          ? telling_.say("only the target can tell this condition; suppose that it is {}", answer)
          : telling_.say("this condition asks for {}; suppose that it is {}",
                         printable(route.others, 80), answer),
      telling_.rule_of(*target_.route, arm, kRouteExpression), route.origin, route.others};
  copy.supposed = hop;
  telling_.add(copy, std::move(hop));
  return known->second;
}

void AtTarget::relay(Copy& copy, const Address& address, const std::string& name,
                     const TargetRoute& route) {
  if (route.is_elsewhere) return leave_for(copy, address, name, route.address);
  if (schema::is_loopback_address(route.address)) {
    return journey_.bounce(
        copy, {telling_.say("target: the relay address {} is a loopback address", route.address),
               telling_.say("MtaRoute `{}`", name), telling_.origin("route", name)});
  }
  copy.recipient = address.text();
  journey_.hand_on(copy);
}

/// To a machine that is neither server: mail for others is on its way.
void AtTarget::leave_for(Copy& copy, const Address& address, const std::string& name,
                         const std::string& host) {
  Hop hop{telling_.say("target hands {} to {}", address.text(), printable(host, 80)),
          std::string(kAnotherMachine), telling_.origin("route", name)};
  if (!target_.domains.contains(address.domain))
    return journey_.end(copy, Fate::outside, address.text(), std::move(hop));
  journey_.leave_undecided(copy, std::move(hop));
}

/// By a route of which the plan knows the name alone.
void AtTarget::leave_by(Copy& copy, const Address& address, const std::string& name) {
  const std::string shown = printable(name, 40);
  const Span place = telling_.origin("route expression");
  if (target_.domains.contains(address.domain)) {
    Hop hop{telling_.say("no step makes the route `{}`: mail for the target's own domain {} "
                         "leaves by it, or to the public MX where there is no such route",
                         shown, address.domain),
            "", place};
    copy.supposed = hop;
    return journey_.end(copy, Fate::public_mx, shown, std::move(hop));
  }
  journey_.end(copy, Fate::outside, address.text(),
               {telling_.say("target sends to {} by `{}`, a route that no step makes",
                             address.domain, shown),
                "", place});
}

void AtTarget::deliver(Copy& copy, const Address& address) {
  const std::string account = account_of(lower_ascii(address.text()));
  if (account.empty())
    return journey_.bounce(
        copy, {telling_.say("target: 550 5.1.1 no account {}", address.text()), "", {}});
  if (target_.not_receiving.contains(account)) {
    return journey_.bounce(
        copy, {telling_.say("target: 550 5.5.0 {} is not authorized to receive email", account),
               "permission emailReceive", telling_.origin("account", account)});
  }
  if (target_.answering.contains(account) && !copy.sender.empty()) {
    Copy reply = copy;
    telling_.add(reply, {telling_.say("target answers for {}", account), "VacationResponse", {}});
    reply.sender.clear();
    queue(reply, parse_address(copy.sender));
  }
  if (const auto script = target_.redirects.find(account); script != target_.redirects.end()) {
    SentOn sent = journey_.sent_on(copy, account, script->second);
    for (Copy& each : sent.copies) queue(each, parse_address(each.recipient));
    if (!sent.is_kept) return;
  }
  journey_.end(
      copy, Fate::target_mailbox, account,
      {telling_.say("target delivers to {}", account), "", telling_.origin("account", account)});
}

}  // namespace plan::flow
