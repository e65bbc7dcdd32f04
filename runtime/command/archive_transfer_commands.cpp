// `plan archive import` and `plan archive export`.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <mutex>

#include "compiler/source/text.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/source_block.h"
#include "runtime/archive/tool.h"
#include "runtime/command/account_ends.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"
#include "runtime/command/stop_on_signal.h"
#include "runtime/engine/lease_keeper.h"
#include "runtime/engine/run_lock.h"
#include "runtime/net/clock.h"
#include "runtime/step/errors.h"

namespace plan::command {
namespace {

constexpr std::chrono::milliseconds kLeaseRenewal{15'000};

bool is_there(const std::string& file) {
  std::error_code code;
  return std::filesystem::exists(std::filesystem::symlink_status(file, code));
}

/// `--account` of a plan that knows it: a misspelt name is said to be one.
Outcome check_account(const Project& project, const std::string& account) {
  const ir::StepGraph& graph = *project.compiled.graph;
  std::vector<std::string_view> names;
  for (std::size_t row = 1; row <= graph.row_count(); ++row)
    names.push_back(graph.row_name(static_cast<ir::RowId>(row)));
  if (std::find(names.begin(), names.end(), account) != names.end()) return {};
  const auto near = nearest(account, names);
  return Error(errors::nothing_of_that_name,
               fmt::format("the plan has no account `{}`{}", printable(account, 300),
                           near ? fmt::format("; did you mean `{}`?", *near) : ""));
}

/// Archives of a run are the run's: what it knows of the target stands in them.
Outcome check_not_of_the_run(const ProjectFolder& folder, const std::string& file) {
  std::error_code code;
  const auto inside =
      std::filesystem::weakly_canonical(file, code)
          .lexically_relative(std::filesystem::weakly_canonical(folder.state_directory, code));
  if (code || inside.empty() || *inside.begin() == "..") return {};
  return Error(errors::bad_option,
               fmt::format("{} belongs to the runs of this plan; name a file elsewhere", file));
}

std::uint64_t number_of(const ir::Value& document, std::string_view member) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, document[member].integer_or(0)));
}

std::string count_words(const ir::Value& result, std::string_view member) {
  return show_count(number_of(result, member));
}

bool has_any(const ir::Value& result, std::string_view member) { return result[member].size() > 0; }

/// "12 messages" where somebody counted.
std::string line_of(const ir::Value& left) {
  const std::string what = printable(left["what"].string_or(""), 200);
  if (left["count"].is_null()) return fmt::format("not carried: {} (not counted)\n", what);
  return fmt::format("not carried: {} {}\n", show_count(number_of(left, "count")), what);
}

std::string lines_of(const ir::Value& result) {
  std::string text;
  for (const ir::Value& one : result["problems"].items()) {
    const std::string place =
        one["what"].is_string()
            ? std::string(one["what"].string_or(""))
            : fmt::format("{} uid {}", one["mailbox"].string_or(""), one["uid"].integer_or(0));
    text += fmt::format("refused or not readable: {}: {}\n", printable(place, 300),
                        printable(one["text"].string_or(""), 500));
  }
  for (const ir::Value& one : result["differences"].items())
    text += fmt::format("differs: {}: {} ({})\n", printable(one["where"].string_or(""), 300),
                        printable(one["text"].string_or(""), 500), one["grade"].string_or(""));
  for (const ir::Value& one : result["not_carried"].items()) text += line_of(one);
  return text;
}

/// Exit code 2 for whatever did not come along.
ExitCode end(const ir::Value& result, std::string_view format, const std::string& first_line) {
  if (format == "json") {
    print_document(result, format);
  } else {
    print_result(first_line + lines_of(result));
  }
  const std::string_view grade = result["grade"].string_or("perfect");
  const bool is_whole = !has_any(result, "problems") && !has_any(result, "not_carried") &&
                        (grade == "perfect" || grade == "good");
  return is_whole ? ExitCode::done : ExitCode::differences;
}

