#include "compiler/flow/proof.h"

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "compiler/flow/account_mail.h"
#include "compiler/flow/colleagues.h"
#include "compiler/flow/findings.h"
#include "compiler/flow/judgement.h"
#include "compiler/flow/mail_address.h"
#include "compiler/flow/names_with_plus.h"
#include "compiler/flow/outsiders.h"
#include "compiler/flow/senders.h"
#include "compiler/flow/spellings.h"
#include "compiler/flow/states.h"
#include "compiler/flow/trial.h"
#include "compiler/flow/way_back.h"
#include "compiler/schema/mta_pattern.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

constexpr std::size_t kStatesMax = 20'000;
constexpr std::size_t kExamplesMax = 3;
constexpr std::size_t kWorkOfWorld = 100;
/// Of what patterns cost: hardly any, but for one that is repeated thousands of times.
constexpr std::size_t kPatternWorkOfOne = 10'000;
/// Of conditions that are read again for each recipient.
constexpr std::size_t kSenderWorkOfOne = 8;

/// Goes through the states of one account after another, within the bounds.
class Prover {
 public:
  Prover(const ir::StepGraph& graph, const ProofLimits& limits, std::set<LookedAt>* looked_at,
         const MailFacts& facts)
      : graph_(graph), limits_(limits), facts_(facts), findings_(graph, looked_at) {}

  Proof run() {
    Classes classes = account_classes(graph_, limits_);
    Proof proof;
    proof.left_out = std::move(classes.left_out);
    domains_left_out_ = std::move(classes.domains_left_out);
    MailSteps all(graph_, classes.subjects);
    sender_questions_.emplace(all);
    outsider_questions_.emplace(all, facts_);
    user_of_target_ = outsider_questions_->user_of_target();
    NamesWithPlus with_plus;
    for (Subject& subject : classes.subjects) {
      if (work_ >= limits_.work_max) {
        leave_out(subject, proof.left_out);
        continue;
      }
      if (NamesWithPlus::is_among(subject) && AccountStates(all, subject).is_from_old_stalwart() &&
          !with_plus.leave_out(subject))
        continue;
      const AccountStates states(all, std::move(subject), facts_);
      states_ = &states;
      sender_questions_->begin_account();
      if (states.is_too_large()) {
        findings_.add_unproved(states, "too many steps decide its mail");
      } else if (states.is_moved_at_all()) {
        walk_states();
      }
      if (findings_.are_enough()) break;
      tell_of_more_outsiders();
    }
    if (auto told = with_plus.told(); told && !findings_.are_enough())
      findings_.add(std::move(*told));
    // A domain may have accounts without a subject and others that the work did not reach.
    proof.left_out.domains = domains_left_out_.size();
    proof.found = findings_.take();
    return proof;
  }

 private:
  void tell_of_more_outsiders() {
    if (!outsider_questions_->are_too_many() || std::exchange(are_outsiders_told_, true)) return;
    findings_.add_unproved(
        *states_, "its route names more domains that the plan does not move than are tried");
  }

  void leave_out(const Subject& subject, LeftOut& left_out) {
    // A class with several subjects is one class.
    if (subject.account == last_left_out_) return;
    last_left_out_ = subject.account;
    left_out.accounts += subject.stands_for;
    domains_left_out_.insert(subject.in_domains.begin(), subject.in_domains.end());
    if (left_out.examples.size() < kExamplesMax) left_out.examples.push_back(subject.account);
  }

  void walk_states() {
    // The fewest steps first: what is found names the first state that fails.
    std::unordered_set<Mask> seen = {0};
    std::deque<Mask> open = {0};
    WayBack way_back(*states_, findings_.are_looks_kept());
    worlds_.clear();
    findings_.leave_worlds();
    while (!open.empty()) {
      const Mask state = open.front();
      open.pop_front();
      ++work_;
      if (seen.size() > kStatesMax) return add_too_many_states();
      check_state(state, way_back);
      if (findings_.are_enough()) return;
      for (std::size_t i = 0; i < states_->steps().size(); ++i) {
        const Mask next = state | Mask{1} << i;
        if (states_->is_ready(state, i) && seen.insert(next).second) open.push_back(next);
      }
    }
    check_carried_back();
    while (const auto place = way_back.next()) {
      if (place->is_new) ++work_;
      if (way_back.size() > kStatesMax) return add_too_many_states();
      const Moment moment{*states_, place->standing.done, place->way, place->undone};
      check_world(moment, place->standing.effects);
      if (findings_.are_enough()) return;
    }
  }

  void add_too_many_states() {
    findings_.add_unproved(
        *states_, fmt::format("its steps can be in more than {} states", show_count(kStatesMax)));
  }

