#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "compiler/diff/change.h"
#include "compiler/ir/json.h"
#include "compiler/ir/undo_by_hand.h"

namespace plan::diff {
namespace {

void add_sum(std::optional<std::uint64_t>& into, const std::optional<std::uint64_t>& value) {
  if (value) into = into.value_or(0) + *value;
}

void add_longest(std::optional<std::uint64_t>& into, const std::optional<std::uint64_t>& value) {
  if (value) into = std::max(into.value_or(0), *value);
}

void add_counts(std::vector<ir::Counted>& into, const std::vector<ir::Counted>& more) {
  for (const ir::Counted& one : more) {
    const auto same = std::find_if(into.begin(), into.end(), [&one](const ir::Counted& other) {
      return other.name == one.name;
    });
    if (same == into.end())
      into.push_back(one);
    else
      same->count += one.count;
  }
}

bool is_change(const StepChange& step) {
  return !step.is_unseen && step.standing != ir::Standing::satisfied &&
         ir::info(step.kind).effect != ir::StepEffect::read;
}

template <typename Each>
void each_step(const ChangeSet& changes, const Each& each) {
  for (const StageChange& stage : changes.stages) {
    std::for_each(stage.steps.begin(), stage.steps.end(), each);
    for (const WaveChange& wave : stage.waves) {
      std::for_each(wave.steps.begin(), wave.steps.end(), each);
      for (const AccountChange& account : wave.accounts)
        std::for_each(account.steps.begin(), account.steps.end(), each);
    }
  }
}

template <typename Predicate>
std::size_t count_steps(const ChangeSet& changes, const Predicate& is_counted) {
  std::size_t all = 0;
  each_step(changes, [&](const StepChange& step) {
    if (is_counted(step)) ++all;
  });
  return all;
}

/// Two reloads of one server begin at least so far apart (design.md section 6, "Scale"). A few
/// accounts at a time go one behind the other and meet none of another's; more of them go together,
/// and then each waits for half of the time on average.
constexpr std::uint64_t kReloadApartMs = 1000;
constexpr std::uint64_t kOneBehindTheOther = 3;

/// What finalize puts back is as it was as long as nothing has changed it: without a word it would
/// stand there as if there were nothing to do.
class ChangedBefore {
 public:
  explicit ChangedBefore(const ir::StepGraph& graph) : graph_(graph) {}

  /// In topological order: a step that would change something.
  void add(ir::StepId step) {
    if (graph_.stage(step) == ir::Stage::finalize) return;
    const ir::Value arguments = graph_.arguments(step);
    if (graph_.kind(step) == ir::StepKind::admin_keys) {
      for (const ir::Value& address : arguments["addresses"].items()) {
        by_object_.emplace(
            key_of("MemoryLookupKey",
                   ir::Value::map({{"namespace", arguments["namespace"]}, {"key", address}})),
            step);
      }
    } else if (arguments["object"].is_string()) {
      by_object_.emplace(key_of(arguments["object"].as_string(), arguments["match"]), step);
    }
  }

  /// The earlier step whose change a finalize step takes away.
  [[nodiscard]] std::optional<ir::StepId> behind(ir::StepId step) const {
    const ir::StepKind kind = graph_.kind(step);
    if (graph_.stage(step) != ir::Stage::finalize || by_object_.empty() ||
        (kind != ir::StepKind::admin_update && kind != ir::StepKind::admin_destroy))
      return std::nullopt;
    const ir::Value arguments = graph_.arguments(step);
    const auto found =
        by_object_.find(key_of(arguments["object"].string_or(""), arguments["match"]));
    return found == by_object_.end() ? std::nullopt : std::optional<ir::StepId>(found->second);
  }

 private:
  static std::string key_of(std::string_view object, const ir::Value& match) {
    return fmt::format("{} {}", object, match.is_map() ? ir::canonical_json(match) : "");
  }

