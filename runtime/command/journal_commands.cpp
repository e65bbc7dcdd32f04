// Commands that only look at the journal, or leave a request in it for a running apply: status,
// trace, report, approve, pause, resume, throttle.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "compiler/syntax/scalar.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project_folder.h"
#include "runtime/command/run_ending.h"
#include "runtime/engine/status.h"
#include "runtime/engine/subject.h"
#include "runtime/net/clock.h"
#include "runtime/report/run_record.h"

namespace plan::command {
namespace {

constexpr std::uint64_t kRateLeast = 256ULL * 1024;
constexpr std::uint64_t kRateMost = 1ULL << 40U;

Result<std::unique_ptr<engine::Journal>> open_for_reading(const Invocation& invocation) {
  engine::JournalOptions options;
  options.is_read_only = true;
  return engine::open_journal(project_folder(invocation.value("--plan")).journal_file, options);
}

/// A misspelt approval would let nobody go on, and nobody would know.
Outcome is_in_the_run(engine::Journal& journal, std::string_view subject) {
  PLAN_TRY(run, journal.latest_run());
  if (!run) return Error(errors::nothing_of_that_name, "nothing was applied yet");
  PLAN_TRY(graph, journal.graph(run->graph_digest));
  std::vector<std::string> names = {"stage:finalize"};
  for (const ir::StepShape& shape : graph.shapes()) {
    if (shape.kind == ir::StepKind::approval && shape.arguments["stage"].is_string())
      names.push_back(engine::approval_subject(shape.arguments));
  }
  for (const ir::WaveInfo& wave : graph.waves()) names.push_back("wave:" + wave.name);
  for (std::size_t row = 1; row <= graph.row_count(); ++row)
    names.push_back("account:" + std::string(graph.row_name(static_cast<ir::RowId>(row))));
  if (std::find(names.begin(), names.end(), subject) != names.end()) return {};
  const auto near = nearest(subject, {names.begin(), names.end()});
  return Error(
      errors::nothing_of_that_name,
      fmt::format("the run has no {} `{}`{}", subject.substr(0, subject.find(':')),
                  printable(report::approval_name(subject), 300),
                  near ? fmt::format("; did you mean `{}`?", report::approval_name(*near)) : ""));
}

ExitCode leave_request(const Invocation& invocation, engine::Request request) {
  const std::string format = invocation.value("--format");
  // A request never makes a journal: there has to be a run, or one that was.
  if (auto existing = open_for_reading(invocation); !existing)
    return print_error(existing.error(), format);
  auto journal = engine::open_journal(project_folder(invocation.value("--plan")).journal_file);
  if (!journal) return print_error(journal.error(), format);
  if (request.kind == engine::RequestKind::approve) {
    if (auto known = is_in_the_run(**journal, request.subject); !known)
      return print_error(known.error(), format);
  }
  request.wall_ms = net::system_clock().wall_ms();
  if (auto left = (*journal)->add_request(request); !left) return print_error(left.error(), format);
  const bool is_running = (*journal)->is_locked_by_somebody();
  if (format == "json") {
    print_result(
        ir::write_json(ir::Value::map({{"format", 1}, {"is_apply_running", is_running}}), 2) +
        "\n");
  } else {
    print_words(is_running ? "the running apply was told\n"
                           : "no apply runs now; the next one finds this in the journal\n");
  }
  return ExitCode::done;
}

}  // namespace

ExitCode run_status(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  auto journal = open_for_reading(invocation);
  if (!journal) return print_error(journal.error(), format);
  auto run = engine::run_record(**journal);
  if (!run) return print_error(run.error(), format);
  print_result(format == "json" ? ir::write_json(report::to_document(*run), 2) + "\n"
                                : report::render_text(*run));
  return exit_code_of(*run);
}

ExitCode run_trace(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  auto journal = open_for_reading(invocation);
  if (!journal) return print_error(journal.error(), format);
  const std::string account = lower_ascii(invocation.value("account"));
  auto moments = engine::trace(**journal, account);
  if (!moments) return print_error(moments.error(), format);
  if (moments->empty()) {
    return print_error(Error(errors::nothing_of_that_name,
                             fmt::format("nothing was done to `{}`", printable(account))),
                       format);
  }
  if (format == "json") {
    ir::List items;
    for (const report::MomentRecord& moment : *moments) {
      items.push_back(ir::Value::map({{"time", net::show_utc(moment.wall_ms)},
                                      {"time_ms", moment.wall_ms},
                                      {"step", moment.step},
                                      {"what", moment.what},
                                      {"attempt", moment.attempt},
                                      {"text", moment.text},
                                      {"place", moment.place},
                                      {"procedure", moment.procedure}}));
    }
    print_result(
        ir::write_json(
            ir::Value::map({{"format", 1}, {"account", account}, {"moments", std::move(items)}}),
            2) +
        "\n");
    return ExitCode::done;
  }
  for (const report::MomentRecord& moment : *moments) {
    std::string line =
        fmt::format("{}  {:<14} {}", net::show_utc(moment.wall_ms), moment.what, moment.step);
    if (!moment.text.empty()) line += (moment.step.empty() ? "" : ": ") + printable(moment.text);
    if (!moment.place.empty()) line += fmt::format("  ({}", moment.place);
    if (!moment.place.empty() && moment.procedure != moment.place)
      line += fmt::format(", by {}", moment.procedure);
    if (!moment.place.empty()) line += ")";
    line.erase(line.find_last_not_of(' ') + 1);
    print_result(line + "\n");
  }
  return ExitCode::done;
}

ExitCode run_report(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  auto journal = open_for_reading(invocation);
  if (!journal) return print_error(journal.error(), format);
  auto run = engine::run_record(**journal, true);
  if (!run) return print_error(run.error(), format);
  const std::string page = format == "json"   ? ir::write_json(report::to_document(*run), 2) + "\n"
                           : format == "text" ? report::render_text(*run)
                                              : report::render_html(*run);
  const std::string output = invocation.value("--output");
  if (output.empty() || output == "-") {
    print_result(page);
  } else {
    if (auto written = write_text_file(output, page); !written)
      return print_error(written.error(), format);
    print_words(fmt::format("wrote {} ({})\n", output, show_bytes(page.size())));
    if (format == "json")
      print_document(ir::Value::map({{"format", 1}, {"report", output}}), format);
  }
  return ExitCode::done;
}

ExitCode run_approve(const Invocation& invocation) {
  engine::Request request;
  request.kind = engine::RequestKind::approve;
  request.subject = invocation.value("subject");
  if (request.subject == "finalize") request.subject = "stage:finalize";
  if (!request.subject.starts_with("wave:") && !request.subject.starts_with("account:") &&
      !request.subject.starts_with("stage:")) {
    const bool is_address = request.subject.find('@') != std::string::npos;
    request.subject = (is_address ? "account:" : "wave:") + request.subject;
  }
  return leave_request(invocation, std::move(request));
}

ExitCode run_pause(const Invocation& invocation) {
  engine::Request request;
  request.kind = engine::RequestKind::pause;
  return leave_request(invocation, std::move(request));
}

ExitCode run_resume(const Invocation& invocation) {
  engine::Request request;
  request.kind = engine::RequestKind::resume;
  return leave_request(invocation, std::move(request));
}

ExitCode run_throttle(const Invocation& invocation) {
  engine::Request request;
  request.kind = engine::RequestKind::throttle;
  request.subject = invocation.value("--host");
  const auto refused = [&invocation](const std::string& why) {
    return print_error(Error(errors::bad_option, why), invocation.value("--format"));
  };
  std::vector<std::pair<std::string, ir::Value>> bounds;
  if (invocation.has("--connections"))
    bounds.emplace_back("connections",
                        static_cast<std::int64_t>(invocation.number("--connections")));
  if (invocation.has("--rate")) {
    const std::string text = invocation.value("--rate");
    const auto rate = text == "0" ? std::optional<std::uint64_t>(0) : syntax::read_bytes(text);
    // Servers close a connection whose client takes nothing for minutes.
    if (!rate || (*rate > 0 && *rate < kRateLeast) || *rate > kRateMost)
      return refused("--rate is a size a second from 256KiB to 1TiB, as in 20MiB, or 0 (no bound)");
    bounds.emplace_back("bytes_per_second", static_cast<std::int64_t>(*rate));
  }
  if (bounds.empty()) return refused("say what is bounded: --connections, --rate, or both");
  request.parameters = ir::Value::map(std::move(bounds));
  return leave_request(invocation, std::move(request));
}

}  // namespace plan::command
