#include <fmt/format.h>

#include <algorithm>

#include "compiler/diff/change.h"
#include "compiler/diff/fold.h"
#include "compiler/diff/words.h"
#include "compiler/source/text.h"

namespace plan::diff {
namespace {

/// A narrower terminal gets no columns of steps, and accounts as a list instead of a table.
constexpr std::size_t kColumnsFrom = 100;
constexpr std::size_t kFigureColumns = 52;
constexpr std::size_t kNameColumnsMin = 16;

struct Colours {
  std::string_view bold, green, yellow, red, blue, dim, reset;
};

Colours colours_of(const RenderOptions& options) {
  if (!options.has_colour) return {"", "", "", "", "", "", ""};
  return {"\x1b[1m", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[34m", "\x1b[2m", "\x1b[0m"};
}

std::string_view colour_of(const StepChange& step, const Colours& colours) {
  if (step.is_unseen) return colours.red;
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

void draw_differences(std::string& out, const StepChange& step, std::string_view indent,
                      const RenderOptions& options) {
  const std::size_t room = options.width_columns > 60 ? (options.width_columns - 30) / 2 : 20;
  for (const ir::Difference& difference : step.differences) {
    const std::string is = show_value(difference.is, options.value_bytes_max);
    const std::string wanted = show_value(difference.wanted, options.value_bytes_max);
    const std::string path = printable(difference.path);
    if (display_width(is) <= room && display_width(wanted) <= room) {
      out += fmt::format("{}      {}: {} -> {}\n", indent, path, is, wanted);
    } else if (difference.is.is_null()) {
      out += fmt::format("{}      {}: {} ->\n{}          {}\n", indent, path, is, indent, wanted);
    } else {
      // Side by side they would have to be cut, just where they differ.
      out += fmt::format("{}      {}:\n{}          {}\n{}       -> {}\n", indent, path, indent, is,
                         indent, wanted);
    }
  }
  // Folded, each reason is told once, at the end.
  if (!step.unseen_because.empty() && !options.is_folded)
    out += fmt::format("{}      {}\n", indent, printable(step.unseen_because, 400));
  if (!step.remark.empty() && step.standing != ir::Standing::satisfied)
    out += fmt::format("{}      {}\n", indent, printable(step.remark, 400));
}

/// "update; reversible; nothing to do: moved already"
std::string effect_words(const StepChange& step) {
  const ir::UndoPolicy undo = ir::info(step.kind).undo;
  std::string words(to_string(effect_of(step)));
  if (undo != ir::UndoPolicy::nothing_to_undo) words += fmt::format("; {}", to_string(undo));
  if (step.is_unseen) words += "; could not be looked at";
  if (step.standing == ir::Standing::satisfied) {
    words += "; nothing to do";
    if (!step.remark.empty()) words += ": " + printable(step.remark, 400);
  }
  return words;
}

/// fmt counts some wide characters as one column.
std::string padded(std::string text, std::size_t columns) {
  const std::size_t has = display_width(text);
  if (has < columns) text.append(columns - has, ' ');
  return text;
}

std::size_t step_columns(const RenderOptions& options, std::size_t columns) {
  return options.width_columns < kColumnsFrom ? 0 : columns;
}

void draw_step(std::string& out, const StepChange& step, std::string_view indent,
               const RenderOptions& options) {
  const Colours colours = colours_of(options);
  out += fmt::format("{}{}{} {}{} {}\n", indent, colour_of(step, colours), sign_of(step),
                     padded(printable(step.id), step_columns(options, 48)), colours.reset,
                     effect_words(step));
  draw_differences(out, step, indent, options);
}

/// A list of steps; those that are alike are one.
void draw_steps(std::string& out, const std::vector<StepChange>& steps, std::string_view indent,
                const RenderOptions& options) {
  if (!options.is_folded) {
    for (const StepChange& step : steps) draw_step(out, step, indent, options);
    return;
  }
  for (const StepRun& run : runs_of(steps)) {
    StepChange shown = steps[run.first];
    if (run.count > 1) shown.id = name_of(steps, run);
    draw_step(out, shown, indent, options);
  }
}

std::string_view mark_of(const StepChange& step) {
  return step.role == ir::TransactionRole::held     ? "  (held)"
         : step.role == ir::TransactionRole::commit ? "  (commit)"
                                                    : "";
}

/// The steps of accounts that are alike, once, with the differences of the first of them.
void draw_group(std::string& out, const WaveChange& wave, const AccountGroup& group,
                const RenderOptions& options, Shown& shown) {
  const AccountChange& first = wave.accounts[group.accounts.front()];
  const std::string steps = count_of(first.steps.size(), "step");
  if (first.is_satisfied()) {
    out += fmt::format("    {}: nothing to do\n", who(wave, group));
    return;
  }
  const auto [earlier, is_new] = shown.emplace(
      group.key, fmt::format("{} in wave {}", printable(first.account), printable(wave.name)));
  if (!is_new) {
    out += fmt::format("    {}: the {} of {}, with names and figures of their own\n",
                       who(wave, group), steps, earlier->second);
    return;
  }
  out += fmt::format("    {}, {} in this order{}:\n", who(wave, group), steps,
                     group.accounts.size() == 1
                         ? std::string()
                         : fmt::format(", shown for {}", printable(first.account)));
  const Colours colours = colours_of(options);
  for (const StepChange& step : first.steps) {
    out += fmt::format("      {}{} {} {}{} {}{}\n", colour_of(step, colours), sign_of(step),
                       padded(printable(last_segment(step.id)), step_columns(options, 12)),
                       padded(std::string(ir::info(step.kind).name), step_columns(options, 22)),
                       colours.reset, effect_words(step), mark_of(step));
    draw_differences(out, step, "      ", options);
  }
}

void draw_shares(std::string& out, const std::vector<TimeShare>& shares) {
  for (const TimeShare& share : shares) {
    std::string line =
        fmt::format("      {} {:>8}  {}", padded(printable(last_segment(share.step)), 14),
                    show_duration_ms(share.ms), printable(share.basis, 200));
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
}

/// Where the figure of the longest hold comes from, step by step.
void draw_longest_hold(std::string& out, const WaveChange& wave) {
  const AccountChange* longest = longest_held(wave);
  if (longest == nullptr) return;
  out += fmt::format("    {} is held longest, for about {}:\n", printable(longest->account),
                     show_duration_ms(*longest->cost.hold_ms));
  draw_shares(out, longest->hold);
}

/// The account whose copy takes longest, with what that was counted from.
void draw_longest_copy(std::string& out, const WaveChange& wave) {
  const AccountChange* longest = longest_copied(wave);
  if (longest == nullptr) return;
  out += fmt::format("    {} is copied longest, for about {}:\n", printable(longest->account),
                     show_duration_ms(*longest->cost.duration_ms));
  draw_shares(out, longest->duration);
}

bool is_wanted(const RenderOptions& options, std::string_view account) {
  return std::find(options.accounts.begin(), options.accounts.end(), account) !=
         options.accounts.end();
}

std::string copy_of(const AccountChange& account) {
  return account.cost.duration_ms ? show_duration_ms(*account.cost.duration_ms) : "-";
}
std::string hold_of(const AccountChange& account) {
  return account.cost.hold_ms ? show_duration_ms(*account.cost.hold_ms) : "-";
}

/// Columns of the names in the table of accounts; 0: there is no room for a table.
std::size_t name_columns(const WaveChange& wave, const RenderOptions& options) {
  if (options.width_columns < kFigureColumns + kNameColumnsMin) return 0;
  std::size_t columns = kNameColumnsMin;
  for (std::size_t i = 0; i < wave.accounts.size() && i < options.accounts_max; ++i)
    columns = std::max(columns, display_width(printable(wave.accounts[i].account)));
  return std::min({columns, options.width_columns - kFigureColumns, std::size_t{36}});
}

/// The figures of an account: a line of the table, or a line below its name.
void draw_account_line(std::string& out, const AccountChange& account, std::size_t columns) {
  if (columns == 0) {
    out += fmt::format("    {}\n", printable(account.account));
    out += account.is_satisfied() ? std::string("      nothing to do\n")
                                  : fmt::format("      messages {}, bytes {}, copy {}, hold {}\n",
                                                messages_of(account), bytes_of(account),
                                                copy_of(account), hold_of(account));
    return;
  }
  out += fmt::format("    {} {:>10} {:>12} {:>12} {:>10}{}\n",
                     padded(printable(account.account), columns), messages_of(account),
                     bytes_of(account), copy_of(account), hold_of(account),
                     account.is_satisfied() ? "  nothing to do" : "");
}

/// One line an account, and all its steps where they are asked for.
void draw_accounts(std::string& out, const WaveChange& wave, const RenderOptions& options) {
  const std::size_t columns = name_columns(wave, options);
  if (columns > 0)
    out += fmt::format("    {} {:>10} {:>12} {:>12} {:>10}\n", padded("account", columns),
                       "messages", "bytes", "copy", "hold");
  std::size_t left_out = 0;
  for (std::size_t i = 0; i < wave.accounts.size(); ++i) {
    const AccountChange& account = wave.accounts[i];
    const bool has_steps = !options.is_folded || is_wanted(options, account.account);
    if (!has_steps && i >= options.accounts_max) {
      ++left_out;
      continue;
    }
    draw_account_line(out, account, columns);
    if (const std::string beside = show_beside(account.cost);
        !beside.empty() && !account.is_satisfied())
      out += fmt::format("      {}\n", beside);
    if (!has_steps) continue;
    RenderOptions whole = options;
    whole.is_folded = false;
    for (const StepChange& step : account.steps) draw_step(out, step, "      ", whole);
  }
  if (left_out > 0) out += fmt::format("    and {} more\n", count_of(left_out, "account"));
}

void draw_wave(std::string& out, const WaveChange& wave, const RenderOptions& options,
               Shown& shown) {
  const Colours colours = colours_of(options);
  out += fmt::format("\n  {}wave {}{}: {}; {} at a time{}\n", colours.bold, printable(wave.name),
                     colours.reset, count_of(wave.accounts.size(), "account"), wave.parallel,
                     wave.is_held_for_approval ? "; waits for plan approve" : "");
  if (!wave.accounts.empty()) {
    out += fmt::format("    {}\n", show_cost(wave));
    for (const std::string& line : {duration_basis(wave), show_download(wave)}) {
      if (!line.empty()) out += fmt::format("    {}\n", line);
    }
  }
  if (const std::string beside = show_beside(wave.cost); !beside.empty())
    out += fmt::format("    {}\n", beside);
  draw_steps(out, wave.steps, "    ", options);
  if (wave.accounts.empty()) return;
  if (options.is_folded) {
    const std::vector<AccountGroup> groups = groups_of(wave);
    const std::size_t drawn = std::min(groups.size(), kGroupsMax);
    for (std::size_t i = 0; i < drawn; ++i) draw_group(out, wave, groups[i], options, shown);
    if (drawn < groups.size()) {
      out += fmt::format("    and accounts of {} more, which are not alike\n",
                         count_of(groups.size() - drawn, "kind"));
    }
  }
  draw_accounts(out, wave, options);
  draw_longest_copy(out, wave);
  draw_longest_hold(out, wave);
}

/// Figures of the steps of no account.
void draw_step_costs(std::string& out, const StageChange& stage) {
  for (const StepCost& cost : stage.costs) {
    out += fmt::format("    {}: {}{}", printable(cost.step),
                       cost.bytes ? show_bytes(*cost.bytes) : std::string("bytes not measured"),
                       cost.duration_ms ? ", about " + show_duration_ms(*cost.duration_ms) : "");
    out += cost.basis.empty() ? "\n" : fmt::format(" ({})\n", printable(cost.basis, 200));
  }
}

/// What is needed on each machine, and what is free there.
void draw_disks(std::string& out, const ChangeSet& changes, const RenderOptions& options) {
  if (changes.disks.empty()) return;
  const Colours colours = colours_of(options);
  out += fmt::format("\n{}disk{}: what is needed on each machine, and what is free there\n",
                     colours.bold, colours.reset);
  for (const DiskChange& disk : changes.disks) {
    const std::string measured = measured_words(disk);
    out +=
        fmt::format("  {} needs {}, free {}{}\n      {}\n",
                    padded(printable(disk.disk.machine), step_columns(options, 12)),
                    needed_of(disk), free_of(disk),
                    disk.fits() ? std::string()
                                : fmt::format(": {}it does not fit{}", colours.red, colours.reset),
                    printable(disk.basis) + (measured.empty() ? "" : "; " + measured));
  }
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
  if (!changes.made_from.empty())
    out += fmt::format("made from {}\n", printable(changes.made_from));
  if (!changes.path.empty())
    out += fmt::format("only what lies below {}\n", printable(changes.path));
  out +=
      "+ create  ~ update  - destroy  > moves mail  » moves traffic  ! stops a service  . reads  = "
      "nothing to do  ? could not be looked at\n";
  Shown shown;
  for (const StageChange& stage : changes.stages) {
    if (stage.steps.empty() && stage.waves.empty()) continue;
    out += fmt::format("\n{}{}{}: {}\n", colours.bold, to_string(stage.stage), colours.reset,
                       promise_of(stage));
    draw_steps(out, stage.steps, "  ", options);
    draw_step_costs(out, stage);
    for (const WaveChange& wave : stage.waves) draw_wave(out, wave, options, shown);
  }
  draw_disks(out, changes, options);
  draw_undo(out, changes, options);
  std::size_t warnings = 0;
  for (const ir::ReviewedFinding& finding : changes.findings) {
    // Silenced ones are always there: nobody else will say them again.
    if (finding.silenced_at.empty() && options.is_folded && ++warnings > kFindingsMax) continue;
    out += fmt::format("\nnote: {}\n", printable(show_finding(finding), 2000));
  }
  if (warnings > kFindingsMax)
    out += fmt::format("\nnote: and {} more warnings: plan check\n", warnings - kFindingsMax);
  for (const std::string& note : note_lines(changes))
    out += fmt::format("\nnote: {}\n", printable(note, 2000));
  if (options.is_folded) {
    out +=
        "\nwhat is alike is shown once: plan diff --account ADDRESS shows every step of an "
        "account, --path PATH what lies below a stage, a wave or a step, --all everything\n";
  }
  return out + fmt::format("\n{}\n", show_counts(changes));
}

}  // namespace plan::diff
