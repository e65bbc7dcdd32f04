#include "compiler/flow/model.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "compiler/flow/copy.h"
#include "compiler/flow/mail_address.h"
#include "compiler/flow/old_stalwart.h"
#include "compiler/flow/target_lookups.h"
#include "compiler/schema/formats.h"
#include "compiler/schema/mta_container.h"
#include "compiler/source/text.h"

namespace plan::flow {

namespace {

constexpr std::size_t kCopiesMax = 10'000;
constexpr std::size_t kRuleBytesMax = 160;
constexpr std::size_t kSupposedMax = 4;                      // conditions: sixteen ways
constexpr std::string_view kOutsideClient = "203.0.113.77";  // somebody (RFC 5737)
constexpr std::string_view kOutsideSender = "somebody@outside.test";

/// What is supposed of conditions that nobody but the server can tell, by arm.
using Supposed = std::map<std::size_t, bool>;

/// Where a copy is handed on it is followed in place: whoever is given one has it to himself.
class Journey {
 public:
  /// Without `supposed` what nobody but the server can tell ends as `undecided`.
  /// `tells`: hop by hop; the ends alone cost a fraction.
  Journey(const World& world, const Letter& letter, const Supposed* supposed, bool tells,
          bool* asks_sender = nullptr)
      : world_(world),
        letter_(letter),
        supposed_(supposed),
        tells_(tells),
        asks_sender_(asks_sender) {}

  /// The first condition that was asked for and nothing is supposed of.
  [[nodiscard]] std::optional<std::size_t> asked() const { return asked_; }

  std::vector<Delivery> run() {
    Copy copy = first();
    follow(copy);
    for (std::size_t next = 0; next < copies_.size(); ++next) {
      if (deliveries_.size() > kCopiesMax) break;
      copy = std::move(copies_[next]);
      follow(copy);
    }
    return std::move(deliveries_);
  }

 private:
  void follow(Copy& copy) {
    // The same server with the same recipient again: nothing has changed, so it goes round for
    // ever.
    // (What waited in a queue was not asked at RCPT, where a tag is taken off.)
    if (!copy.comes_to(copy.is_queued      ? "queue "
                       : copy.is_at_target ? "T "
                                           : "S ",
                       copy.recipient)) {
      return end(copy, Fate::loop, "",
                 {"it goes round until both servers count too many hops", "", {}});
    }
    if (copy.is_at_target) {
      at_target(copy);
    } else {
      at_source(copy);
    }
  }

  [[nodiscard]] Copy first() const {
    Copy copy;
    copy.is_at_target = is_at_target(letter_.entry);
    copy.is_authenticated = letter_.entry == Entry::target_submission ||
                            letter_.entry == Entry::source_submission ||
                            letter_.entry == Entry::source_local;
    copy.is_queued = letter_.entry == Entry::target_queue || letter_.entry == Entry::source_queue ||
                     letter_.entry == Entry::target_local;
    // A server that makes a message or has taken it tells the sender by a DSN.
    copy.is_first_hop = !copy.is_queued && letter_.entry != Entry::source_local;
    copy.recipient = letter_.recipient;
    copy.client = letter_.client.empty() ? kOutsideClient : letter_.client;
    if (letter_.has_null_sender) return copy;
    copy.sender = !letter_.sender.empty()  ? letter_.sender
                  : !letter_.login.empty() ? letter_.login
                                           : std::string(kOutsideSender);
    return copy;
  }

  [[nodiscard]] Span origin(std::string_view kind, std::string_view name = {}) const {
    if (!tells_) return {};
    const auto found =
        world_.origins.find(name.empty() ? std::string(kind) : fmt::format("{} {}", kind, name));
    return found == world_.origins.end() ? Span{} : found->second;
  }

  /// The step that writes this member of a domain, else the one that makes the domain.
  [[nodiscard]] Span origin_of(std::string_view member, const std::string& domain) const {
    const Span written = origin(member, domain);
    return written.is_known() ? written : origin("domain", domain);
  }

