#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <optional>

#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"
#include "runtime/command/run_ending.h"
#include "runtime/command/session.h"
#include "runtime/command/stop_on_signal.h"
#include "runtime/command/way_back.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/journal.h"
#include "runtime/rehearsal/embedded_target.h"

namespace plan::command {
namespace {

constexpr std::int64_t kSweepApartMs =
    200;  // nothing arrives in a rehearsal: there is nothing to wait for

/// A folder that goes with the rehearsal.
class ScratchFolder {
 public:
  explicit ScratchFolder(bool is_kept) : is_kept_(is_kept) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "plan-rehearsal-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code failure;
    if (!is_kept_ && !path_.empty()) std::filesystem::remove_all(path_, failure);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool is_kept_;
};

// The last stage has no way back: a rehearsal of the rollback goes without it. No step of another
// stage waits for one of its steps.
void drop_finalize(ir::Value& document) {
  const ir::List shapes = document["shapes"].as_list();
  ir::List& steps = document.as_map().find("steps")->as_list();
  std::vector<std::int64_t> place(steps.size(), -1);
  ir::List kept;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto shape = static_cast<std::size_t>(steps[i].item(0).integer_or(0));
    if (shapes[shape]["stage"].string_or("") == to_string(ir::Stage::finalize)) continue;
    place[i] = static_cast<std::int64_t>(kept.size());
    kept.push_back(steps[i]);
  }
  for (ir::Value& step : kept) {
    ir::List& members = step.as_list();
    for (std::size_t edges = 3; edges < members.size(); ++edges) {
      ir::List after;
      for (const ir::Value& earlier : members[edges].items()) {
        const std::int64_t now = place[static_cast<std::size_t>(earlier.integer_or(0))];
        if (now >= 0) after.emplace_back(now);
      }
      members[edges] = std::move(after);
    }
  }
  steps = std::move(kept);
}

/// What waits for an approval does not wait in a rehearsal; an approval is for one run.
Outcome approve_everything(engine::Journal& journal, const ir::StepGraph& graph) {
  std::vector<std::string> subjects{"stage:finalize"};
  for (const ir::WaveInfo& wave : graph.waves()) subjects.push_back("wave:" + wave.name);
  for (std::string& subject : subjects) {
    engine::Request approval;
    approval.subject = std::move(subject);
    approval.wall_ms = net::system_clock().wall_ms();
    PLAN_TRY_VOID(journal.add_request(approval));
  }
  return {};
}

/// Back, once more to the target, and back with mail that came there. The mail is for the second
/// way back: the source is only read, so what the first one carried would not be there when
/// everybody moves again.
Result<engine::RunResult> there_and_back(const engine::EngineParts& parts,
                                         const engine::EngineOptions& options,
                                         const LeftBehind& left_behind, std::uint16_t smtp_port) {
  const auto is_over = [](const engine::RunResult& result) {
    return result.ending != report::Ending::finished;
  };
  PLAN_TRY(went_back, go_back(parts, options, left_behind, std::nullopt));
  if (is_over(went_back)) return std::move(went_back);
  print_words("everybody moves a second time\n");
  PLAN_TRY_VOID(approve_everything(parts.journal, parts.graph));
  PLAN_TRY(moved, engine::run(parts, options));
  if (is_over(moved)) return std::move(moved);
  return go_back(parts, options, left_behind, smtp_port);
}

// The same graph with the target's block replaced, archives in the scratch folder, and sweeps
// without their pause.
Result<ir::StepGraph> redirected(const ir::StepGraph& graph, const ir::Value& target,
                                 const std::string& folder, bool has_finalize) {
  ir::Value document = graph.to_document();
  if (!has_finalize) drop_finalize(document);
  ir::Value* shapes = document.as_map().find("shapes");
  for (ir::Value& shape : shapes->as_list()) {
    ir::Value* arguments = shape.as_map().find("arguments");
    if (arguments == nullptr || !arguments->is_map()) continue;
    if (arguments->members().contains("target")) arguments->set("target", target);
    if (arguments->members().contains("apart_ms")) arguments->set("apart_ms", kSweepApartMs);
  }
  ir::Value* rows = document.as_map().find("rows");
  for (ir::Value& row : rows->as_list()) {
    ir::Value& members = row.as_list()[1];
    if (members["file"].is_string()) {
      members.set("file",
                  folder + "/" + ir::escape_segment(row.item(0).string_or("row")) + ".sqlite");
    }
  }
  return ir::StepGraph::from_document(document);
}

}  // namespace

