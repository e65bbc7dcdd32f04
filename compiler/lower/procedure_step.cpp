// What can be told of the steps of a procedure without the rest of their module.
#include "compiler/lower/procedure_step.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/cycle.h"
#include "compiler/source/text.h"

namespace plan::lower {
namespace {

/// `admin.`, `proxy.` and the like, each once.
std::vector<std::string_view> families() {
  std::vector<std::string_view> words;
  for (const ir::StepKindInfo& one : ir::all_step_kinds()) {
    const std::string_view word = one.name.substr(0, one.name.find('.') + 1);
    if (!word.empty() && std::find(words.begin(), words.end(), word) == words.end())
      words.push_back(word);
  }
  return words;
}

}  // namespace

UnknownKind unknown_kind(std::string_view name) {
  std::vector<std::string_view> names, alike;
  const std::string_view family = name.substr(0, name.find('.'));
  for (const ir::StepKindInfo& one : ir::all_step_kinds()) {
    names.push_back(one.name);
    if (one.name.substr(0, one.name.find('.')) == family) alike.push_back(one.name);
  }
  const auto near = nearest(name, names);
  std::string help = "correct the spelling";
  if (!near) {
    help = alike.empty() ? fmt::format("kinds begin with `{}`", fmt::join(families(), "`, `"))
                         : fmt::format("those of its name are `{}`", fmt::join(alike, "`, `"));
  }
  return {std::string(near.value_or("")), std::move(help)};
}

void add_connections(ProcedureStep& step, const std::map<std::string, ir::Value>& connections) {
  using ir::StepHost;
  const StepHost host = info(step.kind).host;
  const bool is_archive = info(step.kind).name.starts_with("archive.");
  const auto add = [&](const std::string& name) {
    const auto found = connections.find(name);
    if (found != connections.end()) step.arguments.set(name, found->second);
  };
  if (host == StepHost::source || host == StepHost::both || is_archive) add("source");
  if (host == StepHost::target || host == StepHost::both || host == StepHost::source) add("target");
  if (host == StepHost::proxy || host == StepHost::both) add("proxies");
  if (host == StepHost::proxy) {
    add("source");
    add("target");
  }
  if (host == StepHost::dns) {
    add("addresses");
    add("proxies");
    add("target");
  }
}

/// Also where a step of the circle is switched off: it hands on what it would have waited for.
std::vector<std::size_t> circle_among(const std::vector<ProcedureStep>& steps) {
  std::vector<std::vector<std::size_t>> later(steps.size());
  std::vector<std::size_t> waiting(steps.size());
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    waiting[i] = steps[i].after.size();
    for (const std::size_t earlier : steps[i].after) later[earlier].push_back(i);
    if (waiting[i] == 0) ready.push_back(i);
  }
  std::size_t left = steps.size();
  while (!ready.empty()) {
    const std::size_t step = ready.back();
    ready.pop_back();
    --left;
    for (const std::size_t next : later[step]) {
      if (--waiting[next] == 0) ready.push_back(next);
    }
  }
  if (left == 0) return {};
  return ir::cycle_among(
      steps.size(), [&](std::size_t step) { return waiting[step] != 0; },
      [&](std::size_t step) -> const auto& { return steps[step].after; });
}

}  // namespace plan::lower
