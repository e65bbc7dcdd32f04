#include "runtime/command/dump_commands.h"

#include <fmt/format.h>

#include <chrono>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/dump/proof.h"

namespace plan::command {
namespace {

using ir::Value;

constexpr int kStderr = 2;

// Digests are 64 characters, keys may be longer than any line; a path has at most 4,096 bytes.
constexpr std::size_t kShownMax = 4096;

std::string number(const Value& value) {
  return show_count(static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.integer_or(0))));
}

std::string bytes(const Value& value) {
  return show_bytes(static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.integer_or(0))));
}

/// One line for each fault, and how many more there are of its kind.
std::string faults_text(const Value& faults, std::string_view indent) {
  std::string text;
  for (const Value& fault : faults.items()) {
    text += fmt::format("{}{}: {}: {} [{}]\n", indent, fault["weight"].string_or(""),
                        fault["summary"].string_or(""), shown(fault["text"]),
                        fault["kind"].string_or(""));
    if (fault["file_byte"].integer_or(0) > 0 || fault["record"].integer_or(0) > 0)
      text += fmt::format("{}  at byte {} of the file, after {} records\n", indent,
                          number(fault["file_byte"]), number(fault["record"]));
    if (fault["count"].integer_or(1) > 1)
      text += fmt::format("{}  {} of this kind\n", indent, number(fault["count"]));
  }
  return text;
}

/// A grade is of `verify`: without one there is no column of that name.
std::string report_text(const Value& report) {
  const bool is_graded = report["grade"].is_string();
  std::string text =
      fmt::format("{}: {}\n", shown(report["path"]),
                  report["version"].is_string()
                      ? fmt::format("a dump of {} (schema {})", report["version"].string_or(""),
                                    report["schema"].integer_or(0))
                      : std::string("of no known version"));
  text += fmt::format("{:<14} {:<16} {:>11} {:>11} {:>11} {:>11}{}\n", "file", "subspace",
                      "records", "keys", "values", "on disk", is_graded ? "  grade" : "");
  for (const Value& file : report["files"].items()) {
    text += fmt::format(
        "{:<14} {:<16} {:>11} {:>11} {:>11} {:>11}{}\n", shown(file["name"]),
        file["subspace"].string_or(file["family"].string_or("-")), number(file["records"]),
        bytes(file["key_bytes"]), bytes(file["value_bytes"]), bytes(file["file_bytes"]),
        is_graded ? fmt::format("  {}", file["grade"].string_or("")) : std::string());
    text += faults_text(file["faults"], "  ");
  }
  const Value& totals = report["totals"];
  text += fmt::format("{:<14} {:<16} {:>11} {:>11} {:>11} {:>11}\n", "total", "",
                      number(totals["records"]), bytes(totals["key_bytes"]),
                      bytes(totals["value_bytes"]), bytes(totals["file_bytes"]));
  text += faults_text(report["faults"], "");
  for (const Value& note : report["notes"].items()) text += fmt::format("note: {}\n", shown(note));
  for (const Value& line : report["not_checked"].items())
    text += fmt::format("not checked: {}\n", shown(line));
  return text;
}

std::string verify_text(const Value& report) {
  std::string text = report_text(report);
  if (report["manifest"].is_string())
    text += fmt::format("compared with {}\n", shown(report["manifest"]));
  const std::string_view grade = report["grade"].string_or("");
  text += fmt::format("grade: {}\n", grade);
  if (grade == "unprovable") {
    for (const Value& file : report["files"].items())
      for (const Value& reason : file["unprovable"].items()) {
        const std::string line = fmt::format("  {}\n", reason.string_or(""));
        if (text.find(line) == std::string::npos) text += line;
      }
    text += "  nothing is wrong that a dump without a manifest can show\n";
  }
  return text;
}

}  // namespace

std::string shown(const Value& text) { return printable(text.string_or(""), kShownMax); }

dump::OnProgress dump_progress() {
  static constexpr std::chrono::milliseconds kBetween{200};
  if (!is_terminal(kStderr)) return {};
  return [last = std::chrono::steady_clock::time_point{}](const dump::Progress& now) mutable {
    const auto time = std::chrono::steady_clock::now();
    if (time - last < kBetween) return;
    last = time;
    print_words(fmt::format("\r\x1b[K{}: {} read, {} records", printable(now.file, 60),
                            show_bytes(now.file_bytes), show_count(now.records)));
  };
}

void end_dump_progress() {
  if (is_terminal(kStderr)) print_words("\r\x1b[K");
}

ExitCode show_dump(const Result<Value>& result, std::string_view format,
                   std::string (*to_text)(const Value&), ExitCode code) {
  end_dump_progress();
  if (!result) return print_error(result.error(), format);
  print_result(format == "json" ? ir::write_json(*result, 2) + "\n" : to_text(*result));
  return code;
}

ExitCode run_dump_inspect(const Invocation& invocation) {
  if (names_store(invocation.value("path"))) return inspect_store(invocation);
  const auto report =
      dump::verify_dump(invocation.value("path"),
                        {.is_checked = false, .manifest = "-", .on_progress = dump_progress()});
  return show_dump(report ? Result<Value>(report->to_value(false)) : report.error(),
                   invocation.value("--format"), report_text);
}

ExitCode run_dump_verify(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  const std::string manifest = invocation.value("--manifest");
  dump::VerifyOptions options{.manifest = manifest, .on_progress = dump_progress()};
  // Nobody reads digests in a table; a manifest and JSON need them.
  if (format != "json" && dump::manifest_for(invocation.value("path"), manifest).empty())
    options.is_digested = false;
  const auto report = dump::verify_dump(invocation.value("path"), options);
  const bool is_damaged = report && report->grade == dump::Grade::damaged;
  return show_dump(report ? Result<Value>(report->to_value(true)) : report.error(), format,
                   verify_text, is_damaged ? ExitCode::error : ExitCode::done);
}

ExitCode run_dump_manifest(const Invocation& invocation) {
  const auto made = dump::make_manifest(
      invocation.value("path"), invocation.value("--output"),
      invocation.has("--replace") ? dump::OldManifest::replaced : dump::OldManifest::must_fit,
      dump_progress());
  return show_dump(made, invocation.value("--format"), [](const Value& value) {
    return fmt::format("{}: {} files, {} records{}\n", shown(value["manifest"]),
                       number(value["files"]), number(value["records"]),
                       value["is_written"].bool_or(false) ? "" : "; it was there and fits");
  });
}

}  // namespace plan::command
