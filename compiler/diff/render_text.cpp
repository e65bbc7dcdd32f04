#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/diff/change.h"
#include "compiler/diff/words.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::diff {
namespace {

struct Colours {
  std::string_view bold, green, yellow, red, blue, dim, reset;
};

Colours colours_of(const RenderOptions& options) {
  if (!options.has_colour) return {"", "", "", "", "", "", ""};
  return {"\x1b[1m", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[34m", "\x1b[2m", "\x1b[0m"};
}

std::string_view colour_of(const StepChange& step, const Colours& colours) {
  if (step.standing == ir::Standing::satisfied) return colours.dim;
  switch (effect_of(step)) {
    case ir::StepEffect::read:
      return colours.dim;
    case ir::StepEffect::create:
      return colours.green;
    case ir::StepEffect::update:
      return colours.yellow;
    case ir::StepEffect::move_mail:
    case ir::StepEffect::move_traffic:
      return colours.blue;
    case ir::StepEffect::destroy:
    case ir::StepEffect::stop_service:
      return colours.red;
  }
  return "";
}

void draw_step(std::string& out, const StepChange& step, std::string_view indent,
               const RenderOptions& options) {
  const Colours colours = colours_of(options);
  const ir::StepKindInfo& kind = ir::info(step.kind);
  out += fmt::format(
      "{}{}{} {:<48}{} {}{}{}\n", indent, colour_of(step, colours), sign_of(step),
      printable(step.id), colours.reset, to_string(effect_of(step)),
      kind.undo == ir::UndoPolicy::nothing_to_undo ? "" : fmt::format("; {}", to_string(kind.undo)),
      step.standing == ir::Standing::satisfied ? "; nothing to do" : "");
  const std::size_t room = options.width_columns > 60 ? (options.width_columns - 30) / 2 : 20;
  for (const ir::Difference& difference : step.differences) {
    out += fmt::format("{}      {}: {} -> {}\n", indent, printable(difference.path),
                       show_value(difference.is, room), show_value(difference.wanted, room));
  }
  if (!step.remark.empty()) out += fmt::format("{}      {}\n", indent, printable(step.remark, 400));
}

// The steps of a wave are the same for all its accounts: they are shown once, then a line an
// account.
void draw_procedure(std::string& out, const WaveChange& wave, const RenderOptions& options) {
  const AccountChange& first = wave.accounts.front();
  out += fmt::format("    each account, in this order ({} steps):\n", first.steps.size());
  for (const StepChange& step : first.steps) {
    const ir::StepKindInfo& kind = ir::info(step.kind);
    const std::string_view mark = step.role == ir::TransactionRole::held     ? "  (held)"
                                  : step.role == ir::TransactionRole::commit ? "  (commit)"
                                                                             : "";
    out += fmt::format(
        "      {} {:<22} {}{}{}\n", sign_of_effect(kind.effect), kind.name, to_string(kind.effect),
        kind.undo == ir::UndoPolicy::nothing_to_undo ? ""
                                                     : fmt::format("; {}", to_string(kind.undo)),
        mark);
  }
  (void)options;
}

/// Where the figure of the longest hold comes from, step by step.
void draw_longest_hold(std::string& out, const WaveChange& wave) {
  const auto longest = std::max_element(
      wave.accounts.begin(), wave.accounts.end(), [](const auto& left, const auto& right) {
        return left.cost.hold_ms.value_or(0) < right.cost.hold_ms.value_or(0);
      });
  if (longest == wave.accounts.end() || longest->hold.empty()) return;
  out += fmt::format("    {} is held longest, for about {}:\n", printable(longest->account),
                     show_duration_ms(*longest->cost.hold_ms));
  for (const HoldShare& share : longest->hold) {
    const std::string name = share.step.substr(share.step.rfind('/') + 1);
    out += fmt::format("      {:<14} {:>8}  {}\n", printable(name), show_duration_ms(share.ms),
                       printable(share.basis, 200));
  }
}

void draw_wave(std::string& out, const WaveChange& wave, const RenderOptions& options) {
  const Colours colours = colours_of(options);
  out += fmt::format("\n  {}wave {}{}: {}; {} at a time{}\n", colours.bold, wave.name,
                     colours.reset, count_of(wave.accounts.size(), "account"), wave.parallel,
                     wave.is_held_for_approval ? "; waits for plan approve" : "");
  out += fmt::format("    {}\n", show_cost(wave.cost));
  for (const StepChange& step : wave.steps) draw_step(out, step, "    ", options);
  if (wave.accounts.empty()) return;
  draw_procedure(out, wave, options);
  out += fmt::format("    {:<36} {:>10} {:>12} {:>12} {:>10}\n", "account", "messages", "bytes",
                     "copy", "hold");
  const std::size_t shown = options.accounts_max == 0
                                ? wave.accounts.size()
                                : std::min(options.accounts_max, wave.accounts.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const AccountChange& account = wave.accounts[i];
    out += fmt::format("    {:<36} {:>10} {:>12} {:>12} {:>10}{}\n", printable(account.account),
                       account.cost.messages ? show_count(*account.cost.messages) : "not measured",
                       account.cost.bytes ? show_bytes(*account.cost.bytes) : "not measured",
                       account.cost.duration_ms ? show_duration_ms(*account.cost.duration_ms) : "-",
                       account.cost.hold_ms ? show_duration_ms(*account.cost.hold_ms) : "-",
                       account.is_satisfied() ? "  nothing to do" : "");
    for (const StepChange& step : account.steps) {
      if (!step.differences.empty() || !step.remark.empty())
        draw_step(out, step, "      ", options);
    }
  }
  if (shown < wave.accounts.size()) {
    out += fmt::format("    and {} more (--all shows them)\n",
                       count_of(wave.accounts.size() - shown, "account"));
  }
  draw_longest_hold(out, wave);
}

/// What `plan rollback` could do about each kind of step of this diff.
void draw_undo(std::string& out, const ChangeSet& changes, const RenderOptions& options) {
  const std::vector<ir::StepKind> kinds = changes.kinds_to_undo();
  if (kinds.empty()) return;
  const Colours colours = colours_of(options);
  out += fmt::format("\n{}the way back{}: what plan rollback can do about each kind of step\n",
                     colours.bold, colours.reset);
  for (const ir::StepKind kind : kinds) {
    const ir::StepKindInfo& info = ir::info(kind);
    const std::string_view colour = info.undo == ir::UndoPolicy::irreversible ? colours.red
                                    : info.undo == ir::UndoPolicy::lossy      ? colours.yellow
                                                                              : colours.dim;
    out += fmt::format("  {}{:<22} {}{}\n", colour, info.name, undo_words(info), colours.reset);
  }
}

}  // namespace

std::string render_text(const ChangeSet& changes, const RenderOptions& options) {
  const Colours colours = colours_of(options);
  std::string out =
      fmt::format("{}{}{}\n", colours.bold, printable(changes.plan_name), colours.reset);
  if (!changes.digest.empty()) out += fmt::format("saved plan {}\n", changes.digest);
  out +=
      "+ create  ~ update  - destroy  > moves mail  » moves traffic  ! stops a service  . reads  = "
      "nothing to do\n";
  for (const StageChange& stage : changes.stages) {
    if (stage.steps.empty() && stage.waves.empty()) continue;
    out += fmt::format("\n{}{}{}: {}\n", colours.bold, to_string(stage.stage), colours.reset,
                       promise_of(stage.stage));
    for (const StepChange& step : stage.steps) draw_step(out, step, "  ", options);
    for (const WaveChange& wave : stage.waves) draw_wave(out, wave, options);
  }
  draw_undo(out, changes, options);
  for (const std::string& note : changes.notes)
    out += fmt::format("\nnote: {}\n", printable(note, 2000));
  const std::size_t count = changes.change_count();
  out += count == 0 ? "\nnothing to do\n"
                    : fmt::format("\n{} would change something\n", count_of(count, "step"));
  return out;
}

}  // namespace plan::diff
