#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/html_text.h"
#include "compiler/source/text.h"
#include "runtime/net/clock.h"
#include "runtime/report/run_record.h"

namespace plan::report {
namespace {

// Light and dark, print, narrow screens; nothing from elsewhere (the page says so to the browser
// too).
constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--ink:#1c2024;--dim:#60666d;--line:#d8dce0;--bg:#fff;--good:#1a7f37;--bad:#c1272d;--wait:#9a6700;--bar:#3b7dd8}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--dim:#9aa2aa;--line:#3a4047;--bg:#15181b;--good:#4cc06d;--bad:#ff7b72;--wait:#e3b341;--bar:#6aa5f0}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--bg);margin:2rem auto;max-width:76rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}.dim{color:var(--dim)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600}td.n,th.n{text-align:right}.t{white-space:nowrap}.good{color:var(--good)}.bad{color:var(--bad)}.wait{color:var(--wait)}
code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
.scroll{overflow-x:auto}.cards{display:flex;flex-wrap:wrap;gap:1rem;margin:1rem 0}
.card{border:1px solid var(--line);border-radius:.5rem;padding:.6rem 1rem;min-width:8rem}.card b{display:block;font-size:1.4rem}
.track{position:relative;height:.8rem;min-width:12rem;background:var(--line);border-radius:.2rem}
.track i{position:absolute;top:0;bottom:0;background:var(--bar);border-radius:.2rem;min-width:2px}
@media print{body{margin:0;max-width:none}.scroll{overflow:visible}}
)css";

std::string escape(std::string_view text) { return html_text(text, 4096); }

std::string_view class_of(std::string_view state) {
  if (state == "moved" || state == "finished" || state == "perfect" || state == "good" ||
      state == "done" || state == "satisfied" || state == "released") {
    return "good";
  }
  if (state == "failed" || state == "poor" || state == "unknown" || state == "interrupted") {
    return "bad";
  }
  return "wait";
}

std::string coloured(std::string_view word) {
  return fmt::format("<span class=\"{}\">{}</span>", class_of(word), escape(word));
}

std::string number_cell(const std::optional<std::uint64_t>& count) {
  return fmt::format("<td class=\"n\">{}</td>", count ? show_count(*count) : "–");
}

std::string card(std::string_view words, const std::string& value) {
  return fmt::format("<div class=\"card\"><b>{}</b>{}</div>", value, escape(words));
}

std::string head(const RunRecord& run) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">"
      "<title>{}</title><style>{}</style></head><body>\n",
      escape(run.plan_name), kStyle);
  out += fmt::format("<h1>{} {}</h1><p class=\"dim\">run <code>{}</code>, begun {}{}</p>\n",
                     escape(run.plan_name) + (run.is_rollback ? ": rollback" : ""),
                     coloured(run.state), escape(run.run_id), net::show_utc(run.started_ms),
                     run.ended_ms ? ", ended " + net::show_utc(*run.ended_ms) : std::string());
  const auto moved = std::count_if(run.accounts.begin(), run.accounts.end(),
                                   [](const AccountRecord& a) { return a.state == "moved"; });
  out += "<div class=\"cards\">";
  out += card("of " + show_count(run.accounts.size()) + " accounts moved",
              show_count(static_cast<std::uint64_t>(moved)));
  out += card("of " + show_count(run.steps) + " steps done", show_count(run.done));
  out += card("steps failed", show_count(run.failed));
  std::uint64_t longest = 0;
  for (const AccountRecord& account : run.accounts) {
    longest = std::max(longest, account.held_ms.value_or(0));
  }
  out += card("longest hold", longest == 0 ? "–" : show_duration_ms(longest));
  return out + "</div>\n";
}

std::string account_table(const RunRecord& run) {
  if (run.accounts.empty()) return {};
  std::string out =
      "<h2>Accounts</h2><div "
      "class=\"scroll\"><table><tr><th>account</th><th>wave</th><th>state</th>"
      "<th>grade</th><th class=\"n\">messages</th><th class=\"n\">size</th><th class=\"n\">carried "
      "in the "
      "hold</th><th class=\"n\">stragglers</th><th class=\"n\">hold</th><th "
      "class=\"n\">tries</th></tr>\n";
  for (const AccountRecord& account : run.accounts) {
    out +=
        fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td>", escape(account.account),
                    escape(account.wave), coloured(account.state), coloured(grade_words(account)));
    out += number_cell(account.messages);
    out += fmt::format("<td class=\"n\">{}</td>", account.bytes ? show_bytes(*account.bytes) : "–");
    out += number_cell(account.carried);
    out += number_cell(account.stragglers);
    out +=
        fmt::format("<td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                    account.held_ms ? show_duration_ms(*account.held_ms) : "–", account.attempts);
  }
  return out + "</table></div>\n";
}

