// What the proof found, as diagnostics and as text: an example that goes wrong for sure is an error
// of the plan, and what is only supposed, or was left out, is not proved (check/unproved_mail.h).
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "compiler/check/unproved_mail.h"
#include "compiler/flow/at_target.h"
#include "compiler/flow/judgement.h"
#include "compiler/flow/proof.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

void report_left_out(const LeftOut& left_out, Span place, Sink& sink) {
  if (left_out.accounts == 0) return;
  check::UnprovedMail one;
  one.place = place;
  one.claim = fmt::format("the mail flow of {} account{} in {} domain{} is not proved",
                          show_count(left_out.accounts), left_out.accounts == 1 ? "" : "s",
                          show_count(left_out.domains), left_out.domains == 1 ? "" : "s");
  one.label = fmt::format("among them {}", fmt::join(left_out.examples, ", "));
  one.remedy =
      "they differ in too many ways: treat domains and accounts alike, or move them by several "
      "plans";
  check::report_unproved(std::move(one), sink)
      .argument("accounts", std::to_string(left_out.accounts))
      .argument("domains", std::to_string(left_out.domains));
}

/// Where a person can change what is wrong: the step that makes the state, or the expression that
/// only the target can answer.
Span place_of(const Counterexample& example, Span fallback) {
  const auto& supposed = example.delivery.supposed;
  if (example.is_supposed && supposed && supposed->origin.is_known()) return supposed->origin;
  return example.origin.is_known() ? example.origin : fallback;
}

[[nodiscard]] std::string_view remedy_for_way_back(const Counterexample& example) {
  if (example.what == "left" || example.what == "named twice") return remedy_for(example.what);
  if (!example.stays.empty())
    return "an account's move goes back as a whole, and nothing else with it: make this a step of "
           "the account's row with the role of the move (`role = held`)";
  return "an account that has lived on the target stays there when its steps are undone, and what "
         "was loaded stays loaded: write what decides where its mail goes in front of the rollback "
         "point";
}

/// It hangs on what a route does that the target has of its own.
[[nodiscard]] bool is_of_route(const Counterexample& example) {
  return example.delivery.fate == Fate::public_mx && !example.delivery.mailbox.empty();
}

/// It hangs on a machine that is none of the plan's.
[[nodiscard]] bool is_of_machine(const Counterexample& example) {
  const auto& supposed = example.delivery.supposed;
  return supposed && supposed->rule == kAnotherMachine;
}

/// Somebody else than the recipient, for whom a condition on its way asks; empty: nobody.
[[nodiscard]] std::string others_of(const Counterexample& example) {
  const auto& supposed = example.delivery.supposed;
  return supposed ? printable(supposed->others, 80) : std::string();
}

