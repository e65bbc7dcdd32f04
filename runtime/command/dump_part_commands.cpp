#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/dump_commands.h"
#include "runtime/command/errors.h"
#include "runtime/dump/contents.h"
#include "runtime/dump/diff.h"
#include "runtime/dump/known_account.h"
#include "runtime/dump/output_folder.h"
#include "runtime/dump/repair.h"
#include "runtime/dump/rewrite.h"

namespace plan::command {
namespace {

using ir::Value;

std::string lines_text(const Value& lines, std::string_view label) {
  std::string text;
  for (const Value& line : lines.items()) text += fmt::format("{}: {}\n", label, shown(line));
  return text;
}

std::string list_text(const Value& listed) {
  std::string text;
  for (const Value& item : listed["items"].items()) text += ir::write_json(item) + "\n";
  if (listed["is_cut"].bool_or(false))
    text += fmt::format("{} of {}; see --limit\n", listed["items"].size(),
                        listed["total"].integer_or(0));
  return text;
}

std::string written_text(const Value& result) {
  std::string text;
  for (const Value& file : result["files"].items())
    text += fmt::format("{:<12} {:>12} records  {}\n", shown(file["name"]),
                        file["records"].integer_or(0), shown(file["from"]));
  for (const Value& account : result["accounts"].items())
    text += fmt::format("account {:>10}  {}  {}\n", account["id"].integer_or(0),
                        shown(account["type"]), shown(account["name"]));
  text += lines_text(result["missing"], "missing");
  text += lines_text(result["dangling"], "would dangle");
  text += lines_text(result["notes"], "note");
  return text +
         fmt::format("{}, manifest {}\n", shown(result["output"]), shown(result["manifest"]));
}

std::string diff_text(const Value& result) {
  std::string text;
  for (const Value& subspace : result["subspaces"].items()) {
    text += fmt::format("{}  {} equal, {} only in the first, {} only in the second, {} different\n",
                        shown(subspace["letter"]), subspace["equal"].integer_or(0),
                        subspace["only_left"].integer_or(0), subspace["only_right"].integer_or(0),
                        subspace["different"].integer_or(0));
    for (const Value& item : subspace["first"].items())
      text += fmt::format("  {:<10} {}{}\n", shown(item["what"]), shown(item["key"]),
                          item["account"].is_integer()
                              ? fmt::format("  account {}", item["account"].integer_or(0))
                              : std::string());
  }
  text += lines_text(result["notes"], "note");
  return text + (result["is_equal"].bool_or(false) ? "equal\n" : "different\n");
}

std::string repair_text(const Value& result) {
  std::string text;
  for (const Value& file : result["files"].items()) {
    text += fmt::format("{:<12} {:<9} {:>12} records", shown(file["name"]), shown(file["from"]),
                        file["records"].integer_or(0));
    if (file["why"].is_string()) text += fmt::format("  {}", shown(file["why"]));
    text += "\n";
    for (const Value& gap : file["gaps"].items())
      text += fmt::format("  gone at byte {}: {} ({} bytes of content skipped)\n",
                          gap["file_byte"].integer_or(0), shown(gap["text"]),
                          gap["bytes_skipped"].integer_or(0));
    text += lines_text(file["dropped"], "  dropped");
  }
  for (const Value& fault : result["result"]["faults"].items())
    text += fmt::format("left: {}: {}\n", shown(fault["summary"]), shown(fault["text"]));
  for (const Value& file : result["result"]["files"].items())
    for (const Value& fault : file["faults"].items())
      text += fmt::format("left: {}: {}: {}\n", shown(file["name"]), shown(fault["summary"]),
                          shown(fault["text"]));
  text += lines_text(result["lost"], "lost");
  text += lines_text(result["notes"], "note");
  return text + fmt::format("{}: was {}, is {}; {}\n", shown(result["output"]),
                            shown(result["was"]), shown(result["result"]["grade"]),
                            result["is_whole"].bool_or(false) ? "nothing is known to be lost"
                                                              : "something is lost");
}

/// Nobody shall take a part for the whole by its exit code, unless a part was asked for.
ExitCode code_of(const Result<Value>& result, std::string_view is_all, bool is_part_meant) {
  const bool is_whole = result && (*result)[is_all].bool_or(false);
  return is_whole || is_part_meant ? ExitCode::done : ExitCode::differences;
}

dump::RewriteOptions rewrite_options(const Invocation& invocation) {
  return {.wanted = {.subspaces = listed(invocation.all("--only")),
                     .accounts = invocation.all("--account"),
                     .domains = invocation.all("--domain"),
                     .tenants = invocation.all("--tenant"),
                     .is_completed = invocation.has("--complete")},
          .has_end_mark = invocation.has("--end-marks") || invocation.has("--checksums"),
          .has_checksum = invocation.has("--checksums"),
          .on_progress = dump_progress()};
}

/// A usage that no single option is to blame for.
ExitCode wrong_use(std::string words, std::string argument, std::string_view format,
                   const Invocation& invocation) {
  return print_error(
      Error(errors::bad_option, std::move(words)).with_argument(std::move(argument)), format,
      fmt::format("`plan {} --help` has every option and an example", invocation.command->name));
}

/// A new file or stdout, for what `get` writes; a file that is not whole is removed.
class Output {
 public:
  explicit Output(std::string path) : is_stdout_(path == "-"), path_(std::move(path)) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    if (descriptor_ < 0 || is_stdout()) return;
    ::close(descriptor_);
    if (!is_kept_) ::unlink(path_.c_str());
  }
  [[nodiscard]] bool is_stdout() const { return is_stdout_; }
  [[nodiscard]] Outcome open() {
    descriptor_ = is_stdout()
                      ? STDOUT_FILENO
                      : ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor_ >= 0) return {};
    return Error(errno == EEXIST ? errors::file_there : errors::file_unwritable,
                 fmt::format("{}: {}", path_, std::strerror(errno)))
        .with_argument("--output");
  }
  [[nodiscard]] Outcome write(std::string_view piece) {
    while (!piece.empty()) {
      const ssize_t count = ::write(descriptor_, piece.data(), piece.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        is_closed_by_reader_ = is_stdout() && errno == EPIPE;
        return Error(errors::file_unwritable,
                     fmt::format("{}: {}", is_stdout() ? "stdout cannot be written" : path_,
                                 std::strerror(errno)));
      }
      piece.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
  }
  /// Who reads through `head` has what he wants.
  [[nodiscard]] bool is_closed_by_reader() const { return is_closed_by_reader_; }
  /// What the disk takes only at the end is an error too.
  [[nodiscard]] Outcome keep() {
    is_kept_ = true;
    if (is_stdout()) return {};
    const bool is_written = ::close(std::exchange(descriptor_, -1)) == 0;
    if (is_written) return {};
    const Error error(errors::file_unwritable, fmt::format("{}: {}", path_, std::strerror(errno)));
    ::unlink(path_.c_str());
    return error;
  }

 private:
  bool is_stdout_;
  std::string path_;
  int descriptor_ = -1;
  bool is_kept_ = false;
  bool is_closed_by_reader_ = false;
};

}  // namespace

