#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/dump/move/errors.h"
#include "runtime/dump/move/move_step.h"
#include "runtime/dump/store/errors.h"

namespace plan::dump {
namespace {

using ir::Observation;
using ir::Standing;
using ir::Value;

/// Notes, while the server's own import is under way: {server: true}. What it leaves half done
/// nobody can resume; from that note on everything in the store is this step's.
class ImportDriver final : public step::StepDriver {
 public:
  explicit ImportDriver(MoveWorld world) : world_(std::move(world)) {}

  Result<Observation> observe(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    PLAN_TRY(is_switched, move->is_switched());
    Observation seen;
    seen.prior = Value::map({{"was_empty", true}});
    seen.fingerprint = Value::map({{"to", move->block().to.address}});
    if (is_switched) {
      seen.standing = Standing::satisfied;
      seen.remark = "the server's configuration names the new store already";
      return seen;
    }
    if (const auto bytes = move->store_bytes()) {
      seen.bytes = *bytes;
      seen.duration_ms = 2 * estimated_ms(*bytes);
      seen.remark = fmt::format("{}, about {} with reading it back", show_bytes(*bytes),
                                show_duration_ms(*seen.duration_ms));
    }
    seen.standing = Standing::absent;
    if (move->block().to.address.empty()) return seen;
    PLAN_TRY(look, move->program().look(move->block().to));
    if (!look.foreign.empty()) {
      return foreign_in(look.name, look.foreign).with_blame(Blame::plan).with_argument("target.to");
    }
    if (look.is_empty()) return seen;
    // Ours, by the journal: an earlier try has begun or finished it.
    if (context.attempt > 0) {
      seen.standing = Standing::differs;
      return seen;
    }
    return Error(errors::target_not_empty,
                 fmt::format("{} has rows of the subspaces {}", look.name,
                             std::string(look.filled.begin(), look.filled.end())))
        .with_blame(Blame::plan)
        .with_argument("target.to");
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    PLAN_TRY_VOID(move->must_be_stopped());
    const std::string folder(context.arguments["folder"].string_or(""));
    PLAN_TRY(proved, move->program().prove(folder));
    const bool is_by_server = context.arguments["by"] == Value("server");
    PLAN_TRY_VOID(is_by_server ? import_by_server(*move, context, folder)
                               : import_by_plan(*move, context, folder));
    return Value::map({{"records", proved.records}, {"bytes", proved.bytes}});
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    if (move->block().to.address.empty()) return {};
    PLAN_TRY(look, move->program().look(move->block().to));
    if (look.schema != 0) return {};
    return Error(errors::import_differs,
                 fmt::format("{} has no schema version: no server starts on it", look.name));
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    const ServerBlock& block = move->block();
    const std::string folder(context.arguments["folder"].string_or(""));
    if (block.to.address.empty()) {
      context.say(
          "the new store is one that only the server's program opens: empty it before it "
          "is filled again");
      return {};
    }
    PLAN_TRY(look, move->program().look(block.to));
    if (!look.is_there || (look.is_empty() && look.schema == 0)) return {};
    if (context.notes["server"].bool_or(false)) return move->program().empty(block.to);
    PLAN_TRY(letters, move->imported_subspaces(folder));
    PLAN_TRY(back, move->program().take_back(block.to, folder, letters));
    if (back == TakenBack::kept) {
      context.say(
          fmt::format("{} holds more than the dump: a server has run on it. It stays as it "
                      "is, nobody uses it, and what came in after the start is only there",
                      look.name));
    }
    return {};
  }

 private:
  static Outcome own(MoveStep& move) {
    const ServerBlock& block = move.block();
    if (block.user.empty()) return {};
    for (const std::string_view kind : {"sqlite:", "rocksdb:"}) {
      if (!block.to.address.starts_with(kind)) continue;
      const std::string path = block.to.address.substr(kind.size());
      PLAN_TRY_VOID(run_there(move.host(), {"chown", "-R", "--", block.user + ":", path}));
    }
    return {};
  }

  static Outcome import_by_plan(MoveStep& move, step::StepContext& context,
                                const std::string& folder) {
    const ServerBlock& block = move.block();
    PLAN_TRY(letters, move.imported_subspaces(folder));
    PLAN_TRY(look, move.program().look(block.to));
    if (look.schema != 0 && context.attempt > 0) {
      // Killed between the last row and the journal's line.
      PLAN_TRY_VOID(move.program().compare(block.to, folder, letters));
      return own(move);
    }
    PLAN_TRY_VOID(move.program().import_store(block.to, folder, letters));
    return own(move);
  }

  static Outcome import_by_server(MoveStep& move, step::StepContext& context,
                                  const std::string& folder) {
    const ServerBlock& block = move.block();
    const bool can_look = !block.to.address.empty();
    const bool leaves_blobs = move.keeps_blobs_elsewhere();
    if (context.notes["server"].bool_or(false)) {
      if (!can_look) {
        return Error(errors::server_program_failed,
                     "the server's own import was interrupted and cannot be gone on with")
            .with_blame(Blame::target)
            .with_detail("empty the new store, then run plan rollback and plan apply again");
      }
      PLAN_TRY_VOID(move.program().empty(block.to));
    }
    PLAN_TRY_VOID(context.remember(Value::map({{"server", true}})));
    PLAN_TRY_VOID(move.server().import_store(block.new_config, folder, leaves_blobs));
    PLAN_TRY_VOID(move.server().put_registry_keys(block.new_config, folder));
    if (can_look) {
      PLAN_TRY(letters, move.imported_subspaces(folder));
      return move.program()
          .compare(block.to, folder, letters)
          .while_doing("comparing what the server imported with the dump");
    }
    context.say(
        "the new store cannot be opened by plan: `to` says how, and then it is compared "
        "record by record");
    return {};
  }

  MoveWorld world_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_import_driver(const MoveWorld& world) {
  return std::make_shared<ImportDriver>(world);
}

}  // namespace plan::dump
