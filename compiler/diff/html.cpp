#include "compiler/diff/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "compiler/diff/words.h"
#include "compiler/source/html_text.h"
#include "compiler/source/text.h"

namespace plan::diff::html {
namespace {

constexpr std::size_t kTextBytes = std::size_t{64} << 10U;

// Light and dark, print, narrow screens. What is folded is printed too, where the browser can.
constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--ink:#1b1f23;--dim:#57606a;--line:#d0d7de;--bg:#fff;--added:#116329;--changed:#7d4e00;--removed:#a40e26;--moved:#0550ae;--unseen:#8250df}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--dim:#9aa2aa;--line:#3a4047;--bg:#14171a;--added:#56d364;--changed:#e3b341;--removed:#ff7b72;--moved:#79c0ff;--unseen:#d2a8ff}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--bg);margin:2rem auto;max-width:80rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.2rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}
h3,h4{display:inline;font-size:1.05rem}h4{font-size:1rem}
summary{cursor:pointer}details>details{margin:.5rem 0 .5rem 1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dd{margin:0}
nav a{margin-right:1rem}a{color:var(--moved)}
.dim{color:var(--dim)}.scroll{overflow-x:auto}
.tree{list-style:none;margin:.3rem 0;padding-left:1rem;border-left:1px solid var(--line)}
.leaf{padding-left:1.1rem}.sign{display:inline-block;min-width:1rem;font-family:ui-monospace,monospace;font-weight:700}
.legend span{margin-right:.8rem;white-space:nowrap}
.added>*>.sign,.added>details>summary>.sign,.legend .added,ins{color:var(--added)}
.changed>*>.sign,.changed>details>summary>.sign,.legend .changed{color:var(--changed)}
.removed>*>.sign,.removed>details>summary>.sign,.legend .removed,del,.bad{color:var(--removed)}
.moved>*>.sign,.moved>details>summary>.sign,.legend .moved{color:var(--moved)}
.unseen>*>.sign,.unseen>details>summary>.sign,.legend .unseen{color:var(--unseen)}
.same,.read{color:var(--dim)}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.3rem 0}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}td{overflow-wrap:anywhere}
tbody th{font-weight:400}td.n,th.n{text-align:right;white-space:nowrap}
code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
:target{outline:2px solid var(--moved)}
@media print{:root{--ink:#000;--bg:#fff;--dim:#444;--line:#999}body{margin:0;max-width:none}nav{display:none}.scroll{overflow:visible}tr,li{break-inside:avoid}details::details-content{display:block;content-visibility:visible;height:auto}}
)css";

std::string term(std::string_view name, const std::string& value) {
  return fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, value);
}

/// Waves with what their accounts cost.
std::vector<const WaveChange*> waves_of(const ChangeSet& changes) {
  std::vector<const WaveChange*> waves;
  for (const StageChange& stage : changes.stages) {
    for (const WaveChange& wave : stage.waves) {
      if (!wave.accounts.empty()) waves.push_back(&wave);
    }
  }
  return waves;
}

bool has_costs(const ChangeSet& changes) {
  return !waves_of(changes).empty() ||
         std::any_of(changes.stages.begin(), changes.stages.end(),
                     [](const StageChange& stage) { return !stage.costs.empty(); });
}

std::pair<std::size_t, std::size_t> finding_counts(const ChangeSet& changes) {
  const auto silenced = static_cast<std::size_t>(
      std::count_if(changes.findings.begin(), changes.findings.end(),
                    [](const auto& finding) { return !finding.silenced_at.empty(); }));
  return {changes.findings.size() - silenced, silenced};
}

std::string wave_row(const WaveChange& wave) {
  const Cost& cost = wave.cost;
  const std::string_view least = cost.not_measured > 0 ? "at least " : "";
  const auto counted = [&](const std::string& text) { return std::string(least) + text; };
  const auto download = wave.download_bytes();
  return fmt::format(
      "<tr><th scope=\"row\"><a href=\"#{}\">{}</a></th><td class=\"n\">{}</td><td "
      "class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
      "class=\"n\">{}</td><td>{}</td></tr>\n",
      anchor("wave-" + wave.name), escape(wave.name), show_count(wave.accounts.size()),
      cost.messages ? counted(show_count(*cost.messages)) : "not measured",
      cost.bytes ? counted(show_bytes(*cost.bytes)) : "not measured",
      cost.duration_ms ? show_duration_ms(*cost.duration_ms) : "–",
      cost.hold_ms ? show_duration_ms(*cost.hold_ms) : "not predicted",
      download ? counted(show_bytes(*download)) : "–", escape(duration_basis(wave)));
}

std::string finding_row(const ir::ReviewedFinding& finding, std::size_t number) {
  const bool is_silenced = !finding.silenced_at.empty();
  std::string row = fmt::format(
      "<tr id=\"{}-{}\"><td>{}</td><td>{}</td><td><code>{}</code></td><td><code>{}</code></td>",
      is_silenced ? "silenced" : "finding", number, escape(finding.severity),
      escape(finding.message), escape(finding.code), escape(finding.place));
  if (is_silenced)
    row += fmt::format("<td><code>{}</code></td><td>{}</td>", escape(finding.silenced_at),
                       escape(finding.reason));
  return row + "</tr>\n";
}

}  // namespace

