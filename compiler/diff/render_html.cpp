#include <fmt/format.h>

#include <algorithm>

#include "compiler/diff/change.h"
#include "compiler/diff/fold.h"
#include "compiler/diff/html.h"
#include "compiler/diff/words.h"
#include "compiler/source/text.h"

namespace plan::diff {
namespace {

using html::escape;

/// What a step's row is coloured by. The sign and the word beside it say the same without colour.
std::string_view class_of(const StepChange& step) {
  if (step.is_unseen) return "unseen";
  if (step.standing == ir::Standing::satisfied) return "same";
  switch (effect_of(step)) {
    case ir::StepEffect::read:
      return "read";
    case ir::StepEffect::create:
      return "added";
    case ir::StepEffect::update:
      return "changed";
    case ir::StepEffect::destroy:
    case ir::StepEffect::stop_service:
      return "removed";
    case ir::StepEffect::move_mail:
    case ir::StepEffect::move_traffic:
      return "moved";
  }
  return "";
}

std::string_view word_of(const StepChange& step) {
  if (step.is_unseen) return "could not be looked at";
  return step.standing == ir::Standing::satisfied ? "nothing to do" : to_string(effect_of(step));
}

std::string differences_table(const StepChange& step, std::size_t value_bytes_max) {
  if (step.differences.empty()) return {};
  std::string out =
      "<table><thead><tr><th scope=\"col\">property</th><th scope=\"col\">is</th>"
      "<th scope=\"col\">wanted</th></tr></thead><tbody>\n";
  for (const ir::Difference& difference : step.differences) {
    const auto value = [&](const ir::Value& of, std::string_view tag) {
      const std::string shown = escape(show_value(of, value_bytes_max));
      return of.is_null() ? "<i>none</i>" : fmt::format("<{0}>{1}</{0}>", tag, shown);
    };
    out += fmt::format("<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td></tr>\n",
                       escape(difference.path), value(difference.is, "del"),
                       value(difference.wanted, "ins"));
  }
  return out + "</tbody></table>\n";
}

std::string_view role_words(const StepChange& step) {
  return step.role == ir::TransactionRole::held     ? " · held"
         : step.role == ir::TransactionRole::commit ? " · commit"
                                                    : "";
}

/// One step, or a run of steps that are alike, as an item of the tree.
std::string step_item(const StepChange& step, const std::string& name, const RenderOptions& options,
                      bool has_anchor) {
  const ir::StepKindInfo& kind = ir::info(step.kind);
  const std::string line = fmt::format(
      "<span class=\"sign\" aria-hidden=\"true\">{}</span> <code>{}</code> <b>{}</b> "
      "<span class=\"dim\">{} · {}{}</span>",
      escape(sign_of(step)), escape(name), word_of(step), kind.name, to_string(kind.undo),
      role_words(step));
  std::string body = differences_table(step, options.value_bytes_max);
  if (!step.unseen_because.empty() && !options.is_folded)
    body += fmt::format("<p>{}</p>\n", escape(step.unseen_because));
  if (!step.remark.empty()) body += fmt::format("<p>{}</p>\n", escape(step.remark));
  if (!step.place.empty())
    body += fmt::format("<p class=\"dim\">from <code>{}</code></p>\n", escape(step.place));
  const std::string id =
      has_anchor ? fmt::format(" id=\"{}\"", html::anchor("step-" + step.id)) : "";
  if (body.empty()) {
    return fmt::format("<li class=\"{}\"{}><div class=\"leaf\">{}</div></li>\n", class_of(step), id,
                       line);
  }
  return fmt::format("<li class=\"{}\"{}><details{}><summary>{}</summary>\n{}</details></li>\n",
                     class_of(step), id, step.is_unseen ? " open" : "", line, body);
}

/// An example that stands for other accounts has no anchors: the account itself may stand below.
std::string step_tree(const std::vector<StepChange>& steps, const RenderOptions& options,
                      bool has_anchors = true) {
  if (steps.empty()) return {};
  std::string out = "<ul class=\"tree\">\n";
  if (options.is_folded) {
    for (const StepRun& run : runs_of(steps))
      out += step_item(steps[run.first], name_of(steps, run), options, has_anchors);
  } else {
    for (const StepChange& step : steps)
      out += step_item(step, printable(step.id), options, has_anchors);
  }
  return out + "</ul>\n";
}

std::string shares_table(const std::vector<TimeShare>& shares, const std::string& title) {
  if (shares.empty()) return {};
  std::string out = fmt::format(
      "<details><summary>{}</summary>\n<table><thead><tr><th scope=\"col\">step</th>"
      "<th scope=\"col\" class=\"n\">time</th><th scope=\"col\">counted from</th></tr></thead>"
      "<tbody>\n",
      title);
  for (const TimeShare& share : shares)
    out += fmt::format("<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td></tr>\n",
                       escape(last_segment(share.step)), show_duration_ms(share.ms),
                       escape(share.basis));
  return out + "</tbody></table></details>\n";
}

std::string time_of(const std::optional<std::uint64_t>& ms) {
  return ms ? show_duration_ms(*ms) : "–";
}

std::string account_table(const WaveChange& wave, const RenderOptions& options) {
  std::string out =
      "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">account</th>"
      "<th scope=\"col\" class=\"n\">messages</th><th scope=\"col\" class=\"n\">bytes</th>"
      "<th scope=\"col\" class=\"n\">copy</th><th scope=\"col\" class=\"n\">hold</th>"
      "<th scope=\"col\"></th></tr></thead><tbody>\n";
  const std::size_t shown = options.is_folded ? std::min(options.accounts_max, wave.accounts.size())
                                              : wave.accounts.size();
  for (std::size_t i = 0; i < shown; ++i) {
    const AccountChange& account = wave.accounts[i];
    out += fmt::format(
        "<tr id=\"{}\"><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td>"
        "<td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>\n",
        html::anchor("account-" + account.account), escape(account.account), messages_of(account),
        bytes_of(account), time_of(account.cost.duration_ms), time_of(account.cost.hold_ms),
        account.is_satisfied() ? "nothing to do" : escape(show_beside(account.cost)));
  }
  out += "</tbody></table></div>\n";
  if (shown < wave.accounts.size())
    out += fmt::format("<p>and {} more</p>\n", count_of(wave.accounts.size() - shown, "account"));
  return out;
}

std::string account_details(const AccountChange& account, const std::string& title,
                            const RenderOptions& options, bool has_anchors) {
  RenderOptions every = options;
  every.is_folded = false;
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", title,
                     step_tree(account.steps, every, has_anchors));
}

/// Accounts that are alike, once, with the steps of the first of them.
std::string group_details(const WaveChange& wave, const AccountGroup& group,
                          const RenderOptions& options, Shown& shown) {
  const AccountChange& first = wave.accounts[group.accounts.front()];
  const std::string whose = escape(who(wave, group));
  if (first.is_satisfied()) return fmt::format("<p>{}: nothing to do</p>\n", whose);
  const std::string steps = count_of(first.steps.size(), "step");
  const auto [earlier, is_new] = shown.emplace(
      group.key, fmt::format("{} in wave {}", escape(first.account), escape(wave.name)));
  if (!is_new)
    return fmt::format("<p>{}: the {} of {}, with names and figures of their own</p>\n", whose,
                       steps, earlier->second);
  std::string title = fmt::format("{}: {} in this order", whose, steps);
  if (group.accounts.size() > 1) title += fmt::format(", shown for {}", escape(first.account));
  return account_details(first, title, options, false);
}

std::string wave_accounts(const WaveChange& wave, const RenderOptions& options, Shown& shown) {
  std::string out;
  const auto is_wanted = [&](const AccountChange& account) {
    return !options.is_folded || std::find(options.accounts.begin(), options.accounts.end(),
                                           account.account) != options.accounts.end();
  };
  if (options.is_folded) {
    const std::vector<AccountGroup> groups = groups_of(wave);
    const std::size_t drawn = std::min(groups.size(), kGroupsMax);
    for (std::size_t i = 0; i < drawn; ++i) out += group_details(wave, groups[i], options, shown);
    if (drawn < groups.size())
      out += fmt::format("<p>and accounts of {} more, which are not alike</p>\n",
                         count_of(groups.size() - drawn, "kind"));
  }
  out += account_table(wave, options);
  for (const AccountChange& account : wave.accounts) {
    if (!is_wanted(account)) continue;
    out += account_details(account,
                           fmt::format("the {} of {}", count_of(account.steps.size(), "step"),
                                       escape(account.account)),
                           options, true);
  }
  if (const AccountChange* longest = longest_copied(wave))
    out += shares_table(longest->duration,
                        fmt::format("the copy of {}, the longest: about {}",
                                    escape(longest->account), time_of(longest->cost.duration_ms)));
  if (const AccountChange* longest = longest_held(wave))
    out += shares_table(longest->hold,
                        fmt::format("the hold of {}, the longest: about {}",
                                    escape(longest->account), time_of(longest->cost.hold_ms)));
  return out;
}

std::string wave_section(const WaveChange& wave, const RenderOptions& options, Shown& shown) {
  std::string out = fmt::format(
      "<details open id=\"{}\"><summary><h4>wave {}: {}, {} at a time{}</h4></summary>\n",
      html::anchor("wave-" + wave.name), escape(wave.name),
      count_of(wave.accounts.size(), "account"), wave.parallel,
      wave.is_held_for_approval ? ", waits for plan approve" : "");
  if (!wave.accounts.empty()) {
    for (const std::string& line :
         {show_cost(wave), duration_basis(wave), show_download(wave), show_beside(wave.cost)}) {
      if (!line.empty()) out += fmt::format("<p>{}</p>\n", escape(line));
    }
  }
  out += step_tree(wave.steps, options);
  if (!wave.accounts.empty()) out += wave_accounts(wave, options, shown);
  return out + "</details>\n";
}

std::string changes_section(const ChangeSet& changes, const RenderOptions& options) {
  std::string out =
      "<section id=\"changes\"><h2>Changes</h2>\n<p class=\"legend\"><span class=\"added\">+ "
      "create</span> <span class=\"changed\">~ update</span> <span class=\"removed\">- "
      "destroy</span> <span class=\"moved\">&gt; moves mail</span> <span class=\"moved\">» moves "
      "traffic</span> <span class=\"removed\">! stops a service</span> <span class=\"read\">. "
      "reads</span> <span class=\"same\">= nothing to do</span> <span class=\"unseen\">? could not "
      "be looked at</span></p>\n";
  Shown shown;
  for (const StageChange& stage : changes.stages) {
    if (stage.steps.empty() && stage.waves.empty()) continue;
    out += fmt::format("<details open id=\"stage-{0}\"><summary><h3>{0}: {1}</h3></summary>\n",
                       to_string(stage.stage), escape(promise_of(stage)));
    out += step_tree(stage.steps, options);
    for (const WaveChange& wave : stage.waves) out += wave_section(wave, options, shown);
    out += "</details>\n";
  }
  return out + "</section>\n";
}

}  // namespace

std::string render_html(const ChangeSet& changes, const RenderOptions& options) {
  return html::head(changes) + "<main>\n" + changes_section(changes, options) +
         html::cost_section(changes) + html::disk_section(changes) +
         html::findings_sections(changes) + html::way_back_section(changes) +
         html::notes_section(changes) + "</main>\n</body></html>\n";
}

}  // namespace plan::diff
