#include <fmt/format.h>

#include <algorithm>

#include "compiler/diff/change.h"
#include "compiler/diff/fold.h"
#include "compiler/diff/words.h"
#include "compiler/source/text.h"

namespace plan::diff {
namespace {

ir::Value or_null(const std::optional<std::uint64_t>& value) {
  return value ? ir::Value(*value) : ir::Value();
}

ir::Value counted_document(const std::vector<ir::Counted>& all) {
  ir::Value counts = ir::Value::map();
  for (const ir::Counted& one : all) counts.set(one.name, one.count);
  return counts;
}

ir::Value cost_document(const Cost& cost) {
  ir::Value document = ir::Value::map({{"messages", or_null(cost.messages)},
                                       {"bytes", or_null(cost.bytes)},
                                       {"duration_ms", or_null(cost.duration_ms)},
                                       {"hold_ms", or_null(cost.hold_ms)}});
  if (!cost.beside.empty()) document.set("beside", counted_document(cost.beside));
  if (!cost.not_carried.empty()) document.set("not_carried", counted_document(cost.not_carried));
  return document;
}

ir::Value hold_document(const std::vector<HoldShare>& hold) {
  ir::List list;
  for (const HoldShare& share : hold)
    list.push_back(ir::Value::map({{"step", share.step}, {"ms", share.ms}, {"from", share.basis}}));
  return list;
}

// Secrets are node kinds of their own up to here; in a document for programs they are this text.
ir::Value without_secrets(const ir::Value& value) {
  if (value.is_secret()) return "(secret)";
  if (value.is_output()) return show_value(value);
  if (value.is_list()) {
    ir::List items;
    for (const ir::Value& item : value.items()) items.push_back(without_secrets(item));
    return items;
  }
  if (value.is_map()) {
    ir::Map map;
    for (const auto& [key, member] : value.members()) map.set(key, without_secrets(member));
    return map;
  }
  return value;
}

ir::Value step_document(const StepChange& step) {
  const ir::StepKindInfo& kind = ir::info(step.kind);
  ir::List differences;
  for (const ir::Difference& difference : step.differences) {
    differences.push_back(ir::Value::map({{"path", difference.path},
                                          {"is", without_secrets(difference.is)},
                                          {"wanted", without_secrets(difference.wanted)}}));
  }
  return ir::Value::map({{"step", step.id},
                         {"kind", kind.name},
                         {"effect", to_string(effect_of(step))},
                         {"undo", to_string(kind.undo)},
                         {"lost", kind.lost.empty() ? ir::Value() : ir::Value(kind.lost)},
                         {"standing", standing_word(step.standing)},
                         {"held", step.role != ir::TransactionRole::none},
                         {"differences", std::move(differences)},
                         {"remark", step.remark},
                         {"place", step.place}});
}

ir::Value steps_document(const std::vector<StepChange>& steps) {
  ir::List list;
  for (const StepChange& step : steps) list.push_back(step_document(step));
  return list;
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : printable(text, 300)) {
    // Names come from mail servers: no markup of theirs may reach the reader's page.
    if (c == '<') {
      out += "&lt;";
      continue;
    }
    if (c == '|' || c == '`' || c == '[' || c == '*' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : printable(text, SIZE_MAX)) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// printable() would show line ends as bytes: a text of lines is escaped line by line.
std::string escape_lines(std::string_view text) {
  std::string out;
  for (const std::string_view line : split(text, '\n')) out += escape_html(line) + "\n";
  return out;
}

/// With `is_folded` those that are alike are one line.
void markdown_steps(std::string& out, const std::vector<StepChange>& steps, bool is_folded) {
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
    for (const ir::Difference& difference : step.differences) {
      what += fmt::format("{}{}: {} → {}", what.empty() ? "" : "<br>", cell(difference.path),
                          cell(show_value(difference.is, 300)),
                          cell(show_value(difference.wanted, 300)));
    }
    out += fmt::format("| {} | {} | {} | {} | {} |\n", sign_of(step), cell(name_of(steps, run)),
                       to_string(effect_of(step)), to_string(kind.undo), what);
  }
}

void markdown_account_steps(std::string& out, const AccountChange& account,
                            const std::string& title) {
  out += fmt::format("\n<details><summary>{}</summary>\n", title);
  markdown_steps(out, account.steps, false);
  out += "\n</details>\n";
}

/// One line an account; below them the steps of those that are asked for.
void markdown_accounts(std::string& out, const WaveChange& wave, const RenderOptions& options) {
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
    markdown_account_steps(
        out, account,
        fmt::format("the {} of {}", count_of(account.steps.size(), "step"), cell(account.account)));
  }
}

void markdown_group(std::string& out, const WaveChange& wave, const AccountGroup& group,
                    Shown& shown) {
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
  std::string title = fmt::format("{}: {} in this order", cell(who(wave, group)), steps);
  if (group.accounts.size() > 1) title += fmt::format(", shown for {}", cell(first.account));
  markdown_account_steps(out, first, title);
}

}  // namespace

