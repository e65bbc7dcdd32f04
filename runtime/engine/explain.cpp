#include "runtime/engine/explain.h"

#include <fmt/format.h>

#include <optional>

#include "compiler/source/text.h"
#include "runtime/net/clock.h"

namespace plan::engine {
namespace {

constexpr std::size_t kNamedMax = 5;  ///< steps named in one line; more are counted

std::string role_words(ir::TransactionRole role) {
  switch (role) {
    case ir::TransactionRole::none:
      return {};
    case ir::TransactionRole::held:
      return "the account is held while it runs: it is finished or undone before plan stops";
    case ir::TransactionRole::commit:
      return "it is the commit point of the account's move";
  }
  return {};
}

struct Standing {
  std::string state = "waiting";
  std::vector<std::string> lines;
};

Result<Standing> standing_of(const ir::StepGraph& graph, ir::StepId step, Journal& journal) {
  Standing out;
  const std::string id = graph.id(step);
  PLAN_TRY(record, journal.step(id));
  if (!record) return out;
  out.state = to_string(record->state);
  if (record->attempts > 0) {
    out.lines.push_back(fmt::format("attempts: {}, the last at {}", record->attempts,
                                    net::show_utc(record->started_ms)));
  }
  const bool is_same = graph.digest(step).hex() == record->digest;
  switch (record->state) {
    case StepState::waiting:
      break;
    case StepState::started:
      out.lines.emplace_back(journal.is_locked_by_somebody()
                                 ? "a run is at it now"
                                 : "the last attempt did not end: the next run looks what is there "
                                   "and goes on from it");
      break;
    case StepState::done:
      out.lines.push_back(
          fmt::format("done at {}{}", net::show_utc(record->ended_ms),
                      record->was_satisfied ? ": it was so already, plan changed nothing" : ""));
      out.lines.emplace_back(
          is_same ? "it does not run again: kind and arguments are what was done"
                  : "it will run again: its arguments have changed since (unless its "
                    "account has moved)");
      break;
    case StepState::failed:
      out.lines.emplace_back("it failed and is tried again by the next plan apply");
      break;
    case StepState::unknown:
      out.lines.emplace_back(
          "a reply was lost: the next run looks what is there before anything else");
      break;
    case StepState::undoing:
      out.lines.emplace_back("its undo was begun and is finished by the next run");
      break;
    case StepState::undone:
      out.lines.push_back(fmt::format("undone at {}; the next plan apply does it anew",
                                      net::show_utc(record->ended_ms)));
      break;
    case StepState::stopped:
      out.lines.emplace_back("it stopped on request and goes on with the next plan apply");
      break;
  }
  if (record->error) out.lines.push_back("last error: " + printable(record->error->message));
  return out;
}

}  // namespace

Result<std::optional<StepExplanation>> explain_step(const ir::StepGraph& graph, Journal* journal,
                                                    std::string_view name) {
  const auto step = graph.find(name);
  if (!step) return std::optional<StepExplanation>();
  StepExplanation out;
  out.step = graph.id(*step);
  out.state = "waiting";
  const ir::StepKindInfo& info = ir::info(graph.kind(*step));
  out.lines.push_back(fmt::format("{}: {}", info.name, info.summary));
  out.lines.push_back(fmt::format("stage {}, effect: {}, on: {}", to_string(graph.stage(*step)),
                                  to_string(info.effect), to_string(info.host)));
  if (const ir::WaveInfo* wave = graph.wave_info(graph.wave(*step))) {
    out.lines.push_back(fmt::format("wave {}", wave->name));
  }
  if (const std::string role = role_words(graph.role(*step)); !role.empty())
    out.lines.push_back(role);
  out.lines.push_back("undo: " + ir::undo_words(info));
  if (journal != nullptr) {
    PLAN_TRY(standing, standing_of(graph, *step, *journal));
    out.state = std::move(standing.state);
    for (std::string& line : standing.lines) out.lines.push_back(std::move(line));
  }
  std::vector<std::string> waits_for;
  for (const ir::StepId earlier : graph.after(*step)) {
    const std::string id = graph.id(earlier);
    std::string state = "waiting";
    if (journal != nullptr) {
      PLAN_TRY(record, journal->step(id));
      if (record) state = to_string(record->state);
    }
    if (state != "done") waits_for.push_back(fmt::format("{} ({})", id, state));
  }
  if (out.state != "done") {
    if (waits_for.empty()) {
      out.lines.emplace_back("it waits for no other step");
    } else {
      const std::size_t shown = std::min(waits_for.size(), kNamedMax);
      std::string line = "it waits for ";
      for (std::size_t i = 0; i < shown; ++i) line += (i == 0 ? "" : ", ") + waits_for[i];
      if (shown < waits_for.size()) line += fmt::format(" and {} more", waits_for.size() - shown);
      out.lines.push_back(std::move(line));
    }
  }
  const std::size_t waiting = graph.before(*step).size();
  out.lines.push_back(waiting == 1 ? std::string("1 step waits for it")
                                   : fmt::format("{} steps wait for it", waiting));
  return std::optional<StepExplanation>(std::move(out));
}

}  // namespace plan::engine