/// What is not proved of an example that is only supposed to go wrong.
[[nodiscard]] check::UnprovedMail unproved_of(const Counterexample& example, Span place) {
  const std::string not_proved = fmt::format("not proved: {}", example.claim);
  if (example.what == "plus")
    return {place, example.claim, "what becomes of its mail in the move is not proved",
            "the target has the whole name: tell who writes to it a name without `+`, an alias of "
            "the account, before the move; where nobody does, silence this with that as the "
            "reason"};
  if (example.what == "sender")
    return {place, not_proved, "it asks who sends",
            fmt::format("name somebody in the expression, or write its pattern without look-ahead "
                        "and named classes; or {}",
                        check::kTryIt)};
  if (example.what == "spelling")
    return {place, not_proved, "it asks how a name is written",
            fmt::format("ask for many tags by one pattern (`matches('[+](sales|news)@', rcpt)`), "
                        "and for a name in lower case (`to_lowercase(rcpt)`); or {}",
                        check::kTryIt)};
  if (example.what == "relayed")
    return {place, not_proved + ", unless the source takes this domain",
            "which domains it relays, or takes without a mailbox, is not measured",
            fmt::format("`plan fetch` knows of the source the domains of its mailboxes and aliases "
                        "alone: if it takes this one (`relay_domains`, `mydestination`), {}; if "
                        "not, {}",
                        check::kTryIt, remedy_for("foreign"))};
  if (is_of_route(example))
    return {place, not_proved + ", unless that route keeps it",
            "what this route does only the target knows",
            fmt::format("{}; where the expression is the target's own, change it there, and "
                        "`plan fetch` reads it again",
                        remedy_for("public"))};
  if (is_of_machine(example))
    return {place, not_proved, "what this machine does with it only it knows",
            "write the plan's own address of the server that it is for; if a relay stands in front "
            "of it, try it with a message of your own, and silence this line with that as the "
            "reason"};
  const auto& supposed = example.delivery.supposed;
  if (supposed && supposed->rule == kLoginRule)
    return {place, not_proved, "whether the target wants a login of it only the target can tell",
            fmt::format("ask in `{}` for `local_port` alone, and want none at port 25; or {}",
                        kLoginRule, check::kTryIt)};
  if (supposed && supposed->rule == kRelayRuleOfTarget)
    return {place, not_proved, "it asks for what nobody but the target can tell",
            fmt::format("leave `{}` as the server has it, or ask in it for `remote_ip` and "
                        "`authenticated_as` alone; or {}",
                        kRelayRuleOfTarget, check::kTryIt)};
  const bool is_known = example.delivery.fate != Fate::undecided;
  if (const std::string others = others_of(example); !others.empty())
    return {place,
            is_known ? fmt::format("{}, at some time in the move of `{}`", not_proved, others)
                     : example.claim,
            fmt::format("it asks for `{}`, which is not who the message is for", others),
            "ask for the recipient's own key (`rcpt`): how far the move of somebody else is by "
            "then is not followed; or put the conditions of the plan's domains in front of this "
            "one"};
  return {place, is_known ? not_proved + ", if the target says so" : example.claim,
          "it asks for what nobody but the target can tell",
          "put the conditions of the plan's domains in front of this one, or ask in it for nothing "
          "but `rcpt`, `rcpt_domain`, `sender`, `sender_domain` and keys; a condition that the "
          "target has of its own is changed there, and `plan fetch` reads it again"};
}

[[nodiscard]] std::string label_of(const Counterexample& example) {
  if (example.what.starts_with("unread")) return "where mail goes behind this step cannot be told";
  if (!example.undone.empty()) {
    const std::string label = fmt::format("when `{}` is undone", example.undone);
    return example.stays.empty() ? label : fmt::format("{} and `{}` is not", label, example.stays);
  }
  if (example.done.empty()) return {};
  std::string label = fmt::format("when `{}` is done", example.done.back());
  if (!example.next.empty()) label += fmt::format(" and `{}` is not", example.next);
  return label;
}

Sink::Report report_claim(const Counterexample& example, Span place, Sink& sink) {
  if (example.is_supposed) return check::report_unproved(unproved_of(example, place), sink);
  auto report = sink.report(Kind::mail_flow, place, example.claim);
  report.label(label_of(example));
  // Nothing is lost or late, and on the way there everybody gets it once.
  if (example.what == "named twice" && !example.undone.empty()) report.severity(Severity::warning);
  const std::string_view remedy =
      example.undone.empty() ? remedy_for(example.what) : remedy_for_way_back(example);
  if (!remedy.empty()) report.help(std::string(remedy));
  return report;
}

/// "a message to a@x comes in at target:25", with the sender where a rule asks for him.
[[nodiscard]] std::string coming_in(const Counterexample& example) {
  const Letter& letter = example.letter;
  std::string text =
      fmt::format("a message to {} comes in at {}", letter.recipient, to_string(letter.entry));
  if (letter.has_null_sender) text += ", without a sender";
  const auto& hops = example.delivery.hops;
  const bool is_asked = std::any_of(hops.begin(), hops.end(), [](const Hop& hop) {
    return hop.rule.find("sender") != std::string::npos;
  });
  if (is_asked && !letter.sender.empty()) text += ", from " + letter.sender;
  return text;
}

