#include "compiler/flow/at_source.h"

#include <algorithm>
#include <utility>

#include "compiler/flow/old_stalwart.h"
#include "compiler/source/text.h"

namespace plan::flow {

void AtSource::take(Copy& copy) {
  if (source_.stalwart) return take_at_old_stalwart(copy);
  if (copy.is_queued) return transport(copy);
  const Address address = parse_address(copy.recipient);
  const std::string lower = lower_ascii(copy.recipient);
  std::string untagged;
  const std::string& base = has_tag(address) ? (untagged = base_of(address)) : lower;
  const std::string& mailbox = is_name(lower) ? lower : base;
  if (source_.is_down)
    return journey_.defer(copy, mailbox, {"source does not answer, or has no room", "", {}});
  if (!may_submit(copy)) return;
  for (const std::string* name : {&lower, &base}) {
    const auto alias = source_.aliases.find(*name);
    if (alias != source_.aliases.end()) return expand(copy, *name, alias->second);
  }
  if (!source_.mailboxes.contains(mailbox)) {
    const auto catch_all = source_.catch_all.find(address.domain);
    if (catch_all != source_.catch_all.end())
      return expand(copy, "the catch-all of " + address.domain, catch_all->second);
  }
  transport(copy, address, mailbox);
}

/// Whoever has logged in; refuses the copy when he may not.
bool AtSource::may_submit(Copy& copy) {
  return !copy.is_first_hop || !copy.is_authenticated ||
         journey_.may_log_in(copy, source_.mailboxes, source_.not_logging_in);
}

bool AtSource::has_tag(const Address& address) const {
  return address.local.find_first_of(source_.tag_delimiters) != std::string::npos;
}

/// Without its tag.
std::string AtSource::base_of(const Address& address) const {
  return lower_ascii(without_tag(address, source_.tag_delimiters));
}

bool AtSource::is_name(const std::string& lower) const {
  return source_.mailboxes.contains(lower) || source_.aliases.contains(lower);
}

/// The name under which the source's maps have an address: as it is, else without its tag. A
/// delimiter may be a part of a name (`anna-maria`).
std::string AtSource::mailbox_of(const Address& address, const std::string& recipient) const {
  std::string lower = lower_ascii(recipient);
  if (!has_tag(address) || is_name(lower)) return lower;
  return base_of(address);
}

bool AtSource::is_own_domain(const std::string& domain) const {
  return source_.domains.contains(domain) ||
         std::any_of(source_.mailboxes.begin(), source_.mailboxes.end(),
                     [&](const std::string& mailbox) {
                       const std::size_t at = mailbox.rfind('@');
                       return at != std::string::npos &&
                              mailbox.compare(at + 1, std::string::npos, domain) == 0;
                     });
}

void AtSource::take_at_old_stalwart(Copy& copy) {
  copy.recipient = lower_ascii(copy.recipient);
  if (!copy.is_queued && source_.is_down)
    return journey_.defer(copy, copy.recipient, {"source does not answer", "", {}});
  if (!may_submit(copy)) return;
  const bool may_relay = copy.is_authenticated || source_.own_networks.contains(copy.client);
  const std::size_t expansion = journey_.next_expansion();
  for (OldStep& step : steps_at_old_stalwart(
           world_, copy.recipient, copy.sender,
           {copy.is_queued, may_relay, telling_.tells(), journey_.asks_sender()})) {
    Copy each = copy;
    each.recipient = step.recipient;
    if (step.is_of_list) {
      each.is_first_hop = false;
      each.expansion = expansion;
      each.is_expanded_at_source = true;
    }
    for (Hop& hop : step.way) telling_.add(each, std::move(hop));
    if (!step.fate) {
      journey_.hand_on(each);
    } else if (*step.fate == Fate::refused) {
      journey_.refuse(each, std::move(step.last));
    } else if (*step.fate == Fate::bounced) {
      journey_.bounce(each, std::move(step.last));
    } else {
      if (*step.fate == Fate::undecided) each.supposed = step.last;
      if (*step.fate == Fate::source_mailbox && !is_kept_by_script(each, step.mailbox)) continue;
      journey_.end(each, *step.fate, std::move(step.mailbox), std::move(step.last));
    }
  }
}

/// Sends on what a script of the mailbox does.
bool AtSource::is_kept_by_script(const Copy& copy, const std::string& mailbox) {
  const auto script = source_.redirects.find(mailbox);
  if (script == source_.redirects.end()) return true;
  SentOn sent = journey_.sent_on(copy, mailbox, script->second);
  for (Copy& each : sent.copies) journey_.follow_later(std::move(each));
  return sent.is_kept;
}

void AtSource::expand(Copy& copy, const std::string& name,
                      const std::vector<std::string>& members) {
  telling_.add(copy,
               {telling_.say("source expands {}", name), telling_.rule("virtual_alias_maps"), {}});
  copy.expansion = journey_.next_expansion();
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
      journey_.end(each, Fate::loop, "",
                   {telling_.say("source expands {} in a circle", member),
                    telling_.rule("virtual_alias_maps"),
                    {}});
      continue;
    }
    transport(each);
  }
}

