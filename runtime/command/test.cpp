// `plan test`: what an operator expects of a plan, beside the plan.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "compiler/facts/given_facts.h"
#include "compiler/facts/limits.h"
#include "compiler/flow/routes.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "compiler/std_modules.h"
#include "compiler/syntax/language.h"
#include "embedded/stdlib_modules.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"

namespace plan::command {
namespace {

using ir::Value;
using syntax::Node;

constexpr std::size_t kTestsBytesMax = std::size_t{4} << 20U;
constexpr std::size_t kSeenMax = 10;
/// Among so many the one that was meant is looked for, beside the steps' patterns.
constexpr std::size_t kNearStepsMax = 20'000;
constexpr std::string_view kExpectations =
    "`error`, `warning`, `no`, `step`, `no_step`, `order`, `accounts`, `route`";

std::string text_of(const Node& node, std::string_view key) {
  const Node* value = node.find(key);
  return value == nullptr || !value->is_scalar() ? std::string() : value->text;
}

/// `account/{}/hold` stands for that step of every account.
bool matches(std::string_view pattern, std::string_view id) {
  const std::size_t hole = pattern.find("{}");
  if (hole == std::string_view::npos) return pattern == id;
  const std::string_view tail = pattern.substr(hole + 2);
  return id.size() > hole + tail.size() && id.starts_with(pattern.substr(0, hole)) &&
         id.ends_with(tail);
}

/// What stands for the `{}`.
std::string_view name_in(std::string_view pattern, std::string_view id) {
  const std::size_t hole = pattern.find("{}");
  return id.substr(hole, id.size() - (pattern.size() - 2));
}

/// Can a step of this form have an id that the pattern means? The form's own `{}` is one name.
bool is_of_form(std::string_view pattern, std::string_view form) {
  if (matches(pattern, form)) return true;
  const std::size_t hole = form.find("{}");
  if (hole == std::string_view::npos || !pattern.starts_with(form.substr(0, hole))) return false;
  const std::string_view rest = pattern.substr(hole);
  const std::string_view name = rest.substr(0, rest.find('/'));
  return !name.empty() &&
         matches(pattern, fmt::format("{}{}{}", form.substr(0, hole), name, form.substr(hole + 2)));
}

class Expectations {
 public:
  Expectations(const CompileResult& compiled, const Node& expect) : compiled_(compiled) {
    for (const Node& expectation : expect.items) {
      for (const syntax::Entry& entry : expectation.entries)
        if (entry.key == "error") wanted_errors_.push_back(entry.value.text);
    }
  }

  /// Why an expectation does not hold; empty when it does.
  std::string why_not(const Node& expectation) {
    if (expectation.is_mapping() && expectation.entries.size() > 1) {
      return fmt::format(
          "`{}` and `{}` stand in one expectation; each is an item of its own: `expect: [{{{}: "
          "...}}, {{{}: ...}}]`",
          printable(expectation.entries[0].key, 60), printable(expectation.entries[1].key, 60),
          printable(expectation.entries[0].key, 60), printable(expectation.entries[1].key, 60));
    }
    if (!expectation.is_mapping() || expectation.entries.empty()) {
      return fmt::format("an expectation is written as `- no: errors`, and is one of {}",
                         kExpectations);
    }
    const syntax::Entry& entry = expectation.entries.front();
    if (is_of_one_word(entry.key) && !entry.value.is_scalar())
      return fmt::format("`{}` is one word", entry.key);
    if (entry.key == "error") return diagnostic(entry.value.text, Severity::error);
    if (entry.key == "warning") return diagnostic(entry.value.text, Severity::warning);
    if (entry.key == "no") return none(entry.value.text);
    if (entry.key == "step") return has_step(entry.value.text) ? "" : no_such(entry.value.text);
    if (entry.key == "no_step") return no_step(entry.value.text);
    if (entry.key == "order") return order(entry.value);
    if (entry.key == "accounts") return accounts(entry.value.text);
    if (entry.key == "route") return route(entry.value);
    return fmt::format("`{}` is nothing that can be expected; these are {}",
                       printable(entry.key, 60), kExpectations);
  }

