#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>

#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"
#include "runtime/command/run_ending.h"
#include "runtime/command/session.h"
#include "runtime/command/stop_on_signal.h"
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

// The same graph with the target's block replaced, archives in the scratch folder, and sweeps
// without their pause.
Result<ir::StepGraph> redirected(const ir::StepGraph& graph, const ir::Value& target,
                                 const std::string& folder) {
  ir::Value document = graph.to_document();
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
  const std::string format = invocation.value("--format");
  ExitCode exit_code = ExitCode::done;
  auto project = load_sound_project(invocation.value("plan"), format, &exit_code);
  if (!project) return exit_code;
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
  auto graph = redirected(*project->compiled.graph, block, scratch.path());
  if (!graph) return print_error(graph.error(), format);

  ProjectFolder folder = project->folder;
  folder.state_directory = scratch.path();
  ir::Value connections = project->compiled.plan->connections;
  connections.set("target", block);
  Session session(folder, std::move(connections), Session::Purpose::rehearsal);
  auto journal = engine::open_journal(scratch.path() + "/journal.sqlite");
  if (!journal) return print_error(journal.error(), format);
  std::vector<std::string> subjects{"stage:finalize"};
  for (const ir::WaveInfo& wave : graph->waves()) subjects.push_back("wave:" + wave.name);
  for (std::string& subject : subjects) {
    engine::Request approval;
    approval.subject = std::move(subject);
    approval.wall_ms = net::system_clock().wall_ms();
    if (auto left = (*journal)->add_request(approval); !left)
      return print_error(left.error(), format);
  }
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
  auto result = engine::run(parts, run_options);
  (*target)->stop();
  if (!result) return print_error(result.error(), format);
  const std::vector<std::string> log = session.rehearsal_log();
  print_words(fmt::format(
      "{} steps that would have changed source, proxies or DNS went into the books\n", log.size()));
  if (invocation.has("--keep")) print_words(fmt::format("kept {}\n", scratch.path()));
  return show_ending(*result);
}

}  // namespace plan::command
