#include "compiler/flow/model.h"

#include <algorithm>
#include <deque>

#include <fmt/format.h>

#include "compiler/schema/formats.h"
#include "compiler/schema/mta_container.h"
#include "compiler/source/text.h"

namespace plan::flow {

std::string_view to_string(Entry entry) {
  switch (entry) {
    case Entry::target_25:
      return "target:25";
    case Entry::target_submission:
      return "target submission";
    case Entry::source_25:
      return "source:25";
    case Entry::source_submission:
      return "source submission";
  }
  return "";
}

std::string_view to_string(Fate fate) {
  switch (fate) {
    case Fate::target_mailbox:
      return "mailbox on the target";
    case Fate::source_mailbox:
      return "mailbox on the source";
    case Fate::source_queue:
      return "queue of the source";
    case Fate::target_queue:
      return "queue of the target";
    case Fate::outside:
      return "outside";
    case Fate::refused:
      return "refused at RCPT";
    case Fate::deferred:
      return "deferred at RCPT";
    case Fate::bounced:
      return "bounced";
    case Fate::discarded:
      return "discarded";
    case Fate::loop:
      return "loop";
    case Fate::public_mx:
      return "public MX";
    case Fate::undecided:
      return "undecided";
  }
  return "";
}

namespace {

constexpr std::size_t kCopiesMax = 10'000;

struct Address {
  std::string local;
  std::string domain;  // lower case
  [[nodiscard]] std::string text() const { return local + "@" + domain; }
};

[[nodiscard]] Address parse(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, at)), lower_ascii(text.substr(at + 1))};
}

/// The address without its tag: `user+tag@x` -> `user@x`.
[[nodiscard]] std::string without_tag(const Address& address) {
  const std::size_t plus = address.local.find('+');
  if (plus == std::string::npos || plus == 0) return address.text();
  return address.local.substr(0, plus) + "@" + address.domain;
}

/// One copy on its way.
struct Copy {
  bool is_at_target = false;
  bool is_authenticated = false;
  bool is_first_hop = true;  // from a client or from outside: a refusal is the sender's
  std::string recipient;
  std::vector<std::string> hops;
  std::set<std::string> seen;
};

class Journey {
 public:
  Journey(const World& world, const Letter& letter) : world_(world), letter_(letter) {}

  std::vector<Delivery> run() {
    Copy first;
    first.is_at_target =
        letter_.entry == Entry::target_25 || letter_.entry == Entry::target_submission;
    first.is_authenticated =
        letter_.entry == Entry::target_submission || letter_.entry == Entry::source_submission;
    first.recipient = letter_.recipient;
    copies_.push_back(std::move(first));
    while (!copies_.empty()) {
      Copy copy = std::move(copies_.front());
      copies_.pop_front();
      if (deliveries_.size() > kCopiesMax) break;
      // The same server with the same recipient again: nothing has changed, so it goes round for
      // ever.
      if (!copy.seen.insert((copy.is_at_target ? "T " : "S ") + lower_ascii(copy.recipient))
               .second) {
        end(std::move(copy), Fate::loop, "", "goes round until both servers count too many hops");
        continue;
      }
      if (copy.is_at_target) {
        at_target(std::move(copy));
      } else {
        at_source(std::move(copy));
      }
    }
    return std::move(deliveries_);
  }

 private:
  void end(Copy copy, Fate fate, std::string mailbox, std::string_view words) {
    copy.hops.emplace_back(words);
    deliveries_.push_back({fate, std::move(mailbox), std::move(copy.hops)});
  }

  /// A refusal at RCPT: of the client, or of the other server, which then tells the sender.
  void refuse(Copy copy, std::string_view words) {
    if (copy.is_first_hop) return end(std::move(copy), Fate::refused, "", words);
    bounce(std::move(copy), words);
  }

  void bounce(Copy copy, std::string_view words) {
    end(std::move(copy), letter_.has_null_sender ? Fate::discarded : Fate::bounced, "", words);
  }

  // --- target
  // -------------------------------------------------------------------------------------------------------

  [[nodiscard]] std::string account_of(const std::string& lower) const {
    if (world_.target.accounts.contains(lower)) return lower;
    const auto alias = world_.target.aliases.find(lower);
    return alias == world_.target.aliases.end() ? std::string() : alias->second;
  }

