#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/source/diagnostic.h"
#include "compiler/source/secret_mask.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

constexpr std::size_t kTabColumns = 4;

struct Colours {
  std::string_view bold, red, yellow, blue, reset;
};

Colours colours_of(const RenderOptions& options) {
  if (!options.has_colour) return {"", "", "", "", ""};
  return {"\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[0m"};
}

std::string_view colour_of(Severity severity, const Colours& colours) {
  switch (severity) {
    case Severity::error:
      return colours.red;
    case Severity::warning:
      return colours.yellow;
    case Severity::note:
      return colours.blue;
  }
  return colours.blue;
}

std::string place_of(const SourceSet& sources, Span span) {
  if (!span.is_known()) return "plan";
  const Position position = sources.position(span.file, span.begin);
  return fmt::format("{}:{}:{}", printable(sources.name(span.file)), position.line,
                     position.column);
}

// A line as it is drawn: tabs are spaces, control characters are shown, so that the caret stands
// under its token.
std::string drawn(std::string_view text) {
  std::string out;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != '\t') continue;
    out += printable(text.substr(begin, i - begin), SIZE_MAX);
    if (i < text.size()) out.append(kTabColumns, ' ');
    begin = i + 1;
  }
  return out;
}

// Where UTF-8 characters begin: a cut never falls inside one.
std::size_t character_begin(std::string_view text, std::size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U)
    --at;
  return at;
}

struct Excerpt {
  std::string line;
  std::size_t caret_column = 0;
  std::size_t caret_width = 1;
};

// The source line with its token; long lines are cut around the token. A secret that stands in
// clear in a plan is not shown again in logs and screens, whatever the line is shown for:
// `shown(begin, end)` gives a part of the line without it.
template <class Shown>
Excerpt excerpt(std::string_view line, std::size_t begin, std::size_t end, std::size_t width_max,
                const Shown& shown) {
  begin = std::min(begin, line.size());
  end = std::clamp(end, begin, line.size());
  std::size_t from = 0;
  std::size_t to = line.size();
  std::string_view left;
  std::string_view right;
  // Of a very long line no more is drawn than what is shown.
  constexpr std::size_t kBytesAColumnMax = 16;
  if (line.size() > width_max * kBytesAColumnMax || display_width(drawn(line)) > width_max) {
    const std::size_t before = width_max / 3;
    from = begin > before ? character_begin(line, begin - before) : 0;
    to = character_begin(line, std::min(line.size(), from + width_max));
    end = std::min(end, std::max(to, begin));
    if (from > 0) left = "…";
    if (to < line.size()) right = "…";
  }
  Excerpt cut;
  const std::string prefix = drawn(shown(from, begin));
  const std::string token = drawn(shown(begin, end));
  const std::size_t rest = std::max(to, end);
  cut.line = fmt::format("{}{}{}{}{}", left, prefix, token, drawn(shown(end, rest)), right);
  cut.caret_column = display_width(left) + display_width(prefix);
  cut.caret_width = std::max<std::size_t>(1, display_width(token));
  return cut;
}

void draw_excerpt(std::string& out, const SourceSet& sources, Span span, std::string_view label,
                  const RenderOptions& options, std::string_view colour, std::string_view reset,
                  SecretMask& mask) {
  if (!span.is_known()) return;
  std::uint32_t line_begin = 0;
  const std::string_view line = sources.line_at(span.file, span.begin, &line_begin);
  const Position position = sources.position(span.file, span.begin);
  const std::size_t width = options.width_columns > 40 ? options.width_columns - 8 : 32;
  const auto shown = [&](std::size_t begin, std::size_t end) {
    return mask.text(span.file, line_begin + static_cast<std::uint32_t>(begin),
                     line_begin + static_cast<std::uint32_t>(end));
  };
  const Span drawn_span = mask.with_whole_secrets(span);
  const Excerpt cut = excerpt(line, std::max(drawn_span.begin, line_begin) - line_begin,
                              std::max(drawn_span.end, span.begin) - line_begin, width, shown);
  out += fmt::format("{:>5} | {}\n", position.line, cut.line);
  out += fmt::format("      | {}{}{}{}{}{}\n", std::string(cut.caret_column, ' '), colour,
                     std::string(std::min(cut.caret_width, width), '^'), label.empty() ? "" : " ",
                     label, reset);
}

void draw(std::string& out, const Diagnostic& diagnostic, const SourceSet& sources,
          const RenderOptions& options, SecretMask& mask) {
  const Colours colours = colours_of(options);
  const std::string_view colour = colour_of(diagnostic.severity, colours);
  out += fmt::format("{}{}{}: {}{}{}: {} [{}]\n", colours.bold, place_of(sources, diagnostic.span),
                     colours.reset, colour, to_string(diagnostic.severity), colours.reset,
                     printable(diagnostic.message), info(diagnostic.kind).name);
  draw_excerpt(out, sources, diagnostic.span, printable(diagnostic.label), options, colour,
               colours.reset, mask);
  for (const Label& note : diagnostic.notes) {
    out += fmt::format("{}: {}note{}: {}\n", place_of(sources, note.span), colours.blue,
                       colours.reset, printable(note.text));
    draw_excerpt(out, sources, note.span, "", options, colours.blue, colours.reset, mask);
  }
  for (const std::string& help : diagnostic.help)
    out += fmt::format("  help: {}\n", printable(help));
}

}  // namespace

std::string render_terminal(const std::vector<Diagnostic>& diagnostics, const SourceSet& sources,
                            const RenderOptions& options) {
  std::string out;
  SecretMask mask(sources, diagnostics);
  std::map<Kind, std::size_t> shown;
  std::map<Kind, std::size_t> hidden;
  bool is_cut = false;  // here: those that the sink left out nobody has
  for (const Diagnostic& diagnostic : diagnostics) {
    if (const std::size_t others = left_out_by(diagnostic); others != 0) {
      hidden[diagnostic.kind] += others;
      continue;
    }
    if (++shown[diagnostic.kind] > options.per_code_max) {
      ++hidden[diagnostic.kind];
      is_cut = true;
      continue;
    }
    if (!out.empty()) out += '\n';
    draw(out, mask.masked(diagnostic), sources, options, mask);
  }
  for (const auto& [kind, count] : hidden) {
    out += fmt::format("\nand {} more [{}]\n", show_count(count), info(kind).name);
  }
  if (is_cut) out += "\n`plan check --format json` does not cut the list\n";
  return out;
}

}  // namespace plan
