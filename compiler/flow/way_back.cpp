#include "compiler/flow/way_back.h"

#include <algorithm>
#include <bit>

namespace plan::flow {
namespace {

using ir::StepId;
using ir::StepKind;

[[nodiscard]] constexpr Mask bit(std::size_t i) { return Mask{1} << i; }

/// The step of the highest number: steps are in the order of the graph.
[[nodiscard]] std::size_t newest(Mask steps) {
  return static_cast<std::size_t>(std::countl_zero(steps)) ^ 63U;
}

}  // namespace

// --- what is undone, and what stays

/// As runtime/engine/rollback.cpp finds it: everything of the row from its first held step on.
Mask AccountStates::steps_of_move() const {
  const auto is_of_move = [&](StepId step) {
    const ir::RowId row = graph_.row(step);
    std::set<StepId> seen = {step};
    for (std::vector<StepId> open = {step}; !open.empty();) {
      const StepId one = open.back();
      open.pop_back();
      if (graph_.role(one) != ir::TransactionRole::none) return true;
      for (const StepId earlier : graph_.after(one)) {
        if (graph_.row(earlier) == row && seen.insert(earlier).second) open.push_back(earlier);
      }
    }
    return false;
  };
  Mask steps = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const ir::RowId row = graph_.row(steps_[i].step);
    // Of other rows only what is about this account.
    if (row == ir::RowId::none || (row != subject_.row && !is_account_kind(steps_[i].kind)))
      continue;
    if (is_of_move(steps_[i].step)) steps |= bit(i);
  }
  return steps;
}

Mask AccountStates::undoable(Mask done) const {
  Mask steps = 0;
  for (const Mask before : before_points_) {
    const bool is_reached = (before & ~done) == 0;
    const bool is_barred = (irreversible_ & done & ~before) != 0;
    if (is_reached && !is_barred) steps |= ~before;
  }
  return steps & done;
}

bool AccountStates::loads(std::size_t i) const {
  const StepKind kind = steps_[i].kind;
  return kind == StepKind::admin_action || kind == StepKind::admin_keys ||
         (is_admin_kind(kind) && reload_of(i) != Reload::none) ||
         (kind == StepKind::restore && reload_of(i) != Reload::none);
}

/// An entry of a transport map, a key and a name of a lookup list go whoever put them there: does
/// the undo of step `i` take away what step `k` has put?
bool AccountStates::takes_along(std::size_t i, std::size_t k) const {
  const Relevant& undone = steps_[i];
  const Relevant& other = steps_[k];
  if (undone.kind == StepKind::postfix_hold || undone.kind == StepKind::postfix_forward) {
    return other.kind == undone.kind &&
           undone.arguments["transport_map"] == other.arguments["transport_map"];
  }
  if (undone.kind == StepKind::source_hold || undone.kind == StepKind::source_forward) {
    return (other.kind == StepKind::source_hold || other.kind == StepKind::source_forward) &&
           undone.arguments["list"].is_string() &&
           undone.arguments["list"] == other.arguments["list"];
  }
  if (undone.kind != StepKind::admin_keys || other.kind != StepKind::admin_upsert ||
      !is_object(other.arguments, "MemoryLookupKey") ||
      !(undone.arguments["namespace"] == other.arguments["match"]["namespace"]))
    return false;
  const std::vector<ir::Value>& addresses = undone.arguments["addresses"].items();
  return std::find(addresses.begin(), addresses.end(), other.arguments["match"]["key"]) !=
         addresses.end();
}

Standing AccountStates::undone(const Standing& standing, std::size_t i) const {
  Standing left{standing.done & ~bit(i), standing.effects};
  const StepKind kind = steps_[i].kind;
  if (kind == StepKind::admin_action) return left;  // what is loaded stays loaded
  left.effects &= ~bit(i);
  for (std::size_t k = 0; k < steps_.size(); ++k) {
    if (k != i && takes_along(i, k)) left.effects &= ~bit(k);
  }
  if (!loads(i)) return left;
  const Reload reload = kind == StepKind::admin_keys ? Reload::lookups : reload_of(i);
  for (std::size_t k = 0; k < steps_.size(); ++k) {
    if (is_done(left.done, k) && steps_[k].kind != StepKind::admin_action && loads(k) &&
        reload_of(k) == reload && !takes_along(i, k))
      left.effects |= bit(k);
  }
  return left;
}

std::optional<Standing> AccountStates::given_back() const {
  if (move_ == 0) return std::nullopt;
  std::optional<Standing> standing = at_phase("moved");
  if (!standing) return std::nullopt;
  for (Mask left = standing->done & move_; left != 0; left &= ~bit(newest(left)))
    standing = undone(*standing, newest(left));
  return standing;
}

