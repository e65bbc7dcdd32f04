#include <algorithm>

#include "compiler/diff/change.h"
#include "compiler/source/text.h"

namespace plan::diff {
namespace {

/// More names than these are not compared for "did you mean".
constexpr std::size_t kNamesCompared = 20'000;

bool is_below(std::string_view text, std::string_view path) {
  return text.starts_with(path) && (text.size() == path.size() || text[path.size()] == '/');
}

/// The step as far as it lies below the path: whole, or one property of it.
std::optional<StepChange> part_of(const StepChange& step, std::string_view path) {
  if (is_below(step.id, path)) return step;
  if (!is_below(path, step.id)) return std::nullopt;
  const std::string_view property = path.substr(step.id.size() + 1);
  StepChange part = step;
  std::erase_if(part.differences, [&](const ir::Difference& difference) {
    const std::string_view of = difference.path;
    return !of.starts_with(property) ||
           (of.size() > property.size() && of[property.size()] != '.' &&
            of[property.size()] != '[' && of[property.size()] != '/');
  });
  if (part.differences.empty()) return std::nullopt;
  return part;
}

std::vector<StepChange> parts_of(const std::vector<StepChange>& steps, std::string_view path) {
  std::vector<StepChange> parts;
  for (const StepChange& step : steps) {
    if (auto part = part_of(step, path)) parts.push_back(std::move(*part));
  }
  return parts;
}

std::optional<WaveChange> part_of(const WaveChange& wave, std::string_view path) {
  if (path == "waves/" + wave.name) return wave;
  WaveChange part = wave;
  part.steps = parts_of(wave.steps, path);
  part.accounts.clear();
  for (const AccountChange& account : wave.accounts) {
    AccountChange kept = account;
    kept.steps = parts_of(account.steps, path);
    if (!kept.steps.empty()) part.accounts.push_back(std::move(kept));
  }
  if (part.steps.empty() && part.accounts.empty()) return std::nullopt;
  part.sum_up();
  return part;
}

/// Everything that a path may name.
std::vector<std::string> names_in(const ChangeSet& changes) {
  std::vector<std::string> names;
  const auto add_steps = [&](const std::vector<StepChange>& steps) {
    for (const StepChange& step : steps) {
      names.push_back(step.id);
      for (std::size_t at = step.id.rfind('/'); at != std::string::npos && at > 0;
           at = step.id.rfind('/', at - 1))
        names.push_back(step.id.substr(0, at));
    }
  };
  for (const StageChange& stage : changes.stages) {
    names.emplace_back(to_string(stage.stage));
    add_steps(stage.steps);
    for (const WaveChange& wave : stage.waves) {
      names.push_back("waves/" + wave.name);
      add_steps(wave.steps);
      for (const AccountChange& account : wave.accounts) {
        if (names.size() < kNamesCompared) add_steps(account.steps);
      }
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

std::optional<ChangeSet> below(const ChangeSet& changes, std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  ChangeSet part;
  part.plan_name = changes.plan_name;
  part.digest = changes.digest;
  part.made_from = changes.made_from;
  part.path = path;
  bool is_anything = false;
  for (const StageChange& stage : changes.stages) {
    StageChange kept;
    kept.stage = stage.stage;
    if (path == to_string(stage.stage)) {
      kept = stage;
    } else {
      kept.steps = parts_of(stage.steps, path);
      for (const StepCost& cost : stage.costs) {
        if (is_below(cost.step, path)) kept.costs.push_back(cost);
      }
      for (const WaveChange& wave : stage.waves) {
        if (auto of_wave = part_of(wave, path)) kept.waves.push_back(std::move(*of_wave));
      }
    }
    is_anything = is_anything || !kept.steps.empty() || !kept.waves.empty();
    part.stages.push_back(std::move(kept));
  }
  if (!is_anything) return std::nullopt;
  return part;
}

std::string nearest_path(const ChangeSet& changes, std::string_view path) {
  const std::vector<std::string> names = names_in(changes);
  const auto near = nearest(path, std::vector<std::string_view>(names.begin(), names.end()));
  return near ? std::string(*near) : std::string();
}

}  // namespace plan::diff
