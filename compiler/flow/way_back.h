#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/flow/states.h"

namespace plan::flow {

/// Which way a migration goes.
enum class Way : std::uint8_t {
  there = 0,
  back = 1,        ///< to a rollback point: steps beside the account's move are undone
  given_back = 2,  ///< the account's move is undone, or has been
};

/// The states of the way back of one account, as the engine makes them (runtime/engine/rollback.h):
/// from each state of the way there the account's move is undone as a whole, whatever else stands
/// behind it, and the steps beside it newest first. Most of these states are some of the way there,
/// which are looked at already. The others are gone through here: what stands on a step that is
/// undone, and what an undo leaves as it is.
class WayBack {
 public:
  /// `has_all`: with the states that the way there has too.
  WayBack(const AccountStates& states, bool has_all);

  /// A state of the way there; those with fewer steps come first.
  void leave(Mask state, Mask sure, Mask perhaps);

  struct Place {
    Standing standing = {};
    Way way = Way::back;
    std::size_t undone = 0;  ///< number of the step that was undone last
    bool is_new = true;      ///< no state of the way there
  };
  /// The next state, once all states of the way there are told.
  [[nodiscard]] std::optional<Place> next();
  /// So many were found.
  [[nodiscard]] std::size_t size() const { return seen_.size(); }

 private:
  void leave(const Standing& standing, Way way);
  void go_to(const Standing& standing, Way way, std::size_t undone);
  [[nodiscard]] bool may_be_given_back(Mask done) const;
  [[nodiscard]] bool is_on_the_way_there(const Standing& standing) const;
  [[nodiscard]] bool may_wait_for_ever(const Standing& standing) const;
  [[nodiscard]] Mask needed(Mask done) const;

  const AccountStates& states_;
  bool has_all_ = false;
  Mask finalize_ = 0;            // steps that end the way back of a single account
  Mask behind_move_ = 0;         // beside the move, and waiting for it
  std::vector<Mask> may_stand_;  // of those, when the account is given back
  Mask telling_ = 0;             // whose undo may leave another state than one of the way there
  Mask accounts_ = 0;            // that stay on the target once they have lived there
  Mask holds_ = 0;               // that keep mail from its mailbox
  std::unordered_map<Mask, std::pair<Mask, Mask>> there_;  // effects, and what may be one besides
  std::set<std::tuple<Mask, Mask, Way>> seen_;
  std::deque<Place> open_;
};

}  // namespace plan::flow