ir::Value to_document(const ChangeSet& changes) {
  ir::List stages;
  for (const StageChange& stage : changes.stages) {
    ir::List waves;
    for (const WaveChange& wave : stage.waves) {
      ir::List accounts;
      for (const AccountChange& account : wave.accounts) {
        accounts.push_back(ir::Value::map({{"account", account.account},
                                           {"cost", cost_document(account.cost)},
                                           {"hold", hold_document(account.hold)},
                                           {"steps", steps_document(account.steps)}}));
      }
      waves.push_back(ir::Value::map({{"wave", wave.name},
                                      {"parallel", wave.parallel},
                                      {"approval", wave.is_held_for_approval},
                                      {"cost", cost_document(wave.cost)},
                                      {"steps", steps_document(wave.steps)},
                                      {"accounts", std::move(accounts)}}));
    }
    stages.push_back(ir::Value::map({{"stage", to_string(stage.stage)},
                                     {"steps", steps_document(stage.steps)},
                                     {"waves", std::move(waves)}}));
  }
  ir::List undo;
  for (const ir::StepKind kind : changes.kinds_to_undo()) {
    const ir::StepKindInfo& info = ir::info(kind);
    undo.push_back(
        ir::Value::map({{"kind", info.name},
                        {"undo", to_string(info.undo)},
                        {"lost", info.lost.empty() ? ir::Value() : ir::Value(info.lost)}}));
  }
  ir::List notes;
  for (const std::string& note : changes.notes) notes.emplace_back(note);
  return ir::Value::map(
      {{"format", 1},
       {"plan", changes.plan_name},
       {"digest", changes.digest.empty() ? ir::Value() : ir::Value(changes.digest)},
       {"changes", static_cast<std::uint64_t>(changes.change_count())},
       {"stages", std::move(stages)},
       {"undo", std::move(undo)},
       {"notes", std::move(notes)}});
}

std::string render_markdown(const ChangeSet& changes, const RenderOptions& options) {
  std::string out = fmt::format("# {}\n\n", cell(changes.plan_name));
  if (!changes.digest.empty()) {
    out +=
        fmt::format("Reviewed plan `{}`. A plan with another digest is not what was reviewed.\n\n",
                    changes.digest);
  }
  out += fmt::format("{} would change something.\n", count_of(changes.change_count(), "step"));
  Shown shown;
  for (const StageChange& stage : changes.stages) {
    if (stage.steps.empty() && stage.waves.empty()) continue;
    out += fmt::format("\n## {}: {}\n", to_string(stage.stage), promise_of(stage));
    markdown_steps(out, stage.steps, options.is_folded);
    for (const WaveChange& wave : stage.waves) {
      out += fmt::format("\n### wave {}: {}, {} at a time\n\n{}.\n", cell(wave.name),
                         count_of(wave.accounts.size(), "account"), wave.parallel, show_cost(wave));
      if (const std::string beside = show_beside(wave.cost); !beside.empty())
        out += fmt::format("\n{}.\n", cell(beside));
      markdown_steps(out, wave.steps, options.is_folded);
      if (wave.accounts.empty()) continue;
      markdown_accounts(out, wave, options);
      if (!options.is_folded) continue;
      const std::vector<AccountGroup> groups = groups_of(wave);
      const std::size_t drawn = std::min(groups.size(), kGroupsMax);
      for (std::size_t i = 0; i < drawn; ++i) markdown_group(out, wave, groups[i], shown);
      if (drawn < groups.size())
        out += fmt::format("\nAccounts of {} more are not alike.\n",
                           count_of(groups.size() - drawn, "kind"));
    }
  }
  if (const std::vector<ir::StepKind> kinds = changes.kinds_to_undo(); !kinds.empty()) {
    out +=
        "\n## the way back\n\nWhat `plan rollback` can do about each kind of step.\n\n"
        "| kind | undo | lost |\n|---|---|---|\n";
    for (const ir::StepKind kind : kinds) {
      const ir::StepKindInfo& info = ir::info(kind);
      out += fmt::format("| {} | {} | {} |\n", info.name, to_string(info.undo), info.lost);
    }
  }
  for (const std::string& note : changes.notes) out += fmt::format("\n> {}\n", cell(note));
  return out;
}

std::string render_html(const ChangeSet& changes, const RenderOptions& options) {
  RenderOptions plain = options;
  plain.has_colour = false;
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title>\n"
      "<style>body{{font:14px/1.5 "
      "system-ui,sans-serif;margin:2em;max-width:110em}}pre{{background:#f6f6f4;padding:1em;"
      "overflow:auto}}</style></head>\n<body><h1>{0}</h1>\n<pre>{1}</pre></body></html>\n",
      escape_html(changes.plan_name), escape_lines(render_text(changes, plain)));
}

}  // namespace plan::diff
