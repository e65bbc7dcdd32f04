#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/flow/classes.h"
#include "compiler/flow/mail_steps.h"
#include "compiler/flow/model.h"
#include "compiler/ir/step_graph.h"

namespace plan::flow {

/// Where a migration stands: what was done and is not undone, and what of it is seen. On the way
/// there the one follows from the other (`AccountStates::effects`). On the way back an effect may
/// outlast its step: settings stay loaded, and an account that has lived on the target stays there.
struct Standing {
  Mask done = 0;
  Mask effects = 0;
};

/// The states that one account's mail can be in: sets of steps that are closed under `after`.
/// Whatever order the engine runs in, it is in one of them; on the way back in one of them, or in
/// one that is made from them by `undone`.
class AccountStates {
 public:
  /// `all`, of the same graph, is kept and asked as long as this lives.
  AccountStates(MailSteps& all, Subject subject, MailFacts facts = {});

  struct Relevant {
    ir::StepId step = {};
    ir::StepKind kind = {};
    ir::Stage stage = {};
    const ir::Value& arguments;  ///< kept by MailSteps
    Mask before = 0;             ///< relevant steps that are done when this one runs
    int restores = -1;           ///< number of the step that this one puts back
  };

  /// More than 59 steps decide its mail: nothing can be told.
  [[nodiscard]] bool is_too_large() const;
  /// Nothing of this account is copied: its mail stays where it is.
  [[nodiscard]] bool is_moved_at_all() const { return last_copy_ >= 0; }
  [[nodiscard]] const Subject& subject() const { return subject_; }
  [[nodiscard]] const std::vector<Relevant>& steps() const { return steps_; }
  /// The source is a Stalwart 0.13 to 0.15.
  [[nodiscard]] bool is_from_old_stalwart() const;

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
  /// Every step of the account's own that decides its mail is done: nothing of it is on its way.
  [[nodiscard]] bool is_settled(Mask state) const;
  /// Groups and accounts of the target alone, once every step of the stage that makes them is done.
  [[nodiscard]] std::vector<Resident> residents(Mask state) const;
  /// The mailbox of the target is the one that is read: its last copy is made.
  [[nodiscard]] bool is_targets(Mask state) const {
    return last_copy_ >= 0 && is_done(state, static_cast<std::size_t>(last_copy_));
  }
  /// Is this address one of somebody whom no step moves or makes: in the domain of the account, or
  /// in one that is none of the plan's?
  [[nodiscard]] bool is_nobodys(std::string_view address) const;
  /// Name of the wave in which its steps are; "" without waves.
  [[nodiscard]] std::string wave_name() const;
  /// "prepared", "wave canary: created, not moved": where the migration stands on the way there.
  [[nodiscard]] std::string phase(Mask state) const;
  /// The steps whose effect is seen in this state: a written setting is used only after a reload
  /// that came after it. States with the same effects deliver alike.
  [[nodiscard]] Mask effects(Mask state) const;
  /// Steps whose effect may be seen besides: a reload is done, and neither it nor they wait for the
  /// other.
  [[nodiscard]] Mask perhaps(Mask state) const;
  /// What both servers do where exactly these effects are seen; it asks this object as long as it
  /// lives. Nothing when an expression cannot be read: `*problem`, and its step in `unread`.
  [[nodiscard]] std::optional<World> world_with(Mask effects, std::string* problem,
                                                ir::StepId* unread = nullptr) const;

  /// The steps of the account's move, which `plan rollback` undoes as a whole, in the reverse of
  /// the graph's order, whatever else stands (runtime/engine/rollback.h). Those beside it are
  /// undone newest first.
  [[nodiscard]] Mask move() const { return move_; }
  /// The steps that a rollback point lies before, of what is done: to a point that was reached, and
  /// over nothing that cannot be undone.
  [[nodiscard]] Mask undoable(Mask done) const;
  /// What stands when step `i` is undone as well. Settings that come back are loaded at once, with
  /// whatever else was written.
  [[nodiscard]] Standing undone(const Standing& standing, std::size_t i) const;
  /// Does the undo of step `i` load what was written, or was it `i` that did?
  [[nodiscard]] bool loads(std::size_t i) const;
  /// The account is given back when everybody has moved. Nothing without a move.
  [[nodiscard]] std::optional<Standing> given_back() const;