ExitCode run_dump_list(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  dump::ListOptions options{.what = invocation.value("--what"),
                            .subspace = invocation.value("--subspace"),
                            .account = invocation.value("--account"),
                            .limit = invocation.number("--limit"),
                            .after = invocation.value("--after")};
  const bool is_of_records = options.what == "records";
  if (is_of_records && !invocation.has("--subspace"))
    return wrong_use("--what records lists those of one subspace: name it with --subspace",
                     "--subspace", format, invocation);
  for (const char* option : {"--subspace", "--after"}) {
    if (invocation.has(option) && !is_of_records)
      return wrong_use(fmt::format("{} is for --what records", option), option, format, invocation);
  }
  if (invocation.has("--account") && options.what == "registry")
    return wrong_use(
        "--account is for accounts, objects, messages and records: the registry is counted by type",
        "--account", format, invocation);
  return show_dump(dump::list_contents(invocation.value("path"), options), format, list_text);
}

ExitCode run_dump_get(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  const bool is_message = invocation.has("--message");
  const bool is_record = invocation.has("--key");
  if (is_message == is_record || is_message != invocation.has("--account") ||
      is_record != invocation.has("--subspace"))
    return wrong_use("give --account and --message, or --subspace and --key",
                     is_record ? "--key" : "--message", format, invocation);
  Output output(invocation.value("--output"));
  if (output.is_stdout() && format == "json")
    return wrong_use("on stdout come the bytes themselves: name a file with --output", "--output",
                     format, invocation);
  if (!output.is_stdout()) {
    const auto outside =
        dump::must_be_outside(invocation.value("--output"), {invocation.value("path")});
    if (!outside) return print_error(outside.error(), format);
  }
  if (const auto opened = output.open(); !opened) return print_error(opened.error(), format);
  const dump::Sink sink = [&](std::string_view piece) { return output.write(piece); };
  const auto got = is_message
                       ? dump::get_message(invocation.value("path"), invocation.value("--account"),
                                           invocation.value("--message"), sink)
                       : dump::get_record(invocation.value("path"), invocation.value("--subspace"),
                                          invocation.value("--key"), sink);
  if (!got && output.is_closed_by_reader()) return ExitCode::done;
  if (!got) return print_error(got.error(), format);
  if (const auto kept = output.keep(); !kept) return print_error(kept.error(), format);
  // On stdout the bytes are the result.
  if (output.is_stdout()) return ExitCode::done;
  return show_dump(got, format, [](const Value& value) {
    return fmt::format("{} bytes, SHA-256 {}\n",
                       value["bytes"].integer_or(value["value_bytes"].integer_or(0)),
                       shown(value["sha256"]));
  });
}

