#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"
#include "runtime/command/session.h"
#include "runtime/command/stop_on_signal.h"

namespace plan::command {
namespace {

constexpr std::size_t kAccountsAtATime = 6;

struct Graded {
  std::string account = {};
  std::string grade = {};
  std::string detail = {};
  std::string mail_grade = {};         ///< of what is carried
  ir::Value not_checked = ir::List();  ///< parts that nothing is carried of
  ir::Value differences = ir::List();  ///< {grade, where, text}, worst first
  std::int64_t differences_count = 0;  ///< also of those that are not in the list
};

// The step of a move that grades is read-only: verify is that step, for every account, at any time.
Graded grade(const ir::StepGraph& graph, ir::StepId id, Session& session,
             const ProjectFolder& folder, const step::StopSignal& stop) {
  // Whatever the grade: here it is only told.
  ir::Value arguments = graph.arguments(id);
  arguments.set("accept",
                ir::Value::list({"perfect", "good", "investigate", "poor", "not-checked"}));
  const std::string step = graph.id(id);
  Graded graded{std::string(arguments["account"].string_or("")), "not-checked", {}};
  step::StepDriver* driver = session.drivers().find(graph.kind(id));
  step::StepContext context{.id = step,
                            .kind = graph.kind(id),
                            .arguments = arguments,
                            .account = graded.account,
                            .effect_key = {},
                            .run_id = {},
                            .lease_token = {},
                            .state_directory = folder.state_directory,
                            .secrets = session.secrets(),
                            .clock = net::system_clock(),
                            .stop = stop,
                            .is_rollback = false,
                            .attempt = 0,
                            .prior = {},
                            .notes = {},
                            .remember = [](const ir::Value&) { return Outcome(); },
                            .progress = [](const step::Progress&) {}};
  auto outputs = driver->apply(context);
  if (outputs) {
    graded.grade = (*outputs)["grade"].string_or("not-checked");
    graded.detail = (*outputs)["summary"].string_or("");
    graded.mail_grade = (*outputs)["mail_grade"].string_or(graded.grade);
    if ((*outputs)["not_checked"].is_list()) graded.not_checked = (*outputs)["not_checked"];
    graded.differences_count = (*outputs)["differences_count"].integer_or(0);
    if ((*outputs)["differences"].is_list()) graded.differences = (*outputs)["differences"];
  } else {
    graded.detail = outputs.error().to_line();
  }
  return graded;
}

/// One line for each difference, by name.
std::string difference_lines(const Graded& graded) {
  std::string text;
  for (const ir::Value& one : graded.differences.items()) {
    text += fmt::format("    {}: {} ({})\n", printable(one["where"].string_or(""), 300),
                        printable(one["text"].string_or(""), 500), one["grade"].string_or(""));
  }
  const auto listed = static_cast<std::int64_t>(graded.differences.size());
  if (graded.differences_count > listed)
    text += fmt::format("    and {} more\n", graded.differences_count - listed);
  return text;
}

ExitCode exit_code_of(const std::vector<Graded>& all) {
  const auto is_bad = [](const Graded& g) { return g.grade == "investigate" || g.grade == "poor"; };
  if (std::any_of(all.begin(), all.end(), is_bad)) return ExitCode::differences;
  const auto is_unchecked = [](const Graded& g) { return g.grade == "not-checked"; };
  // No account at all is no evidence either.
  return all.empty() || std::any_of(all.begin(), all.end(), is_unchecked) ? ExitCode::not_checked
                                                                          : ExitCode::done;
}

}  // namespace

ExitCode run_verify(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  ExitCode exit_code = ExitCode::done;
  const auto project = load_sound_project(invocation.value("plan"), format, &exit_code);
  if (!project) return exit_code;
  const ir::StepGraph& graph = *project->compiled.graph;
  std::set<std::string> wanted;
  for (const std::string& account : invocation.all("--account"))
    wanted.insert(lower_ascii(account));
  std::vector<ir::StepId> steps;
  for (const ir::StepId step : graph.order()) {
    if (graph.kind(step) != ir::StepKind::archive_grade || graph.row(step) == ir::RowId::none)
      continue;
    const std::string account(graph.row_name(graph.row(step)));
    if (invocation.has("--account") && wanted.erase(account) == 0) continue;
    steps.push_back(step);
  }
  if (!wanted.empty()) {
    return print_error(
        Error(errors::nothing_of_that_name,
              fmt::format("the plan has no account `{}`", printable(*wanted.begin()))),
        format);
  }
  step::StopSignal stop;
  const StopOnSignal signals(stop);
  Session session(project->folder, project->compiled.plan->connections);
  std::vector<Graded> all(steps.size());
  std::atomic<std::size_t> next{0};
  {
    std::vector<std::jthread> pool;
    for (std::size_t i = 0; i < std::min(kAccountsAtATime, steps.size()); ++i) {
      pool.emplace_back([&] {
        for (std::size_t at = next.fetch_add(1); at < steps.size() && !stop.is_requested();
             at = next.fetch_add(1)) {
          all[at] = grade(graph, steps[at], session, project->folder, stop);
        }
      });
    }
  }
  if (stop.is_requested()) {
    print_words("stopped: not every account was looked at\n");
    return ExitCode::stopped;
  }
  std::sort(all.begin(), all.end(),
            [](const Graded& a, const Graded& b) { return a.account < b.account; });
  if (format == "json") {
    ir::List accounts;
    for (const Graded& g : all) {
      accounts.push_back(ir::Value::map({{"account", g.account},
                                         {"grade", g.grade},
                                         {"mail_grade", g.mail_grade},
                                         {"not_checked", g.not_checked},
                                         {"detail", g.detail},
                                         {"differences", g.differences},
                                         {"differences_count", g.differences_count}}));
    }
    print_result(
        ir::write_json(ir::Value::map({{"format", 1}, {"accounts", std::move(accounts)}}), 2) +
        "\n");
  } else {
    for (const Graded& g : all) {
      print_result(
          fmt::format("{:<40} {:<12} {}\n", g.account, g.grade, printable(g.detail, 1000)));
      if (g.grade != "perfect" && g.grade != "good") print_result(difference_lines(g));
    }
  }
  return exit_code_of(all);
}

}  // namespace plan::command