  const ir::StepGraph& graph_;
  std::map<std::string, ir::StepId, std::less<>> by_object_;
};

/// Clients wait from proxy.hold to the commit, and steps that do not wait for one another run side
/// by side: the hold is the longest chain of steps in between.
class Holds {
 public:
  explicit Holds(const ir::StepGraph& graph)
      : graph_(graph), ends_(graph.size(), 0), via_(graph.size(), kNone) {
    for (const ir::StepShape& shape : graph.shapes())
      has_clients_hold_ = has_clients_hold_ || shape.kind == ir::StepKind::proxy_hold;
  }

  /// In topological order. The end of the chain up to this step; nothing when clients do not wait
  /// for it.
  std::optional<std::uint64_t> add(ir::StepId step, std::uint64_t ms) {
    if (graph_.role(step) == ir::TransactionRole::none) return std::nullopt;
    bool is_in = !has_clients_hold_ || graph_.kind(step) == ir::StepKind::proxy_hold;
    std::uint64_t begin = 0;
    for (const ir::StepId earlier : graph_.after(step)) {
      const std::size_t at = ir::index(earlier);
      if (graph_.row(earlier) != graph_.row(step) || ends_[at] == 0) continue;
      is_in = true;
      if (ends_[at] - 1 < begin) continue;
      begin = ends_[at] - 1;
      via_[ir::index(step)] = static_cast<std::uint32_t>(at);
    }
    if (!is_in) return std::nullopt;
    ends_[ir::index(step)] = begin + ms + 1;  // 0 is kept for "not in the hold"
    return begin + ms;
  }

  [[nodiscard]] std::vector<ir::StepId> chain(ir::StepId last) const {
    std::vector<ir::StepId> steps;
    for (auto at = static_cast<std::uint32_t>(ir::index(last)); at != kNone; at = via_[at])
      steps.push_back(static_cast<ir::StepId>(at));
    std::reverse(steps.begin(), steps.end());
    return steps;
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  const ir::StepGraph& graph_;
  std::vector<std::uint64_t> ends_;  // of the chain, plus one
  std::vector<std::uint32_t> via_;
  bool has_clients_hold_ = false;
};

/// Its clients are at the target already.
bool has_moved(const AccountChange& account) {
  return account.is_satisfied() ||
         std::any_of(account.steps.begin(), account.steps.end(), [](const StepChange& step) {
           return step.role == ir::TransactionRole::commit &&
                  step.standing == ir::Standing::satisfied;
         });
}

std::string put_back_words(const ir::StepGraph& graph, ir::StepId earlier, ir::StepKind kind) {
  return fmt::format(
      "{} what `{}` {}", kind == ir::StepKind::admin_destroy ? "takes away" : "puts back",
      graph.id(earlier), graph.kind(earlier) == ir::StepKind::admin_update ? "changes" : "creates");
}

/// The comparison as it goes over the steps in topological order: each step with how it stands, the
/// costs of what is to be done, and per account the longest chain of steps that its clients wait
/// for.
class Comparison {
 public:
  Comparison(const ir::StepGraph& graph, const ir::ObservationTable& observations,
             const PlaceOf& place_of, Detail detail, ChangeSet& changes)
      : graph_(graph),
        observations_(observations),
        place_of_(place_of),
        detail_(detail),
        changes_(changes),
        holds_(graph),
        changed_(graph) {
    for (const ir::WaveInfo& wave : graph.waves()) {
      WaveChange change;
      change.name = wave.name;
      change.parallel = wave.parallel;
      change.is_held_for_approval = wave.is_held_for_approval;
      change.client_bytes_per_s = wave.client_bytes_per_s;
      change.client_within_ms = wave.client_within_ms;
      waves_.push_back(std::move(change));
    }
    for (const ir::StepShape& shape : graph.shapes())
      is_of_account_.push_back(!shape.arguments["account"].is_null());
    account_of_row_.assign(graph.row_count() + 1, kNone);
  }