ExitCode run_dump_select(const Invocation& invocation) {
  if (const auto known =
          dump::check_account_ids({invocation.value("path")}, invocation.all("--account"));
      !known)
    return print_error(known.error(), invocation.value("--format"));
  const auto written = dump::rewrite_dumps({invocation.value("path")}, invocation.value("--output"),
                                           rewrite_options(invocation));
  return show_dump(written, invocation.value("--format"), written_text,
                   code_of(written, "is_complete", invocation.has("--partial")));
}

ExitCode run_dump_merge(const Invocation& invocation) {
  if (const auto known =
          dump::check_account_ids(invocation.all("dumps"), invocation.all("--account"));
      !known)
    return print_error(known.error(), invocation.value("--format"));
  const auto written = dump::rewrite_dumps(invocation.all("dumps"), invocation.value("--output"),
                                           rewrite_options(invocation));
  return show_dump(written, invocation.value("--format"), written_text,
                   code_of(written, "is_complete", invocation.has("--partial")));
}

ExitCode run_dump_convert(const Invocation& invocation) {
  const auto written = dump::convert_dump(
      invocation.value("path"), invocation.value("--output"),
      {.to = invocation.value("--to"), .is_mail_only = invocation.has("--mail-only")},
      rewrite_options(invocation));
  return show_dump(written, invocation.value("--format"), written_text,
                   code_of(written, "is_complete", invocation.has("--partial")));
}

ExitCode run_dump_diff(const Invocation& invocation) {
  const auto compared = dump::diff_dumps(invocation.value("first"), invocation.value("second"));
  const bool is_equal = compared && (*compared)["is_equal"].bool_or(false);
  return show_dump(compared, invocation.value("--format"), diff_text,
                   is_equal ? ExitCode::done : ExitCode::differences);
}

ExitCode run_dump_repair(const Invocation& invocation) {
  const auto repaired =
      dump::repair_dump(invocation.value("path"), invocation.value("--output"), dump_progress());
  return show_dump(repaired, invocation.value("--format"), repair_text,
                   code_of(repaired, "is_whole", false));
}

}  // namespace plan::command