  /// Everything up to a boundary is done, for one name of `phase_names`; at "rollback" the account
  /// is given back.
  [[nodiscard]] std::optional<Standing> at_phase(std::string_view phase) const;
  /// Exactly these steps and what they wait for; nothing when none of them decides this mail.
  [[nodiscard]] std::optional<Mask> after_step(std::string_view id) const;
  /// The boundaries that this graph has, in order: "before", "prepared", "cutover", "created",
  /// "copied", "held", "keys", "moved", "rollback", "finalized".
  [[nodiscard]] std::vector<std::string> phase_names() const;

  /// The done steps of this state and everything that any of them waits for, in the whole graph.
  [[nodiscard]] std::vector<bool> done_in(Mask state) const;
  /// Puts other accounts of the plan into the world of a state, where they are when these steps are
  /// done. Returns those of them whose move is not over.
  std::vector<std::string> add_others(World& world, const std::vector<Subject>& others,
                                      const std::vector<bool>& done) const;

 private:
  void collect();
  void add_old_stalwart(World& world) const;
  [[nodiscard]] bool is_of_others(const Question& question) const;
  static void add_to_list(World& world, const ir::Value& list, const ir::Value& keys);
  bool add_settings(World& world, const Relevant& step, std::string* problem) const;
  [[nodiscard]] Mask steps_of_move() const;
  [[nodiscard]] bool takes_along(std::size_t i, std::size_t k) const;
  /// By which reload what a step writes is used.
  enum class Reload : std::uint8_t { none, settings, lookups };
  [[nodiscard]] Reload reload_of(std::size_t i) const;
  enum class Loaded : std::uint8_t { no, perhaps, yes };
  [[nodiscard]] Loaded loaded(Mask state, std::size_t i) const;
  void split_effects(Mask state, Mask& sure, Mask& perhaps) const;
  /// What an old Stalwart does by itself again, because a step put back what another one wrote.
  void place_restored(World& world, const Relevant& step) const;
  void add_sets_of(const schema::MtaContainer& rule, Target& target) const;
  void add_list(World& world, const Relevant& step, bool is_there) const;
  bool add_step(World& world, const Relevant& step, std::string* problem) const;
  void add_account_step(World& world, const Subject& subject, const Relevant& step) const;
  bool add_object(World& world, const Relevant& step, std::string* problem) const;
  void add_account_object(World& world, const Relevant& step) const;
  void add_route_object(World& world, const Relevant& step) const;
  bool add_domain_object(World& world, const Relevant& step, std::string* problem) const;
  bool read_expression(const Relevant& step, std::string_view object, std::string_view property,
                       std::shared_ptr<const schema::MtaContainer>& into,
                       std::string* problem) const;
  bool read_container(const Relevant& step, const ir::Value& container,
                      const schema::MtaContext& context,
                      std::shared_ptr<const schema::MtaContainer>& into,
                      std::string* problem) const;
  bool read_tag_rule(const Relevant& step, TargetDomain& domain, std::string* problem) const;
  [[nodiscard]] Mask closed_over(const std::function<bool(const Relevant&)>& is_wanted) const;
  [[nodiscard]] bool has(ir::StepKind kind) const;
  /// Is this none of the plan's machines, and none of those that rules tell of?
  [[nodiscard]] bool is_elsewhere(std::string_view host) const;

