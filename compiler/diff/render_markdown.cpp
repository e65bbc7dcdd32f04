#include <fmt/format.h>

#include <algorithm>

#include "compiler/diff/change.h"
#include "compiler/diff/fold.h"
#include "compiler/diff/words.h"
#include "compiler/source/text.h"

namespace plan::diff {
namespace {

constexpr std::size_t kCellBytes = 2000;

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : printable(text, kCellBytes)) {
    // Names come from mail servers: no markup of theirs may reach the reader's page.
    if (c == '<') {
      out += "&lt;";
      continue;
    }
    if (c == '|' || c == '`' || c == '[' || c == '*' || c == '_' || c == '~' || c == '\\')
      out += '\\';
    out += c;
  }
  return out;
}

/// The same inside a line of HTML, where Markdown's own escapes would be shown.
std::string in_html(std::string_view text) {
  std::string out;
  for (const char c : printable(text, kCellBytes)) {
    if (c == '<' || c == '>' || c == '&')
      out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;";
    else
      out += c;
  }
  return out;
}

/// With `is_folded` those that are alike are one line.
void markdown_steps(std::string& out, const std::vector<StepChange>& steps, bool is_folded,
                    const RenderOptions& options) {
  if (steps.empty()) return;
  out += "\n| | step | effect | undo | what |\n|---|---|---|---|---|\n";
  std::vector<StepRun> runs;
  if (is_folded) {
    runs = runs_of(steps);
  } else {
    for (std::size_t i = 0; i < steps.size(); ++i) runs.push_back({.first = i});
  }
  for (const StepRun& run : runs) {
    const StepChange& step = steps[run.first];
    const ir::StepKindInfo& kind = ir::info(step.kind);
    std::string what =
        step.standing == ir::Standing::satisfied ? "nothing to do" : cell(step.remark);
    if (step.is_unseen) {
      std::string unseen = "**could not be looked at**";
      // Folded, each reason is told once, among the notes.
      if (!options.is_folded && !step.unseen_because.empty())
        unseen += ": " + cell(step.unseen_because);
      what = unseen + (what.empty() ? "" : "; " + what);
    }
    for (const ir::Difference& difference : step.differences) {
      what += fmt::format("{}{}: {} → {}", what.empty() ? "" : "<br>", cell(difference.path),
                          cell(show_value(difference.is, options.value_bytes_max)),
                          cell(show_value(difference.wanted, options.value_bytes_max)));
    }
    out += fmt::format("| {} | {} | {} | {} | {} |\n", sign_of(step), cell(name_of(steps, run)),
                       to_string(effect_of(step)), to_string(kind.undo), what);
  }
}

void markdown_account_steps(std::string& out, const AccountChange& account,
                            const std::string& title, const RenderOptions& options) {
  out += fmt::format("\n<details><summary>{}</summary>\n", title);
  markdown_steps(out, account.steps, false, options);
  out += "\n</details>\n";
}

/// One line an account; below them the steps of those that are asked for.
void markdown_accounts(std::string& out, const WaveChange& wave, const RenderOptions& options) {
  RenderOptions whole = options;
  whole.is_folded = false;
  out += "\n| account | messages | bytes | hold | |\n|---|---:|---:|---:|---|\n";
  const std::size_t shown = options.is_folded ? std::min(options.accounts_max, wave.accounts.size())
                                              : wave.accounts.size();
  for (std::size_t i = 0; i < shown; ++i) {
    const AccountChange& account = wave.accounts[i];
    out += fmt::format("| {} | {} | {} | {} | {} |\n", cell(account.account), messages_of(account),
                       bytes_of(account),
                       account.cost.hold_ms ? show_duration_ms(*account.cost.hold_ms) : "-",
                       account.is_satisfied() ? "nothing to do" : cell(show_beside(account.cost)));
  }
  if (shown < wave.accounts.size())
    out += fmt::format("\nand {} more.\n", count_of(wave.accounts.size() - shown, "account"));
  for (const AccountChange& account : wave.accounts) {
    if (options.is_folded && std::find(options.accounts.begin(), options.accounts.end(),
                                       account.account) == options.accounts.end())
      continue;
    markdown_account_steps(out, account,
                           fmt::format("the {} of {}", count_of(account.steps.size(), "step"),
                                       in_html(account.account)),
                           whole);
  }
}