ExitCode run_rehearse(const Invocation& invocation) {
  const std::string format = run_format(invocation);
  ExitCode exit_code = ExitCode::done;
  auto project =
      load_sound_project(invocation.value("plan"), format, &exit_code, project_options(invocation));
  if (!project) return exit_code;
  const bool has_way_back = invocation.has("--rollback");
  if (is_about_store(project->compiled.plan->connections)) {
    return print_error(
        Error(errors::not_rehearsed,
              "there is no stand-in for a server's store: everything is stopped while it moves"),
        format);
  }
  const ScratchFolder scratch(invocation.has("--keep"));
  if (scratch.path().empty()) {
    return print_error(Error(errors::file_unwritable, "no temporary folder can be made"), format);
  }
  step::StopSignal stop;
  const StopOnSignal signals(stop);

  rehearsal::EmbeddedTargetOptions options;
  options.data_directory = scratch.path() + "/target";
  options.http = rehearsal::ListenAt{};
  options.imap = rehearsal::ListenAt{};
  options.smtp = rehearsal::ListenAt{};
  options.hostname = "rehearsal.localdomain";
  options.admin_user = "admin";
  options.admin_password = "rehearsal-only-on-loopback";
  options.has_dns = true;
  auto target = rehearsal::EmbeddedTarget::start(std::move(options));
  if (!target) return print_error(target.error(), format);
  if (auto written =
          write_text_file(scratch.path() + "/password", "rehearsal-only-on-loopback\n", 0600);
      !written) {
    return print_error(written.error(), format);
  }
  ir::Value block = project->compiled.plan->connections["target"];
  block.set("url", (*target)->url());
  block.set("address", "127.0.0.1");
  block.set("certificate_sha256", "");
  block.set("login",
            ir::Value::map({{"user", "admin"},
                            {"password", ir::SecretRef{"file", scratch.path() + "/password"}}}));
  auto graph = redirected(*project->compiled.graph, block, scratch.path(), !has_way_back);
  if (!graph) return print_error(graph.error(), format);

  ProjectFolder folder = project->folder;
  folder.state_directory = scratch.path();
  ir::Value connections = project->compiled.plan->connections;
  connections.set("target", block);
  Session session(folder, std::move(connections), Session::Purpose::rehearsal);
  auto journal = engine::open_journal(scratch.path() + "/journal.sqlite");
  if (!journal) return print_error(journal.error(), format);
  if (auto approved = approve_everything(**journal, *graph); !approved)
    return print_error(approved.error(), format);
  print_words(fmt::format("rehearses {}: the source is only read, everything else is a stand-in\n",
                          project->folder.plan_file));
  RunDisplay display(format, {});
  const engine::EngineParts parts{.graph = *graph,
                                  .journal = **journal,
                                  .drivers = session.drivers(),
                                  .secrets = session.secrets(),
                                  .clock = net::system_clock(),
                                  .events = display.sink(),
                                  .stop = stop};
  engine::EngineOptions run_options;
  run_options.plan_name = project->compiled.plan->name;
  run_options.state_directory = scratch.path();
  run_options.place = [&](Span span) { return place_of(*project->compiled.sources, span); };
  signals.leave_words_to_the_run();
  auto result = engine::run(parts, run_options);
  if (has_way_back && result && result->ending == report::Ending::finished) {
    const auto left_behind = [&session](bool is_before_cutover) {
      return session.rehearsal_left_behind(is_before_cutover);
    };
    result =
        there_and_back(parts, run_options, left_behind, (*target)->port(rehearsal::Service::smtp));
  }
  (*target)->stop();
  if (!result) return print_error(result.error(), format);
  const std::vector<std::string> log = session.rehearsal_log();
  print_words(fmt::format(
      "{} steps that would have changed source, proxies or DNS went into the books\n", log.size()));
  if (invocation.has("--keep")) print_words(fmt::format("kept {}\n", scratch.path()));
  return show_ending(*result);
}

}  // namespace plan::command
