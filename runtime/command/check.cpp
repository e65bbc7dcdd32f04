#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "compiler/flow/routes.h"
#include "compiler/ir/digest.h"
#include "compiler/ir/graph_text.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"
#include "runtime/command/review.h"
#include "runtime/command/saved_steps.h"
#include "runtime/net/clock.h"

namespace plan::command {

namespace {

/// Parts of the plan that nothing is known about: they have not passed.
std::size_t unchecked_count(const CompileResult& compiled) {
  return static_cast<std::size_t>(std::count_if(
      compiled.diagnostics.begin(), compiled.diagnostics.end(), [](const Diagnostic& diagnostic) {
        return diagnostic.kind == Kind::not_measured || diagnostic.kind == Kind::schema_missing;
      }));
}

/// Where mail goes at each phase boundary, and which rule says so.
std::string mail_picture(const CompileResult& compiled, std::string_view format,
                         bool is_every_class) {
  const SourceSet& sources = *compiled.sources;
  flow::MailFacts facts;
  if (compiled.plan) facts = compiled.plan->mail;
  const auto routes = flow::drawn_routes(*compiled.graph, is_every_class, facts);
  if (format == "text") return flow::routes_text(routes, sources);
  if (format == "mermaid") return flow::routes_mermaid(routes);
  if (format == "dot") return flow::routes_dot(routes);
  return ir::write_json(flow::routes_document(routes, sources), 2) + "\n";
}

constexpr std::size_t kReviewBytesMax = std::size_t{256} << 20U;
constexpr std::size_t kDigestDigits = 64;
/// Between the words "made from" and the digest stands no more than markup.
constexpr std::size_t kMarkupBytesMax = 40;

/// The digest behind "made from" in a diff of any format; empty: there is none.
std::string made_from_in(std::string_view text) {
  for (std::size_t at = text.find("ade"); at != std::string_view::npos;
       at = text.find("ade", at + 1)) {
    if (text.substr(at + 4, 4) != "from") continue;
    std::size_t begin = at + 8;
    const std::size_t end = std::min(text.size(), begin + kMarkupBytesMax);
    for (; begin < end; ++begin) {
      const std::string_view digest = text.substr(begin, kDigestDigits);
      if (digest.size() == kDigestDigits &&
          digest.find_first_not_of("0123456789abcdef") == std::string_view::npos)
        return std::string(digest);
    }
  }
  return {};
}

/// Whether the plan and its lock are still those of a review: a saved plan, whose steps have to be
/// those that its texts give, or a diff in Markdown, JSON, HTML or text.
Outcome check_reviewed(const Project& project, const std::string& file) {
  std::string reviewed;
  std::string changed;
  std::optional<Review> review;
  if (is_saved_plan_file(file)) {
    PLAN_TRY(read, read_review(file));
    review = std::move(read);
    reviewed = review->saved.made_from;
    std::set<std::string> now;
    const SourceSet& sources = *project.compiled.sources;
    for (std::size_t i = 1; i <= sources.size(); ++i)
      now.insert(ir::sha256(sources.text(static_cast<FileId>(i))).hex());
    for (const auto& [name, text] : review->saved.sources) {
      if (now.contains(ir::sha256(text).hex()) ||
          name.ends_with(std::filesystem::path(project.folder.facts_file).filename().string()))
        continue;
      changed += (changed.empty() ? ": " : ", ") + printable(name, 200);
    }
  } else {
    PLAN_TRY(text, read_text_file(file, kReviewBytesMax));
    reviewed = made_from_in(text);
  }
  if (reviewed.empty())
    return Error(errors::review_stale, fmt::format("{} does not say what it was made from", file));
  const std::string now = made_from(project);
  if (reviewed == now) return review ? check_saved_steps(review->saved) : Outcome();
  return Error(errors::review_stale,
               fmt::format("what {} reviews was changed since{}", file, changed))
      .with_detail(fmt::format("it was made from {}, this plan from {}", reviewed, now));
}

}  // namespace

ExitCode run_check(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  if (invocation.has("--dump") && (format != "text" || invocation.value("--dump") != "graph"))
    return print_error(Error(errors::bad_option,
                             "--dump is `graph`, and goes with text; plan graph has other formats"),
                       format);
  auto project = load_project(invocation.value("plan"), {}, project_options(invocation));
  if (!project) return print_error(project.error(), format);
  print_result(show_diagnostics(*project, format));
  const CompileResult& compiled = project->compiled;
  if (invocation.value("--dump") == "graph" && compiled.graph)
    print_result(ir::graph_lines(*compiled.graph));
  const std::size_t unchecked = unchecked_count(compiled);
  if (format == "text") {
    if (compiled.has_errors()) {
      print_words(fmt::format("{} does not compile\n", project->folder.plan_file));
    } else if (compiled.graph && compiled.plan) {
      print_words(fmt::format("{} compiles: {} accounts, {} steps, {} waves\n",
                              project->folder.plan_file, show_count(compiled.plan->account_count),
                              show_count(compiled.graph->size()), compiled.plan->waves.size()));
    }
  }
  for (const std::string& line : silenced_findings(*project)) print_words(line + "\n");
  if (const std::string review = invocation.value("--reviewed"); !review.empty()) {
    // The diagnostics are the one document of a program's format.
    if (auto same = check_reviewed(*project, review); !same)
      return print_error(same.error(), "text");
    print_words(fmt::format("{} is a review of this plan and this lock\n", review));
  }
  if (compiled.has_errors()) return ExitCode::error;
  if (unchecked == 0) return ExitCode::done;
  print_words(fmt::format("{} {} not checked, see above\n", unchecked,
                          unchecked == 1 ? "thing was" : "things were"));
  return ExitCode::not_checked;
}

ExitCode run_graph(const Invocation& invocation) {
  ExitCode exit_code = ExitCode::done;
  const std::string format = invocation.value("--format");
  const auto project =
      load_sound_project(invocation.value("plan"), format, &exit_code, project_options(invocation));
  if (!project) return exit_code;
  const ir::StepGraph& graph = *project->compiled.graph;
  if (invocation.has("--mail")) {
    print_result(mail_picture(project->compiled, format, invocation.has("--all")));
    return ExitCode::done;
  }
  const ir::GraphTextOptions options{.is_folded = !invocation.has("--all")};
  if (format == "text") {
    print_result(ir::graph_lines(graph));
  } else if (format == "mermaid") {
    print_result(ir::graph_mermaid(graph, options));
  } else if (format == "dot") {
    print_result(ir::graph_dot(graph, options));
  } else {
    print_result(ir::write_json(graph.to_document()) + "\n");
  }
  return ExitCode::done;
}

}  // namespace plan::command