ExitCode take_copy(const std::string& from, const std::string& to, std::string_view format) {
  const auto copied = archive::copy_archive(from, to);
  if (!copied) return print_error(copied.error(), format);
  // Plan's own tables are no part of an account: that they are left out is no loss.
  if (format == "json") {
    print_document(*copied, format);
  } else {
    std::string text = fmt::format("{}: {} messages, {}\n", to, count_words(*copied, "messages"),
                                   show_bytes(number_of(*copied, "bytes")));
    for (const ir::Value& one : (*copied)["not_carried"].items())
      text += fmt::format("left out: {} rows of {}, which is plan's own\n",
                          count_words(one, "count"), printable(one["what"].string_or(""), 200));
    print_result(text);
  }
  return ExitCode::done;
}

}  // namespace

ExitCode run_archive_import(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  const std::string file = invocation.value("file");
  if (invocation.has("--account") == invocation.has("--from"))
    return print_error(Error(errors::bad_option, "name one of --account and --from"), format);
  if (invocation.has("--from")) {
    if (invocation.has("--update") || invocation.has("--allow-source-change"))
      return print_error(
          Error(errors::bad_option,
                "--update and --allow-source-change are about an account, not about --from"),
          format);
    return take_copy(invocation.value("--from"), file, format);
  }
  if (is_there(file) && !invocation.has("--update"))
    return print_error(
        Error(archive::errors::archive_there, fmt::format("{} is there already", file)), format);
  if (!is_there(file) && invocation.has("--update"))
    return print_error(Error(errors::file_missing, fmt::format("there is no {} to update", file)),
                       format);
  ExitCode exit_code = ExitCode::done;
  const auto project = load_sound_project(invocation.value("--plan"), format, &exit_code);
  if (!project) return exit_code;
  const std::string account = lower_ascii(invocation.value("--account"));
  if (auto known = check_account(*project, account); !known)
    return print_error(known.error(), format);
  if (auto ours = check_not_of_the_run(project->folder, file); !ours)
    return print_error(ours.error(), format);
  step::StopSignal stop;
  const StopOnSignal signals(stop);
  Session session(project->folder, project->compiled.plan->connections);
  const auto source = session.account_at_source(account);
  if (!source) return print_error(source.error(), format);
  archive::ImportOptions options;
  options.is_source_change_allowed = invocation.has("--allow-source-change");
  options.is_stop_requested = [&stop] { return stop.is_requested(); };
  auto result = archive::import_archive(file, *source, options);
  if (!result && result.error().is(step::errors::stopped)) {
    print_words(fmt::format("stopped: the same command with --update goes on with {}\n", file));
    return ExitCode::stopped;
  }
  if (!result)
    return print_error(result.error(), format,
                       is_there(file) ? "mend it; the same command with --update goes on where it "
                                        "stopped"
                                      : "");
  result->set("account", account);
  return end(
      *result, format,
      fmt::format("{}: {} messages in {} mailboxes ({} new, {} changed, {} gone), {} scripts, "
                  "{} calendar entries and contacts\n",
                  file, count_words(*result, "messages"), count_words(*result, "mailboxes"),
                  count_words(*result, "created"), count_words(*result, "updated"),
                  count_words(*result, "removed"), count_words(*result, "scripts"),
                  count_words(*result, "calendar_entries")));
}

namespace {

/// Nobody else writes to the target meanwhile: neither a run of this folder nor one of another.
class Alone {
 public:
  Alone(const ProjectFolder& folder, Session& session, step::StopSignal& stop)
      : lock_(folder.journal_file), session_(session), stop_(stop) {}

