#include "runtime/engine/rollback.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/review.h"
#include "runtime/command/run_ending.h"
#include "runtime/command/stop_on_signal.h"
#include "runtime/engine/errors.h"
#include "runtime/step/durable_write.h"

namespace plan::command {
namespace {

constexpr std::size_t kAccountsLookedAt = 50;

std::optional<engine::RollbackGoal> goal_of(const Invocation& invocation) {
  const int named = (invocation.has("--account") ? 1 : 0) + (invocation.has("--wave") ? 1 : 0) +
                    (invocation.has("--to") ? 1 : 0);
  if (named != 1) return std::nullopt;
  if (invocation.has("--account"))
    return engine::OfAccount{lower_ascii(invocation.value("--account"))};
  if (invocation.has("--wave")) return engine::OfWave{invocation.value("--wave")};
  return engine::ToPoint{invocation.value("--to")};
}

/// A misspelt name is said to be one, instead of having nothing to undo.
Outcome is_in(const ir::StepGraph& graph, const engine::RollbackGoal& goal) {
  std::vector<std::string_view> names;
  std::string wanted;
  const char* what = "account";
  if (const auto* of_account = std::get_if<engine::OfAccount>(&goal)) {
    wanted = of_account->account;
    for (std::size_t row = 1; row <= graph.row_count(); ++row)
      names.push_back(graph.row_name(static_cast<ir::RowId>(row)));
  } else if (const auto* of_wave = std::get_if<engine::OfWave>(&goal)) {
    wanted = of_wave->wave;
    what = "wave";
    for (const ir::WaveInfo& wave : graph.waves()) names.push_back(wave.name);
  } else {
    return {};  // the points that were reached are in the journal
  }
  if (std::find(names.begin(), names.end(), wanted) != names.end()) return {};
  const auto near = nearest(wanted, names);
  return Error(errors::nothing_of_that_name,
               fmt::format("the run has no {} `{}`{}", what, printable(wanted, 300),
                           near ? fmt::format("; did you mean `{}`?", *near) : ""));
}

/// With what is lost, where the step's own policy is the one of its kind.
std::string words_of(const engine::RollbackStep& step) {
  const ir::StepKindInfo& kind = ir::info(step.kind);
  return kind.undo == step.undo ? ir::undo_words(kind) : std::string(to_string(step.undo));
}

/// How the steps are undone, each way once: "9 steps are reversible".
void show_ways(const std::vector<const engine::RollbackStep*>& steps) {
  std::vector<std::pair<std::string, std::size_t>> ways;
  for (const engine::RollbackStep* step : steps) {
    const std::string words = words_of(*step);
    const auto same = [&words](const auto& way) { return way.first == words; };
    const auto known = std::find_if(ways.begin(), ways.end(), same);
    if (known == ways.end())
      ways.emplace_back(words, 1);
    else
      ++known->second;
  }
  for (const auto& [words, count] : ways)
    print_result(fmt::format("  {} {} {}\n", count, count == 1 ? "step is" : "steps are", words));
}

/// What would be undone, newest first; of several accounts one line each.
void show_plan(const engine::RollbackPlan& planned) {
  std::vector<const engine::RollbackStep*> steps;
  std::map<std::string, std::size_t> count_of;
  for (const engine::RollbackStep& step : planned.steps) {
    if (step.was_satisfied || step.undo == ir::UndoPolicy::nothing_to_undo ||
        step.undo == ir::UndoPolicy::irreversible)
      continue;
    steps.push_back(&step);
    if (!step.account.empty()) ++count_of[step.account];
  }
  const bool is_folded = count_of.size() > 1;
  for (const engine::RollbackStep* step : steps) {
    const auto count = count_of.find(step->account);
    const bool is_alone = step->account.empty() || (count != count_of.end() && count->second == 1);
    if (!is_folded || is_alone) {
      print_result(fmt::format("undo {} ({})\n", step->step, words_of(*step)));
    } else if (count != count_of.end()) {
      print_result(fmt::format("undo {} steps of {}, from {} on\n", count->second,
                               printable(step->account), step->step));
      count_of.erase(count);
    }
  }
  if (!is_folded) return;
  std::erase_if(steps, [](const engine::RollbackStep* step) { return step->account.empty(); });
  print_result("of all accounts together:\n");
  show_ways(steps);
}

/// What no rollback passes. The steps behind it would be undone by nobody now: they are not shown.
void show_barred(const engine::RollbackPlan& planned) {
  for (const engine::RollbackStep& step : planned.barred) {
    if (step.undo == ir::UndoPolicy::irreversible)
      print_result(fmt::format("cannot undo {} ({})\n", step.step, to_string(step.undo)));
  }
}

ir::Value steps_document(const std::vector<engine::RollbackStep>& steps) {
  ir::List list;
  for (const engine::RollbackStep& step : steps) {
    list.push_back(ir::Value::map({{"step", step.step},
                                   {"account", step.account},
                                   {"undo", to_string(step.undo)},
                                   {"lost", ir::info(step.kind).lost},
                                   {"was_satisfied", step.was_satisfied}}));
  }
  return list;
}

template <class T>
ir::Value or_null(const std::optional<T>& value) {
  return value ? ir::Value(*value) : ir::Value(nullptr);
}

ir::Value look_document(const engine::RollbackLook& look) {
  ir::List hold;
  for (const auto& share : look.hold)
    hold.push_back(ir::Value::map({{"step", share.step}, {"ms", share.ms}, {"from", share.basis}}));
  return ir::Value::map({{"account", look.account},
                         {"is_refused", look.is_refused},
                         {"text", look.text},
                         {"messages", or_null(look.messages)},
                         {"bytes", or_null(look.bytes)},
                         {"hold_ms", or_null(look.hold_ms)},
                         {"hold", ir::Value(std::move(hold))}});
}

/// The same for a program, as the first line of the run's events.
void print_plan(const engine::RollbackPlan& planned,
                const std::vector<engine::RollbackLook>& looks) {
  ir::List accounts;
  for (const engine::RollbackLook& look : looks) accounts.push_back(look_document(look));
  print_result(ir::write_json(ir::Value::map({{"event", "rollback-planned"},
                                              {"steps", steps_document(planned.steps)},
                                              {"barred", steps_document(planned.barred)},
                                              {"accounts", std::move(accounts)}})) +
               "\n");
}

/// Where the figure of the longest hold comes from, step by step.
void show_longest_hold(const std::vector<engine::RollbackLook>& looks) {
  const auto longest =
      std::max_element(looks.begin(), looks.end(), [](const auto& left, const auto& right) {
        return left.hold_ms.value_or(0) < right.hold_ms.value_or(0);
      });
  if (longest == looks.end() || !longest->hold_ms) return;
  print_result(fmt::format("{}, {}:\n",
                           looks.size() == 1 ? "the hold" : "the longest hold, each alone",
                           printable(longest->account)));
  const std::string own = fmt::format("account/{}/", longest->account);
  for (const auto& share : longest->hold) {
    const std::string_view step = share.step;
    print_result(fmt::format("  {:<12} {:>8}  {}\n",
                             step.starts_with(own) ? step.substr(own.size()) : step,
                             show_duration_ms(share.ms), share.basis));
  }
}

void show_looks(const std::vector<engine::RollbackLook>& looks) {
  for (const engine::RollbackLook& look : looks) {
    std::string line = printable(look.account) + ": ";
    if (look.is_refused) line += "cannot go back: ";
    line += look.text.empty() ? "nothing came to the target" : look.text;
    if (look.hold_ms)
      line += fmt::format("; held for about {}", show_duration_ms(*look.hold_ms));
    else if (!look.is_refused)
      line += "; hold not predicted";
    print_result(line + "\n");
  }
  show_longest_hold(looks);
  if (looks.size() == kAccountsLookedAt)
    print_result("further accounts are looked at when their turn comes\n");
}

}  // namespace

ExitCode run_rollback(const Invocation& invocation) {
  const std::string format = run_format(invocation);
  const auto goal = goal_of(invocation);
  if (!goal) {
    return print_error(Error(errors::bad_option, "name one of --account, --wave or --to"), format);
  }
  const ProjectFolder folder = project_folder(invocation.value("--plan"));
  // Nothing was applied where there is no journal, and none is made.
  engine::JournalOptions reading;
  reading.is_read_only = true;
  if (auto existing = engine::open_journal(folder.journal_file, reading); !existing)
    return print_error(existing.error(), format);
  auto journal = engine::open_journal(folder.journal_file);
  if (!journal) return print_error(journal.error(), format);
  // Before anything is looked at and anybody is asked; the lock itself is taken later.
  if ((*journal)->is_locked_by_somebody()) {
    return print_error(Error(engine::errors::run_in_progress,
                             fmt::format("{} is held by another process", folder.journal_file)),
                       format);
  }
  // The graph that was applied, from the journal: the plan may have been edited or be gone.
  auto run = (*journal)->latest_run();
  if (!run) return print_error(run.error(), format);
  if (!*run)
    return print_error(Error(engine::errors::journal_missing, "no run was begun yet"), format);
  auto graph = (*journal)->graph((*run)->graph_digest);
  if (!graph) return print_error(graph.error(), format);
  if (auto known = is_in(*graph, *goal); !known) return print_error(known.error(), format);
  auto planned = engine::plan_rollback(**journal, *graph, *goal);
  if (!planned) return print_error(planned.error(), format);
  const bool is_text = format == "text" && invocation.value("--events") != "-";
  if (auto open = engine::check_not_barred(*planned, *goal); !open) {
    if (!is_text) print_plan(*planned, {});
    if (is_text) show_barred(*planned);
    return print_error(open.error(), format);
  }
  if (is_text) show_plan(*planned);
  step::StopSignal stop;
  const StopOnSignal signals(stop);
  Session session(folder, connections_of(*graph));
  auto display = RunDisplay::open(invocation, folder.state_directory + "/events.jsonl");
  if (!display) return print_error(display.error(), format);
  const engine::EngineParts parts{.graph = *graph,
                                  .journal = **journal,
                                  .drivers = session.drivers(),
                                  .secrets = session.secrets(),
                                  .clock = net::system_clock(),
                                  .events = (*display)->sink(),
                                  .stop = stop};
  engine::EngineOptions options;
  options.plan_name = (*run)->plan_name;
  options.state_directory = folder.state_directory;
  options.takes_over_lease = invocation.has("--take-over");
  auto looks = engine::look_before_rollback(
      parts, options, *goal, kAccountsLookedAt,
      step::durable_write_ms(folder.state_directory, net::system_clock()));
  if (!looks) return print_error(looks.error(), format);
  if (is_text) show_looks(*looks);
  if (!is_text) print_plan(*planned, *looks);
  if (!invocation.has("--yes") && !ask_yes("\nUndo these, newest first?", stop)) {
    print_not_begun(format);
    return ExitCode::differences;
  }
  auto leases = session.leases(holder_name());
  if (!leases) return print_error(leases.error(), format);
  options.leases = std::move(*leases);
  signals.leave_words_to_the_run();
  auto result = engine::roll_back(parts, options, *goal);
  if (!result) return print_error(result.error(), format);
  return show_ending(*result);
}

}  // namespace plan::command