  template <typename... Parts>
  [[nodiscard]] std::string say(fmt::format_string<Parts...> text, Parts&&... parts) const {
    return tells_ ? fmt::format(text, std::forward<Parts>(parts)...) : std::string();
  }

  /// A text of a rule, which nobody reads where nothing is told.
  [[nodiscard]] std::string rule(const char* text) const {
    return tells_ ? std::string(text) : std::string();
  }

  void add(Copy& copy, Hop hop) const {
    if (tells_) copy.hops.push_back(std::move(hop));
  }

  /// Two members of one list may be one mailbox. Postfix delivers once for each address that it
  /// was given; the target drops what is in the Inbox already (split-delivery.md section 6).
  [[nodiscard]] bool is_second_of_expansion(const Copy& copy, Fate fate,
                                            const std::string& mailbox) {
    const bool is_told_apart = fate == Fate::target_mailbox || copy.is_expanded_at_source;
    if (copy.expansion == 0 || mailbox.empty() || !is_told_apart) return false;
    return !expanded_to_.insert({copy.expansion, fate, mailbox}).second;
  }

  void end(Copy& copy, Fate fate, std::string mailbox, Hop hop) {
    if (is_second_of_expansion(copy, fate, mailbox)) return;
    add(copy, std::move(hop));
    deliveries_.push_back(
        {fate, std::move(mailbox), std::move(copy.hops), std::move(copy.supposed)});
  }

  /// A refusal at RCPT: of the client, or of the other server, which then tells the sender.
  void refuse(Copy& copy, Hop hop) {
    if (copy.is_first_hop) return end(copy, Fate::refused, "", std::move(hop));
    bounce(copy, std::move(hop));
  }

  void bounce(Copy& copy, Hop hop) {
    const Fate fate = copy.sender.empty() ? Fate::discarded : Fate::bounced;
    end(copy, fate, "", std::move(hop));
  }

  /// "Come again": said to a client, or to the other server, which keeps the message.
  void defer(Copy& copy, std::string mailbox, Hop hop) {
    const Fate fate = copy.is_first_hop   ? Fate::deferred
                      : copy.is_at_target ? Fate::source_queue
                                          : Fate::target_queue;
    end(copy, fate, std::move(mailbox), std::move(hop));
  }

  /// More in a short time than a throttle allows, at port 25 of the target.
  [[nodiscard]] std::string throttled(const Copy& copy) const {
    const Throttles& limits = world_.target.throttles;
    const auto is_over = [](std::uint32_t nth, std::uint32_t limit) {
      return limit != 0 && nth > limit;
    };
    const bool is_counted = !world_.target.unthrottled.contains(copy.client);
    if (is_counted && is_over(letter_.nth_in_second, limits.a_second))
      return fmt::format("target: more than {} connections a second", limits.a_second);
    if (is_counted && is_over(letter_.nth_in_hour, limits.an_hour))
      return fmt::format("target: 452 4.4.5 more than {} messages an hour", limits.an_hour);
    if (is_over(letter_.nth_in_session, limits.a_session))
      return fmt::format("target: 452 4.4.5 more than {} messages in a session", limits.a_session);
    return {};
  }

  [[nodiscard]] std::string account_of(const std::string& lower) const {
    if (world_.target.accounts.contains(lower)) return lower;
    const auto alias = world_.target.aliases.find(lower);
    return alias == world_.target.aliases.end() ? std::string() : alias->second;
  }

  [[nodiscard]] bool is_known_at_target(const std::string& lower) const {
    return world_.target.accounts.contains(lower) || world_.target.aliases.contains(lower);
  }

