// The two renderings for programs. They are written here and not through ir::Value because the
// ground floor of the compiler has no document type: diagnostics come first.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/source/diagnostic.h"
#include "compiler/source/json_string.h"
#include "compiler/source/secret_mask.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string place(const SourceSet& sources, Span span) {
  if (!span.is_known()) return "null";
  const Position begin = sources.position(span.file, span.begin);
  const Position end = sources.position(span.file, std::max(span.begin, span.end));
  return fmt::format(R"({{"file":{},"line":{},"column":{},"end_line":{},"end_column":{}}})",
                     quoted(printable(sources.name(span.file))), begin.line, begin.column, end.line,
                     end.column);
}

template <class Items, class Show>
std::string list_of(const Items& items, Show show) {
  std::string out = "[";
  bool is_first = true;
  for (const auto& item : items) {
    if (!is_first) out += ",";
    is_first = false;
    out += show(item);
  }
  return out + "]";
}

std::string_view sarif_level(Severity severity) { return to_string(severity); }

std::string sarif_location(const SourceSet& sources, Span span) {
  if (!span.is_known()) return "";
  const Position begin = sources.position(span.file, span.begin);
  const Position end = sources.position(span.file, std::max(span.begin, span.end));
  return fmt::format(
      R"({{"physicalLocation":{{"artifactLocation":{{"uri":{}}},"region":{{"startLine":{},"startColumn":{},"endLine":{},"endColumn":{}}}}}}})",
      quoted(printable(sources.name(span.file))), begin.line, begin.column, end.line, end.column);
}

}  // namespace

std::string render_json(const std::vector<Diagnostic>& diagnostics, const SourceSet& sources) {
  SecretMask mask(sources, diagnostics);
  std::string out = "{\"format\":1,\"diagnostics\":[";
  for (std::size_t i = 0; i < diagnostics.size(); ++i) {
    const Diagnostic d = mask.masked(diagnostics[i]);
    out += i == 0 ? "\n" : ",\n";
    out += fmt::format(
        R"({{"code":{},"severity":{},"place":{},"message":{},"label":{},"arguments":{{{}}},"notes":{},"help":{}}})",
        quoted(info(d.kind).name), quoted(to_string(d.severity)), place(sources, d.span),
        quoted(printable(d.message)), d.label.empty() ? "null" : quoted(printable(d.label)),
        [&] {
          std::string arguments;
          for (const auto& [name, value] : d.arguments) {
            arguments += fmt::format("{}{}:{}", arguments.empty() ? "" : ",", quoted(name),
                                     quoted(printable(value)));
          }
          return arguments;
        }(),
        list_of(d.notes,
                [&](const Label& note) {
                  return fmt::format(R"({{"place":{},"message":{}}})", place(sources, note.span),
                                     quoted(printable(note.text)));
                }),
        list_of(d.help, [](const std::string& help) { return quoted(printable(help)); }));
  }
  return out + "\n]}\n";
}

std::string render_sarif(const std::vector<Diagnostic>& diagnostics, const SourceSet& sources) {
  std::set<Kind> kinds;
  for (const Diagnostic& d : diagnostics) kinds.insert(d.kind);
  std::string out =
      "{\"$schema\":\"https://json.schemastore.org/"
      "sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{"
      "\"tool\":{\"driver\":{\"name\":\"plan\",\"rules\":";
  out += list_of(kinds, [](Kind kind) {
    return fmt::format(
        R"({{"id":{},"shortDescription":{{"text":{}}},"defaultConfiguration":{{"level":{}}}}})",
        quoted(info(kind).name), quoted(info(kind).summary),
        quoted(sarif_level(info(kind).severity)));
  });
  out += "}},\"columnKind\":\"unicodeCodePoints\",\"results\":";
  SecretMask mask(sources, diagnostics);
  out += list_of(diagnostics, [&](const Diagnostic& given) {
    const Diagnostic d = mask.masked(given);
    std::string message = printable(d.message);
    for (const std::string& help : d.help) message += "\nhelp: " + printable(help);
    const std::string location = sarif_location(sources, d.span);
    return fmt::format(R"({{"ruleId":{},"level":{},"message":{{"text":{}}},"locations":[{}]}})",
                       quoted(info(d.kind).name), quoted(sarif_level(d.severity)), quoted(message),
                       location);
  });
  return out + "}]}\n";
}

}  // namespace plan
