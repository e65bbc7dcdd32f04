#include "compiler/ir/step_kind.h"

#include <array>

namespace plan::ir {
namespace {

constexpr std::array kKinds = {
#define PLAN_STEP_KIND(identifier, name, effect, undo, host, summary, lost) \
  StepKindInfo{StepKind::identifier,                                        \
               name,                                                        \
               StepEffect::effect,                                          \
               UndoPolicy::undo,                                            \
               StepHost::host,                                              \
               summary,                                                     \
               lost},
#include "compiler/ir/step_kind.def"
#undef PLAN_STEP_KIND
};

struct Arguments {
  std::array<std::vector<ArgumentSpec>, kKinds.size()> inputs;
  std::array<std::vector<ArgumentSpec>, kKinds.size()> outputs;
};

const Arguments& arguments() {
  static const Arguments kArguments = [] {
    Arguments all;
#define PLAN_ARGUMENT(kind, name, type, is_required, meaning)     \
  all.inputs[static_cast<std::size_t>(StepKind::kind)].push_back( \
      {name, ArgumentType::type, is_required, meaning});
#define PLAN_OUTPUT(kind, name, type, meaning)                     \
  all.outputs[static_cast<std::size_t>(StepKind::kind)].push_back( \
      {name, ArgumentType::type, true, meaning});
#include "compiler/ir/step_arguments.def"
#undef PLAN_ARGUMENT
#undef PLAN_OUTPUT
    return all;
  }();
  return kArguments;
}

}  // namespace

const StepKindInfo& info(StepKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }
std::span<const StepKindInfo> all_step_kinds() { return kKinds; }

std::optional<StepKind> step_kind_by_name(std::string_view name) {
  for (const StepKindInfo& kind : kKinds) {
    if (kind.name == name) return kind.kind;
  }
  return std::nullopt;
}

const std::vector<ArgumentSpec>& arguments_of(StepKind kind) {
  return arguments().inputs[static_cast<std::size_t>(kind)];
}
const std::vector<ArgumentSpec>& outputs_of(StepKind kind) {
  return arguments().outputs[static_cast<std::size_t>(kind)];
}

std::string_view to_string(StepEffect effect) {
  switch (effect) {
    case StepEffect::read:
      return "read";
    case StepEffect::create:
      return "create";
    case StepEffect::update:
      return "update";
    case StepEffect::destroy:
      return "destroy";
    case StepEffect::move_mail:
      return "moves mail";
    case StepEffect::move_traffic:
      return "moves traffic";
    case StepEffect::stop_service:
      return "stops a service";
  }
  return "read";
}

std::string_view to_string(UndoPolicy undo) {
  switch (undo) {
    case UndoPolicy::nothing_to_undo:
      return "nothing to undo";
    case UndoPolicy::restore_prior:
      return "reversible";
    case UndoPolicy::carry_back:
      return "reversible with carry-back";
    case UndoPolicy::lossy:
      return "lossy";
    case UndoPolicy::irreversible:
      return "irreversible";
  }
  return "irreversible";
}

std::string undo_words(const StepKindInfo& kind) {
  std::string words(to_string(kind.undo));
  if (kind.lost.empty()) return words;
  words += kind.undo == UndoPolicy::lossy ? ": " : "; lost: ";
  return words + std::string(kind.lost);
}

std::string_view to_string(StepHost host) {
  switch (host) {
    case StepHost::local:
      return "local";
    case StepHost::source:
      return "source";
    case StepHost::target:
      return "target";
    case StepHost::proxy:
      return "proxy";
    case StepHost::dns:
      return "dns";
    case StepHost::both:
      return "source and target";
  }
  return "local";
}

std::string_view to_string(ArgumentType type) {
  switch (type) {
    case ArgumentType::any:
      return "any";
    case ArgumentType::string:
      return "text";
    case ArgumentType::integer:
      return "integer";
    case ArgumentType::boolean:
      return "boolean";
    case ArgumentType::list:
      return "list";
    case ArgumentType::map:
      return "map";
    case ArgumentType::address:
      return "address";
    case ArgumentType::duration_ms:
      return "duration";
    case ArgumentType::bytes:
      return "size";
    case ArgumentType::secret:
      return "secret";
    case ArgumentType::url:
      return "url";
  }
  return "any";
}

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::prepare:
      return "prepare";
    case Stage::cutover:
      return "cutover";
    case Stage::waves:
      return "waves";
    case Stage::finalize:
      return "finalize";
  }
  return "prepare";
}

std::optional<Stage> stage_by_name(std::string_view name) {
  for (const Stage stage : {Stage::prepare, Stage::cutover, Stage::waves, Stage::finalize}) {
    if (to_string(stage) == name) return stage;
  }
  return std::nullopt;
}

}  // namespace plan::ir