  void at_target(Copy copy) {
    const Target& target = world_.target;
    Address address = parse(copy.recipient);
    const auto domain = target.domains.find(address.domain);
    if (domain == target.domains.end()) {
      if (!copy.is_authenticated && !relays_for_strangers(address)) {
        return refuse(std::move(copy),
                      fmt::format("target: 550 5.1.2 Relay not allowed for {}", address.text()));
      }
      return queue(std::move(copy), address);
    }
    const std::string lower = lower_ascii(address.text());
    if (const auto list = target.lists.find(lower); list != target.lists.end()) {
      copy.hops.push_back(fmt::format("target expands the list {}", lower));
      for (const std::string& member : list->second) {
        if (member == lower) continue;  // its own address is skipped
        Copy each = copy;
        each.is_first_hop = false;
        queue(std::move(each), parse(member));
      }
      return;
    }
    if (account_of(lower).empty()) {
      const std::string base = lower_ascii(without_tag(address));
      if (base != lower && !account_of(base).empty()) {
        // Sub-addresses of an account that exists lose their tag here, wherever the message goes
        // then.
        address = parse(base);
      } else if (!domain->second.catch_all.empty()) {
        copy.hops.push_back(
            fmt::format("target: the catch-all of {} takes {}", address.domain, address.text()));
        address = parse(domain->second.catch_all);
      } else if (!domain->second.allows_relaying) {
        return refuse(std::move(copy),
                      fmt::format("target: 550 5.1.2 Mailbox does not exist: {}", address.text()));
      }
    }
    queue(std::move(copy), address);
  }

  [[nodiscard]] bool relays_for_strangers(const Address& address) const {
    if (!world_.target.relay_rule) return false;
    schema::MtaEnvironment environment = environment_for(address);
    const auto variable = environment.variable;
    environment.variable = [variable](std::string_view name) -> ir::Value {
      if (name == "remote_ip") return "203.0.113.77";  // somebody outside (RFC 5737)
      if (name == "local_port") return 25;
      if (name == "authenticated_as") return "";
      return variable(name);
    };
    const auto answer = world_.target.relay_rule->evaluate(environment);
    return answer && schema::is_true(*answer);
  }

  [[nodiscard]] schema::MtaEnvironment environment_for(const Address& address) const {
    schema::MtaEnvironment environment;
    environment.variable = [address, this](std::string_view name) -> ir::Value {
      if (name == "rcpt") return address.text();
      if (name == "rcpt_domain") return address.domain;
      if (name == "sender") return letter_.has_null_sender ? "" : "somebody@outside.test";
      if (name == "sender_domain") return letter_.has_null_sender ? "" : "outside.test";
      if (name == "retry_num" || name == "notify_num") return 0;
      return {};
    };
    const Target& target = world_.target;
    environment.call = [&target](
                           std::string_view name,
                           const std::vector<ir::Value>& arguments) -> std::optional<ir::Value> {
      const std::string first = arguments.empty() ? "" : schema::text_of(arguments[0]);
      if (name == "is_local_domain") return ir::Value(target.domains.contains(first));
      // Compared exactly: the caller lower-cases, or a sender's capitals take the mail elsewhere.
      if (name == "is_local_address") {
        return ir::Value(target.accounts.contains(first) || target.aliases.contains(first) ||
                         target.lists.contains(first));
      }
      if (name == "key_exists") {
        const auto set = target.keys.find(first);
        if (set == target.keys.end()) return ir::Value(false);  // an unknown name is no error
        const std::string key = schema::text_of(arguments[1]);
        const std::size_t at = key.rfind('@');
        const bool is_glob = at != std::string::npos && set->second.contains("*" + key.substr(at));
        return ir::Value(is_glob || set->second.contains(key));
      }
      return std::nullopt;
    };
    return environment;
  }