void markdown_shares(std::string& out, const std::vector<TimeShare>& shares,
                     const std::string& title) {
  if (shares.empty()) return;
  out += fmt::format(
      "\n<details><summary>{}</summary>\n\n| step | time | counted from |\n|---|---:|---|\n",
      title);
  for (const TimeShare& share : shares)
    out += fmt::format("| {} | {} | {} |\n", cell(last_segment(share.step)),
                       show_duration_ms(share.ms), cell(share.basis));
  out += "\n</details>\n";
}

/// Which figures the longest copy and the longest hold came from.
void markdown_figures(std::string& out, const WaveChange& wave) {
  if (const AccountChange* longest = longest_copied(wave))
    markdown_shares(out, longest->duration,
                    fmt::format("the copy of {}, the longest: about {}", in_html(longest->account),
                                show_duration_ms(*longest->cost.duration_ms)));
  if (const AccountChange* longest = longest_held(wave))
    markdown_shares(out, longest->hold,
                    fmt::format("the hold of {}, the longest: about {}", in_html(longest->account),
                                show_duration_ms(*longest->cost.hold_ms)));
}

void markdown_disks(std::string& out, const ChangeSet& changes) {
  if (changes.disks.empty()) return;
  out += "\n## disk\n\n| machine | needed | free | | counted from |\n|---|---:|---:|---|---|\n";
  for (const DiskChange& disk : changes.disks) {
    const std::string measured = measured_words(disk);
    out += fmt::format("| {} | {} | {} | {} | {} |\n", cell(disk.disk.machine), needed_of(disk),
                       free_of(disk), disk.fits() ? "" : "**it does not fit**",
                       cell(disk.basis + (measured.empty() ? "" : "; " + measured)));
  }
}

/// Those that the plan silences or those that it does not.
void markdown_findings(std::string& out, const ChangeSet& changes, bool is_silenced,
                       const RenderOptions& options) {
  std::size_t count = 0;
  for (const ir::ReviewedFinding& finding : changes.findings) {
    if (finding.silenced_at.empty() == is_silenced) continue;
    if (++count == 1)
      out += is_silenced ? "\n## silenced findings\n\n| finding | code | place | silenced at | "
                           "because |\n|---|---|---|---|---|\n"
                         : "\n## findings\n\n| severity | finding | code | place "
                           "|\n|---|---|---|---|\n";
    if (is_silenced) {
      out += fmt::format("| {}: {} | {} | {} | {} | {} |\n", cell(finding.severity),
                         cell(finding.message), cell(finding.code), cell(finding.place),
                         cell(finding.silenced_at), cell(finding.reason));
    } else if (count <= kFindingsMax || !options.is_folded) {
      out += fmt::format("| {} | {} | {} | {} |\n", cell(finding.severity), cell(finding.message),
                         cell(finding.code), cell(finding.place));
    }
  }
  if (!is_silenced && options.is_folded && count > kFindingsMax)
    out += fmt::format("\nand {} more: plan check.\n", count - kFindingsMax);
}

void markdown_group(std::string& out, const WaveChange& wave, const AccountGroup& group,
                    const RenderOptions& options, Shown& shown) {
  const AccountChange& first = wave.accounts[group.accounts.front()];
  if (first.is_satisfied()) {
    out += fmt::format("\n{}: nothing to do.\n", cell(who(wave, group)));
    return;
  }
  const std::string steps = count_of(first.steps.size(), "step");
  const auto [earlier, is_new] =
      shown.emplace(group.key, fmt::format("{} in wave {}", cell(first.account), cell(wave.name)));
  if (!is_new) {
    out += fmt::format("\n{}: the {} of {}, with names and figures of their own.\n",
                       cell(who(wave, group)), steps, earlier->second);
    return;
  }
  std::string title = fmt::format("{}: {} in this order", in_html(who(wave, group)), steps);
  if (group.accounts.size() > 1) title += fmt::format(", shown for {}", in_html(first.account));
  markdown_account_steps(out, first, title, options);
}

}  // namespace

