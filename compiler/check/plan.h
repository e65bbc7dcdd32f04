#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/facts/lock.h"
#include "compiler/facts/measurement.h"
#include "compiler/ir/value.h"
#include "compiler/source/diagnostic.h"
#include "compiler/syntax/tree.h"

namespace plan::check {

/// A text of the plan with its place.
struct Named {
  std::string text = {};
  Span span = {};
};

/// A port where the target listens, or will.
struct Listener {
  std::string protocol = {};  ///< "imap", as the target says it
  std::int64_t port = 0;
};

struct PlanWave {
  std::string name = {};
  Span span = {};
  std::vector<Named> accounts = {};
  bool is_rest = false;    ///< names no accounts: all that no other wave names
  bool is_broken = false;  ///< something in it was reported: nothing follows from what is left
  std::uint32_t parallel = 1;
  bool is_held_for_approval = false;
  std::uint32_t stop_after_failed = 0;
  std::uint32_t stop_failed_permille = 0;
  std::uint64_t stop_hold_ms = 0;
  std::int64_t start_after_ms = 0;     ///< since 1970; 0: as soon as its turn comes
  std::int64_t complete_after_ms = 0;  ///< no account is held before; 0: as soon as it is copied
  Span window_span = {};               ///< of the later of the two
  /// What the wave's clients, which load all their mail again, may take of the network; 0: not
  /// said.
  std::uint64_t client_bytes_per_s = 0;
  std::uint64_t client_within_ms = 0;
  Span clients_span = {};
};

/// What the plan says about one diagnostic at one place: another severity, or that it is silenced.
struct FindingRule {
  Kind kind = {};
  std::string at = {};                    ///< the text that the diagnostic points at
  std::optional<Severity> severity = {};  ///< nothing: silenced
  std::string reason = {};
  Span span = {};
};

/// One entry of `dump:`.
struct PlanDump {
  Span span = {};
  Named folder = {};              ///< absolute path on the server's machine
  std::string name = {};          ///< in ids of steps: the last part of `folder`
  std::vector<Named> named = {};  ///< letters, names or families; empty: all
  Span subspaces_span = {};
  Named when = {};            ///< empty: the author does not say
  bool is_by_server = false;  ///< `stalwart --export` writes it, not plan
};

/// `store:`: where the server keeps its data, and where it shall.
struct PlanStore {
  Span span = {};
  Span from_span = {};
  Span to_span = {};
  bool is_moved = false;       ///< there is a `to`, or a `config` to change to
  bool is_by_server = false;   ///< `stalwart --import` fills it, not plan
  std::string from_kind = {};  ///< "sqlite", "rocksdb", ...; empty: what the configuration names
  std::string to_kind = {};
  ir::Value from = {};      ///< {address, password}; `config:PATH` when it is not given
  ir::Value to = {};        ///< the same, with what a server's configuration says about it
  std::string config = {};  ///< file that becomes the server's configuration
};

/// A plan as its author meant it: names resolved, defaults filled in, secrets as references.
/// Nothing of the lock yet.
struct Plan {
  /// It could be read which accounts move. If not, looking for them would only report consequences
  /// of what was reported already.
  bool is_sound = false;
  /// Some domain or account of a list could not be read. What is left is judged; that something is
  /// missing follows from what was reported and is not reported again.
  bool is_partial = false;
  bool are_waves_partial = false;  ///< the same of what the waves name
  /// A statement whose syntax is broken was left out, and nobody can tell which part it was.
  bool has_nameless_gap = false;
  std::shared_ptr<const syntax::Node> tree = {};
  Span span = {};  ///< of the first line, for what has no better place
  Named name = {};
  Named use = {};
  Named public_name = {};
  Named proxy = {};
  Named source_address = {};
  Named target_address = {};
  /// The blocks that drivers get as `arguments["source"]` and so on. What only the lock knows
  /// (pins) is filled in by resolve().
  ir::Value addresses = {};
  ir::Value hosts = {};
  ir::Value source = {};
  ir::Value target = {};
  ir::Value proxies = {};
  ir::Value move = {};     ///< bounds of one account's move, with defaults
  ir::Value cutover = {};  ///< {run: list or null, undo: list or null}
  Span cutover_span = {};
  ir::Value finalize = {};  ///< {run: list or null, is_held}
  Span finalize_span = {};
  std::vector<Named> domains = {};
  Span domains_span = {};
  ir::Value accounts_from = {};
  Span accounts_span = {};
  Span account_file_span = {};    ///< of the path in `from: {csv: PATH}`; unknown: none
  bool has_account_list = false;  ///< `from` names the accounts itself, or its csv file does
  std::vector<Named> account_list = {};
  std::vector<Named> except = {};
  /// Texts of exceptions that could not be read: accounts near to one are not judged, for they may
  /// be meant. Not reported: that the text cannot be read was.
  std::vector<std::string> meant_exceptions = {};
  std::vector<Named> without_password = {};
  std::vector<PlanWave> waves = {};
  std::vector<Named> rollback_points = {};
  std::vector<FindingRule> findings = {};
  Span rollback_span = {};
  /// The plan is about one server's store: dumps of it, or its move to another kind. It has no
  /// source, proxies, domains or accounts.
  bool is_of_store = false;
  std::vector<PlanDump> dumps = {};
  PlanStore store = {};

