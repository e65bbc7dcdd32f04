#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plan::ir {

/// What a step does to the world, from harmless to grave. The diff groups and colours by it.
enum class StepEffect : std::uint8_t {
  read = 0,          ///< looks only
  create = 1,        ///< adds something that nobody uses yet
  update = 2,        ///< changes configuration
  destroy = 3,       ///< takes something away
  move_mail = 4,     ///< decides where mail is delivered
  move_traffic = 5,  ///< decides where clients go
  stop_service = 6,  ///< somebody sees an interruption
};

/// What `plan rollback` can do about a step that was done.
enum class UndoPolicy : std::uint8_t {
  nothing_to_undo = 0,
  restore_prior = 1,  ///< reversible: the recorded prior state comes back
  carry_back = 2,     ///< reversible, with the mail that arrived since carried back
  lossy = 3,          ///< reversible, but something is lost (the diff says what)
  irreversible = 4,
};

/// Whose machine a step touches.
enum class StepHost : std::uint8_t {
  local = 0,
  source = 1,
  target = 2,
  proxy = 3,
  dns = 4,
  both = 5
};

enum class StepKind : std::uint8_t {
#define PLAN_STEP_KIND(identifier, name, effect, undo, host, summary, lost) identifier,
#include "compiler/ir/step_kind.def"
#undef PLAN_STEP_KIND
};

enum class ArgumentType : std::uint8_t {
  any,
  string,
  integer,
  boolean,
  list,
  map,
  address,
  duration_ms,
  bytes,
  secret,
  url
};

struct ArgumentSpec {
  std::string_view name = {};
  ArgumentType type = ArgumentType::any;
  bool is_required = true;
  std::string_view meaning = {};
};

struct StepKindInfo {
  StepKind kind = {};
  std::string_view name = {};
  StepEffect effect = StepEffect::read;
  UndoPolicy undo = UndoPolicy::nothing_to_undo;
  StepHost host = StepHost::local;
  std::string_view summary = {};
  std::string_view lost = {};  ///< what an undo does not bring back; empty: nothing
};

[[nodiscard]] const StepKindInfo& info(StepKind kind);
[[nodiscard]] std::span<const StepKindInfo> all_step_kinds();
[[nodiscard]] std::optional<StepKind> step_kind_by_name(std::string_view name);
/// Arguments and outputs of a kind, in the order of step_arguments.def.
[[nodiscard]] const std::vector<ArgumentSpec>& arguments_of(StepKind kind);
[[nodiscard]] const std::vector<ArgumentSpec>& outputs_of(StepKind kind);

[[nodiscard]] std::string_view to_string(StepEffect effect);
[[nodiscard]] std::string_view to_string(UndoPolicy undo);
/// The policy of a kind with what is lost: "lossy: the object's id", "reversible".
[[nodiscard]] std::string undo_words(const StepKindInfo& kind);
[[nodiscard]] std::string_view to_string(StepHost host);
[[nodiscard]] std::string_view to_string(ArgumentType type);

/// The stages of a migration (design.md section 6); diff, proof and rollback points use this one
/// list.
enum class Stage : std::uint8_t { prepare = 0, cutover = 1, waves = 2, finalize = 3 };
[[nodiscard]] std::string_view to_string(Stage stage);
[[nodiscard]] std::optional<Stage> stage_by_name(std::string_view name);

}  // namespace plan::ir