std::string escape(std::string_view text) { return html_text(text, kTextBytes); }

std::string anchor(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/' || c == '@';
    if (is_plain)
      out += c;
    else
      out += fmt::format("_{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string head(const ChangeSet& changes) {
  const auto [findings, silenced] = finding_counts(changes);
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n<title>{0}: what would "
      "change</title>\n<style>{1}</style></head>\n<body>\n"
      "<header><h1>{0}</h1>\n<p><b>{2}.</b></p>\n<dl>\n",
      escape(changes.plan_name), kStyle, show_counts(changes));
  if (!changes.digest.empty())
    out += term("saved plan", fmt::format("<code>{}</code>", escape(changes.digest)));
  if (!changes.made_from.empty())
    out += term("made from", fmt::format("<code>{}</code>", escape(changes.made_from)));
  if (!changes.path.empty())
    out += term("only below", fmt::format("<code>{}</code>", escape(changes.path)));
  out += "</dl>\n<nav aria-label=\"Parts\"><a href=\"#changes\">changes</a>";
  const auto link = [&](bool is_there, std::string_view id, const std::string& words) {
    if (is_there) out += fmt::format(" <a href=\"#{}\">{}</a>", id, words);
  };
  link(has_costs(changes), "cost", "cost");
  link(!changes.disks.empty(), "disk", "disk");
  link(findings > 0, "findings", count_of(findings, "finding"));
  link(silenced > 0, "silenced", fmt::format("{} silenced", show_count(silenced)));
  link(!changes.kinds_to_undo().empty(), "way-back", "the way back");
  const std::size_t notes = note_lines(changes).size();
  link(notes > 0, "notes", count_of(notes, "note"));
  return out + "</nav></header>\n";
}

std::string cost_section(const ChangeSet& changes) {
  if (!has_costs(changes)) return {};
  std::string out = "<section id=\"cost\"><h2>Cost</h2>\n";
  if (const auto waves = waves_of(changes); !waves.empty()) {
    out +=
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">wave</th><th scope=\"col\" "
        "class=\"n\">accounts</th><th scope=\"col\" class=\"n\">messages</th><th scope=\"col\" "
        "class=\"n\">bytes</th><th scope=\"col\" class=\"n\">copy</th><th scope=\"col\" "
        "class=\"n\">longest hold</th><th scope=\"col\" class=\"n\">clients load again</th><th "
        "scope=\"col\">counted from</th></tr></thead><tbody>\n";
    for (const WaveChange* wave : waves) out += wave_row(*wave);
    out += "</tbody></table></div>\n";
  }
  for (const StageChange& stage : changes.stages) {
    for (const StepCost& cost : stage.costs)
      out += fmt::format(
          "<p><code>{}</code>: {}{} <span class=\"dim\">{}</span></p>\n", escape(cost.step),
          cost.bytes ? show_bytes(*cost.bytes) : "bytes not measured",
          cost.duration_ms ? ", about " + show_duration_ms(*cost.duration_ms) : std::string(),
          escape(cost.basis));
  }
  return out + "</section>\n";
}

