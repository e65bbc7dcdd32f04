#include "compiler/diff/change.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "compiler/diff/wrap.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/review.h"
#include "runtime/command/saved_steps.h"
#include "runtime/command/show_changes.h"
#include "runtime/command/stop_on_signal.h"

namespace plan::command {

namespace {

/// A value that is asked for by its path is shown whole.
constexpr std::size_t kWholeValueBytes = std::size_t{64} << 10U;

bool has_account(const diff::ChangeSet& changes, std::string_view account) {
  for (const diff::StageChange& stage : changes.stages) {
    for (const diff::WaveChange& wave : stage.waves) {
      for (const diff::AccountChange& one : wave.accounts) {
        if (one.account == account) return true;
      }
    }
  }
  return false;
}

/// A saved plan may be saved again; anything else is somebody's work (`-o migration.yaml`).
Outcome check_output(const std::string& output) {
  std::error_code unknown;
  if (output.empty() || !std::filesystem::is_regular_file(output, unknown) ||
      std::filesystem::file_size(output, unknown) == 0 || is_saved_plan_file(output))
    return {};
  return Error(errors::file_there, fmt::format("{} is there and is no saved plan", output));
}

}  // namespace

ShowOptions show_options(const Invocation& invocation) {
  ShowOptions options{.is_all = invocation.has("--all"), .path = invocation.value("--path")};
  for (const std::string& account : invocation.all("--account"))
    options.accounts.push_back(lower_ascii(account));
  return options;
}

diff::Detail detail_for(std::string_view format, const ShowOptions& options) {
  const bool is_folded = (format == "text" || format == "markdown") && !options.is_all &&
                         options.path.empty() && options.accounts.empty();
  return is_folded ? diff::Detail::changes : diff::Detail::all;
}

Outcome show_changes(diff::ChangeSet whole, std::string_view format, const ShowOptions& shown) {
  for (const std::string& account : shown.accounts) {
    if (!has_account(whole, account))
      return Error(errors::nothing_of_that_name,
                   fmt::format("the plan has no account `{}`", printable(account)));
  }
  diff::ChangeSet changes;
  diff::RenderOptions options;
  options.width_columns = terminal_width_columns();
  options.has_colour = takes_colour(STDOUT_FILENO);
  options.is_folded = !shown.is_all;
  options.accounts = shown.accounts;
  if (!shown.path.empty()) {
    auto part = diff::below(whole, shown.path);
    if (!part) {
      const std::string near = diff::nearest_path(whole, shown.path);
      return Error(errors::nothing_of_that_name,
                   fmt::format("the diff has nothing at `{}`{}", printable(shown.path, 200),
                               near.empty() ? "" : fmt::format("; did you mean `{}`?", near)));
    }
    changes = std::move(*part);
    options.is_folded = false;
    options.value_bytes_max = kWholeValueBytes;
  } else {
    changes = std::move(whole);
  }
  if (format == "json") {
    print_result(ir::write_json(diff::to_document(changes), 2) + "\n");
  } else if (format == "markdown") {
    print_result(diff::render_markdown(changes, options));
  } else if (format == "html") {
    print_result(diff::render_html(changes, options));
  } else if (format == "text") {
    std::string text = diff::render_text(changes, options);
    // What goes into a pipe or a file has one line for one thing.
    if (is_terminal(STDOUT_FILENO)) text = diff::wrapped(text, terminal_width_columns());
    print_result(text);
  } else {
    return Error(errors::nothing_of_that_name,
                 fmt::format("there is no format `{}`; there are text, markdown, json and html",
                             printable(format)));
  }
  return {};
}

ExitCode run_diff(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  ExitCode exit_code = ExitCode::done;
  ProjectOptions loading = project_options(invocation);
  loading.needs_schema = !invocation.value("-o,--output").empty();
  auto project = load_sound_project(invocation.value("plan"), format, &exit_code, loading);
  if (!project) return exit_code;
  std::string output = invocation.value("-o,--output");
  if (auto free = check_output(output); !free) return print_error(free.error(), format);
  // What is saved is what runs: the word about servers that were not tried is given here.
  if (auto accepted =
          accept_untried_servers(*project, output.empty() || invocation.has("--untested-version"));
      !accepted)
    return print_error(accepted.error(), format);
  step::StopSignal stop;
  const StopOnSignal signals(stop);
  Session session(project->folder, project->compiled.plan->connections);
  Review review = review_project(std::move(*project), session, stop);
  if (stop.is_requested()) {
    print_words("stopped: not everything was looked at\n");
    return ExitCode::stopped;
  }
  std::string text;
  if (!output.empty()) text = ir::write_saved_plan(review.saved, &review.digest);
  std::error_code unknown;
  if (std::filesystem::is_directory(output, unknown))
    output = (std::filesystem::path(output) / (review.digest + ".plan")).string();
  const ShowOptions shown_as = show_options(invocation);
  diff::ChangeSet changes = changes_of(review, detail_for(format, shown_as));
  const bool has_differences = changes.change_count() > 0 || changes.unseen_count() > 0;
  if (auto shown = show_changes(std::move(changes), format, shown_as); !shown)
    return print_error(shown.error(), format);
  if (!output.empty()) {
    if (auto written = write_text_file(output, text, 0600); !written)
      return print_error(written.error(), format);
    print_words(fmt::format("saved as {} ({}), digest {}\n", output, show_bytes(text.size()),
                            review.digest));
  }
  return has_differences ? ExitCode::differences : ExitCode::done;
}

ExitCode run_show(const Invocation& invocation) {
  const auto review = read_review(invocation.value("file"));
  if (!review) return print_error(review.error(), invocation.value("--format"));
  const std::string format = invocation.value("--format");
  const ShowOptions shown_as = show_options(invocation);
  if (auto shown =
          show_changes(changes_of(*review, detail_for(format, shown_as)), format, shown_as);
      !shown)
    return print_error(shown.error(), format);
  print_words(fmt::format("made {}; plan {}, lock {}, schema {}\n",
                          printable(review->saved.made_at), review->saved.plan_digest.substr(0, 12),
                          review->saved.lock_digest.substr(0, 12),
                          review->saved.schema_digest.substr(0, 12)));
  print_words(
      is_about_store(review->connections)
          ? "it runs once: the journal beside its plan knows whether it did; elsewhere the "
            "dump that it made is seen, and the store that the server is on\n"
          : "it runs once: the journal beside its plan knows whether it did; elsewhere that "
            "is seen only when an account was moved\n");
  if (auto same = check_saved_steps(review->saved); !same)
    print_words(fmt::format("plan apply would refuse it: {}\n", same.error().to_line()));
  return ExitCode::done;
}

}  // namespace plan::command
