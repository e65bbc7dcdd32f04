#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include "compiler/flow/judgement.h"
#include "compiler/flow/model.h"
#include "compiler/flow/proof.h"
#include "compiler/flow/senders.h"
#include "compiler/flow/spellings.h"
#include "compiler/flow/states.h"
#include "compiler/flow/way_back.h"
#include "compiler/ir/step_graph.h"

namespace plan::flow {

/// Where others bring a message, and no server makes it or has it in its queue.
inline constexpr std::array kClientEntries = {Entry::target_25, Entry::target_submission,
                                              Entry::source_25, Entry::source_submission};

/// Where a proof stands: at an account, in a state of its steps.
struct Moment {
  const AccountStates& states;
  Mask state = 0;  ///< steps that are done and not undone
  Way way = Way::there;
  std::size_t undone = 0;  ///< on the way back: number of the step that was undone last

  /// "wave canary: moving"; on the way back "wave canary: rollback", or "rollback" when it is more
  /// than this account that goes back.
  [[nodiscard]] std::string phase() const;
  /// Nothing of the account is on its way.
  [[nodiscard]] bool is_settled() const {
    return states.is_settled(state) || (way == Way::given_back && (state & states.move()) == 0);
  }
  [[nodiscard]] const std::string& account() const { return states.subject().account; }
};

/// What a proof has looked at and what goes wrong there, each kind of failure once.
class Findings {
 public:
  /// `looked_at` may be null.
  Findings(const ir::StepGraph& graph, std::set<LookedAt>* looked_at)
      : graph_(graph), looked_at_(looked_at) {}

  [[nodiscard]] bool are_looks_kept() const { return looked_at_ != nullptr; }
  void look(const Moment& moment, Entry entry, std::string_view whose, std::string_view by) {
    if (!are_looks_kept()) return;
    LookedAt one{moment.phase(), entry, whose, by};
    in_world_[world_].insert(one);
    looked_at_->insert(std::move(one));
  }
  /// What is looked at from here on is in this world of the account.
  void enter(std::string world) { world_ = std::move(world); }
  /// What was looked at there is true at this moment too.
  void look_again(const Moment& moment, const std::string& world) {
    if (!are_looks_kept()) return;
    for (LookedAt one : in_world_[world]) {
      one.phase = moment.phase();
      looked_at_->insert(std::move(one));
    }
  }
  /// Another account has other worlds.
  void leave_worlds() { in_world_.clear(); }
  /// As many as are told.
  [[nodiscard]] bool are_enough() const;
  [[nodiscard]] std::vector<Counterexample> take() { return std::move(found_); }

  /// How a message goes wrong.
  struct Circumstances {
    bool is_supposed = false;  ///< under one answer that nobody but the target can give
    bool is_sent_on = false;   ///< in a world whose lists and scripts send on
  };
  void fail(const Moment& moment, const Letter& letter, Failure failure,
            Circumstances circumstances);
  /// Conditions that are true for nobody who is tried.
  void add_nobody_for(const Moment& moment, const std::vector<NobodyFor>& conditions);
  /// Ways to write a name for which messages are not tried.
  void add_untried(const Moment& moment, const std::vector<Untried>& spellings);
  /// A step writes an expression that cannot be read: no state behind it can be told either. Steps
  /// of the same shape, a row each, are counted.
  void add_unread(const Moment& moment, ir::StepId step, const std::string& why);
  void add_unproved(const AccountStates& states, std::string_view why);
  /// The account is given back, and what has come to it on the target is not.
  void add_left_behind(const Moment& moment);
  void add(Counterexample example) { found_.push_back(std::move(example)); }

 private:
  [[nodiscard]] bool is_the_same_again(std::string_view what, const Letter& letter,
                                       bool is_sent_on);
  Counterexample& report(const Moment& moment, std::string_view what);
  void tell_way_back(const Moment& moment, Counterexample& example) const;

  const ir::StepGraph& graph_;
  std::set<LookedAt>* looked_at_ = nullptr;
  std::string world_;
  std::map<std::string, std::set<LookedAt>> in_world_;
  std::vector<Counterexample> found_;
  std::unordered_set<std::string> reported_;
  /// Expressions that cannot be read, by where they stand and why: number of the counterexample.
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::string>, std::size_t> unread_;
  std::set<ir::StepId> unread_steps_;
};

}  // namespace plan::flow