/// What goes wrong in one state by one rule goes wrong for one cause, wherever it comes in. Of a
/// loop the last rule is that of either server. A login is wanted of whoever brings mail, in every
/// state, and whoever it is for.
[[nodiscard]] bool is_of_one_cause(const Counterexample& a, const Counterexample& b) {
  if (a.is_supposed || b.is_supposed || a.letter.recipient.empty() || b.letter.recipient.empty())
    return false;
  const auto rule_of = [](const Counterexample& example) {
    const auto& hops = example.delivery.hops;
    const auto last =
        std::find_if(hops.rbegin(), hops.rend(), [](const Hop& hop) { return !hop.rule.empty(); });
    return last == hops.rend() ? std::pair(std::string_view(), Span())
                               : std::pair(std::string_view(last->rule), last->origin);
  };
  if (a.what == "port 25" && b.what == a.what) return rule_of(a) == rule_of(b);
  return a.what == b.what && a.claim == b.claim && a.origin == b.origin && a.done == b.done &&
         a.delivery.fate == b.delivery.fate &&
         (a.delivery.fate == Fate::loop || rule_of(a) == rule_of(b));
}

/// "and the same of 2 more: a message to a@x at target submission, source:25"
[[nodiscard]] std::string told_of_others(const std::vector<const Counterexample*>& others) {
  std::string words = fmt::format("and the same of {} more: a message", others.size());
  const std::string* recipient = nullptr;
  for (const Counterexample* other : others) {
    const bool is_same = recipient != nullptr && *recipient == other->letter.recipient;
    if (!is_same)
      words +=
          fmt::format("{} to {} at ", recipient == nullptr ? "" : ";", other->letter.recipient);
    words += fmt::format("{}{}{}", is_same ? ", " : "", to_string(other->letter.entry),
                         other->letter.has_null_sender ? " without a sender" : "");
    recipient = &other->letter.recipient;
  }
  return words;
}

void report_one(const Counterexample& example, const std::vector<const Counterexample*>& others,
                Span fallback, Sink& sink) {
  auto report = report_claim(example, place_of(example, fallback), sink);
  report.argument("account", example.account).argument("phase", example.phase);
  if (example.others != 0)
    report.note({},
                fmt::format("and so do {} more steps of this shape", show_count(example.others)));
  if (example.letter.recipient.empty()) return;
  report.argument("recipient", example.letter.recipient);
  report.argument("entry", std::string(to_string(example.letter.entry)));
  report.note({}, fmt::format("in the phase `{}` {}", example.phase, coming_in(example)));
  for (const Hop& hop : example.delivery.hops) report.note(hop.origin, "then " + to_text(hop));
  if (others.empty()) return;
  report.argument("others", std::to_string(others.size()));
  report.note({}, told_of_others(others));
}

}  // namespace

void report_mail_flow(const ir::StepGraph& graph, Span fallback, Sink& sink,
                      const ProofLimits& limits, const MailFacts& facts) {
  const Proof proof = prove(graph, nullptr, limits, facts);
  report_left_out(proof.left_out, fallback, sink);
  std::vector<bool> is_told(proof.found.size());
  const bool has_errors = sink.has_errors();
  for (std::size_t i = 0; i < proof.found.size(); ++i) {
    const bool is_of_schema = facts.is_schema_known && proof.found[i].what == "unread";
    if (is_told[i] || (is_of_schema && has_errors)) continue;
    std::vector<const Counterexample*> others;
    for (std::size_t k = i + 1; k < proof.found.size(); ++k) {
      if (is_told[k] || !is_of_one_cause(proof.found[i], proof.found[k])) continue;
      is_told[k] = true;
      others.push_back(&proof.found[k]);
    }
    report_one(proof.found[i], others, fallback, sink);
  }
}

std::string to_text(const Counterexample& counterexample) {
  std::string text = counterexample.claim;
  if (!counterexample.letter.recipient.empty()) {
    text += fmt::format("\n  {}: a message to {} at {}", counterexample.phase,
                        counterexample.letter.recipient, to_string(counterexample.letter.entry));
    if (counterexample.letter.has_null_sender) text += ", without a sender";
  }
  for (const Hop& hop : counterexample.delivery.hops) text += "\n  -> " + to_text(hop);
  if (!counterexample.undone.empty()) {
    text += fmt::format("\n  when {} is undone", counterexample.undone);
    if (!counterexample.stays.empty()) text += fmt::format(" and {} is not", counterexample.stays);
    return text;
  }
  if (!counterexample.done.empty())
    text += fmt::format("\n  when {} is done", counterexample.done.back());
  if (!counterexample.next.empty()) text += fmt::format(" and {} is not", counterexample.next);
  return text;
}

}  // namespace plan::flow
