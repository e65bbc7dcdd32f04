#include "compiler/flow/findings.h"

#include <algorithm>

#include <fmt/format.h>

#include "compiler/source/text.h"

namespace plan::flow {

namespace {

constexpr std::size_t kCounterexamplesMax = 20;
constexpr std::size_t kConditionBytesMax = 160;

}  // namespace

std::string Moment::phase() const {
  if (way == Way::there) return states.phase(state);
  const std::string wave = way == Way::given_back ? states.wave_name() : std::string();
  return wave.empty() ? "rollback" : fmt::format("wave {}: rollback", wave);
}

bool Findings::are_enough() const { return found_.size() >= kCounterexamplesMax; }

/// One example for each kind of failure and entry point; what a server makes or has queued goes
/// the way of what it accepts, and lists and scripts send on what goes wrong by itself.
bool Findings::is_the_same_again(std::string_view what, const Letter& letter, bool is_sent_on) {
  const auto is_reported = [&](Entry entry) {
    return reported_.contains(fmt::format("{} {}", what, static_cast<int>(entry)));
  };
  if (is_reported(letter.entry)) return true;
  const bool is_accepted =
      std::find(kClientEntries.begin(), kClientEntries.end(), letter.entry) != kClientEntries.end();
  for (const Entry entry : kClientEntries) {
    const bool is_same_server = is_at_target(entry) == is_at_target(letter.entry);
    if ((is_sent_on || (!is_accepted && is_same_server)) && is_reported(entry)) return true;
  }
  reported_.insert(fmt::format("{} {}", what, static_cast<int>(letter.entry)));
  return false;
}

void Findings::fail(const Moment& moment, const Letter& letter, Failure failure,
                    Circumstances circumstances) {
  const Delivery& delivery = failure.delivery;
  // What a route of the target's own does with its mail nobody but it can tell.
  const bool is_supposed = circumstances.is_supposed || failure.is_supposed ||
                           delivery.fate == Fate::undecided ||
                           (delivery.fate == Fate::public_mx && !delivery.mailbox.empty());
  // What is only supposed does not stand for what is proved; it is said once for each condition.
  if (is_supposed) {
    const auto& asked = delivery.supposed;
    const std::string rule = asked ? fmt::format("{} {}", asked->rule, asked->origin.begin) : "";
    if (!reported_.insert(fmt::format("{}? {}", failure.what, rule)).second) return;
  } else if (is_the_same_again(failure.what, letter, circumstances.is_sent_on)) {
    return;
  }
  Counterexample& example = report(moment, failure.what);
  example.is_supposed = is_supposed;
  example.claim = std::move(failure.claim);
  example.letter = letter;
  example.delivery = std::move(failure.delivery);
}

void Findings::add_nobody_for(const Moment& moment, const std::vector<NobodyFor>& conditions) {
  for (const NobodyFor& one : conditions) {
    if (!reported_.insert("sender? " + one.condition).second) continue;
    Counterexample& example = report(moment, "sender");
    example.is_supposed = true;
    example.claim =
        fmt::format("mail from senders for whom `{}` is {}, of whom none was found to be tried",
                    printable(one.condition, kConditionBytesMax), one.is_true ? "true" : "false");
    example.delivery.supposed = Hop{"", "", one.origin, ""};
  }
}

void Findings::add_untried(const Moment& moment, const std::vector<Untried>& spellings) {
  for (const Untried& one : spellings) {
    if (!reported_.insert("spelling? " + one.condition).second) continue;
    Counterexample& example = report(moment, "spelling");
    example.is_supposed = true;
    example.claim = fmt::format("mail for {}, of which `{}` asks: {}, and no more are tried",
                                printable(one.address, 120),
                                printable(one.condition, kConditionBytesMax), one.why);
    example.delivery.supposed = Hop{"", "", one.origin, ""};
  }
}

void Findings::add_unread(const Moment& moment, ir::StepId step, const std::string& why) {
  const Span origin = graph_.origin(step);
  const auto [known, is_new] = unread_.try_emplace(
      {static_cast<std::uint32_t>(origin.file), origin.begin, why}, found_.size());
  if (!unread_steps_.insert(step).second) return;
  if (!is_new) {
    ++found_[known->second].others;
    return;
  }
  Counterexample& example = found_.emplace_back();
  example.what =
      graph_.kind(step) == ir::StepKind::source_settings ? "unread at the source" : "unread";
  example.account = moment.account();
  example.phase = moment.phase();
  example.claim =
      fmt::format("`{}` writes an expression that cannot be read: {}", graph_.id(step), why);
  example.origin = origin;
}

void Findings::add_unproved(const AccountStates& states, std::string_view why) {
  const Moment begin{states};
  report(begin, "unproved").claim =
      fmt::format("the mail flow of {} is not proved: {}", begin.account(), why);
}

void Findings::add_left_behind(const Moment& moment) {
  if (!reported_.insert("left").second) return;
  Counterexample& example = report(moment, "left");
  example.claim = fmt::format(
      "what {} has got on the target stays there when the account is given back: `{}` carries "
      "nothing back",
      moment.account(), example.undone);
}

/// What was undone, and what should have been before it.
void Findings::tell_way_back(const Moment& moment, Counterexample& example) const {
  const AccountStates& states = moment.states;
  const ir::StepId undone = states.steps()[moment.undone].step;
  example.undone = graph_.id(undone);
  example.origin = graph_.origin(undone);
  const bool is_over = moment.way == Way::given_back && (moment.state & states.move()) == 0;
  for (std::size_t i = 0; i < states.steps().size(); ++i) {
    const AccountStates::Relevant& step = states.steps()[i];
    if (!AccountStates::is_done(moment.state, i)) continue;
    const bool stands_on_it = (step.before >> moment.undone & 1U) != 0;
    const bool is_left = is_over && (is_hold(step.kind) || is_forward(step.kind));
    if (!stands_on_it && !is_left) continue;
    example.stays = graph_.id(step.step);
    example.origin = graph_.origin(step.step);
  }
}

Counterexample& Findings::report(const Moment& moment, std::string_view what) {
  const AccountStates& states = moment.states;
  Counterexample& example = found_.emplace_back();
  example.what = what;
  example.account = moment.account();
  example.phase = moment.phase();
  for (std::size_t i = 0; i < states.steps().size(); ++i) {
    const ir::StepId step = states.steps()[i].step;
    if (AccountStates::is_done(moment.state, i)) {
      example.done.push_back(graph_.id(step));
      example.origin = graph_.origin(step);
    } else if (example.next.empty() && states.is_ready(moment.state, i)) {
      example.next = graph_.id(step);
    }
  }
  if (moment.way != Way::there) tell_way_back(moment, example);
  return example;
}

}  // namespace plan::flow