std::string render_markdown(const ChangeSet& changes, const RenderOptions& options) {
  std::string out = fmt::format("# {}\n\n", cell(changes.plan_name));
  if (!changes.digest.empty()) {
    out +=
        fmt::format("Reviewed plan `{}`. A plan with another digest is not what was reviewed.\n\n",
                    changes.digest);
  }
  if (!changes.made_from.empty()) {
    out += fmt::format(
        "Made from `{}`. `plan check --reviewed FILE` says whether plan and lock are still "
        "those.\n\n",
        in_html(changes.made_from));
  }
  if (!changes.path.empty()) out += fmt::format("Only what lies below {}.\n\n", cell(changes.path));
  out += fmt::format("{}.\n", show_counts(changes));
  Shown shown;
  for (const StageChange& stage : changes.stages) {
    if (stage.steps.empty() && stage.waves.empty()) continue;
    out += fmt::format("\n## {}: {}\n", to_string(stage.stage), promise_of(stage));
    markdown_steps(out, stage.steps, options.is_folded, options);
    for (const StepCost& cost : stage.costs)
      out += fmt::format("\n{}: {}{}.\n", cell(cost.step),
                         cost.bytes ? show_bytes(*cost.bytes) : std::string("bytes not measured"),
                         cost.duration_ms ? ", about " + show_duration_ms(*cost.duration_ms) : "");
    for (const WaveChange& wave : stage.waves) {
      out += fmt::format("\n### wave {}: {}, {} at a time{}\n", cell(wave.name),
                         count_of(wave.accounts.size(), "account"), wave.parallel,
                         wave.is_held_for_approval ? "; waits for plan approve" : "");
      if (!wave.accounts.empty()) out += fmt::format("\n{}.\n", cell(show_cost(wave)));
      for (const std::string& line : {duration_basis(wave), show_download(wave)}) {
        if (!line.empty()) out += fmt::format("\n{}.\n", cell(line));
      }
      if (const std::string beside = show_beside(wave.cost); !beside.empty())
        out += fmt::format("\n{}.\n", cell(beside));
      markdown_steps(out, wave.steps, options.is_folded, options);
      if (wave.accounts.empty()) continue;
      markdown_accounts(out, wave, options);
      markdown_figures(out, wave);
      if (!options.is_folded) continue;
      const std::vector<AccountGroup> groups = groups_of(wave);
      const std::size_t drawn = std::min(groups.size(), kGroupsMax);
      for (std::size_t i = 0; i < drawn; ++i) markdown_group(out, wave, groups[i], options, shown);
      if (drawn < groups.size())
        out += fmt::format("\nAccounts of {} more are not alike.\n",
                           count_of(groups.size() - drawn, "kind"));
    }
  }
  markdown_disks(out, changes);
  if (const std::vector<ir::StepKind> kinds = changes.kinds_to_undo(); !kinds.empty()) {
    out +=
        "\n## the way back\n\nWhat `plan rollback` can do about each kind of step.\n\n"
        "| kind | undo | lost |\n|---|---|---|\n";
    for (const ir::StepKind kind : kinds) {
      const ir::StepKindInfo& info = ir::info(kind);
      out += fmt::format("| {} | {} | {} |\n", info.name, to_string(info.undo), info.lost);
    }
  }
  markdown_findings(out, changes, false, options);
  markdown_findings(out, changes, true, options);
  for (const std::string& note : note_lines(changes)) out += fmt::format("\n> {}\n", cell(note));
  return out;
}

}  // namespace plan::diff
