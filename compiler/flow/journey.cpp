#include "compiler/flow/journey.h"

#include "compiler/source/text.h"

namespace plan::flow {

namespace {

constexpr std::size_t kCopiesMax = 10'000;
constexpr std::string_view kOutsideClient = "203.0.113.77";  // somebody (RFC 5737)
constexpr std::string_view kOutsideSender = "somebody@outside.test";

}  // namespace

Copy Journey::first() const {
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

std::optional<Copy> Journey::next() {
  if (next_ >= waiting_.size() || deliveries_.size() > kCopiesMax) return std::nullopt;
  return std::move(waiting_[next_++]);
}

/// Two members of one list may be one mailbox. Postfix delivers once for each address that it
/// was given; the target drops what is in the Inbox already (split-delivery.md section 6).
bool Journey::is_second_of_expansion(const Copy& copy, Fate fate, const std::string& mailbox) {
  const bool is_told_apart = fate == Fate::target_mailbox || copy.is_expanded_at_source;
  if (copy.expansion == 0 || mailbox.empty() || !is_told_apart) return false;
  return !expanded_to_.insert({copy.expansion, fate, mailbox}).second;
}

void Journey::end(Copy& copy, Fate fate, std::string mailbox, Hop hop) {
  if (is_second_of_expansion(copy, fate, mailbox)) return;
  telling_.add(copy, std::move(hop));
  deliveries_.push_back({fate, std::move(mailbox), std::move(copy.hops), std::move(copy.supposed)});
}

void Journey::refuse(Copy& copy, Hop hop) {
  if (copy.is_first_hop) return end(copy, Fate::refused, "", std::move(hop));
  bounce(copy, std::move(hop));
}

void Journey::bounce(Copy& copy, Hop hop) {
  const Fate fate = copy.sender.empty() ? Fate::discarded : Fate::bounced;
  end(copy, fate, "", std::move(hop));
}

void Journey::defer(Copy& copy, std::string mailbox, Hop hop) {
  const Fate fate = copy.is_first_hop   ? Fate::deferred
                    : copy.is_at_target ? Fate::source_queue
                                        : Fate::target_queue;
  end(copy, fate, std::move(mailbox), std::move(hop));
}

void Journey::leave_undecided(Copy& copy, Hop hop) {
  copy.supposed = hop;
  end(copy, Fate::undecided, "", std::move(hop));
}

void Journey::hand_on(Copy& copy) {
  copy.client = copy.is_at_target ? world_.target_address : world_.source_address;
  copy.is_at_target = !copy.is_at_target;
  copy.is_authenticated = false;
  copy.is_first_hop = false;
  copy.is_queued = false;
  waiting_.push_back(std::move(copy));
}

bool Journey::may_log_in(Copy& copy, const std::set<std::string>& accounts,
                         const std::set<std::string>& closed) {
  if (letter_.login.empty()) return true;
  const std::string login = lower_ascii(letter_.login);
  if (accounts.contains(login) && !closed.contains(login)) return true;
  const std::string_view server = copy.is_at_target ? "target" : "source";
  refuse(copy, {telling_.say("{}: 535 {} may not log in", server, login), "", {}});
  return false;
}

SentOn Journey::sent_on(const Copy& copy, const std::string& account,
                        const std::vector<Redirect>& redirects) const {
  SentOn sent;
  if (copy.redirected.contains(account)) return sent;
  sent.is_kept = false;
  for (const Redirect& redirect : redirects) {
    sent.is_kept = sent.is_kept || redirect.keeps_copy;
    const std::string to = lower_ascii(redirect.to);
    if (to == account || copy.redirected.contains(to)) continue;
    Copy& each = sent.copies.emplace_back(copy);
    each.redirected.insert(account);
    each.seen.clear();
    each.sender = account;
    each.is_first_hop = false;
    each.is_expanded_at_source = false;
    each.is_authenticated = !copy.is_at_target;
    each.is_queued = false;
    each.recipient = redirect.to;
    telling_.add(each, {telling_.say("the script of {} redirects to {}", account, redirect.to),
                        "Sieve redirect",
                        {}});
  }
  return sent;
}

}  // namespace plan::flow