  void queue(Copy copy, const Address& address) {
    const Target& target = world_.target;
    const schema::MtaEnvironment environment = environment_for(address);
    std::string name;
    if (target.route) {
      const auto chosen = target.route->choose(environment);
      if (!chosen)
        return end(std::move(copy), Fate::undecided, "", "target: " + chosen.error().message());
      name = schema::text_of(chosen->value);
    } else {
      name = target.domains.contains(address.domain) ? "local" : "mx";
    }
    copy.hops.push_back(
        fmt::format("target routes {} by `{}`", address.text(), printable(name, 40)));
    TargetRoute route;
    if (const auto found = target.routes.find(name); found != target.routes.end()) {
      route = found->second;
    } else if (name == "local") {
      route.kind = TargetRoute::Kind::local;
    } else if (name != "mx") {
      copy.hops.push_back(fmt::format("target has no route `{}` and falls back to the public MX",
                                      printable(name, 40)));
    }
    switch (route.kind) {
      case TargetRoute::Kind::local: {
        const std::string account = account_of(lower_ascii(address.text()));
        if (account.empty())
          return bounce(std::move(copy), fmt::format("target has no account {}", address.text()));
        return end(std::move(copy), Fate::target_mailbox, account,
                   fmt::format("target delivers to {}", account));
      }
      case TargetRoute::Kind::mx:
        if (target.domains.contains(address.domain)) {
          return end(std::move(copy), Fate::public_mx, "",
                     fmt::format("target looks for the MX of its own domain {}", address.domain));
        }
        return end(std::move(copy), Fate::outside, address.text(),
                   fmt::format("target sends to the MX of {}", address.domain));
      case TargetRoute::Kind::relay:
        if (schema::is_loopback_address(route.address)) {
          return bounce(
              std::move(copy),
              fmt::format("target: the relay address {} is a loopback address", route.address));
        }
        copy.is_at_target = false;
        copy.is_authenticated = false;
        copy.is_first_hop = false;
        copy.recipient = address.text();
        copies_.push_back(std::move(copy));
        return;
    }
  }

  // --- source
  // -------------------------------------------------------------------------------------------------------

  void at_source(Copy copy) {
    const Source& source = world_.source;
    const Address address = parse(copy.recipient);
    const std::string lower = lower_ascii(address.text());
    const std::string base = lower_ascii(without_tag(address));
    for (const std::string& name : {lower, base}) {
      const auto alias = source.aliases.find(name);
      if (alias == source.aliases.end()) continue;
      copy.hops.push_back(fmt::format("source expands {}", name));
      for (const std::string& member : alias->second) {
        Copy each = copy;
        each.recipient = member;
        // Expanded inside one server: the same address may come again only by another way.
        if (!each.seen.insert("S " + lower_ascii(member)).second) {
          end(std::move(each), Fate::loop, "",
              fmt::format("source expands {} in a circle", member));
          continue;
        }
        transport(std::move(each));
      }
      return;
    }
    transport(std::move(copy));
  }

  void transport(Copy copy) {
    const Source& source = world_.source;
    const Address address = parse(copy.recipient);
    const std::string base = lower_ascii(without_tag(address));
    if (!source.mailboxes.contains(base)) {
      if (const auto alias = source.aliases.find(base); alias != source.aliases.end()) {
        for (const std::string& member : alias->second) {
          Copy each = copy;
          each.recipient = member;
          if (each.seen.insert("S " + lower_ascii(member)).second) transport(std::move(each));
        }
        return;
      }
      const bool is_own = std::any_of(
          source.mailboxes.begin(), source.mailboxes.end(),
          [&](const std::string& mailbox) { return parse(mailbox).domain == address.domain; });
      if (!is_own && (copy.is_authenticated || !copy.is_first_hop)) {
        return end(std::move(copy), Fate::outside, address.text(),
                   fmt::format("source sends to the MX of {}", address.domain));
      }
      return refuse(std::move(copy),
                    fmt::format("source: 550 5.1.1 no mailbox {}", address.text()));
    }
    const auto entry = source.transport.find(base);
    switch (entry == source.transport.end() ? Transport::deliver : entry->second) {
      case Transport::deliver:
        return end(std::move(copy), Fate::source_mailbox, base,
                   fmt::format("source delivers to {}", base));
      case Transport::hold:
        return end(std::move(copy), Fate::source_queue, base,
                   fmt::format("source holds the mail of {} in its queue", base));
      case Transport::hold_retry:
        if (copy.is_first_hop)
          return end(std::move(copy), Fate::deferred, base,
                     fmt::format("source: 450 4.3.0 for {}", base));
        return end(std::move(copy), Fate::target_queue, base,
                   fmt::format("source: 450 4.3.0 for {}, the target keeps it", base));
      case Transport::forward:
        copy.hops.push_back(fmt::format("source forwards {} to the target", address.text()));
        copy.is_at_target = true;
        copy.is_authenticated = false;
        copy.is_first_hop = false;
        copies_.push_back(std::move(copy));
        return;
    }
  }

  const World& world_;
  const Letter& letter_;
  std::deque<Copy> copies_;
  std::vector<Delivery> deliveries_;
};

}  // namespace

std::vector<Delivery> deliver(const World& world, const Letter& letter) {
  return Journey(world, letter).run();
}

}  // namespace plan::flow