 private:
  static bool is_of_one_word(std::string_view key) {
    static constexpr std::array<std::string_view, 6> kKeys = {"error", "warning", "no",
                                                              "step",  "no_step", "accounts"};
    return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
  }
  /// Why the plan was not judged to its end, unless the test expects just that; empty when it was.
  std::string why_not_compiled() const {
    if (compiled_.graph) return {};
    bool has_error = false;
    for (const Diagnostic& d : compiled_.diagnostics) {
      if (d.severity != Severity::error) continue;
      has_error = true;
      if (std::find(wanted_errors_.begin(), wanted_errors_.end(), info(d.kind).name) ==
          wanted_errors_.end())
        return "the plan does not compile; reported: " + shown(d);
    }
    return has_error ? std::string() : "the plan gives no steps; " + seen();
  }
  /// "`unknown-key` at migration.yaml:3:1: unknown key `x`"
  std::string shown(const Diagnostic& d) const {
    const std::string place = place_of(*compiled_.sources, d.span);
    return fmt::format("{} `{}`{}: {}", to_string(d.severity), info(d.kind).name,
                       place.empty() ? "" : " at " + place, printable(d.message, 200));
  }
  /// What is reported, each code once.
  std::string seen() const {
    std::vector<std::pair<std::string, std::size_t>> codes;
    for (const Diagnostic& d : compiled_.diagnostics) {
      std::string words = fmt::format("{} `{}`", to_string(d.severity), info(d.kind).name);
      const auto same = std::find_if(codes.begin(), codes.end(),
                                     [&](const auto& code) { return code.first == words; });
      if (same == codes.end())
        codes.emplace_back(std::move(words), 1);
      else
        ++same->second;
    }
    if (codes.empty()) return "nothing is reported";
    std::string words;
    for (std::size_t i = 0; i < codes.size() && i < kSeenMax; ++i) {
      words += (i == 0 ? "reported: " : ", ") + codes[i].first;
      if (codes[i].second > 1) words += fmt::format(" ({} times)", codes[i].second);
    }
    if (codes.size() > kSeenMax)
      words += fmt::format(" and {} codes more", codes.size() - kSeenMax);
    return words;
  }
  static bool is_code(std::string_view name) {
    return std::any_of(all_kinds().begin(), all_kinds().end(),
                       [&](const KindInfo& kind) { return kind.name == name; });
  }
  static std::string near_code(std::string_view name) {
    std::vector<std::string_view> codes = {"errors"};
    for (const KindInfo& kind : all_kinds()) codes.push_back(kind.name);
    const auto near = nearest(name, codes);
    return near ? fmt::format("; did you mean `{}`?", *near) : std::string();
  }
  std::string diagnostic(std::string_view code, Severity severity) const {
    if (!is_code(code))
      return fmt::format("there is no code `{}`{}", printable(code, 60), near_code(code));
    const Diagnostic* other = nullptr;
    for (const Diagnostic& d : compiled_.diagnostics) {
      if (info(d.kind).name != code) continue;
      if (d.severity == severity) return {};
      other = &d;
    }
    return fmt::format("no {} `{}`; {}", to_string(severity), code,
                       other != nullptr ? "it is reported as " + shown(*other) : seen());
  }
  /// `no: errors`, or a code.
  std::string none(std::string_view what) const {
    // A code that is misspelt is never reported: the test would hold for ever.
    if (what != "errors" && !is_code(what))
      return fmt::format("there is no code `{}`{}", printable(what, 60), near_code(what));
    std::string words;
    std::size_t count = 0;
    for (const Diagnostic& d : compiled_.diagnostics) {
      if (info(d.kind).name != what && (what != "errors" || d.severity != Severity::error))
        continue;
      if (++count == 1) words = "reported: " + shown(d);
    }
    if (count > 1) return fmt::format("{}, and {} more", words, count - 1);
    if (count == 1 || what == "errors") return words;
    // What was not judged is not reported either.
    const std::string why = why_not_compiled();
    return why.empty() ? "" : fmt::format("nothing is known of `{}`: {}", what, why);
  }
  /// The first step that a pattern means.
  std::optional<std::string> step_of(std::string_view pattern) const {
    if (!compiled_.graph) return std::nullopt;
    for (std::size_t i = 0; i < compiled_.graph->size(); ++i) {
      std::string id = compiled_.graph->id(static_cast<ir::StepId>(i));
      if (matches(pattern, id)) return id;
    }
    return std::nullopt;
  }
  std::string no_step(std::string_view pattern) const {
    // Of a plan that gives no steps this says nothing.
    if (!compiled_.graph) return no_such(pattern);
    if (const auto found = step_of(pattern))
      return fmt::format("there is `{}`", printable(*found, 200));
    // An id that is misspelt is never there: the test would hold for ever.
    return is_known_form(pattern) ? ""
                                  : fmt::format("no step is of the form `{}`{}",
                                                printable(pattern, 200), near_step(pattern));
  }
  /// A step that this plan has on some condition, or of any name, or that a module of std has.
  bool is_known_form(std::string_view pattern) const {
    const auto is_meant = [&](std::string_view form) { return is_of_form(pattern, form); };
    const auto& shapes = compiled_.graph->shapes();
    if (std::any_of(shapes.begin(), shapes.end(),
                    [&](const ir::StepShape& shape) { return is_meant(shape.id_pattern); }))
      return true;
    const std::vector<std::string_view> forms = std_step_forms(embedded::stdlib_modules());
    return std::any_of(forms.begin(), forms.end(), is_meant);
  }
  bool has_step(std::string_view pattern) const { return step_of(pattern).has_value(); }
  std::string no_such(std::string_view pattern) const {
    if (!compiled_.graph) return fmt::format("the plan does not compile; {}", seen());
    return fmt::format("there is no step `{}`{}", printable(pattern, 200), near_step(pattern));
  }
  std::string near_step(std::string_view pattern) const {
    const ir::StepGraph& graph = *compiled_.graph;
    std::vector<std::string> ids;
    for (const ir::StepShape& shape : graph.shapes()) ids.push_back(shape.id_pattern);
    for (std::size_t i = 0; i < std::min(graph.size(), kNearStepsMax); ++i)
      ids.push_back(graph.id(static_cast<ir::StepId>(i)));
    const auto near = nearest(pattern, {ids.begin(), ids.end()});
    return near ? fmt::format("; did you mean `{}`?", printable(*near, 200)) : std::string();
  }
  /// `order: [first, second]`: the second waits, directly or not, for the first. A `{}` in both is
  /// the same name, in one of them every name.
  std::string order(const Node& ids) const {
    if (!ids.is_sequence() || ids.items.size() < 2) return "`order` is a list of steps";
    if (!compiled_.graph) return no_such("");
    const ir::StepGraph& graph = *compiled_.graph;
    for (std::size_t i = 1; i < ids.items.size(); ++i) {
      if (std::string why = why_unordered(graph, ids.items[i - 1].text, ids.items[i].text);
          !why.empty())
        return why;
    }
    return {};
  }
  std::string why_unordered(const ir::StepGraph& graph, const std::string& first,
                            const std::string& second) const {
    if (!has_step(first)) return no_such(first);
    if (!has_step(second)) return no_such(second);
    const auto why = [](std::string_view later, std::string_view earlier) {
      return fmt::format("`{}` does not wait for `{}`", later, earlier);
    };
    if (const auto before = graph.find(first)) {
      const std::vector<bool> is_later = all_behind(graph, *before);
      for (std::size_t i = 0; i < graph.size(); ++i) {
        const std::string id = graph.id(static_cast<ir::StepId>(i));
        if (matches(second, id) && !is_later[i]) return why(id, first);
      }
    } else if (const auto after = graph.find(second)) {
      const std::vector<bool> is_earlier = all_before(graph, *after);
      for (std::size_t i = 0; i < graph.size(); ++i) {
        const std::string id = graph.id(static_cast<ir::StepId>(i));
        if (matches(first, id) && !is_earlier[i]) return why(second, id);
      }
    } else {
      return unmet_pair(graph, first, second);
    }
    return {};
  }
  /// `account/{}/copy` and `account/{}/release`: each account's release waits for its own copy.
  static std::string unmet_pair(const ir::StepGraph& graph, const std::string& first,
                                const std::string& second) {
    std::vector<std::size_t> places(graph.size());
    for (std::size_t i = 0; i < graph.size(); ++i)
      places[static_cast<std::size_t>(graph.order()[i])] = i;
    std::vector<std::size_t> seen(graph.size());  // by which question
    for (std::size_t i = 0; i < graph.size(); ++i) {
      const auto step = static_cast<ir::StepId>(i);
      const std::string later = graph.id(step);
      if (!matches(second, later)) continue;
      std::string earlier = first;
      earlier.replace(earlier.find("{}"), 2, name_in(second, later));
      const auto wanted = graph.find(earlier);
      std::string words = fmt::format("`{}` does not wait for `{}`", later, earlier);
      if (!wanted) return fmt::format("{}: there is no such step", words);
      // What stands in front of the wanted step in the order cannot wait for it.
      const std::size_t place = places[static_cast<std::size_t>(*wanted)];
      bool is_found = false;
      for (std::vector<ir::StepId> open = {step}; !open.empty() && !is_found;) {
        const ir::StepId one = open.back();
        open.pop_back();
        for (const ir::StepId before : graph.after(one)) {
          const auto index = static_cast<std::size_t>(before);
          is_found = is_found || before == *wanted;
          if (places[index] <= place || seen[index] == i + 1) continue;
          seen[index] = i + 1;
          open.push_back(before);
        }
      }
      if (!is_found) return words;
    }
    return {};
  }
  /// What a step waits for, directly or not.
  static std::vector<bool> all_before(const ir::StepGraph& graph, ir::StepId step) {
    std::vector<bool> is_seen(graph.size());
    for (std::vector<ir::StepId> open = {step}; !open.empty();) {
      const ir::StepId one = open.back();
      open.pop_back();
      for (const ir::StepId earlier : graph.after(one)) {
        const auto index = static_cast<std::size_t>(earlier);
        if (is_seen[index]) continue;
        is_seen[index] = true;
        open.push_back(earlier);
      }
    }
    return is_seen;
  }
  /// What waits for a step, directly or not.
  static std::vector<bool> all_behind(const ir::StepGraph& graph, ir::StepId step) {
    std::vector<bool> is_behind(graph.size());
    for (const ir::StepId one : graph.order()) {
      for (const ir::StepId earlier : graph.after(one)) {
        if (earlier == step || is_behind[static_cast<std::size_t>(earlier)])
          is_behind[static_cast<std::size_t>(one)] = true;
      }
    }
    return is_behind;
  }
  std::string accounts(std::string_view count) const {
    if (std::string why = why_not_compiled(); !why.empty()) return why;
    const std::size_t found = compiled_.plan ? compiled_.plan->account_count : 0;
    return std::to_string(found) == count
               ? ""
               : fmt::format("the plan moves {} accounts, not {}", found, printable(count, 40));
  }

