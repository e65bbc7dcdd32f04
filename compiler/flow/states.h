#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/flow/model.h"
#include "compiler/ir/step_graph.h"

namespace plan::flow {

/// One account whose mail is followed; it stands for all whose steps have the same shapes.
struct Subject {
  ir::RowId row = ir::RowId::none;
  std::string account = {};
  std::vector<std::string> aliases = {};
  std::vector<std::string> names = {};  ///< account and aliases
};

/// A few accounts of each class: alike are those whose steps have the same shapes, with or without
/// aliases, members of lists or not, in the same domain. At most 64.
[[nodiscard]] std::vector<Subject> account_classes(const ir::StepGraph& graph);
/// The account with this address or alias, with or without a tag; nothing when the graph has no
/// steps for it.
[[nodiscard]] std::optional<Subject> subject_with(const ir::StepGraph& graph,
                                                  std::string_view address);

/// A group, or an account that no row moves, which an object of the plan makes on the target. The
/// source does not know it.
struct Resident {
  std::vector<std::string> names = {};  ///< its address, then its enabled aliases
  bool is_group = false;
  ir::Stage stage = {};  ///< of the step that makes it
};

/// At most one of each kind in `domain`: groups and users, with and without aliases, with and
/// without keys for all their names.
[[nodiscard]] std::vector<Resident> residents_of(const ir::StepGraph& graph,
                                                 std::string_view domain);

/// A set of the steps that decide where mail of one account goes, by their number.
using Mask = std::uint64_t;

/// The states that one account's mail can be in: sets of steps that are closed under `after`.
/// Whatever order the engine runs in, and whichever steps it undoes, it is in one of them.
class AccountStates {
 public:
  AccountStates(const ir::StepGraph& graph, Subject subject);

  struct Relevant {
    ir::StepId step = {};
    ir::StepKind kind = {};
    ir::Stage stage = {};
    ir::Value arguments = {};
    Mask before = 0;    ///< relevant steps that are done when this one runs
    int restores = -1;  ///< number of the step that this one puts back
  };

  /// More than 59 steps decide its mail: nothing can be told.
  [[nodiscard]] bool is_too_large() const;
  /// Nothing of this account is copied: its mail stays where it is.
  [[nodiscard]] bool is_moved_at_all() const { return last_copy_ >= 0; }
  [[nodiscard]] const Subject& subject() const { return subject_; }
  [[nodiscard]] const std::vector<Relevant>& steps() const { return steps_; }

  [[nodiscard]] static bool is_done(Mask state, std::size_t i) { return (state >> i & 1U) != 0; }
  /// May `i` run next?
  [[nodiscard]] bool is_ready(Mask state, std::size_t i) const {
    return !is_done(state, i) && (steps_[i].before & ~state) == 0;
  }
  /// The target is set up: before that nobody sends to it.
  [[nodiscard]] bool is_prepared(Mask state) const;
  [[nodiscard]] bool is_finalize_begun(Mask state) const;
  /// The public address is the proxies'.
  [[nodiscard]] bool is_cut_over(Mask state) const;
  /// No step opens the account: its user was locked out at the source.
  [[nodiscard]] bool is_disabled() const;
  /// The last step of the account's move is done.
  [[nodiscard]] bool is_committed(Mask state) const;
  /// Groups and accounts of the target alone, once every step of the stage that makes them is done.
  [[nodiscard]] std::vector<Resident> residents(Mask state) const;
  /// The mailbox of the target is the one that is read: its last copy is made.
  [[nodiscard]] bool is_targets(Mask state) const {
    return last_copy_ >= 0 && is_done(state, static_cast<std::size_t>(last_copy_));
  }
  /// "prepared", "wave canary: created, not moved": where the migration stands.
  [[nodiscard]] std::string phase(Mask state) const;
  /// The steps whose effect is seen in this state: a written setting is used only after a reload
  /// that came after it. States with the same effects deliver alike.
  [[nodiscard]] Mask effects(Mask state) const;
  /// What both servers do in this state. Nothing when an expression cannot be read: `*problem`.
  [[nodiscard]] std::optional<World> world(Mask state, std::string* problem) const;

  /// The state in which everything up to a boundary is done, for one name of `phase_names`.
  [[nodiscard]] std::optional<Mask> at_phase(std::string_view phase) const;
  /// Exactly these steps and what they wait for; nothing when none of them decides this mail.
  [[nodiscard]] std::optional<Mask> after_step(std::string_view id) const;
  /// The boundaries that this graph has, in order: "before", "prepared", "cutover", "created",
  /// "copied", "held", "keys", "moved", "finalized".
  [[nodiscard]] std::vector<std::string> phase_names() const;

 private:
  void collect();
  void take_restore(ir::StepId step, std::map<std::size_t, std::size_t>& bit_of);
  void order_steps(const std::map<std::size_t, std::size_t>& bit_of);
  [[nodiscard]] bool concerns(const ir::Value& arguments, ir::StepKind kind, std::size_t& lists);
  [[nodiscard]] bool is_loaded(Mask state, std::size_t i, std::string_view action) const;
  void add_list(World& world, const Relevant& step, bool is_there) const;
  bool add_step(World& world, const Relevant& step, std::string* problem) const;
  bool add_object(World& world, const Relevant& step, std::string* problem) const;
  void add_account_object(World& world, const Relevant& step) const;
  bool read_expression(const Relevant& step, std::string_view object, std::string_view property,
                       std::shared_ptr<const schema::MtaContainer>& into,
                       std::string* problem) const;
  [[nodiscard]] Mask closed_over(const std::function<bool(const Relevant&)>& is_wanted) const;
  [[nodiscard]] bool has(ir::StepKind kind) const;

  const ir::StepGraph& graph_;
  Subject subject_;
  std::vector<Relevant> steps_;
  std::vector<Resident> residents_;
  int last_copy_ = -1;
  int commit_ = -1;  // release, else the last step that moves mail
  mutable std::map<std::size_t, std::shared_ptr<const schema::MtaContainer>> expressions_;
};

[[nodiscard]] std::string domain_of(std::string_view address);
/// Do these arguments of an `admin.*` step name an object of this type?
[[nodiscard]] bool is_object(const ir::Value& arguments, std::string_view name);
/// "name@domain" of an account or list that a step writes, in lower case; empty when its domain is
/// not made by a step.
[[nodiscard]] std::string object_address(const ir::StepGraph& graph, const ir::Value& arguments);
/// Who a MailingList that a step writes sends to, in lower case.
[[nodiscard]] std::vector<std::string> list_members(const ir::Value& arguments);
/// A set of the registry: a list in a plan, a map of members to true on the wire.
[[nodiscard]] std::vector<std::string> set_members(const ir::Value& set);

/// Somebody in a domain that only the target has: in every world.
inline constexpr std::string_view kTargetOnlyAddress = "somebody@only-on-the-target.test";

}  // namespace plan::flow
