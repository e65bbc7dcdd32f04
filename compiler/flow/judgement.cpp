#include "compiler/flow/judgement.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "compiler/flow/at_source.h"

namespace plan::flow {
namespace {

[[nodiscard]] bool is_kept(const Delivery& delivery) {
  return delivery.fate == Fate::source_queue || delivery.fate == Fate::target_queue ||
         delivery.fate == Fate::deferred;
}

/// A login is wanted of whoever brings it. Where nobody tells the way of a message this is not
/// known, and nobody asks for the kind of its failure.
[[nodiscard]] bool is_asked_to_log_in(const Delivery& delivery) {
  return !delivery.hops.empty() && delivery.hops.back().rule == kLoginRule;
}

/// An end that is wrong whoever reads.
Judged judge_end(const Letter& letter, const Delivery& delivery, const Expected& expected) {
  switch (delivery.fate) {
    case Fate::loop:
      return Failure{"loop", delivery,
                     fmt::format("mail for {} goes round between the two servers until it bounces",
                                 letter.recipient)};
    case Fate::public_mx:
      if (!delivery.mailbox.empty())
        return Failure{
            "public", delivery,
            fmt::format("mail for {} leaves the target by `{}`, a route that no step makes",
                        letter.recipient, delivery.mailbox)};
      return Failure{"public", delivery,
                     fmt::format("mail for {} is sent to the public MX", letter.recipient)};
    case Fate::undecided:
      return Failure{"undecided", delivery,
                     fmt::format("where mail for {} goes cannot be told", letter.recipient)};
    case Fate::refused:
    case Fate::bounced:
    case Fate::discarded:
      if (!expected.is_alone) return std::nullopt;
      return Failure{is_asked_to_log_in(delivery) ? "port 25" : "lost", delivery,
                     fmt::format("mail for {} is {}", letter.recipient, to_string(delivery.fate))};
    default:
      break;
  }
  if (expected.is_settled && is_kept(delivery) && delivery.mailbox == expected.account)
    return Failure{"waits", delivery,
                   fmt::format("mail for {} still waits when all steps of its move are done",
                               letter.recipient)};
  return std::nullopt;
}

Judged judge_side(const Delivery& delivery, const Reader& reader, const Expected& expected) {
  const bool is_target = delivery.fate == Fate::target_mailbox;
  if (is_target == (reader.side == Reader::Side::target)) return std::nullopt;
  const bool is_own = reader.address == expected.account;
  if (is_target) {
    return Failure{
        "premature", delivery,
        is_own ? fmt::format("mail for {} reaches the target before its mailbox is copied",
                             reader.address)
               : fmt::format("mail for an account that has not moved ({}) reaches the target",
                             reader.address)};
  }
  return Failure{
      "stale", delivery,
      is_own ? fmt::format("mail for {} reaches the old mailbox after the last copy of it was made",
                           reader.address)
             : fmt::format("mail for an account that has moved ({}) reaches its old mailbox",
                           reader.address)};
}

}  // namespace

bool Reader::is_reached(const Delivery& delivery) const {
  if (delivery.mailbox != address) return false;
  if (side == Side::outside) return delivery.fate == Fate::outside;
  return delivery.fate == Fate::target_mailbox || delivery.fate == Fate::source_mailbox;
}

Reader reads_at(std::string address, bool is_target, std::string_view whose) {
  return {std::move(address), is_target ? Reader::Side::target : Reader::Side::source, whose};
}

Judged judge_letter(const Letter& letter, const std::vector<Delivery>& deliveries,
                    std::span<const Reader> readers, const Expected& expected) {
  bool is_waiting = false;
  for (const Delivery& delivery : deliveries) {
    if (Judged wrong = judge_end(letter, delivery, expected)) return wrong;
    is_waiting = is_waiting || is_kept(delivery);
    for (const Reader& reader : readers) {
      if (reader.side == Reader::Side::outside || !reader.is_reached(delivery)) continue;
      if (Judged wrong = judge_side(delivery, reader, expected)) return wrong;
    }
  }
  for (std::size_t i = 0; i < readers.size(); ++i) {
    const std::string& address = readers[i].address;
    const auto copies =
        std::count_if(deliveries.begin(), deliveries.end(), [&](const Delivery& delivery) {
          return readers[i].is_reached(delivery) ||
                 (is_kept(delivery) && delivery.mailbox == address);
        });
    const auto before = expected.copies_before.find(address);
    const std::size_t copies_max =
        before == expected.copies_before.end() ? 1 : std::max<std::size_t>(before->second, 1);
    if (copies >= 1 && static_cast<std::size_t>(copies) <= copies_max) continue;
    // What waits has not come to the script or list that sends it on.
    if (copies == 0 && is_waiting && i > 0) continue;
    Failure failure;
    if (!deliveries.empty()) failure.delivery = deliveries.front();
    failure.what = copies == 0 ? "lost" : "twice";
    failure.claim =
        copies == 0
            ? fmt::format("mail for {} does not reach {}", letter.recipient, address)
            : fmt::format("{} gets a message to {} {} times", address, letter.recipient, copies);
    return failure;
  }
  return std::nullopt;
}

Judged judge_unknown(const std::vector<Delivery>& deliveries) {
  for (const Delivery& delivery : deliveries) {
    if (delivery.fate == Fate::loop)
      return Failure{"loop", delivery,
                     "mail for an address that nobody has goes round between the two servers"};
  }
  return std::nullopt;
}

Judged judge_foreign(Entry entry, const std::vector<Delivery>& deliveries) {
  const bool is_port_25 = entry == Entry::target_25 || entry == Entry::source_25;
  for (const Delivery& delivery : deliveries) {
    if (delivery.fate == (is_port_25 ? Fate::refused : Fate::outside)) continue;
    if (is_port_25 && delivery.fate == Fate::undecided)
      return Failure{"undecided", delivery,
                     fmt::format("whether the {} relays mail of strangers cannot be told",
                                 is_at_target(entry) ? "target" : "source")};
    if (is_port_25)
      return Failure{"relay", delivery,
                     fmt::format("the {} relays mail of strangers",
                                 is_at_target(entry) ? "target" : "source")};
    if (delivery.fate == Fate::undecided)
      return Failure{"undecided", delivery, "where mail to another domain goes cannot be told"};
    return Failure{"foreign", delivery,
                   fmt::format("mail to another domain ends as: {}", to_string(delivery.fate))};
  }
  return std::nullopt;
}

Judged judge_unmeasured_domain(Entry entry, const std::vector<Delivery>& deliveries) {
  Judged judged = judge_foreign(entry, deliveries);
  if (!judged || judged->what != "foreign") return judged;
  Delivery& delivery = judged->delivery;
  const std::vector<Hop>& hops = delivery.hops;
  if (hops.empty() || hops.back().rule != kRelayRule) return judged;
  judged->what = "relayed";
  judged->is_supposed = true;
  // What can be changed is the condition that sends it there.
  if (!delivery.supposed && hops.size() > 1) delivery.supposed = hops[hops.size() - 2];
  return judged;
}

Judged judge_domain_of_target(const std::vector<Delivery>& deliveries) {
  for (const Delivery& delivery : deliveries) {
    if (delivery.fate == Fate::target_mailbox) continue;
    if (delivery.fate == Fate::undecided)
      return Failure{"undecided", delivery,
                     "where mail for a domain that lives only on the target goes cannot be told"};
    if (is_asked_to_log_in(delivery))
      return Failure{"port 25", delivery,
                     fmt::format("mail for a domain that lives only on the target is {}",
                                 to_string(delivery.fate))};
    return Failure{"own", delivery,
                   "mail for a domain that lives only on the target is sent away from it"};
  }
  return std::nullopt;
}

Judged judge_domain_of_source(Entry entry, const std::vector<Delivery>& deliveries) {
  std::vector<Delivery> others;
  std::copy_if(deliveries.begin(), deliveries.end(), std::back_inserter(others),
               [](const Delivery& delivery) { return delivery.fate != Fate::source_mailbox; });
  return judge_foreign(entry, others);
}

std::string_view remedy_for(std::string_view what) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 21> kRemedies = {{
      {"premature",
       "let the target keep this mail only behind the last copy (`archive.delta`): by a key "
       "(`admin.keys`) that the route expression asks for, and no catch-all"},
      {"stale",
       "hold the mail at the source (`postfix.hold`, `source.hold`) in front of the last copy, and "
       "forward it (`postfix.forward`, `source.forward`) behind the key"},
      {"loop",
       "set the key on the target (`admin.keys`) before the source forwards "
       "(`postfix.forward`, `source.forward`), and take it away only when the route expression "
       "asks for it no more"},
      {"tag",
       "give the domain a rule of its own for tags on the target before the first wave "
       "(`Domain.subAddressing` of type Custom)"},
      {"waits",
       "let the step that forwards (`postfix.forward`, `source.forward`) follow the one that holds "
       "the mail of this account"},
      {"lost",
       "let the target take what it does not know (`allowRelaying`) until everybody has moved, "
       "and give a key to what only the target has"},
      {"member",
       "let the list have everybody who is on it at the source: `members = list.members`, or all "
       "of them in `recipients`; who has to go leaves it at the source first, and `plan fetch` "
       "reads it again"},
      {"alias",
       "let the step that makes the account have every name that it has at the source: `aliases = "
       "account.aliases`; a name that has to go goes at the source first, and `plan fetch` reads "
       "it "
       "again"},
      {"named twice",
       "let the list name each account once, at the source, where nobody gets less by it, and run "
       "`plan fetch`: the source gives one copy to whom a list names by two of his names, and the "
       "target sends one to each name"},
      {"unready",
       "let the step that makes the domain on the target stand behind the reload of the route "
       "expression (`after = [target/reload]`, as in std/split-delivery; of a plan of stalwart-cli "
       "by a step of yours behind `target/domain/{}` and `before` it): it takes effect at once"},
      {"public",
       "let a condition `is_local_domain(rcpt_domain)` give `'local'` in front of what sends mail "
       "out, and make the routes that are named"},
      {"relay", "leave MtaStageRcpt.allowRelaying as the server has it"},
      {"foreign",
       "let mail to others go the way that it went before: `prior.route_arms` and "
       "`prior.route_else` behind the conditions of the plan's domains"},
      {"own",
       "name the domains of the plan in the route expression (`domain_conditions`), and let "
       "`is_local_domain(rcpt_domain)` give `'local'` behind them"},
      {"login",
       "open the account (`admin.account-open`) behind its last copy and in front of the release; "
       "not at all for who is locked out"},
      {"left",
       "let the move make its last copy by `archive.delta`, whose undo carries back what came to "
       "the target since"},
      {"port 25",
       "want no login of servers, which have none: `MtaStageAuth.require` with `local_port != 25`, "
       "as the server has it"},
      {"twice", "let one server alone send on: not a list and a forward of the same address"},
      {"unread",
       "write the expression as the target reads it; `plan admin describe` of the object shows "
       "what it may name"},
      {"unread at the source",
       "write the whole expression as one of `blocks`, as the old server reads it: "
       "`source/route` of std/stalwart-source (`plan explain std/stalwart-source`) is one that "
       "works"},
      {"unproved", "give the account's steps an order (`after`), or fewer steps"},
  }};
  for (const auto& [name, remedy] : kRemedies) {
    if (name == what) return remedy;
  }
  return {};
}

}  // namespace plan::flow