  /// `route: {from: source:25, to: alice@example.org, when: moved, ends: target}`.
  std::string route(const Node& wanted) const {
    if (!compiled_.graph) return no_such("");
    if (!wanted.is_mapping()) return "`route` has the keys `to`, `when`, `ends`";
    for (const syntax::Entry& entry : wanted.entries) {
      static constexpr std::array<std::string_view, 6> kKeys = {"from", "to",      "when",
                                                                "ends", "account", "bounce"};
      if (std::find(kKeys.begin(), kKeys.end(), entry.key) == kKeys.end())
        return fmt::format("`route` has no key `{}`", printable(entry.key, 60));
      if (entry.key != "ends" && !entry.value.is_scalar())
        return fmt::format("`{}` of a route is one word", entry.key);
    }
    const std::string bounce = text_of(wanted, "bounce");
    if (!bounce.empty() && bounce != "true" && bounce != "false")
      return fmt::format("`bounce` is `true` or `false`, not `{}`", printable(bounce, 60));
    flow::RouteQuestion question;
    question.letter.recipient = text_of(wanted, "to");
    question.letter.has_null_sender = bounce == "true";
    question.account = text_of(wanted, "account");
    question.when = text_of(wanted, "when");
    if (const std::string from = text_of(wanted, "from"); !from.empty()) {
      const auto entry = flow::entry_by_name(from);
      if (!entry) {
        std::vector<std::string_view> entries;
        for (const flow::Entry one : flow::kEntries) entries.push_back(flow::to_string(one));
        return fmt::format("mail does not come in at `{}`, but at {}", printable(from, 60),
                           fmt::join(entries, ", "));
      }
      question.letter.entry = *entry;
    }
    std::vector<std::string> ends;
    if (const Node* given = wanted.find("ends"); given != nullptr) {
      if (given->is_scalar()) ends.push_back(given->text);
      for (const Node& item : given->items) ends.push_back(item.text);
    }
    const auto& words = flow::all_end_words();
    for (const std::string& end : ends) {
      if (std::find(words.begin(), words.end(), end) == words.end())
        return fmt::format("`{}` is no end of a message; ends are {}", printable(end, 60),
                           fmt::join(words, ", "));
    }
    if (ends.empty() || question.letter.recipient.empty() || question.when.empty())
      return "`route` needs `to`, `when` and `ends`";
    flow::MailFacts facts;
    if (compiled_.plan) facts = compiled_.plan->mail;
    const flow::RouteAnswer answer = flow::route_of(*compiled_.graph, question, facts);
    if (!answer.problem.empty()) return answer.problem;
    std::vector<std::string> found;
    std::string way;
    for (const flow::Delivery& delivery : answer.deliveries) {
      found.emplace_back(flow::end_word(delivery.fate));
      for (const flow::Hop& hop : delivery.hops) way += "; " + flow::to_text(hop);
    }
    std::sort(found.begin(), found.end());
    std::sort(ends.begin(), ends.end());
    if (found == ends) return {};
    return fmt::format("wanted are exactly the ends {}; it ends: {}{}{}", fmt::join(ends, ", "),
                       found.empty() ? "nowhere" : fmt::format("{}", fmt::join(found, ", ")), way,
                       answer.note.empty() ? "" : "; " + answer.note);
  }

