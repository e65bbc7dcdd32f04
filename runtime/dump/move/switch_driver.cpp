// store.switch: the one file that decides which store a server starts on.
#include <fmt/format.h>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/dump/move/errors.h"
#include "runtime/dump/move/move_step.h"
#include "runtime/step/errors.h"

namespace plan::dump {
namespace {

using ir::Observation;
using ir::Standing;
using ir::Value;

constexpr std::size_t kDigestDigits = 12;
constexpr unsigned kConfigMode = 0640;
constexpr unsigned kSecretMode = 0600;

/// Prior state: {backup, sha256}. The old configuration may hold a password, so it stays in a file
/// beside the new one, with the same owner and rights, and only its digest goes into the journal.
class SwitchDriver final : public step::StepDriver {
 public:
  explicit SwitchDriver(MoveWorld world) : world_(std::move(world)) {}

  Result<Observation> observe(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    const ServerBlock& block = move->block();
    PLAN_TRY(is_switched, move->is_switched());
    PLAN_TRY(text, move->host().read_file(block.config, kServerConfigBytesMax, file_time()));
    const std::string digest = ir::sha256(text).hex();
    Observation seen;
    seen.standing = is_switched ? Standing::satisfied : Standing::differs;
    seen.prior = Value::map(
        {{"backup", fmt::format("{}.before-{}", block.config, digest.substr(0, kDigestDigits))},
         {"sha256", digest}});
    seen.fingerprint = Value::map({{"config", digest}});
    if (is_switched) return seen;
    seen.differences = {{"store", block.from.address,
                         block.to.address.empty() ? block.new_config : block.to.address}};
    seen.remark = "what the server takes in after its start on the new store is not in the old one";
    return seen;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    const ServerBlock& block = move->block();
    PLAN_TRY(is_switched, move->is_switched());
    if (is_switched) return Value::map();
    PLAN_TRY_VOID(move->must_be_stopped());
    PLAN_TRY(text, move->host().read_file(block.config, kServerConfigBytesMax, file_time()));
    if (ir::sha256(text).hex() != context.prior["sha256"].string_or("")) {
      return Error(step::errors::changed_since,
                   fmt::format("{} was changed since plan looked at it", block.config));
    }
    const std::string backup(context.prior["backup"].string_or(""));
    PLAN_TRY_VOID(run_there(move->host(), {"cp", "-p", "--", block.config, backup}));
    PLAN_TRY(wanted, new_text(*move, context));
    PLAN_TRY_VOID(move->host().replace_file(block.config, wanted, kConfigMode, file_time()));
    return Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    PLAN_TRY(is_switched, move->is_switched());
    if (is_switched) return {};
    return Error(step::errors::not_as_wanted,
                 fmt::format("{} does not name the new store", move->block().config));
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    const ServerBlock& block = move->block();
    PLAN_TRY(text, move->host().read_file(block.config, kServerConfigBytesMax, file_time()));
    const std::string_view before = context.prior["sha256"].string_or("");
    if (ir::sha256(text).hex() == before) return {};
    PLAN_TRY(is_switched, move->is_switched());
    if (!is_switched) {
      return Error(
          step::errors::changed_since,
          fmt::format("{} is neither what plan wrote nor what it was before", block.config));
    }
    PLAN_TRY_VOID(move->must_be_stopped());
    const std::string backup(context.prior["backup"].string_or(""));
    PLAN_TRY(old, move->host().read_file(backup, kServerConfigBytesMax, file_time()));
    if (ir::sha256(old).hex() != before) {
      return Error(step::errors::changed_since,
                   fmt::format("{} is not the configuration that plan kept there", backup));
    }
    return move->host().replace_file(block.config, old, kConfigMode, file_time());
  }

 private:
  static Result<std::string> new_text(MoveStep& move, step::StepContext& context) {
    const ServerBlock& block = move.block();
    if (!block.new_config.empty())
      return move.host().read_file(block.new_config, kServerConfigBytesMax, file_time());
    Value config = block.to.config;
    if (!config.is_map()) {
      return Error(errors::server_config_wrong,
                   "plan cannot write a configuration for this kind of store")
          .with_blame(Blame::plan);
    }
    if (block.to.password.is_secret()) {
      PLAN_TRY(password, context.secrets.read(block.to.password.as_secret()));
      const std::string file = block.config + ".store-password";
      PLAN_TRY_VOID(move.host().replace_file(
          file, password.reveal_for("the server's own secret file"), kSecretMode, file_time()));
      PLAN_TRY_VOID(run_there(move.host(), {"chown", "--reference=" + block.config, "--", file}));
      config.set("authSecret", Value::map({{"@type", "File"}, {"filePath", file}}));
    }
    return ir::write_json(config, 2) + "\n";
  }

  MoveWorld world_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_switch_driver(const MoveWorld& world) {
  return std::make_shared<SwitchDriver>(world);
}

}  // namespace plan::dump