  void add(ir::StepId id) {
    const auto wave = static_cast<std::size_t>(graph_.wave(id));
    // Waves and lists have rows too; an account is what the step's arguments call so.
    const bool is_account =
        graph_.row(id) != ir::RowId::none &&
        is_of_account_[static_cast<std::size_t>(&graph_.shape(id) - graph_.shapes().data())];
    if (wave != 0 && is_account) return add_to_account(id);
    const ir::Observation* seen = observation(id);
    StepChange step = change_of(id, seen);
    if (wave == 0)
      add_to_stage(id, seen, std::move(step));
    else
      waves_[wave - 1].steps.push_back(std::move(step));
  }

  std::vector<WaveChange> waves() && {
    for (const Account& account : accounts_) sum_up_hold(account);
    for (WaveChange& wave : waves_) {
      for (AccountChange& account : wave.accounts) {
        if (has_moved(account)) account.download_bytes = std::nullopt;
      }
      wave.sum_up();
    }
    return std::move(waves_);
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  /// An account of a wave, and what of it is not in the change set.
  struct Account {
    std::size_t wave = 0;
    std::size_t at = 0;                   // in the wave
    std::vector<ir::StepId> done = {};    // left out as long as nothing else is to be said
    bool is_done = true;                  // so far
    std::optional<ir::StepId> last = {};  // of the longest chain that its clients wait for
    std::uint64_t longest_ms = 0;
  };

  [[nodiscard]] const ir::Observation* observation(ir::StepId id) const {
    return observations_.find(static_cast<std::uint32_t>(id));
  }

  StepChange change_of(ir::StepId id, const ir::Observation* seen) {
    StepChange step;
    step.id = graph_.id(id);
    step.kind = graph_.kind(id);
    step.role = graph_.role(id);
    if (place_of_) step.place = place_of_(id);
    look_at(step, id, seen);
    if (step.standing == ir::Standing::satisfied) return step;
    if (const std::string by_hand = ir::undo_by_hand(graph_, id); !by_hand.empty())
      step.remark += (step.remark.empty() ? "" : "; ") + by_hand;
    return step;
  }

  void look_at(StepChange& step, ir::StepId id, const ir::Observation* seen) {
    if (seen == nullptr) return;
    step.standing = seen->standing;
    step.differences = seen->differences;
    // A member that is to be empty and is so is no difference.
    std::erase_if(step.differences, [](const ir::Difference& difference) {
      return difference.is.is_null() && difference.wanted.is_null();
    });
    (seen->is_unseen ? step.unseen_because : step.remark) = seen->remark;
    step.is_unseen = seen->is_unseen;
    if (step.standing != ir::Standing::satisfied) {
      changed_.add(id);
    } else if (const auto earlier = changed_.behind(id)) {
      step.standing = ir::Standing::unknowable;
      // Of the keys one text for all, so that they are shown once.
      step.remark = graph_.kind(*earlier) == ir::StepKind::admin_keys
                        ? std::string("takes away the key that the move of its account makes")
                        : put_back_words(graph_, *earlier, step.kind);
    }
  }

  void add_to_stage(ir::StepId id, const ir::Observation* seen, StepChange step) {
    StageChange& stage = changes_.stages[static_cast<std::size_t>(graph_.stage(id))];
    if (seen != nullptr && step.standing != ir::Standing::satisfied &&
        (seen->bytes || seen->duration_ms))
      stage.costs.push_back({step.id, seen->bytes, seen->duration_ms, seen->duration_basis});
    stage.steps.push_back(std::move(step));
  }

  Account& account_of(ir::StepId id) {
    const std::size_t wave = static_cast<std::size_t>(graph_.wave(id)) - 1;
    const ir::RowId row = graph_.row(id);
    std::uint32_t& at = account_of_row_[static_cast<std::size_t>(row)];
    if (at == kNone || accounts_[at].wave != wave) {
      at = static_cast<std::uint32_t>(accounts_.size());
      accounts_.push_back({.wave = wave, .at = waves_[wave].accounts.size()});
      waves_[wave].accounts.emplace_back().account = std::string(graph_.row_name(row));
    }
    return accounts_[at];
  }
  AccountChange& change_of(const Account& account) {
    return waves_[account.wave].accounts[account.at];
  }

  void add_to_account(ir::StepId id) {
    Account& account = account_of(id);
    const ir::Observation* seen = observation(id);
    // What finalize takes away may be there for it to be taken away: that is looked at by itself.
    const bool is_done = seen != nullptr && seen->standing == ir::Standing::satisfied &&
                         !seen->is_unseen && graph_.stage(id) != ir::Stage::finalize;
    if (detail_ == Detail::changes && account.is_done && is_done) {
      account.done.push_back(id);
      return;
    }
    account.is_done = false;
    for (const ir::StepId earlier : std::exchange(account.done, {}))
      add_step(account, earlier, observation(earlier));
    add_step(account, id, seen);
  }

  void add_step(Account& of, ir::StepId id, const ir::Observation* seen) {
    AccountChange& account = change_of(of);
    StepChange step = change_of(id, seen);
    // The figures of an account are those of its largest step; later steps speak of the same
    // messages. What is done costs nothing any more, but its clients download it all the same.
    if (seen != nullptr) add_longest(account.download_bytes, seen->bytes);
    const bool is_to_do = step.standing != ir::Standing::satisfied;
    static const ir::Observation kNothing;
    const ir::Observation& cost = seen != nullptr && is_to_do ? *seen : kNothing;
    add_longest(account.cost.messages, cost.messages);
    add_longest(account.cost.bytes, cost.bytes);
    add_sum(account.cost.duration_ms, cost.duration_ms);
    if (cost.duration_ms)
      account.duration.push_back({step.id, *cost.duration_ms, cost.duration_basis});
    if (step.kind == ir::StepKind::archive_copy && is_to_do && !cost.bytes)
      account.cost.not_measured = 1;
    add_counts(account.cost.beside, cost.beside);
    add_counts(account.cost.not_carried, cost.not_carried);
    const auto end = holds_.add(id, cost.hold_ms.value_or(0));
    if (end && cost.hold_ms) account.cost.hold_ms = 0;  // its sum is known once all are added
    if (end && *end >= of.longest_ms) {
      of.longest_ms = *end;
      of.last = id;
    }
    account.steps.push_back(std::move(step));
  }

  void sum_up_hold(const Account& of) {
    AccountChange& account = change_of(of);
    if (!account.cost.hold_ms || !of.last) return;
    account.cost.hold_ms = of.longest_ms;
    bool has_reload = false;
    for (const ir::StepId id : holds_.chain(*of.last)) {
      const ir::Observation* seen = observation(id);
      if (seen == nullptr || seen->hold_ms.value_or(0) == 0 ||
          seen->standing == ir::Standing::satisfied)
        continue;
      account.hold.push_back({graph_.id(id), *seen->hold_ms, seen->hold_basis});
      has_reload = has_reload || graph_.kind(id) == ir::StepKind::admin_keys ||
                   graph_.kind(id) == ir::StepKind::postfix_forward ||
                   graph_.kind(id) == ir::StepKind::source_forward;
    }
    const std::uint64_t others = std::max<std::uint32_t>(1, waves_[of.wave].parallel) - 1;
    if (!has_reload || others < kOneBehindTheOther) return;
    const std::uint64_t wait = kReloadApartMs / 2 * others / (others + 1);
    *account.cost.hold_ms += wait;
    account.hold.push_back(
        {"reloads", wait, "one a second, shared with the accounts that move at the same time"});
  }

  const ir::StepGraph& graph_;
  const ir::ObservationTable& observations_;
  const PlaceOf& place_of_;
  const Detail detail_;
  ChangeSet& changes_;
  Holds holds_;
  ChangedBefore changed_;
  std::vector<WaveChange> waves_;
  std::vector<bool> is_of_account_;  // by shape
  std::vector<Account> accounts_;
  std::vector<std::uint32_t> account_of_row_;
};

}  // namespace

void Cost::add(const Cost& other) {
  add_sum(messages, other.messages);
  add_sum(bytes, other.bytes);
  add_sum(duration_ms, other.duration_ms);
  add_longest(hold_ms, other.hold_ms);
  not_measured += other.not_measured;
  add_counts(beside, other.beside);
  add_counts(not_carried, other.not_carried);
}

bool AccountChange::is_satisfied() const {
  return std::none_of(steps.begin(), steps.end(),
                      [](const StepChange& step) { return step.is_unseen || is_change(step); });
}

std::optional<std::uint64_t> WaveChange::download_bytes() const {
  std::optional<std::uint64_t> sum;
  for (const AccountChange& account : accounts) add_sum(sum, account.download_bytes);
  return sum;
}

void WaveChange::sum_up() {
  cost = {};
  duration_sum_ms = longest_ms = 0;
  for (const AccountChange& account : accounts) {
    cost.add(account.cost);
    longest_ms = std::max(longest_ms, account.cost.duration_ms.value_or(0));
  }
  if (!cost.duration_ms) return;
  duration_sum_ms = *cost.duration_ms;
  cost.duration_ms = std::max(longest_ms, duration_sum_ms / std::max<std::uint32_t>(1, parallel));
}

std::size_t ChangeSet::change_count() const { return count_steps(*this, is_change); }

std::vector<UnseenReason> ChangeSet::unseen_reasons() const {
  std::vector<UnseenReason> reasons;
  std::unordered_map<std::string_view, std::size_t> at;
  each_step(*this, [&](const StepChange& step) {
    if (!step.is_unseen) return;
    const auto [found, is_new] = at.emplace(step.unseen_because, reasons.size());
    if (is_new) reasons.push_back({step.unseen_because, step.id, 0});
    ++reasons[found->second].steps;
  });
  return reasons;
}

std::size_t ChangeSet::unseen_count() const {
  return count_steps(*this, [](const StepChange& step) { return step.is_unseen; });
}

std::vector<ir::StepKind> ChangeSet::kinds_to_undo() const {
  std::set<ir::StepKind> kinds;
  const auto add = [&](const std::vector<StepChange>& steps) {
    for (const StepChange& step : steps) {
      if (step.standing != ir::Standing::satisfied) kinds.insert(step.kind);
    }
  };
  for (const StageChange& stage : stages) {
    add(stage.steps);
    for (const WaveChange& wave : stage.waves) {
      add(wave.steps);
      for (const AccountChange& account : wave.accounts) add(account.steps);
    }
  }
  std::vector<ir::StepKind> listed;
  for (const ir::StepKind kind : kinds) {
    if (ir::info(kind).undo != ir::UndoPolicy::nothing_to_undo) listed.push_back(kind);
  }
  return listed;
}

ChangeSet compare(const ir::StepGraph& graph, const ir::ObservationTable& observations,
                  const PlaceOf& place_of, std::string plan_name, Detail detail) {
  ChangeSet changes;
  changes.plan_name = std::move(plan_name);
  for (const ir::Stage stage :
       {ir::Stage::prepare, ir::Stage::cutover, ir::Stage::waves, ir::Stage::finalize}) {
    StageChange change;
    change.stage = stage;
    changes.stages.push_back(std::move(change));
  }
  Comparison comparison(graph, observations, place_of, detail, changes);
  for (const ir::StepId id : graph.order()) comparison.add(id);
  changes.stages[static_cast<std::size_t>(ir::Stage::waves)].waves = std::move(comparison).waves();
  return changes;
}

}  // namespace plan::diff
