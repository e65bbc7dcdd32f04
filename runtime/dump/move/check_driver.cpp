// store.check: everything that would stop a move in its middle and can be seen while people are
// still served.
#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "compiler/source/text.h"
#include "runtime/dump/move/errors.h"
#include "runtime/dump/move/move_step.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/subspace.h"
#include "runtime/step/errors.h"

namespace plan::dump {
namespace {

using ir::Observation;
using ir::Standing;
using ir::Value;

class CheckDriver final : public step::StepDriver {
 public:
  explicit CheckDriver(MoveWorld world) : world_(std::move(world)) {}

  Result<Observation> observe(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    PLAN_TRY(is_done, move->is_all_done());
    Observation seen;
    seen.standing = is_done ? Standing::satisfied : Standing::differs;
    if (is_done) return seen;
    PLAN_TRY(look, look_at_old_store(*move));
    if (!look) {
      seen.remark =
          fmt::format("{}: only the server's own program opens it", move->block().from.address);
      return seen;
    }
    PLAN_TRY_VOID(check_blobs(*move, context, *look));
    seen.bytes = look->bytes;
    seen.fingerprint = Value::map({{"store", look->name}, {"schema", look->schema}});
    seen.remark =
        fmt::format("{}: schema {}, {}", look->name, look->schema, show_bytes(look->bytes));
    return seen;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    PLAN_TRY(is_done, move->is_all_done());
    if (is_done) return Value::map();
    PLAN_TRY_VOID(move->program().check_installed());
    PLAN_TRY_VOID(move->server().check_config(move->block().config));
    PLAN_TRY(from, check_old_store(*move));
    PLAN_TRY_VOID(check_blobs(*move, context, from));
    if (context.arguments["is_moved"].bool_or(false))
      PLAN_TRY_VOID(check_new_store(*move, context, from.schema));
    PLAN_TRY_VOID(check_disks(*move, context, from));
    return Value::map();
  }

  Outcome verify(step::StepContext& /*context*/) override { return {}; }
  Outcome undo(step::StepContext& /*context*/) override { return {}; }

 private:
  /// Nothing: a kind of store that the server's own program alone opens. That the plan leaves it to
  /// that program is the compiler's to say (rule store_by_server).
  static Result<std::optional<StoreLook>> look_at_old_store(MoveStep& move) {
    auto look = move.program().look(move.block().from);
    if (look) return std::optional<StoreLook>(std::move(*look));
    if (!look.error().is(errors::store_not_supported)) return std::move(look).error();
    PLAN_TRY_VOID(move.server().version());
    return std::optional<StoreLook>();
  }

  static Result<StoreLook> check_old_store(MoveStep& move) {
    PLAN_TRY(seen, look_at_old_store(move));
    if (!seen) return StoreLook{.name = move.block().from.address};
    StoreLook look = std::move(*seen);
    if (!look.is_there || look.schema == 0) {
      return Error(errors::store_has_no_schema,
                   fmt::format("{} is no store of a server", look.name))
          .with_blame(Blame::plan)
          .with_argument("target.from");
    }
    return look;
  }

  static Outcome check_blobs(const MoveStep& move, const step::StepContext& context,
                             const StoreLook& look) {
    if (!context.arguments["reads_blobs"].bool_or(false) || !look.has_blobs_elsewhere() ||
        !move.block().blob_folder.empty())
      return {};
    return Error(errors::blobs_elsewhere, fmt::format("{} links blobs and holds none", look.name))
        .with_blame(Blame::plan)
        .with_argument("dump");
  }

  static Outcome check_new_store(MoveStep& move, const step::StepContext& context,
                                 std::uint32_t schema) {
    const ServerBlock& block = move.block();
    const bool is_by_server = context.arguments["by"] == Value("server");
    if (block.new_config.empty() && schema == kSchema15) {
      return Error(errors::server_config_wrong,
                   "plan does not write the configuration of 0.15, which has much else in it")
          .with_blame(Blame::plan)
          .with_detail("write it beside the old one and name it with `store: {config: PATH}`");
    }
    if (!block.new_config.empty()) PLAN_TRY_VOID(move.server().check_config(block.new_config));
    if (is_by_server) PLAN_TRY_VOID(move.server().version());
    if (block.to.address.empty()) return {};  // only the server's program can look
    PLAN_TRY(look, move.program().look(block.to));
    if (!look.foreign.empty()) {
      return foreign_in(look.name, look.foreign).with_blame(Blame::plan).with_argument("target.to");
    }
    if (look.is_empty()) return {};
    // A run that was interrupted has begun to fill it, and goes on there.
    if (context.attempt > 0 && look.schema == 0) return {};
    return Error(errors::target_not_empty,
                 fmt::format("{} has rows of the subspaces {}", look.name,
                             std::string(look.filled.begin(), look.filled.end())))
        .with_blame(Blame::plan)
        .with_argument("target.to");
  }

  static Outcome check_disks(MoveStep& move, const step::StepContext& context,
                             const StoreLook& from) {
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> disks;  // wanted, free
    // Which of the dumps have the blobs is the compiler's to know (rule store_disk): one does.
    std::uint64_t blobs = context.arguments["reads_blobs"].bool_or(false) ? from.blob_bytes : 0;
    const auto add = [&](const std::string& path, std::uint64_t bytes) -> Outcome {
      PLAN_TRY(disk, move.disk_of(path));
      auto& [wanted, free] = disks[disk.mount];
      wanted += bytes;
      free = disk.free;
      return {};
    };
    for (const Value& folder : context.arguments["folders"].items()) {
      const std::string path(folder.string_or(""));
      PLAN_TRY(is_there, move.has_dump(path));
      if (is_there) continue;
      PLAN_TRY(is_something, move.host().exists(path, file_time()));
      if (is_something) {
        return Error(errors::export_folder_in_use,
                     fmt::format("{} is there and is no dump with a manifest", path))
            .with_blame(Blame::plan);
      }
      PLAN_TRY_VOID(add(path, from.bytes + std::exchange(blobs, 0)));
    }
    const std::string_view to = move.block().to.address;
    for (const std::string_view kind : {"sqlite:", "rocksdb:"}) {
      if (to.starts_with(kind)) PLAN_TRY_VOID(add(std::string(to.substr(kind.size())), from.bytes));
    }
    for (const auto& [mount, use] : disks) {
      if (use.first <= use.second) continue;
      return Error(errors::dump_disk_full,
                   fmt::format("{} on {} has {} free, and up to {} would be written there", mount,
                               move.host().name(), show_bytes(use.second), show_bytes(use.first)))
          .with_blame(Blame::plan);
    }
    return {};
  }

  MoveWorld world_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_check_driver(const MoveWorld& world) {
  return std::make_shared<CheckDriver>(world);
}

}  // namespace plan::dump