std::string disk_section(const ChangeSet& changes) {
  if (changes.disks.empty()) return {};
  std::string out =
      "<section id=\"disk\"><h2>Disk</h2>\n<div class=\"scroll\"><table><thead><tr><th "
      "scope=\"col\">machine</th><th scope=\"col\" class=\"n\">needed</th><th scope=\"col\" "
      "class=\"n\">free</th><th scope=\"col\"></th><th scope=\"col\">counted from</th><th "
      "scope=\"col\">measured</th></tr></thead><tbody>\n";
  for (const DiskChange& disk : changes.disks)
    out += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td>"
        "<td>{}</td><td>{}</td></tr>\n",
        escape(disk.disk.machine), needed_of(disk), free_of(disk),
        disk.fits() ? "" : "<b class=\"bad\">it does not fit</b>", escape(disk.basis),
        escape(measured_words(disk)));
  return out + "</tbody></table></div></section>\n";
}

std::string findings_sections(const ChangeSet& changes) {
  std::string open;
  std::string silenced;
  std::size_t open_count = 0;
  std::size_t silenced_count = 0;
  for (const ir::ReviewedFinding& finding : changes.findings) {
    if (finding.silenced_at.empty())
      open += finding_row(finding, ++open_count);
    else
      silenced += finding_row(finding, ++silenced_count);
  }
  constexpr std::string_view kColumns =
      "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">severity</th><th "
      "scope=\"col\">finding</th><th scope=\"col\">code</th><th scope=\"col\">place</th>";
  std::string out;
  if (!open.empty())
    out += fmt::format(
        "<section id=\"findings\"><h2>Findings</h2>\n{}</tr></thead><tbody>\n{}</tbody></table>"
        "</div></section>\n",
        kColumns, open);
  if (!silenced.empty())
    out += fmt::format(
        "<section id=\"silenced\"><h2>Silenced findings</h2>\n{}<th scope=\"col\">silenced "
        "at</th><th scope=\"col\">because</th></tr></thead><tbody>\n{}</tbody></table></div>"
        "</section>\n",
        kColumns, silenced);
  return out;
}

std::string way_back_section(const ChangeSet& changes) {
  const std::vector<ir::StepKind> kinds = changes.kinds_to_undo();
  if (kinds.empty()) return {};
  std::string out =
      "<section id=\"way-back\"><h2>The way back</h2>\n<p>What <code>plan rollback</code> can do "
      "about each kind of step.</p>\n<div class=\"scroll\"><table><thead><tr><th "
      "scope=\"col\">kind</th><th scope=\"col\">undo</th><th "
      "scope=\"col\">lost</th></tr></thead><tbody>\n";
  for (const ir::StepKind kind : kinds) {
    const ir::StepKindInfo& info = ir::info(kind);
    out += fmt::format("<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td></tr>\n",
                       info.name, to_string(info.undo), escape(info.lost));
  }
  return out + "</tbody></table></div></section>\n";
}

std::string notes_section(const ChangeSet& changes) {
  const std::vector<std::string> notes = note_lines(changes);
  if (notes.empty()) return {};
  std::string out = "<section id=\"notes\"><h2>Notes</h2>\n<ul>\n";
  for (const std::string& note : notes) out += fmt::format("<li>{}</li>\n", escape(note));
  return out + "</ul></section>\n";
}

}  // namespace plan::diff::html
