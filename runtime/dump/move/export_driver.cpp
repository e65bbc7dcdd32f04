#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/dump/manifest.h"
#include "runtime/dump/move/errors.h"
#include "runtime/dump/move/move_step.h"

namespace plan::dump {
namespace {

using ir::Observation;
using ir::Standing;
using ir::Value;

std::vector<std::string> subspaces_of(const step::StepContext& context) {
  std::vector<std::string> names;
  for (const Value& name : context.arguments["subspaces"].items())
    names.emplace_back(name.string_or(""));
  return names;
}

class ExportDriver final : public step::StepDriver {
 public:
  explicit ExportDriver(MoveWorld world) : world_(std::move(world)) {}

  Result<Observation> observe(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    const std::string folder(context.arguments["folder"].string_or(""));
    PLAN_TRY(is_there, move->has_dump(folder));
    Observation seen;
    // A dump that is there may be of another day; a finished step is not looked at again, and a new
    // run writes into a new folder.
    seen.standing = is_there ? Standing::satisfied : Standing::absent;
    seen.prior = Value::map({{"existed", is_there}});
    seen.fingerprint = Value::map({{"folder", folder}, {"existed", is_there}});
    if (is_there) {
      seen.remark = "the dump is there, with its manifest";
      return seen;
    }
    if (const auto bytes = move->store_bytes()) {
      seen.bytes = *bytes;
      seen.duration_ms = estimated_ms(*bytes);
      seen.remark = fmt::format(
          "up to {}, about {}; {}", show_bytes(*bytes), show_duration_ms(*seen.duration_ms),
          context.arguments["by"] == Value("server") ? "by stalwart --export, proved afterwards"
                                                     : "the store is only read");
    }
    return seen;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    const std::string folder(context.arguments["folder"].string_or(""));
    PLAN_TRY(is_there, move->has_dump(folder));
    TransferSize size;
    if (is_there) {
      PLAN_TRY(proved, move->program().prove(folder));
      size = proved;
    } else {
      PLAN_TRY_VOID(move->must_be_stopped());
      if (context.arguments["by"] == Value("server")) {
        PLAN_TRY_VOID(export_by_server(*move, context, folder));
        PLAN_TRY(proved, move->program().prove(folder));
        size = proved;
      } else {
        PLAN_TRY(written,
                 move->program().export_store(move->block().from, folder, subspaces_of(context)));
        size = written;
      }
    }
    return Value::map({{"records", size.records}, {"bytes", size.bytes}});
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    PLAN_TRY_VOID(move->program().prove(std::string(context.arguments["folder"].string_or(""))));
    return {};
  }

  /// The kind's policy is that there is nothing to undo: nobody uses a dump, and the operator who
  /// goes back may be glad of it.
  Outcome undo(step::StepContext& /*context*/) override { return {}; }

 private:
  /// Its exit code says little: the files are read to their end, compared with the store where plan
  /// can open it, and only then get their name and their manifest.
  static Outcome export_by_server(MoveStep& move, step::StepContext& context,
                                  const std::string& folder) {
    const std::string partial = folder + ".partial";
    const std::vector<std::string> families = subspaces_of(context);
    PLAN_TRY_VOID(move.server().export_store(partial, families));
    const auto look = move.program().look(move.block().from);
    if (look) {
      // The program reads a folder of blobs, but not S3: there each blob is proved by its hash, and
      // all of them by their links, when the manifest is made.
      std::vector<std::string> letters;
      if (look->has_blobs_elsewhere() && move.block().blob_folder.empty()) {
        PLAN_TRY(all_but_blobs, move.imported_subspaces(partial));
        letters = std::move(all_but_blobs);
        context.say("the blobs are in a store of their own: proved by their hashes, not compared");
      }
      PLAN_TRY_VOID(move.program()
                        .compare(move.block().from, partial, letters)
                        .while_doing("comparing the server's own export with the store"));
    } else {
      context.say(
          "the store cannot be opened by plan: the dump is read to its end, and nothing "
          "says whether all of the store is in it");
    }
    PLAN_TRY_VOID(run_there(move.host(), {"mv", "-T", "--", partial, folder}));
    return move.program().make_manifest(folder);
  }

  MoveWorld world_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_export_driver(const MoveWorld& world) {
  return std::make_shared<ExportDriver>(world);
}

}  // namespace plan::dump
