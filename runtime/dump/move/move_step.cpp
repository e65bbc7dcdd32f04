#include "runtime/dump/move/move_step.h"

#include <fmt/format.h>

#include <charconv>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/dump/manifest.h"
#include "runtime/dump/move/errors.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {

net::Deadline file_time() { return net::Deadline::after(std::chrono::seconds(60)); }

std::uint64_t estimated_ms(std::uint64_t bytes) { return bytes / (kBytesASecond / 1000) + 1000; }

bool is_same_store(const ir::Value& config, const ir::Value& wanted) {
  if (!config.is_map() || !wanted.is_map()) return false;
  for (const auto& [name, value] : wanted.members()) {
    if (name != "authSecret" && config[name] != value) return false;
  }
  return true;
}

Result<std::unique_ptr<MoveStep>> MoveStep::open(const MoveWorld& world,
                                                 step::StepContext& context) {
  std::unique_ptr<MoveStep> step(new MoveStep(context));
  PLAN_TRY(block, read_server_block(context.arguments["target"]));
  step->block_ = std::move(block);
  PLAN_TRY(host, world.hosts->open(step->block_.host, file_time()));
  step->host_ = host;
  step->service_ = std::make_unique<Service>(*host, step->block_);
  step->program_ = make_dump_program(*host, step->block_, context, world.kill_point);
  step->server_ = std::make_unique<ServerProgram>(*host, step->block_);
  return step;
}

Result<bool> MoveStep::is_switched() {
  if (!block_.is_moved()) return false;
  PLAN_TRY(is_there, host_->exists(block_.config, file_time()));
  if (!is_there) return false;
  PLAN_TRY(text, host_->read_file(block_.config, kServerConfigBytesMax, file_time()));
  if (!block_.new_config.empty()) {
    PLAN_TRY(has_new, host_->exists(block_.new_config, file_time()));
    if (!has_new) return false;
    PLAN_TRY(wanted, host_->read_file(block_.new_config, kServerConfigBytesMax, file_time()));
    return text == wanted;
  }
  const auto config = ir::parse_json(text);
  return config && is_same_store(*config, block_.to.config);
}

Result<bool> MoveStep::has_dump(const std::string& folder) {
  PLAN_TRY(has_folder, host_->exists(folder, file_time()));
  if (!has_folder) return false;
  return host_->exists(manifest_path_of(folder), file_time());
}

Result<bool> MoveStep::is_all_done() {
  for (const ir::Value& folder : context_.arguments["folders"].items()) {
    PLAN_TRY(is_there, has_dump(std::string(folder.string_or(""))));
    if (!is_there) return false;
  }
  if (!context_.arguments["is_moved"].bool_or(false)) return true;
  return is_switched();
}

Outcome MoveStep::must_be_stopped() {
  PLAN_TRY(is_up, service_->is_running());
  if (!is_up) return {};
  return Error(errors::service_runs, fmt::format("{} runs on {}", service_->name(), host_->name()))
      .with_blame(Blame::target);
}

std::optional<std::uint64_t> MoveStep::store_bytes() {
  const auto look = program_->look(block_.from);
  if (!look || !look->is_there) return std::nullopt;
  return look->bytes;
}

bool MoveStep::keeps_blobs_elsewhere() {
  if (!block_.blob_folder.empty()) return true;
  const auto look = program_->look(block_.from);
  return look && look->has_blobs_elsewhere();
}

Result<std::vector<std::string>> MoveStep::imported_subspaces(const std::string& folder) {
  std::vector<std::string> letters;
  if (!keeps_blobs_elsewhere()) return letters;
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    PLAN_TRY(is_there,
             host_->exists(fmt::format("{}/{}", folder, file_name_of(letter)), file_time()));
    if (is_there && letter != 't') letters.emplace_back(1, letter);
  }
  return letters;
}

Result<MoveStep::Disk> MoveStep::disk_of(const std::string& path) {
  // The nearest folder that is there already.
  PLAN_TRY(text, run_there(*host_, {"sh", "-c",
                                    "path=$1; while [ ! -e \"$path\" ]; do path=$(dirname -- "
                                    "\"$path\"); done; df -B1 --output=avail,target -- \"$path\"",
                                    "sh", path}));
  const std::vector<std::string_view> lines = split(trim(text), '\n');
  const std::string_view line = trim(lines.back());
  Disk disk;
  const auto [end, code] = std::from_chars(line.data(), line.data() + line.size(), disk.free);
  if (lines.size() < 2 || code != std::errc()) {
    return Error(errors::server_command_failed,
                 fmt::format("df on {} does not tell the free space of {}", host_->name(), path))
        .with_blame(Blame::target)
        .with_detail(text);
  }
  disk.mount =
      trim(std::string_view(end, static_cast<std::size_t>(line.data() + line.size() - end)));
  return disk;
}

void add_move_drivers(step::DriverTable& table, const MoveWorld& world) {
  table.add(ir::StepKind::store_check, make_check_driver(world));
  table.add(ir::StepKind::service_stop, make_stop_driver(world));
  table.add(ir::StepKind::service_start, make_start_driver(world));
  table.add(ir::StepKind::service_restart, make_restart_driver(world));
  table.add(ir::StepKind::dump_export, make_export_driver(world));
  table.add(ir::StepKind::dump_import, make_import_driver(world));
  table.add(ir::StepKind::store_switch, make_switch_driver(world));
}

}  // namespace plan::dump