  /// States with the same effects, in which the same is expected, deliver alike.
  [[nodiscard]] static std::string world_of(const Moment& moment, Mask effects, bool is_cut_over) {
    const AccountStates& states = moment.states;
    const Mask state = moment.state;
    return fmt::format("{} {} {} {} {} {} {}", effects, states.is_targets(state),
                       states.is_prepared(state), is_cut_over, states.is_committed(state),
                       moment.is_settled(), states.is_finalize_begun(state));
  }

  void check_state(Mask state, WayBack& way_back) {
    const Mask sure = states_->effects(state);
    const Mask perhaps = states_->perhaps(state);
    way_back.leave(state, sure, perhaps);
    const Moment moment{*states_, state};
    check_world(moment, sure);
    if (perhaps == 0) return;
    check_world(moment, sure | perhaps);
    for (std::size_t i = 0; i < states_->steps().size(); ++i) {
      const Mask one = Mask{1} << i;
      if ((perhaps & one) != 0 && perhaps != one) check_world(moment, sure | one);
    }
  }

  /// The mail that came since the flip is behind the last copy, which takes it along or does not.
  void check_carried_back() {
    const auto& steps = states_->steps();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const bool is_given_back =
          AccountStates::is_done(states_->move(), i) && states_->is_targets(Mask{1} << i);
      if (is_given_back && ir::info(steps[i].kind).undo != ir::UndoPolicy::carry_back)
        findings_.add_left_behind({*states_, steps[i].before, Way::given_back, i});
    }
  }

  void check_world(const Moment& moment, Mask effects) {
    const bool is_cut_over = states_->is_cut_over(moment.state);
    std::string world = world_of(moment, effects, is_cut_over);
    if (moment.way != Way::there) {
      // Where clients come in decides no delivery: it only names the phase, and this one has its
      // own name.
      const std::string other = world_of(moment, effects, !is_cut_over);
      if (!worlds_.contains(world) && worlds_.contains(other)) world = other;
    }
    if (!worlds_.insert(world).second) {
      if (moment.way != Way::there) findings_.look_again(moment, world);
      return;
    }
    findings_.enter(std::move(world));
    const std::size_t pattern_work_before = schema::pattern_work();
    const std::size_t sender_work_before = sender_questions_->work();
    look_at_world(moment, effects);
    work_ += kWorkOfWorld + (schema::pattern_work() - pattern_work_before) / kPatternWorkOfOne +
             (sender_questions_->work() - sender_work_before) / kSenderWorkOfOne;
  }

  void look_at_world(const Moment& moment, Mask effects) {
    const Mask state = moment.state;
    std::string problem;
    ir::StepId step = {};
    const auto world = states_->world_with(effects, &problem, &step);
    if (!world) return findings_.add_unread(moment, step, problem);
    Trial trial(moment, *world, facts_.tag_delimiters, findings_);
    work_ += asked(*world, trial.domain());
    const Reader own = reads_at(trial.account(), states_->is_targets(state),
                                states_->is_disabled() ? "disabled account" : "account");
    const std::vector<Resident> residents = states_->residents(state);
    Senders senders = sender_questions_->of(*world);
    std::vector<Outsider> outsiders = outsider_questions_->of(*world, senders.named);
    for (const NobodyFor& one : senders.without) {
      if (outsider_questions_->leads_astray(*world, senders, one)) trial.add_nobody_for({one});
    }
    const ToldApart told_apart{std::move(senders),
                               spelling_questions_.of(*world, states_->subject().names),
                               *sender_questions_, std::move(outsiders), user_of_target_};
    try_account_mail(trial, told_apart, own, residents);
    if (states_->is_prepared(state) && !states_->is_finalize_begun(state))
      try_colleagues(trial, own, residents);
  }

  /// Conditions that are gone through for every message to the account's domain.
  [[nodiscard]] static std::size_t asked(const World& world, const std::string& domain) {
    std::size_t count = 0;
    if (world.target.route) count += world.target.route->asked_for(domain);
    if (world.source.stalwart && world.source.stalwart->route)
      count += world.source.stalwart->route->asked_for(domain);
    return count;
  }

  const ir::StepGraph& graph_;
  const ProofLimits& limits_;
  const MailFacts& facts_;
  Findings findings_;
  const AccountStates* states_ = nullptr;
  std::optional<SenderQuestions> sender_questions_;
  std::optional<OutsiderQuestions> outsider_questions_;
  std::string user_of_target_;
  SpellingQuestions spelling_questions_;
  bool are_outsiders_told_ = false;
  std::size_t work_ = 0;
  std::string last_left_out_;
  std::unordered_set<std::string> domains_left_out_;
  std::unordered_set<std::string> worlds_;  // of this account that were looked at
};

}  // namespace

Proof prove(const ir::StepGraph& graph, std::set<LookedAt>* looked_at, const ProofLimits& limits,
            const MailFacts& facts) {
  return Prover(graph, limits, looked_at, facts).run();
}

}  // namespace plan::flow