  void at_target(Copy& copy) {
    const Target& target = world_.target;
    if (copy.is_queued) return queue(copy, parse_address(copy.recipient));
    if (target.is_down)
      return defer(copy, lower_ascii(copy.recipient), {"target does not answer", "", {}});
    if (!copy.is_authenticated) {
      if (std::string why = throttled(copy); !why.empty())
        return defer(copy, lower_ascii(copy.recipient), {std::move(why), "MtaInboundThrottle", {}});
      // The other server comes again by itself and is let in then.
      if (target.is_greylisting && copy.is_first_hop && !letter_.is_tried_again)
        return defer(copy, lower_ascii(copy.recipient),
                     {"target: 452 4.2.2 greylisted", "SpamSettings.greylistFor", {}});
    } else if (copy.is_first_hop && !may_submit(copy, target.not_logging_in)) {
      return;
    }
    at_target_rcpt(copy);
  }

  /// Logins and senders of a submission; refuses the copy when it may not be sent.
  bool may_submit(Copy& copy, const std::set<std::string>& closed) {
    if (letter_.login.empty()) return true;
    const std::string login = lower_ascii(letter_.login);
    const bool is_known = copy.is_at_target ? world_.target.accounts.contains(login)
                                            : world_.source.mailboxes.contains(login);
    const std::string_view server = copy.is_at_target ? "target" : "source";
    if (!is_known || closed.contains(login)) {
      refuse(copy, {say("{}: 535 {} may not log in", server, login), "", {}});
      return false;
    }
    const std::string sender = lower_ascii(copy.sender);
    if (copy.is_at_target && !sender.empty() && account_of(sender) != login) {
      refuse(copy, {say("target: 501 5.5.4 {} may not send as {}", login, sender),
                    "MtaStageAuth.mustMatchSender",
                    {}});
      return false;
    }
    return true;
  }

  void at_target_rcpt(Copy& copy) {
    const Target& target = world_.target;
    Address address = parse_address(copy.recipient);
    const auto domain = target.domains.find(address.domain);
    if (domain == target.domains.end()) {
      const bool is_allowed = copy.is_authenticated || relays_for(copy, address);
      if (!is_allowed) {
        return refuse(copy, {say("target: 550 5.1.2 Relay not allowed for {}", address.text()),
                             rule("MtaStageRcpt.allowRelaying"), origin("relay rule")});
      }
      if (!copy.is_authenticated)
        add(copy, {say("target relays {} for {}", address.text(), copy.client),
                   rule("MtaStageRcpt.allowRelaying"), origin("relay rule")});
      return queue(copy, address);
    }
    const std::string lower = lower_ascii(copy.recipient);
    if (const auto list = target.lists.find(lower); list != target.lists.end()) {
      add(copy, {say("target expands the list {}", lower), "MailingList", origin("list", lower)});
      copy.expansion = ++expansions_;
      copy.is_expanded_at_source = false;
      for (const std::string& member : list->second) {
        if (member == lower) continue;  // its own address is skipped
        Copy each = copy;
        each.is_first_hop = false;
        queue(each, parse_address(member));
      }
      return;
    }
    if (!is_known_at_target(lower)) {
      std::string base = lower;
      if (domain->second.tag_rule != nullptr || address.local.find('+') != std::string::npos) {
        const auto untagged = without_tag_at_target(domain->second, address);
        if (!untagged) return undecided_tag(copy, address);
        base = lower_ascii(*untagged);
      }
      if (base != lower && is_known_at_target(base)) {
        // Sub-addresses of an account that exists lose their tag here, wherever the message goes
        // then.
        add(copy, {say("target takes the tag of {} off", lower), rule("the account exists"),
                   origin("account", account_of(base))});
        address = parse_address(base);
      } else if (!domain->second.catch_all.empty()) {
        add(copy, {say("target: the catch-all of {} takes {}", address.domain, address.text()),
                   rule("Domain.catchAllAddress"), origin_of("catchAllAddress", address.domain)});
        address = parse_address(domain->second.catch_all);
      } else if (!domain->second.allows_relaying) {
        return refuse(copy, {say("target: 550 5.1.2 Mailbox does not exist: {}", address.text()),
                             rule("Domain.allowRelaying is false"),
                             origin_of("allowRelaying", address.domain)});
      } else {
        if (tells_)
          add(copy, {say("target accepts {}, which it does not know", address.text()),
                     "Domain.allowRelaying is true", origin_of("allowRelaying", address.domain)});
      }
    }
    queue(copy, address);
  }

