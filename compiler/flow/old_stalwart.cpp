// Where a Stalwart 0.13 to 0.15 sends one recipient (reference/stalwart-v015-api.md 9.3). Seen run:
// the lists, their order, a list at RCPT, a group's own mailbox, a route that nobody knows, a relay
// to an IP address.
#include "compiler/flow/old_stalwart.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "compiler/flow/asking.h"
#include "compiler/flow/telling.h"
#include "compiler/schema/formats.h"
#include "compiler/schema/mta_expression.h"
#include "compiler/schema/old_route.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

/// Ports that are likely to have a mail server behind them: a relay there keeps nothing waiting.
constexpr std::array<std::string_view, 5> kMailPorts = {"24", "25", "465", "587", "2525"};

/// The one port where a server waits for TLS before any word.
constexpr std::string_view kTlsPort = "465";

/// HOST of "smtp:[HOST]:PORT"; empty: there is none.
[[nodiscard]] std::string_view host_of(std::string_view next_hop) {
  const std::size_t begin = next_hop.find('[');
  const std::size_t end = next_hop.find(']');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  return next_hop.substr(begin + 1, end - begin - 1);
}

[[nodiscard]] bool is_domain_of(const Source& source, const std::string& domain) {
  return source.domains.contains(domain);
}

/// As long as `asking` lives.
[[nodiscard]] schema::MtaEnvironment environment_for(const Asking& asking) {
  using Answer = std::optional<ir::Value>;
  schema::MtaEnvironment environment;
  environment.variable = [&asking](std::string_view name) { return asking.told(name); };
  environment.call = [&asking](std::string_view name,
                               const std::vector<ir::Value>& arguments) -> Answer {
    if (arguments.size() < 2) return std::nullopt;
    const Source& source = asking.world.source;
    const std::string first = schema::text_of(arguments[0]);
    const std::string second = schema::text_of(arguments[1]);
    const auto answer = [&](bool is_known, Question::Kind kind, std::string_view set) -> Answer {
      if (!is_known && asks_for_others(asking, kind, set, second)) return std::nullopt;
      return ir::Value(is_known);
    };
    if (name == "is_local_domain")
      return answer(is_domain_of(source, second), Question::Kind::domain, {});
    // As it is written: a sub-address of an account is none of its addresses.
    if (name == "is_local_address")
      return answer(source.aliases.contains(second) || source.mailboxes.contains(second) ||
                        source.stalwart->names.contains(second),
                    Question::Kind::account, {});
    if (name != "key_exists") return std::nullopt;
    const auto list = source.stalwart->lists.find(first);
    // A list that the server has not seen is no error: nothing is in it. Of one that no step fills
    // the rule mail_unmodelled says that it is taken so.
    return answer(list != source.stalwart->lists.end() && list->second.contains(second),
                  Question::Kind::key, first);
  };
  return environment;
}

class Router {
 public:
  Router(const World& world, const std::string& sender, const OldClient& client)
      : world_(world),
        server_(*world.source.stalwart),
        sender_(sender),
        telling_(world, client.tells),
        asks_sender_(client.asks_sender) {}

  /// Where the route expression sends one recipient now.
  OldStep route(OldStep step) const {
    const Address address = parse_address(step.recipient);
    Hop hop;
    std::string name;
    hop.origin = telling_.origin("old route expression");
    if (server_.route == nullptr) {
      hop.rule = "the source's default";
      name = is_domain_of(world_.source, address.domain) ? "local" : "mx";
    } else {
      const Asking asking{world_, address, sender_, &hop.others, asks_sender_};
      const schema::MtaEnvironment environment = environment_for(asking);
      const auto choice = server_.route->choose(environment, [&](std::size_t arm) {
        ask_others_again(asking, server_.route->arms()[arm].condition, environment);
        return std::optional<bool>();
      });
      if (!choice) {
        const std::string why = hop.others.empty()
                                    ? choice.error().message()
                                    : "the route asks for " + printable(hop.others, 80);
        return ended(std::move(step), Fate::undecided, "",
                     {"source: " + why, std::string(schema::kOldRoute), hop.origin, hop.others});
      }
      hop.rule = telling_.rule_of(*server_.route, choice->arm, schema::kOldRoute);
      name = schema::text_of(choice->value);
    }
    if (telling_.tells()) {
      hop.text = fmt::format("source routes {} by `{}`", address.text(), printable(name, 40));
      step.way.push_back(std::move(hop));
    }
    return by_route(std::move(step), address, name);
  }

 private:
  static OldStep ended(OldStep step, Fate fate, std::string mailbox, Hop last) {
    step.fate = fate;
    step.mailbox = std::move(mailbox);
    step.last = std::move(last);
    return step;
  }