  [[nodiscard]] bool has_point(std::string_view name) const;
  /// The place of a value: `place("source", "master_user")`; the plan's begin when it is not there.
  [[nodiscard]] Span place(std::string_view key, std::string_view inner = {}) const;
};

/// Reads the tree of a plan. Goes on after every problem, so that all are shown at once; the result
/// is only fit for lowering when nothing was reported as an error.
[[nodiscard]] Plan read_plan(std::shared_ptr<const syntax::Node> tree, const SourceSet& sources,
                             Sink& sink);

/// An account that the plan moves.
struct Account {
  const facts::LockAccount* lock = nullptr;
  std::uint32_t wave = 0;    ///< index in Plan::waves
  Span origin = {};          ///< where the plan names it, else its wave
  bool has_password = true;  ///< false: created without a credential, on request
};

/// A list that the plan moves; flips in `wave`, that of its last member.
struct MailList {
  const facts::LockList* lock = nullptr;
  std::vector<std::string> members = {};     ///< flattened, sorted, without the list itself
  std::vector<std::uint32_t> accounts = {};  ///< indices in Migration::accounts of moving members
  std::uint32_t wave = 0;
};

/// Plan, lock and measurements together: what the rules look at and lowering expands.
struct Migration {
  Plan plan = {};
  std::shared_ptr<const facts::Lock> lock = {};
  std::shared_ptr<const facts::Measurements> facts = {};
  std::vector<Account> accounts = {};  ///< by address
  std::vector<MailList> lists = {};    ///< by address
  /// Listeners of the target that steps of the plan make; known when the steps are expanded.
  std::vector<Listener> made_listeners = {};
  /// Networks that steps of the plan let the target never ban: allowed, or trusted as proxies.
  /// Known when the steps are expanded.
  std::vector<std::string> spared_networks = {};
  /// Moments up to this one have passed, in milliseconds since 1970; nothing: nobody has a clock.
  std::optional<std::int64_t> now_ms = {};

  /// Index in `accounts` by primary address or alias (lower case); -1 when nobody has it.
  [[nodiscard]] std::int64_t account_with(std::string_view address) const;

  struct AddressIndex;
  std::shared_ptr<const AddressIndex> by_address = {};
};

/// Finds the accounts, their waves, the lists, and fills the pins of the lock into the blocks.
[[nodiscard]] Migration resolve(Plan plan, std::shared_ptr<const facts::Lock> lock,
                                std::shared_ptr<const facts::Measurements> facts, Sink& sink);

/// Runs every rule of rules.def that is about plans of this kind.
void check_rules(const Migration& migration, Sink& sink);

/// The rules that have to know which listeners the steps make: they run behind the expansion.
void check_listener_rules(const Migration& migration, Sink& sink);

/// Part of an address behind the last `@`; empty when there is none.
[[nodiscard]] std::string_view domain_of(std::string_view address);

}  // namespace plan::check