  Outcome take() {
    PLAN_TRY_VOID(lock_.take());
    PLAN_TRY(lease, session_.target_lease(holder_name()));
    const std::string token = fmt::format("archive-export-{}", net::system_clock().wall_ms());
    keeper_ =
        std::make_unique<engine::LeaseKeeper>(std::vector<engine::LeaseHolder*>{lease}, token);
    PLAN_TRY_VOID(keeper_->acquire(false));
    keeper_->keep(kLeaseRenewal, [this](const Error& error) {
      const std::lock_guard guard(mutex_);
      lost_ = error;
      stop_.request();
    });
    return {};
  }
  [[nodiscard]] std::optional<Error> lost() {
    const std::lock_guard guard(mutex_);
    return lost_;
  }

 private:
  engine::RunLock lock_;
  Session& session_;
  step::StopSignal& stop_;
  std::mutex mutex_;
  std::optional<Error> lost_ = {};
  std::unique_ptr<engine::LeaseKeeper> keeper_ = {};
};

}  // namespace

ExitCode run_archive_export(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  const std::string file = invocation.value("file");
  if (invocation.has("--account") == invocation.has("--output"))
    return print_error(Error(errors::bad_option, "name one of --account and --output"), format);
  if (invocation.has("--output")) return take_copy(file, invocation.value("--output"), format);
  ExitCode exit_code = ExitCode::done;
  const auto project = load_sound_project(invocation.value("--plan"), format, &exit_code);
  if (!project) return exit_code;
  if (auto ours = check_not_of_the_run(project->folder, file); !ours)
    return print_error(ours.error(), format);
  const std::string account = lower_ascii(invocation.value("--account"));
  const auto look = archive::look_before_export(file);
  if (!look) return print_error(look.error(), format);
  step::StopSignal stop;
  const StopOnSignal signals(stop);
  Session session(project->folder, project->compiled.plan->connections);
  const auto target = session.account_at_target(account);
  if (!target)
    return print_error(target.error(), format,
                       target.error().is(errors::nothing_of_that_name)
                           ? "check the spelling; an account is made by plan apply, or by hand at "
                             "the target"
                           : "");
  if (format == "text") {
    std::string words = fmt::format(
        "{} messages ({}), {} scripts, {} calendar entries and contacts go to {}\n",
        count_words(*look, "messages"), show_bytes(number_of(*look, "bytes")),
        count_words(*look, "scripts"), count_words(*look, "calendar_entries"), printable(account));
    for (const ir::Value& one : (*look)["not_carried"].items()) words += line_of(one);
    if (target->is_authority)
      words +=
          "the account has moved: only what is missing there is added, scripts stay as they are\n";
    print_words(words);
  }
  if (!invocation.has("--yes") && !ask_yes("Write this to the target?", stop)) {
    if (format == "json") {
      ir::Value document = *look;
      document.set("account", account);
      document.set("is_done", false);
      print_document(document, format);
    } else {
      print_words("nothing was done\n");
    }
    return ExitCode::differences;
  }
  Alone alone(project->folder, session, stop);
  if (auto taken = alone.take(); !taken) return print_error(taken.error(), format);
  archive::ExportOptions options;
  options.is_present_taken = true;
  options.push.is_source_authority = !target->is_authority;
  options.push.is_stop_requested = [&stop] { return stop.is_requested(); };
  auto result = archive::export_archive(file, target->account, options);
  if (auto lost = alone.lost()) return print_error(*lost, format);
  if (!result && result.error().is(step::errors::stopped)) {
    print_words("stopped: the same command goes on, and nothing is brought twice\n");
    return ExitCode::stopped;
  }
  if (!result) return print_error(result.error(), format);
  result->set("account", account);
  result->set("is_done", true);
  return end(
      *result, format,
      fmt::format("{}: {} messages brought, {} were there, {} changed, {} removed; {} scripts, "
                  "{} calendar entries and contacts; grade {}: {}\n",
                  printable(account), count_words(*result, "created"),
                  count_words(*result, "present"), count_words(*result, "updated"),
                  count_words(*result, "destroyed"), count_words(*result, "scripts"),
                  count_words(*result, "calendar_entries"), (*result)["grade"].string_or(""),
                  printable((*result)["summary"].string_or(""), 500)));
}

}  // namespace plan::command