  OldStep by_route(OldStep step, const Address& address, const std::string& name) const {
    const std::string account = old_account_of(world_.source, address);
    const auto found = server_.routes.find(name);
    const std::string type = found != server_.routes.end() ? found->second.type : name;
    if (type == "local") {
      if (account.empty())
        return ended(std::move(step), Fate::bounced, "",
                     {telling_.say("source: 550 5.1.1 no mailbox {}", address.text()), "", {}});
      return ended(std::move(step), Fate::source_mailbox, account,
                   {telling_.say("source delivers to {}", account), "", {}});
    }
    if (found == server_.routes.end() || type != "relay") {
      const bool is_own = is_domain_of(world_.source, address.domain);
      return ended(std::move(step), is_own ? Fate::public_mx : Fate::outside,
                   is_own ? std::string() : address.text(),
                   {telling_.say("source looks for the MX of {}", address.domain), "", {}});
    }
    const OldRoute& relay = found->second;
    const Span place = telling_.origin("old route", name);
    if (schema::is_ip_address(relay.address))
      return ended(std::move(step), Fate::bounced, "",
                   {"source: a relay needs a host name", "", place});
    const std::string_view port = relay.port.empty() ? std::string_view("25") : relay.port;
    const std::string waiting = account.empty() ? address.text() : account;
    if (fmt::format("smtp:[{}]:{}", relay.address, port) == server_.next_hop) {
      if (relay.is_tls_at_once == (port == kTlsPort)) return step;
      return ended(
          std::move(step), Fate::source_queue, waiting,
          {telling_.say(
               "source cannot hand the mail of {} on: it {} TLS at port {}", address.text(),
               relay.is_tls_at_once ? "begins with" : "does not begin with", printable(port, 20)),
           "queue.route." + printable(name, 40) + ".tls.implicit", place});
    }
    const std::string_view target = host_of(server_.next_hop);
    if (!target.empty() && !schema::is_same_host(relay.address, target))
      return ended(
          std::move(step), Fate::outside, address.text(),
          {telling_.say("source hands the mail of {} to {}, which is not the target {}",
                        address.text(), printable(relay.address, 80), printable(target, 80)),
           "a relay to another machine", place});
    if (std::find(kMailPorts.begin(), kMailPorts.end(), port) != kMailPorts.end() ||
        server_.next_hop.ends_with(fmt::format("]:{}", port)))
      return ended(
          std::move(step), Fate::outside, address.text(),
          {telling_.say("source hands the mail of {} to port {} of {}, where its next hop is not",
                        address.text(), printable(port, 20), printable(relay.address, 80)),
           "a relay to a port of a mail server", place});
    return ended(std::move(step), Fate::source_queue, waiting,
                 {telling_.say("source keeps the mail of {} in its queue", address.text()),
                  "a relay to a closed port", place});
  }

  const World& world_;
  const OldStalwart& server_;
  const std::string& sender_;
  Telling telling_;
  bool* asks_sender_ = nullptr;
};

}  // namespace

std::string old_account_of(const Source& source, const Address& address) {
  const std::string base = lower_ascii(without_tag(address));
  if (source.mailboxes.contains(base)) return base;
  if (const auto alias = source.stalwart->names.find(base); alias != source.stalwart->names.end())
    return alias->second;
  const auto catch_all = source.catch_all.find(address.domain);
  const bool has_one = catch_all != source.catch_all.end() && !catch_all->second.empty();
  return has_one ? catch_all->second.front() : std::string();
}

std::vector<OldStep> steps_at_old_stalwart(const World& world, const std::string& recipient,
                                           const std::string& sender, const OldClient& client) {
  const Source& source = world.source;
  const Router router(world, sender, client);
  const Address address = parse_address(recipient);
  OldStep step;
  step.recipient = recipient;
  std::vector<OldStep> steps;
  const auto refused = [&](std::string_view why, const char* rule) {
    step.fate = Fate::refused;
    step.last = {fmt::format("source: 550 5.1.2 {} {}", why, address.text()), rule, {}};
    steps.push_back(std::move(step));
    return std::move(steps);
  };
  if (!client.is_queued && !is_domain_of(source, address.domain)) {
    if (!client.may_relay) return refused("Relay not allowed for", "session.rcpt.relay");
  } else if (!client.is_queued) {
    const auto list = source.aliases.find(lower_ascii(without_tag(address)));
    if (list != source.aliases.end()) {
      step.is_of_list = true;
      step.way.push_back({fmt::format("source expands the list {}", list->first), "", {}});
      for (const std::string& member : list->second) {
        OldStep each = step;
        each.recipient = lower_ascii(member);
        steps.push_back(router.route(std::move(each)));
      }
      return steps;
    }
    if (old_account_of(source, address).empty()) return refused("no mailbox", "");
  }
  steps.push_back(router.route(std::move(step)));
  return steps;
}

}  // namespace plan::flow
