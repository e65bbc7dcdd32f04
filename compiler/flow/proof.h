#pragma once
#include <compare>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/flow/classes.h"
#include "compiler/flow/model.h"
#include "compiler/ir/step_graph.h"
#include "compiler/source/diagnostic.h"

namespace plan::flow {

/// What the proof has looked at: whose mail comes in where, and when.
struct LookedAt {
  std::string phase = {};  ///< "wave canary: created, not moved", "wave canary: rollback"
  Entry entry = {};
  std::string_view whose = {};  ///< "alias", "group", "sub-address", "unknown", ...
  std::string_view by = {};     ///< what sends it on: "forward", "list", "redirect"; empty: nothing
  friend auto operator<=>(const LookedAt&, const LookedAt&) = default;
};

/// A state of the migration in which a message goes wrong.
struct Counterexample {
  std::string_view what = {};  ///< kind of failure: "premature", "loop", "lost", ...
  std::string claim = {};      ///< what is the case: "mail for alice@example.org is lost"
  /// Only where a server answers in one way that nobody but it can tell.
  bool is_supposed = false;
  std::string account = {};  ///< whose mail, or empty
  std::string phase = {};    ///< where the migration stands: "wave canary: created, not moved";
                             ///< with a `rollback` in it on the way back
  Letter letter = {};
  Delivery delivery = {};  ///< the copy that goes wrong, hop by hop
  std::vector<std::string> done =
      {};                   ///< ids of the steps that decide it and are done in this state
  std::string next = {};    ///< id of a step that is not done and would mend it, or empty
  std::string undone = {};  ///< on the way back: id of the step that was undone last
  std::string stays = {};   ///< and of one that stands although it comes behind it, or empty
  Span origin = {};         ///< of the step that made the state; of the one that stays
  /// More steps of which the same is true: an expression that cannot be read, of other rows.
  std::size_t others = 0;
};

struct Proof {
  std::vector<Counterexample> found = {};  ///< at most 20
  LeftOut left_out = {};                   ///< beyond the bounds: neither proved nor refuted
};

/// Proves over the graph what design.md section 7 asks: in every state that the steps can be in,
/// also half-way and on the way back, a message from each entry point ends exactly once where its
/// reader looks, without loop and without relaying for strangers.
///
/// A state is a set of steps that is closed under `after`: whatever order the engine runs in, it is
/// in one of them; every phase boundary is such a state. On the way back there are others too
/// (`WayBack`): an account's move is undone as a whole, whatever stands behind it, a rollback point
/// is gone back to newest first, and what an undo leaves (an account that has lived, what is
/// loaded) stays in effect. Accounts whose steps have the same shapes behave alike, so of each such
/// class a few are looked at
/// (`account_classes`). Beside each stand colleagues that have not moved, are created and not
/// moved, and have moved; a forward, a list and a script send on to all of them. Mail belongs to
/// the source until the last copy step (`archive.copy`, `archive.delta`) of its account is done,
/// then to the target; waiting in a queue is fine as long as steps of the account are still to
/// come, and what waits is tried again in every state. Where a step that writes and a reload wait
/// for neither, what is written is taken as used and as not used; a condition that nobody but the
/// target can tell, as true and as false (`Counterexample::is_supposed`). What an object of the
/// plan makes on the target alone (a group, a user) is read there from the end of its stage on.
/// Before the target is set up only those send there who live on it alone (`MailFacts::measured`).
/// Nobody sends from the target in an account's name before the target is where he reads, or when
/// he was locked out at the source.
///
/// Bounded: at most 20,000 states per account; more are reported as one counterexample, never as
/// proved. Who is left out by `limits` is told. Finds nothing in a graph without account steps.
/// `looked_at`, if given, gets what was tried. What a set of the target's own (`facts`) holds only
/// the target can tell.
[[nodiscard]] Proof prove(const ir::StepGraph& graph, std::set<LookedAt>* looked_at = nullptr,
                          const ProofLimits& limits = {}, const MailFacts& facts = {});

/// The proof as diagnostics (`mail-flow`, and `mail-flow-unproved` for what is left out or only
/// supposed): each at the step that makes the state, the message's way as notes. What goes wrong in
/// one state by one rule is one diagnostic, wherever it comes in. `fallback` is the place for
/// states that no step of the plan makes.
void report_mail_flow(const ir::StepGraph& graph, Span fallback, Sink& sink,
                      const ProofLimits& limits = {}, const MailFacts& facts = {});

/// "mail … : target:25 → …", one line a hop: what a diagnostic shows.
[[nodiscard]] std::string to_text(const Counterexample& counterexample);

}  // namespace plan::flow