  const CompileResult& compiled_;
  std::vector<std::string> wanted_errors_;  // codes that the test expects
};

/// What is wrong with the measurements of a test: written by a person, and nobody else looks.
std::vector<std::string> problems_of_facts(const Project& project) {
  auto text = read_text_file(project.folder.facts_file, facts::kFactsBytesMax);
  if (!text) return {text.error().to_line()};
  SourceSet sources;
  Sink unheard;  // of the lock the compilation has said it
  std::optional<facts::Lock> lock;
  if (project.lock_text) {
    const FileId lock_file = sources.add(project.folder.lock_file, *project.lock_text);
    lock = facts::read_lock(sources, lock_file, unheard);
  }
  Sink sink;
  const FileId file = sources.add(project.folder.facts_file, std::move(*text));
  facts::check_given_facts(sources, file, lock ? &*lock : nullptr, sink);
  std::vector<std::string> lines;
  for (const Diagnostic& one : sink.sorted()) {
    lines.push_back(fmt::format("{}: {}{}", place_of(sources, one.span), one.message,
                                one.label.empty() ? "" : "; " + one.label));
  }
  return lines;
}

bool expects(const Node& test, std::string_view key, std::string_view word) {
  const Node* const expect = test.find("expect");
  return expect != nullptr &&
         std::any_of(expect->items.begin(), expect->items.end(),
                     [&](const Node& one) { return text_of(one, key) == word; });
}

/// A key that nobody reads is a mistake: what it was meant for would not be tested.
void report_unknown_keys(const Node& node, const std::vector<std::string_view>& known, Sink& sink) {
  for (const syntax::Entry& entry : node.entries) {
    if (std::find(known.begin(), known.end(), std::string_view(entry.key)) != known.end()) continue;
    auto report = sink.report(
        Kind::unknown_key, entry.key_span,
        fmt::format("unknown key `{}` in the tests of a plan", printable(entry.key, 60)));
    if (const auto near = nearest(entry.key, known))
      report.label(fmt::format("did you mean `{}`?", *near));
    report.help(fmt::format("known here: `{}`", fmt::join(known, "`, `")));
  }
}

void check_keys(const Node& tree, Sink& sink) {
  report_unknown_keys(tree, {"plan", "tests"}, sink);
  const Node* tests = tree.find("tests");
  if (tests == nullptr || !tests->is_sequence() || tests->items.empty()) {
    sink.report(Kind::missing_key, tree.span, "`tests` is missing: a list of tests")
        .help("`- {name: all is well, expect: [{no: errors}]}`");
    return;
  }
  for (const Node& test : tests->items) {
    report_unknown_keys(test, {"name", "plan", "lock", "facts", "expect"}, sink);
    // A path that is not read would test the files beside the plan instead.
    for (const std::string_view key : {"plan", "lock", "facts"}) {
      const Node* const path = test.find(key);
      if (path == nullptr || (path->is_scalar() && !path->text.empty())) continue;
      sink.report(Kind::bad_value, path->span, fmt::format("`{}` is the path of a file", key));
    }
    const Node* expect = test.find("expect");
    if (expect == nullptr) continue;
    for (const Node& expectation : expect->items) {
      if (const Node* route = expectation.find("route"))
        report_unknown_keys(*route, {"from", "to", "when", "ends", "account", "bounce"}, sink);
    }
  }
}

/// What is wrong with one test or does not hold, each with its line. Paths begin in `folder`.
Value problems_of_test(const Node& test, const std::string& plan,
                       const std::filesystem::path& folder, const SourceSet& sources) {
  const auto beside = [&](const std::string& path) {
    return path.empty() ? path : (folder / path).string();
  };
  Value problems = Value::list();
  const auto add = [&](const Node& place, std::string_view why) {
    problems.push_back(
        fmt::format("{}: {}", sources.position(place.span.file, place.span.begin).line, why));
  };
  ProjectFiles files;
  files.lock_file = beside(text_of(test, "lock"));
  files.facts_file = beside(text_of(test, "facts"));
  // A lock that is not there is an error of the plan; without measurements most rules are silent.
  std::error_code unknown;
  const bool has_facts =
      !files.facts_file.empty() && std::filesystem::exists(files.facts_file, unknown);
  if (!files.facts_file.empty() && !has_facts)
    add(*test.find("facts"), fmt::format("there is no `{}`", printable(files.facts_file, 200)));
  const std::string own_plan = text_of(test, "plan");
  auto project = load_project(beside(own_plan.empty() ? plan : own_plan), files,
                              {.needs_schema = false, .uses_cache = true, .has_clock = false});
  if (project && has_facts && !expects(test, "warning", info(Kind::facts_syntax).name)) {
    for (const std::string& why : problems_of_facts(*project)) add(*test.find("facts"), why);
  }
  const Node* expect = test.find("expect");
  if (!project) {
    add(test, project.error().to_line());
  } else if (expect == nullptr) {
    add(test, "nothing is expected: `expect` is missing");
  } else if (!expect->is_sequence() && !expect->is_null()) {
    add(*expect, "`expect` is a list: `expect: [{no: errors}]`");
  } else if (expect->items.empty()) {
    add(*expect, "nothing is expected: `expect` is empty");
  } else {
    Expectations expectations(project->compiled, *expect);
    for (const Node& expectation : expect->items) {
      if (const std::string why = expectations.why_not(expectation); !why.empty())
        add(expectation, why);
    }
  }
  return problems;
}

}  // namespace

ExitCode run_test(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  const std::string file = invocation.value("file");
  auto read = read_text_file(file, kTestsBytesMax);
  if (!read) {
    if (read.error().is(errors::file_missing) && format != "json")
      print_words(
          "the tests of a plan stand in a file beside it: tests: [{name: all is well, expect: "
          "[{no: errors}]}]\n");
    return print_error(read.error(), format);
  }
  SourceSet sources;
  Sink sink;
  const auto tree = syntax::read_source(sources, sources.add(file, std::move(*read)), sink);
  if (tree) check_keys(*tree, sink);
  if (!tree || sink.has_errors()) {
    if (format == "json") {
      print_result(render_json(sink.sorted(), sources));
    } else {
      print_words(render_terminal(sink.sorted(), sources, {}));
    }
    return ExitCode::error;
  }
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  const Node* tests = tree->find("tests");
  std::string plan = text_of(*tree, "plan");
  if (plan.empty()) plan = "migration.yaml";
  std::size_t failed = 0;
  Value results = Value::list();
  for (const Node& test : tests->items) {
    Value problems = problems_of_test(test, plan, folder, sources);
    const std::string name = printable(text_of(test, "name"), 200);
    if (problems.size() > 0) ++failed;
    if (format != "json") {
      print_result(fmt::format("{} {}\n", problems.size() == 0 ? "ok" : "FAILED", name));
      for (const Value& problem : problems.items())
        print_result(fmt::format("  {}:{}\n", file, problem.as_string()));
    }
    results.push_back(Value::map(
        {{"name", name}, {"passed", problems.size() == 0}, {"problems", std::move(problems)}}));
  }
  if (format == "json") {
    print_result(ir::write_json(Value::map({{"format", 1}, {"tests", std::move(results)}}), 2) +
                 "\n");
  } else {
    print_words(fmt::format("{} passed, {} failed\n", tests->items.size() - failed, failed));
  }
  return failed == 0 ? ExitCode::done : ExitCode::error;
}

}  // namespace plan::command