/// What was carried besides mail, and what was not.
std::string calendar_table(const RunRecord& run) {
  std::string rows;
  for (const AccountRecord& account : run.accounts) {
    if (!account.calendars.is_map()) continue;
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escape(account.account),
                        escape(account.calendars["carried"].string_or("")),
                        escape(account.calendars["not_carried"].string_or("")));
  }
  if (rows.empty()) return {};
  return "<h2>Calendars and contacts</h2><div class=\"scroll\"><table><tr><th>account</th>"
         "<th>carried</th><th>not carried</th></tr>\n" +
         rows + "</table></div>\n";
}

/// When each account was held, as bars on one scale: gaps and overlaps show at a glance; beside
/// each what was carried meanwhile.
std::string hold_chart(const RunRecord& run) {
  std::int64_t first = INT64_MAX;
  std::int64_t last = 0;
  for (const AccountRecord& account : run.accounts) {
    for (const HoldMoment& hold : account.holds) {
      if (!hold.ended_ms) continue;
      first = std::min(first, hold.begun_ms);
      last = std::max(last, *hold.ended_ms);
    }
  }
  if (first >= last) return {};
  const auto span = static_cast<double>(last - first);
  std::string out = fmt::format("<h2>Holds</h2><p class=\"dim\">{} to {}</p><table>",
                                net::show_utc(first), net::show_utc(last));
  for (const AccountRecord& account : run.accounts) {
    for (const HoldMoment& hold : account.holds) {
      if (!hold.ended_ms) continue;
      out += fmt::format(
          "<tr><td>{}</td><td><div class=\"track\"><i style=\"left:{:.2f}%;width:{:.2f}%\" "
          "title=\"{}\"></i></div></td><td>{}</td></tr>\n",
          escape(account.account), static_cast<double>(hold.begun_ms - first) * 100 / span,
          static_cast<double>(*hold.ended_ms - hold.begun_ms) * 100 / span,
          net::show_utc(hold.begun_ms), escape(show_hold(hold)));
    }
  }
  return out + "</table>\n";
}

std::string wave_table(const RunRecord& run) {
  if (run.waves.empty()) return {};
  std::string out =
      "<h2>Waves</h2><table><tr><th>wave</th><th class=\"n\">accounts</th><th "
      "class=\"n\">moved</th>"
      "<th class=\"n\">failed</th></tr>\n";
  for (const WaveRecord& wave : run.waves) {
    out += fmt::format(
        "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td></tr>\n",
        escape(wave.wave), show_count(wave.accounts), show_count(wave.moved),
        show_count(wave.failed));
  }
  return out + "</table>\n";
}

std::string failure_list(const RunRecord& run) {
  std::string out;
  if (!run.failures.empty()) {
    out +=
        "<h2>Failures</h2><div class=\"scroll\"><table><tr><th>step</th><th>what</th><th>place in "
        "the "
        "plan</th><th>who acts</th></tr>\n";
    for (const Failure& failure : run.failures) {
      out += fmt::format(
          "<tr><td><code>{}</code></td><td>{}{}</td><td><code>{}</code></td><td>{}</td></tr>\n",
          escape(failure.step), escape(failure.message),
          failure.remedy.empty() ? std::string()
                                 : "<br><span class=\"dim\">" + escape(failure.remedy) + "</span>",
          escape(failure.place), escape(failure.blame));
    }
    out += "</table></div>\n";
  }
  for (const std::string& subject : run.approvals_needed) {
    out += fmt::format("<p class=\"wait\">waits for <code>plan approve {}</code></p>\n",
                       escape(approval_name(subject)));
  }
  return out;
}

std::string timeline(const RunRecord& run, std::size_t rows_max) {
  if (run.timeline.empty()) return {};
  std::string out =
      "<h2>Time line</h2><div "
      "class=\"scroll\"><table><tr><th>time</th><th>account</th><th>step</th>"
      "<th>what</th><th>remark</th></tr>\n";
  const std::size_t shown = std::min(run.timeline.size(), rows_max);
  for (std::size_t i = 0; i < shown; ++i) {
    const MomentRecord& moment = run.timeline[i];
    out += fmt::format(
        "<tr><td "
        "class=\"t\">{}</td><td>{}</td><td><code>{}</code></td><td>{}{}</td><td>{}</td></tr>\n",
        net::show_utc(moment.wall_ms), escape(moment.account), escape(moment.step),
        coloured(moment.what),
        moment.attempt > 1 ? fmt::format(" <span class=\"dim\">({}. try)</span>", moment.attempt)
                           : std::string(),
        escape(moment.text));
  }
  out += "</table></div>\n";
  if (shown < run.timeline.size()) {
    out += fmt::format("<p class=\"dim\">and {} more; all of them: plan trace ACCOUNT</p>\n",
                       show_count(run.timeline.size() - shown));
  }
  return out;
}

}  // namespace

std::string render_html(const RunRecord& run, std::size_t timeline_rows_max) {
  return head(run) + failure_list(run) + wave_table(run) + account_table(run) +
         calendar_table(run) + hold_chart(run) + timeline(run, timeline_rows_max) +
         "</body></html>\n";
}

}  // namespace plan::report