void AtSource::transport(Copy& copy) {
  const Address address = parse_address(copy.recipient);
  transport(copy, address, mailbox_of(address, copy.recipient));
}

void AtSource::transport(Copy& copy, const Address& address, const std::string& base) {
  if (!source_.mailboxes.contains(base)) return take_without_mailbox(copy, address, base);
  const auto entry = source_.transport.find(base);
  const Span place = telling_.origin("transport", base);
  switch (entry == source_.transport.end() ? Transport::deliver : entry->second) {
    case Transport::deliver:
      if (!is_kept_by_script(copy, base)) return;
      return journey_.end(copy, Fate::source_mailbox, base,
                          {telling_.say("source delivers to {}", base),
                           telling_.rule("no entry in the transport map"), place});
    case Transport::hold:
      return journey_.end(copy, Fate::source_queue, base,
                          {telling_.say("source holds the mail of {} in its queue", base),
                           telling_.rule("transport map: a closed port"), place});
    case Transport::hold_retry:
      return hold_or_defer(copy, base, place);
    case Transport::forward:
      return forward(copy, address, base, place);
  }
}

/// What no mailbox has: an alias behind an alias, a name that nobody has, somebody elsewhere.
void AtSource::take_without_mailbox(Copy& copy, const Address& address, const std::string& base) {
  if (const auto alias = source_.aliases.find(base); alias != source_.aliases.end()) {
    for (const std::string& member : alias->second) {
      Copy each = copy;
      each.recipient = member;
      if (each.comes_to("S ", member)) transport(each);
    }
    return;
  }
  if (is_own_domain(address.domain))
    return journey_.refuse(copy, {telling_.say("source: 550 5.1.1 no mailbox {}", address.text()),
                                  telling_.rule("virtual_mailbox_maps"),
                                  {}});
  // What came by another name of its own is accepted already; a server that hands something on
  // is a client like any other.
  const bool may_relay =
      copy.is_authenticated || copy.is_queued || source_.own_networks.contains(copy.client);
  if (!may_relay)
    return journey_.refuse(
        copy, {telling_.say("source: 554 5.7.1 Relay access denied for {}", address.text()),
               std::string(kRelayRule),
               {}});
  journey_.end(copy, Fate::outside, address.text(),
               {telling_.say("source sends to the MX of {}", address.domain), "", {}});
}

/// smtpd looks the transport up when a session asks for it; an address that is mapped to itself,
/// what the server makes and what is queued already never come there.
void AtSource::hold_or_defer(Copy& copy, const std::string& base, Span place) {
  const bool is_made_here = copy.is_authenticated && !copy.is_first_hop;
  const bool is_accepted = copy.is_queued || is_made_here ||
                           (copy.is_first_hop && journey_.letter().is_open_session) ||
                           source_.aliases.contains(base);
  Hop hop{is_accepted ? telling_.say("source keeps the mail of {}", base)
                      : telling_.say("source: 450 4.3.0 for {}", base),
          telling_.rule("transport map: `retry:`"), place};
  if (is_accepted) return journey_.end(copy, Fate::source_queue, base, std::move(hop));
  journey_.defer(copy, base, std::move(hop));
}

void AtSource::forward(Copy& copy, const Address& address, const std::string& base, Span place) {
  if (const auto to = source_.forwards_elsewhere.find(base);
      to != source_.forwards_elsewhere.end()) {
    return journey_.leave_undecided(
        copy, {telling_.say("source hands {} to {}", address.text(), printable(to->second, 80)),
               std::string(kAnotherMachine), place});
  }
  telling_.add(copy, {telling_.say("source forwards {} to the target", address.text()),
                      "transport map", place});
  journey_.hand_on(copy);
}

}  // namespace plan::flow
