#include "compiler/check/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/facts/lock_text.h"
#include "compiler/source/text.h"

namespace plan::check {
namespace {

constexpr std::size_t kFoundShownMax = 3;

/// What stands at the caret, as its author wrote it: without quotes, and not escaped as in a lock.
std::string text_at(const Diagnostic& diagnostic, const SourceSet& sources) {
  const Span span = diagnostic.span;
  if (!span.is_known()) return {};
  std::string_view text = sources.text(span.file);
  text = text.substr(std::min<std::size_t>(span.begin, text.size()));
  text = text.substr(0, span.end > span.begin ? span.end - span.begin : 0);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
      text.back() == text.front())
    text = text.substr(1, text.size() - 2);
  if (text.find('%') != std::string_view::npos) {
    if (auto word = facts::unescape_word(text)) return std::move(*word);
  }
  return std::string(text);
}

bool is_lowered(const Diagnostic& diagnostic, const FindingRule& rule) {
  return !rule.severity || *rule.severity < diagnostic.severity;
}

/// What would go wrong does not go right by being called otherwise, and what nobody looked at has
/// not passed.
bool may_be_lowered(const Diagnostic& diagnostic) {
  return diagnostic.severity != Severity::error && diagnostic.kind != Kind::not_measured &&
         diagnostic.kind != Kind::schema_missing && diagnostic.kind != Kind::untested_version;
}

/// Where a code is found, as a rule would name it.
struct Found {
  std::vector<std::string> shown = {};
  std::size_t count = 0;

  void add(const std::string& text) {
    if (std::find(shown.begin(), shown.end(), text) != shown.end()) return;
    ++count;
    if (shown.size() < kFoundShownMax) shown.push_back(text);
  }
  [[nodiscard]] std::string words() const {
    if (count == 0) return "nothing of this code is found";
    std::string text = "this code is found at";
    for (std::size_t i = 0; i < shown.size(); ++i)
      text += fmt::format("{} `{}`", i == 0 ? "" : ",", printable(shown[i], 80));
    if (count > shown.size()) text += ", and elsewhere";
    return text;
  }
};

Diagnostic made(Kind kind, const FindingRule& rule, std::string message, std::string help) {
  Diagnostic diagnostic;
  diagnostic.kind = kind;
  diagnostic.severity = info(kind).severity;
  diagnostic.span = rule.span;
  diagnostic.message = std::move(message);
  diagnostic.help.push_back(std::move(help));
  return diagnostic;
}

}  // namespace

SortedFindings apply_findings(const std::vector<FindingRule>& rules,
                              std::vector<Diagnostic> diagnostics, const SourceSet& sources,
                              bool is_complete) {
  SortedFindings sorted;
  if (rules.empty()) {
    sorted.diagnostics = std::move(diagnostics);
    return sorted;
  }
  std::map<Kind, std::map<std::string_view, std::vector<std::size_t>>> by_kind;
  for (std::size_t i = 0; i < rules.size(); ++i) by_kind[rules[i].kind][rules[i].at].push_back(i);
  std::vector<bool> is_used(rules.size());
  std::vector<Diagnostic> own;
  std::map<Kind, Found> found;
  std::set<Kind> cut;  // of which some were not kept: what a rule is for may be among those
  for (Diagnostic& diagnostic : diagnostics) {
    if (left_out_by(diagnostic) != 0) cut.insert(diagnostic.kind);
    const FindingRule* rule = nullptr;
    if (const auto of_kind = by_kind.find(diagnostic.kind); of_kind != by_kind.end()) {
      const std::string text = text_at(diagnostic, sources);
      found[diagnostic.kind].add(text);
      const auto there = of_kind->second.find(text);
      if (there != of_kind->second.end()) {
        rule = &rules[there->second.back()];
        if (!is_used[there->second.back()])
          for (const std::size_t i : there->second) is_used[i] = true;
      }
    }
    if (rule == nullptr) {
      sorted.diagnostics.push_back(std::move(diagnostic));
    } else if (is_lowered(diagnostic, *rule) && !may_be_lowered(diagnostic)) {
      own.push_back(
          made(Kind::bad_value, *rule,
               fmt::format("`{}` cannot be made less than it is here", info(rule->kind).name),
               "mend what it says; warnings and notes can be silenced, but not those that "
               "say what was not looked at"));
      sorted.diagnostics.push_back(std::move(diagnostic));
    } else if (!rule->severity) {
      sorted.silenced.push_back({std::move(diagnostic), *rule});
    } else {
      diagnostic.severity = *rule->severity;
      sorted.diagnostics.push_back(std::move(diagnostic));
    }
  }
  for (std::size_t i = 0; i < rules.size() && is_complete; ++i) {
    if (is_used[i] || cut.contains(rules[i].kind)) continue;
    own.push_back(made(Kind::finding_unmatched, rules[i],
                       fmt::format("nothing is found as `{}` at `{}`", info(rules[i].kind).name,
                                   printable(rules[i].at, 120)),
                       "take it out: what it was for is no more, or it points elsewhere"));
    own.back().label = found[rules[i].kind].words();
  }
  sorted.diagnostics.insert(sorted.diagnostics.end(), std::make_move_iterator(own.begin()),
                            std::make_move_iterator(own.end()));
  std::stable_sort(sorted.diagnostics.begin(), sorted.diagnostics.end(), comes_before);
  return sorted;
}

}  // namespace plan::check