// --- the states

WayBack::WayBack(const AccountStates& states, bool has_all) : states_(states), has_all_(has_all) {
  const auto& steps = states.steps();
  bool has_keys = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const StepKind kind = steps[i].kind;
    has_keys = has_keys || kind == StepKind::admin_keys;
    if (steps[i].stage == ir::Stage::finalize) finalize_ |= bit(i);
    if (kind == StepKind::admin_account) accounts_ |= bit(i);
    const bool is_setting = kind == StepKind::source_settings && steps[i].stage == ir::Stage::waves;
    if (is_hold(kind) || is_forward(kind) || is_setting) holds_ |= bit(i);
    if (states.loads(i)) telling_ |= bit(i);
  }
  // Without keys nobody knows that an account has lived on the target: it is destroyed again.
  if (!has_keys) accounts_ = 0;
  telling_ |= accounts_;
  const Mask beside = ~states.move() & ~finalize_;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if ((beside >> i & 1U) != 0 && (steps[i].before & states.move()) != 0) behind_move_ |= bit(i);
  }
  if (behind_move_ == 0) return;
  // Lists deliver each for itself, so all of them do for any of them; what else stands may be
  // mended by what comes behind it.
  may_stand_.push_back(behind_move_);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool is_list =
        steps[i].kind == StepKind::admin_list ||
        (is_admin_kind(steps[i].kind) && is_object(steps[i].arguments, "MailingList"));
    if (AccountStates::is_done(behind_move_, i) && !is_list)
      may_stand_.push_back((steps[i].before & behind_move_) | bit(i));
  }
}

void WayBack::leave(Mask state, Mask sure, Mask perhaps) {
  there_.emplace(state, std::pair(sure, perhaps));
  leave({state, sure}, Way::there);
  if (perhaps != 0) leave({state, sure | perhaps}, Way::there);
}

std::optional<WayBack::Place> WayBack::next() {
  if (open_.empty()) return std::nullopt;
  const Place place = open_.front();
  open_.pop_front();
  if (place.is_new) leave(place.standing, place.way);
  return place;
}

void WayBack::leave(const Standing& standing, Way way) {
  const Mask done = standing.done;
  const Mask of_move = done & states_.move();
  if (of_move != 0 && (way == Way::given_back || may_be_given_back(done)))
    go_to(states_.undone(standing, newest(of_move)), Way::given_back, newest(of_move));
  // What has begun to go back is finished before anything else is undone.
  if (way == Way::given_back && of_move != 0) return;
  Mask open = states_.undoable(done) & ~states_.move();
  if (way == Way::there && !has_all_) open &= telling_;
  if (open == 0) return;
  open &= ~needed(done);
  for (; open != 0; open &= ~bit(newest(open))) {
    const std::size_t i = newest(open);
    go_to(states_.undone(standing, i), Way::back, i);
    const bool may_stay = AccountStates::is_done(accounts_, i) && of_move == 0;
    if (may_stay) go_to({done & ~bit(i), standing.effects}, Way::back, i);
  }
}

void WayBack::go_to(const Standing& standing, Way way, std::size_t undone) {
  const bool is_new =
      !is_on_the_way_there(standing) || (way == Way::given_back && may_wait_for_ever(standing));
  if (!is_new && !has_all_) return;
  if (seen_.emplace(standing.done, standing.effects, way).second)
    open_.push_back({standing, way, undone, is_new});
}

/// Once the migration is finalized no account is given back by itself, and to a point its steps are
/// undone before the move is.
bool WayBack::may_be_given_back(Mask done) const {
  if ((done & finalize_) != 0) return false;
  const Mask behind = done & behind_move_;
  return behind == 0 || std::find(may_stand_.begin(), may_stand_.end(), behind) != may_stand_.end();
}

bool WayBack::is_on_the_way_there(const Standing& standing) const {
  const auto known = there_.find(standing.done);
  if (known == there_.end()) return false;
  const auto& [sure, perhaps] = known->second;
  return (sure & ~standing.effects) == 0 && (standing.effects & ~(sure | perhaps)) == 0;
}

/// On the way there what is held waits for a step that is still to come.
bool WayBack::may_wait_for_ever(const Standing& standing) const {
  return (standing.done & states_.move()) == 0 && (standing.effects & holds_) != 0;
}

/// Steps that others stand on.
Mask WayBack::needed(Mask done) const {
  Mask steps = 0;
  for (Mask left = done; left != 0; left &= ~bit(newest(left)))
    steps |= states_.steps()[newest(left)].before;
  return steps;
}

}  // namespace plan::flow