  MailSteps& all_;
  const ir::StepGraph& graph_;
  Subject subject_;
  MailFacts facts_;
  std::vector<Relevant> steps_;
  Domains domains_;
  int last_copy_ = -1;
  int commit_ = -1;  // release, else the last step that moves mail
  Mask move_ = 0;
  Mask irreversible_ = 0;
  std::vector<Mask> before_points_;  // what is done before each rollback point
};

/// These steps and everything that they wait for, directly or not.
[[nodiscard]] std::vector<bool> done_behind(const ir::StepGraph& graph,
                                            std::vector<ir::StepId> open);
/// The address of the mailing list that a step makes, in lower case.
[[nodiscard]] std::string list_address(const ir::StepGraph& graph, ir::StepId step);
/// Who is on a list at the source, in lower case, where a step `admin.list` writes others; empty
/// where it writes those of its row.
[[nodiscard]] std::vector<std::string> source_members(const ir::StepGraph& graph, ir::StepId step);
/// Does this kind of step decide where mail of one account goes, or when its data is on the target?
[[nodiscard]] bool is_account_kind(ir::StepKind kind);
/// Does it hold mail of one account at the source? Does it send that mail to the target?
[[nodiscard]] bool is_hold(ir::StepKind kind);
[[nodiscard]] bool is_forward(ir::StepKind kind);
/// Is what it writes found by every address that it names, and not by the account alone?
[[nodiscard]] bool goes_by_addresses(ir::StepKind kind);
/// Steps of the kinds of an account's move that are stamped out for no account's row. Of nearly all
/// others the shape says that they are not, and it is asked once.
class StepsApart {
 public:
  explicit StepsApart(const ir::StepGraph& graph)
      : graph_(graph), of_shape_(graph.shapes().size()) {}

  /// Who such a step names, in lower case: the account, and the addresses that it goes by. Empty
  /// for any other step.
  [[nodiscard]] std::vector<std::string> named_by(ir::StepId step);

 private:
  [[nodiscard]] bool may_be_apart(ir::StepId step);

  enum class Answer : std::uint8_t { unasked, no, yes };
  const ir::StepGraph& graph_;
  std::vector<Answer> of_shape_;
};
/// Do these arguments of a step `source.settings` say where an old Stalwart sends mail?
[[nodiscard]] bool decides_route(const ir::Value& arguments);
/// The key of a lookup list that a setting of an old Stalwart is: "lookup.plan-moved.a@x".
struct ListKey {
  std::string_view list = {};
  std::string_view key = {};
};
[[nodiscard]] std::optional<ListKey> list_key_of(std::string_view setting);
/// Does it write on the target, or make live what was written?
[[nodiscard]] bool is_admin_kind(ir::StepKind kind);
/// A property of an object, which may stand in `match` or in `set`.
[[nodiscard]] const ir::Value& property(const ir::Value& arguments, std::string_view name);
/// Addresses of the enabled aliases of an account that a step writes: a disabled one is not local.
[[nodiscard]] std::vector<std::string> alias_addresses(const ir::StepGraph& graph,
                                                       const ir::Value& arguments);
/// Do these arguments of an `admin.*` step name an object of this type?
[[nodiscard]] bool is_object(const ir::Value& arguments, std::string_view name);
/// "name@domain" of an account or list that a step writes, in lower case; empty when it is found by
/// neither its address nor its name, and when its domain is not made by a step.
[[nodiscard]] std::string object_address(const ir::StepGraph& graph, const ir::Value& arguments);
/// Who a MailingList that a step writes sends to, in lower case.
[[nodiscard]] std::vector<std::string> list_members(const ir::Value& arguments);
/// A set of the registry: a list in a plan, a map of members to true on the wire.
[[nodiscard]] std::vector<std::string> set_members(const ir::Value& set);

/// Somebody in a domain that only the target has: in every world.
inline constexpr std::string_view kTargetOnlyAddress = "somebody@only-on-the-target.test";

}  // namespace plan::flow
