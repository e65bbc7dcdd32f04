#include <algorithm>
#include <map>

#include "compiler/diff/change.h"

namespace plan::diff {
namespace {

void add_sum(std::optional<std::uint64_t>& into, const std::optional<std::uint64_t>& value) {
  if (value) into = into.value_or(0) + *value;
}

void add_longest(std::optional<std::uint64_t>& into, const std::optional<std::uint64_t>& value) {
  if (value) into = std::max(into.value_or(0), *value);
}

bool is_change(const StepChange& step) {
  return step.standing != ir::Standing::satisfied &&
         ir::info(step.kind).effect != ir::StepEffect::read;
}

std::size_t count_changes(const std::vector<StepChange>& steps) {
  return static_cast<std::size_t>(std::count_if(steps.begin(), steps.end(), is_change));
}

}  // namespace

void Cost::add(const Cost& other) {
  add_sum(messages, other.messages);
  add_sum(bytes, other.bytes);
  add_sum(duration_ms, other.duration_ms);
  add_longest(hold_ms, other.hold_ms);
}

bool AccountChange::is_satisfied() const { return count_changes(steps) == 0; }

std::size_t ChangeSet::change_count() const {
  std::size_t count = 0;
  for (const StageChange& stage : stages) {
    count += count_changes(stage.steps);
    for (const WaveChange& wave : stage.waves) {
      count += count_changes(wave.steps);
      for (const AccountChange& account : wave.accounts) count += count_changes(account.steps);
    }
  }
  return count;
}

ChangeSet compare(const ir::StepGraph& graph,
                  const std::unordered_map<std::uint32_t, ir::Observation>& observations,
                  const Places& places, std::string plan_name) {
  ChangeSet changes;
  changes.plan_name = std::move(plan_name);
  for (const ir::Stage stage :
       {ir::Stage::prepare, ir::Stage::cutover, ir::Stage::waves, ir::Stage::finalize}) {
    changes.stages.push_back({stage, {}, {}});
  }
  std::vector<WaveChange> waves;
  for (const ir::WaveInfo& wave : graph.waves()) {
    waves.push_back({wave.name, wave.parallel, wave.is_held_for_approval, {}, {}, {}});
  }
  std::vector<std::unordered_map<std::uint32_t, std::size_t>> account_at(waves.size());

  for (const ir::StepId id : graph.order()) {
    const auto key = static_cast<std::uint32_t>(id);
    const auto found = observations.find(key);
    const auto place = places.find(key);
    StepChange step;
    step.id = graph.id(id);
    step.kind = graph.kind(id);
    step.role = graph.role(id);
    step.place = place == places.end() ? std::string() : place->second;
    Cost cost;
    if (found != observations.end()) {
      const ir::Observation& seen = found->second;
      step.standing = seen.standing;
      step.differences = seen.differences;
      step.remark = seen.remark;
      cost = {seen.messages, seen.bytes, seen.duration_ms, seen.hold_ms};
    }
    const auto wave = static_cast<std::size_t>(graph.wave(id));
    const ir::RowId row = graph.row(id);
    // Waves and lists have rows too; an account is what the step's arguments call so.
    const bool is_account =
        row != ir::RowId::none && !graph.shape(id).arguments["account"].is_null();
    if (wave == 0) {
      changes.stages[static_cast<std::size_t>(graph.stage(id))].steps.push_back(std::move(step));
    } else if (!is_account) {
      waves[wave - 1].steps.push_back(std::move(step));
    } else {
      WaveChange& in = waves[wave - 1];
      const auto [at, is_new] =
          account_at[wave - 1].emplace(static_cast<std::uint32_t>(row), in.accounts.size());
      if (is_new) in.accounts.push_back({std::string(graph.row_name(row)), {}, {}});
      AccountChange& account = in.accounts[at->second];
      // The figures of an account are those of its largest step; later steps speak of the same
      // messages.
      add_longest(account.cost.messages, cost.messages);
      add_longest(account.cost.bytes, cost.bytes);
      add_sum(account.cost.duration_ms, cost.duration_ms);
      add_sum(account.cost.hold_ms, cost.hold_ms);
      account.steps.push_back(std::move(step));
    }
  }
  for (WaveChange& wave : waves) {
    for (const AccountChange& account : wave.accounts) wave.cost.add(account.cost);
    if (wave.cost.duration_ms) *wave.cost.duration_ms /= std::max<std::uint32_t>(1, wave.parallel);
  }
  changes.stages[static_cast<std::size_t>(ir::Stage::waves)].waves = std::move(waves);
  return changes;
}

}  // namespace plan::diff