  /// By `+`, or by the rule that the domain has for the local part; nothing when that asks for
  /// what nobody but the target can tell.
  [[nodiscard]] static std::optional<std::string> without_tag_at_target(const TargetDomain& domain,
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

  void undecided_tag(Copy& copy, const Address& address) {
    Hop hop{say("only the target can tell which account {} is for", address.text()),
            "Domain.subAddressing", origin_of("subAddressing", address.domain)};
    copy.supposed = hop;
    end(copy, Fate::undecided, "", std::move(hop));
  }

  [[nodiscard]] bool relays_for(const Copy& copy, const Address& address) const {
    if (!world_.target.relay_rule) return false;
    const Asking asking{world_, address, copy.sender, nullptr, asks_sender_};
    schema::MtaEnvironment environment = environment_for(asking);
    const auto variable = environment.variable;
    using Value = std::optional<ir::Value>;
    environment.variable = [variable, client = copy.client](std::string_view name) -> Value {
      if (name == "remote_ip") return client;
      if (name == "local_port") return 25;
      if (name == "authenticated_as") return "";
      const Value value = variable(name);
      return value ? value : ir::Value();
    };
    const auto answer = world_.target.relay_rule->evaluate(environment);
    return answer && schema::is_true(*answer);
  }

  /// As long as `asking` lives.
  [[nodiscard]] schema::MtaEnvironment environment_for(const Asking& asking) const {
    schema::MtaEnvironment environment;
    environment.variable = [&asking, is_first = supposed_ == nullptr](
                               std::string_view name) -> std::optional<ir::Value> {
      if (name == "rcpt") return asking.recipient.text();
      if (name == "rcpt_domain") return asking.recipient.domain;
      if (name == "sender") return asking.read_sender();
      if (name == "sender_domain") return domain_part(asking.read_sender());
      // The route is asked for again at each try.
      if (is_first && (name == "retry_num" || name == "notify_num")) return 0;
      return std::nullopt;
    };
    environment.call = lookups_of(asking);
    return environment;
  }

  /// The name of the route, and the hop that says which rule chose it.
  [[nodiscard]] Result<std::string> route_name(Copy& copy, const Address& address, Hop& hop) {
    const Target& target = world_.target;
    hop.origin = origin("route expression");
    if (!target.route) {
      const bool is_own = target.domains.contains(address.domain);
      hop.rule = is_own ? "the server's default: a local domain"
                        : "the server's default: not a local domain";
      return std::string(is_own ? "local" : "mx");
    }
    const Asking asking{world_, address, copy.sender, &hop.others, asks_sender_};
    const auto suppose = [&](std::size_t arm) {
      const std::optional<bool> supposed = supposed_of(arm, copy, hop);
      if (supposed) hop.others.clear();
      return supposed;
    };
    PLAN_TRY(chosen, target.route->choose(environment_for(asking), suppose));
    hop.rule = chosen.arm < target.route->arms().size()
                   ? rule_of(chosen.arm)
                   : std::string("`else` of MtaOutboundStrategy.route");
    return schema::text_of(chosen.value);
  }

  [[nodiscard]] std::string rule_of(std::size_t arm) const {
    if (!tells_) return {};
    return say("`if` {} of MtaOutboundStrategy.route: {}", arm,
               printable(world_.target.route->arms()[arm].text, kRuleBytesMax));
  }

  /// `route`: of the expression, and for whom this condition asks when that is not the recipient.
  std::optional<bool> supposed_of(std::size_t arm, Copy& copy, const Hop& route) {
    if (supposed_ == nullptr) return std::nullopt;
    const auto known = supposed_->find(arm);
    if (known == supposed_->end()) {
      if (!asked_) asked_ = arm;
      return std::nullopt;
    }
    const std::string_view answer = known->second ? "true" : "false";
    Hop hop{route.others.empty()
                ? say("only the target can tell this condition; suppose that it is {}", answer)
                : say("this condition asks for {}; suppose that it is {}",
                      printable(route.others, 80), answer),
            rule_of(arm), route.origin, route.others};
    copy.supposed = hop;
    add(copy, std::move(hop));
    return known->second;
  }

  void queue(Copy& copy, const Address& address) {
    const Target& target = world_.target;
    if (target.is_paused) {
      return end(copy, Fate::target_queue, lower_ascii(without_tag(address)),
                 {"target takes it and keeps it: its queue is paused", "PauseMtaQueue", {}});
    }
    Hop hop;
    const auto chosen = route_name(copy, address, hop);
    if (!chosen) {
      Hop unanswered{"target: " + chosen.error().message(), "MtaOutboundStrategy.route", hop.origin,
                     std::move(hop.others)};
      copy.supposed = unanswered;
      return end(copy, Fate::undecided, "", std::move(unanswered));
    }
    const std::string& name = *chosen;
    if (tells_) {
      hop.text = fmt::format("target routes {} by `{}`", address.text(), printable(name, 40));
      copy.hops.push_back(std::move(hop));
    }
    TargetRoute route;
    if (const auto found = target.routes.find(name); found != target.routes.end()) {
      route = found->second;
    } else if (name == "local") {
      route.kind = TargetRoute::Kind::local;
    } else if (target.written_routes.contains(name)) {
      add(copy, {say("target does not have the route `{}` now and falls back to "
                     "the public MX",
                     printable(name, 40)),
                 "", origin("route expression")});
    } else if (name != "mx") {
      // A route of the target itself, or a name that nobody has: the public MX then.
      return leave_by(copy, address, name);
    }
    switch (route.kind) {
      case TargetRoute::Kind::local:
        return deliver_at_target(copy, address);
      case TargetRoute::Kind::mx:
        if (target.domains.contains(address.domain)) {
          return end(copy, Fate::public_mx, "",
                     {say("target looks for the MX of its own domain {}", address.domain), "", {}});
        }
        return end(copy, Fate::outside, address.text(),
                   {say("target sends to the MX of {}", address.domain), "", {}});
      case TargetRoute::Kind::relay:
        if (route.is_elsewhere) return leave_for(copy, address, name, route.address);
        if (schema::is_loopback_address(route.address)) {
          return bounce(copy,
                        {say("target: the relay address {} is a loopback address", route.address),
                         say("MtaRoute `{}`", name), origin("route", name)});
        }
        copy.is_at_target = false;
        copy.is_authenticated = false;
        copy.is_first_hop = false;
        copy.is_queued = false;
        copy.client = world_.target_address;
        copy.recipient = address.text();
        copies_.push_back(std::move(copy));
        return;
    }
  }

  /// To a machine that is neither server: mail for others is on its way.
  void leave_for(Copy& copy, const Address& address, const std::string& name,
                 const std::string& host) {
    Hop hop{say("target hands {} to {}", address.text(), printable(host, 80)),
            std::string(kAnotherMachine), origin("route", name)};
    if (!world_.target.domains.contains(address.domain))
      return end(copy, Fate::outside, address.text(), std::move(hop));
    copy.supposed = hop;
    end(copy, Fate::undecided, "", std::move(hop));
  }

  /// By a route of which the plan knows the name alone.
  void leave_by(Copy& copy, const Address& address, const std::string& name) {
    const std::string shown = printable(name, 40);
    const Span place = origin("route expression");
    if (world_.target.domains.contains(address.domain)) {
      Hop hop{say("no step makes the route `{}`: mail for the target's own domain {} "
                  "leaves by it, or to the public MX where there is no such route",
                  shown, address.domain),
              "", place};
      copy.supposed = hop;
      return end(copy, Fate::public_mx, shown, std::move(hop));
    }
    end(copy, Fate::outside, address.text(),
        {say("target sends to {} by `{}`, a route that no step makes", address.domain, shown), "",
         place});
  }

  void deliver_at_target(Copy& copy, const Address& address) {
    const Target& target = world_.target;
    const std::string account = account_of(lower_ascii(address.text()));
    if (account.empty())
      return bounce(copy, {say("target: 550 5.1.1 no account {}", address.text()), "", {}});
    if (target.not_receiving.contains(account)) {
      return bounce(copy, {say("target: 550 5.5.0 {} is not authorized to receive email", account),
                           "permission emailReceive", origin("account", account)});
    }
    if (target.answering.contains(account) && !copy.sender.empty()) {
      Copy reply = copy;
      add(reply, {say("target answers for {}", account), "VacationResponse", {}});
      reply.sender.clear();
      queue(reply, parse_address(copy.sender));
    }
    const auto script = target.redirects.find(account);
    const bool is_kept =
        script == target.redirects.end() || send_on(copy, account, script->second, true);
    if (!is_kept) return;
    end(copy, Fate::target_mailbox, account,
        {say("target delivers to {}", account), "", origin("account", account)});
  }

  /// Sieve redirects of one account; whether a copy stays. A script that meets the same message
  /// again stops in silence.
  bool send_on(const Copy& copy, const std::string& account, const std::vector<Redirect>& redirects,
               bool is_from_target) {
    if (copy.redirected.contains(account)) return true;
    bool is_kept = false;
    for (const Redirect& redirect : redirects) {
      is_kept = is_kept || redirect.keeps_copy;
      Copy each = copy;
      each.redirected.insert(account);
      each.seen.clear();
      each.sender = account;
      each.is_first_hop = false;
      each.is_expanded_at_source = false;
      each.is_at_target = is_from_target;
      each.is_authenticated = !is_from_target;
      each.is_queued = false;
      each.recipient = redirect.to;
      add(each,
          {say("the script of {} redirects to {}", account, redirect.to), "Sieve redirect", {}});
      if (lower_ascii(redirect.to) == account || copy.redirected.contains(lower_ascii(redirect.to)))
        continue;
      if (is_from_target) {
        queue(each, parse_address(redirect.to));
      } else {
        copies_.push_back(std::move(each));
      }
    }
    return is_kept;
  }

  void at_old_stalwart(Copy& copy) {
    const Source& source = world_.source;
    copy.recipient = lower_ascii(copy.recipient);
    const std::string recipient = copy.recipient;
    if (!copy.is_queued && source.is_down)
      return defer(copy, recipient, {"source does not answer", "", {}});
    if (copy.is_first_hop && copy.is_authenticated && !may_submit(copy, source.not_logging_in))
      return;
    const bool may_relay = copy.is_authenticated || source.own_networks.contains(copy.client);
    const std::size_t expansion = ++expansions_;
    for (OldStep& step : steps_at_old_stalwart(world_, copy.recipient, copy.sender,
                                               {copy.is_queued, may_relay, tells_, asks_sender_})) {
      Copy each = copy;
      each.recipient = step.recipient;
      if (step.is_of_list) {
        each.is_first_hop = false;
        each.expansion = expansion;
        each.is_expanded_at_source = true;
      }
      for (Hop& hop : step.way) add(each, std::move(hop));
      if (!step.fate) {
        hand_to_target(each);
      } else if (*step.fate == Fate::refused) {
        refuse(each, std::move(step.last));
      } else if (*step.fate == Fate::bounced) {
        bounce(each, std::move(step.last));
      } else {
        if (*step.fate == Fate::undecided) each.supposed = step.last;
        const auto script = source.redirects.find(step.mailbox);
        if (*step.fate == Fate::source_mailbox && script != source.redirects.end() &&
            !send_on(each, step.mailbox, script->second, false))
          continue;
        end(each, *step.fate, std::move(step.mailbox), std::move(step.last));
      }
    }
  }

  void at_source(Copy& copy) {
    const Source& source = world_.source;
    if (source.stalwart) return at_old_stalwart(copy);
    if (copy.is_queued) return transport(copy);
    const Address address = parse_address(copy.recipient);
    const std::string lower = lower_ascii(copy.recipient);
    std::string untagged;
    const std::string& base = has_tag(address) ? (untagged = base_of(address)) : lower;
    const std::string& mailbox = is_name_at_source(lower) ? lower : base;
    if (source.is_down)
      return defer(copy, mailbox, {"source does not answer, or has no room", "", {}});
    if (copy.is_first_hop && copy.is_authenticated && !may_submit(copy, source.not_logging_in))
      return;
    for (const std::string* name : {&lower, &base}) {
      const auto alias = source.aliases.find(*name);
      if (alias != source.aliases.end()) return expand(copy, *name, alias->second);
    }
    if (!source.mailboxes.contains(mailbox)) {
      const auto catch_all = source.catch_all.find(address.domain);
      if (catch_all != source.catch_all.end())
        return expand(copy, "the catch-all of " + address.domain, {catch_all->second});
    }
    transport(copy, address, mailbox);
  }

  [[nodiscard]] bool has_tag(const Address& address) const {
    return address.local.find_first_of(world_.source.tag_delimiters) != std::string::npos;
  }

  /// Without its tag.
  [[nodiscard]] std::string base_of(const Address& address) const {
    return lower_ascii(without_tag(address, world_.source.tag_delimiters));
  }

  [[nodiscard]] bool is_name_at_source(const std::string& lower) const {
    return world_.source.mailboxes.contains(lower) || world_.source.aliases.contains(lower);
  }

  /// The name under which the source's maps have an address: as it is, else without its tag. A
  /// delimiter may be a part of a name (`anna-maria`).
  [[nodiscard]] std::string mailbox_of(const Address& address, const std::string& recipient) const {
    std::string lower = lower_ascii(recipient);
    if (!has_tag(address) || is_name_at_source(lower)) return lower;
    return base_of(address);
  }

  void expand(Copy& copy, const std::string& name, const std::vector<std::string>& members) {
    add(copy, {say("source expands {}", name), rule("virtual_alias_maps"), {}});
    copy.expansion = ++expansions_;
    copy.is_expanded_at_source = true;
    copy.is_first_hop = false;  // accepted by this name: its members are not asked for
    copy.is_queued = true;
    for (const std::string& member : members) {
      Copy each = copy;
      each.recipient = member;
      if (lower_ascii(member) == lower_ascii(copy.recipient)) {
        transport(each);  // an address that is mapped to itself
        continue;
      }
      // Expanded inside one server: the same address may come again only by another way.
      if (!each.comes_to("S ", member)) {
        end(each, Fate::loop, "",
            {say("source expands {} in a circle", member), rule("virtual_alias_maps"), {}});
        continue;
      }
      transport(each);
    }
  }

  [[nodiscard]] bool is_domain_of_source(const std::string& domain) const {
    const Source& source = world_.source;
    return source.domains.contains(domain) ||
           std::any_of(source.mailboxes.begin(), source.mailboxes.end(),
                       [&](const std::string& mailbox) {
                         const std::size_t at = mailbox.rfind('@');
                         return at != std::string::npos &&
                                mailbox.compare(at + 1, std::string::npos, domain) == 0;
                       });
  }

  void transport(Copy& copy) {
    const Address address = parse_address(copy.recipient);
    transport(copy, address, mailbox_of(address, copy.recipient));
  }

  void transport(Copy& copy, const Address& address, const std::string& base) {
    const Source& source = world_.source;
    if (!source.mailboxes.contains(base)) {
      if (const auto alias = source.aliases.find(base); alias != source.aliases.end()) {
        for (const std::string& member : alias->second) {
          Copy each = copy;
          each.recipient = member;
          if (each.comes_to("S ", member)) transport(each);
        }
        return;
      }
      if (is_domain_of_source(address.domain))
        return refuse(copy, {say("source: 550 5.1.1 no mailbox {}", address.text()),
                             rule("virtual_mailbox_maps"),
                             {}});
      // What came by another name of its own is accepted already; a server that hands something on
      // is a client like any other.
      const bool may_relay =
          copy.is_authenticated || copy.is_queued || source.own_networks.contains(copy.client);
      if (!may_relay)
        return refuse(copy, {say("source: 554 5.7.1 Relay access denied for {}", address.text()),
                             "mynetworks",
                             {}});
      return end(copy, Fate::outside, address.text(),
                 {say("source sends to the MX of {}", address.domain), "", {}});
    }
    const auto entry = source.transport.find(base);
    const Span place = origin("transport", base);
    switch (entry == source.transport.end() ? Transport::deliver : entry->second) {
      case Transport::deliver: {
        const auto script = source.redirects.find(base);
        if (script != source.redirects.end() && !send_on(copy, base, script->second, false)) return;
        return end(
            copy, Fate::source_mailbox, base,
            {say("source delivers to {}", base), rule("no entry in the transport map"), place});
      }
      case Transport::hold:
        return end(copy, Fate::source_queue, base,
                   {say("source holds the mail of {} in its queue", base),
                    rule("transport map: a closed port"), place});
      case Transport::hold_retry: {
        // smtpd looks the transport up when a session asks for it; an address that is mapped to
        // itself, what the server makes and what is queued already never come there.
        const bool is_made_here = copy.is_authenticated && !copy.is_first_hop;
        const bool is_accepted = copy.is_queued || is_made_here ||
                                 (copy.is_first_hop && letter_.is_open_session) ||
                                 source.aliases.contains(base);
        Hop hop{is_accepted ? say("source keeps the mail of {}", base)
                            : say("source: 450 4.3.0 for {}", base),
                rule("transport map: `retry:`"), place};
        if (is_accepted) return end(copy, Fate::source_queue, base, std::move(hop));
        return defer(copy, base, std::move(hop));
      }
      case Transport::forward:
        if (const auto to = source.forwards_elsewhere.find(base);
            to != source.forwards_elsewhere.end()) {
          Hop hop{say("source hands {} to {}", address.text(), printable(to->second, 80)),
                  std::string(kAnotherMachine), place};
          copy.supposed = hop;
          return end(copy, Fate::undecided, "", std::move(hop));
        }
        add(copy,
            {say("source forwards {} to the target", address.text()), "transport map", place});
        return hand_to_target(copy);
    }
  }

  void hand_to_target(Copy& copy) {
    copy.is_at_target = true;
    copy.is_authenticated = false;
    copy.is_first_hop = false;
    copy.is_queued = false;
    copy.client = world_.source_address;
    copies_.push_back(std::move(copy));
  }

  const World& world_;
  const Letter& letter_;
  const Supposed* supposed_ = nullptr;
  bool tells_ = true;
  bool* asks_sender_ = nullptr;
  std::optional<std::size_t> asked_;
  std::vector<Copy> copies_;  // in the order in which they are followed
  std::size_t expansions_ = 0;
  std::set<std::tuple<std::size_t, Fate, std::string>> expanded_to_;
  std::vector<Delivery> deliveries_;
};

}  // namespace

std::vector<Delivery> deliver(const World& world, const Letter& letter, bool tells) {
  return Journey(world, letter, nullptr, tells).run();
}

std::vector<std::vector<Delivery>> deliver_either_way(const World& world, const Letter& letter,
                                                      bool tells, bool* asks_sender) {
  std::vector<std::vector<Delivery>> ways;
  std::vector<Supposed> open;
  for (Supposed supposed;;) {
    Journey journey(world, letter, &supposed, tells, asks_sender);
    std::vector<Delivery> deliveries = journey.run();
    const auto asked = journey.asked();
    if (!asked || supposed.size() >= kSupposedMax) {
      ways.push_back(std::move(deliveries));
    } else {
      for (const bool is_true : {true, false}) {
        open.push_back(supposed);
        open.back().emplace(*asked, is_true);
      }
    }
    if (open.empty()) return ways;
    supposed = std::move(open.back());
    open.pop_back();
  }
}

}  // namespace plan::flow
