#include <fmt/format.h>
#include <unistd.h>

#include "compiler/source/text.h"
#include "compiler/syntax/format.h"
#include "compiler/syntax/language.h"
#include "compiler/syntax/limits.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project_folder.h"

namespace plan::command {
namespace {

// Above this a list of accounts is read faster from a csv file than from a plan.
constexpr std::size_t kLongList = 1000;

std::size_t longest_list(const syntax::Node& node) {
  std::size_t longest = node.items.size();
  for (const syntax::Node& item : node.items) longest = std::max(longest, longest_list(item));
  for (const syntax::Entry& entry : node.entries)
    longest = std::max(longest, longest_list(entry.value));
  return longest;
}

std::optional<syntax::Language> wanted_language(const std::string& to, const std::string& file) {
  if (to == "yaml") return syntax::Language::yaml;
  if (to == "dsl") return syntax::Language::plan;
  if (!to.empty()) return std::nullopt;
  return syntax::is_language_file(file) ? syntax::Language::plan : syntax::Language::yaml;
}

/// `plan fmt --accounts FILE`: the list goes into the file, which is there before the plan names
/// it.
ExitCode move_accounts_out(const Invocation& invocation, const std::string& file,
                           syntax::Language language) {
  const std::string path = invocation.value("--accounts");
  const std::string format = invocation.value("--format");
  if (path.starts_with('/') || path.find("..") != std::string::npos || !path.ends_with(".csv") ||
      invocation.has("--check") || !invocation.value("--to").empty() ||
      !invocation.value("--output").empty()) {
    return print_error(Error(errors::bad_option,
                             "--accounts names a new .csv file below the plan's folder, and stands "
                             "alone"),
                       format);
  }
  auto read = read_text_file(file, syntax::kSourceBytesMax);
  if (!read) return print_error(read.error(), format);
  SourceSet sources;
  Sink sink;
  const FileId id = sources.add(file, std::move(*read));
  const auto limits = syntax::TreeLimits::with_bytes(syntax::kSourceBytesMax);
  syntax::MovedAccounts moved = syntax::move_accounts(sources, id, language, path, sink, limits);
  if (moved.plan.is_lossy) {
    return print_error(
        Error(errors::format_loses,
              fmt::format("{} was left as it is: an expression stands in its list of "
                          "accounts",
                          file)),
        format);
  }
  if (!moved.plan.text) {
    if (format == "json") {
      print_result(render_json(sink.sorted(), sources));
    } else {
      print_words(render_terminal(sink.sorted(), sources, {}));
    }
    return ExitCode::error;
  }
  const std::size_t slash = file.rfind('/');
  const std::string csv = slash == std::string::npos ? path : file.substr(0, slash + 1) + path;
  if (access(csv.c_str(), F_OK) == 0) {
    return print_error(
        Error(errors::file_there,
              fmt::format("{} is there, and plan fmt overwrites no other file", printable(csv))),
        format);
  }
  if (auto done = write_text_file(csv, moved.csv); !done) return print_error(done.error(), format);
  if (auto done = write_text_file(file, *moved.plan.text); !done)
    return print_error(done.error(), format);
  if (format == "json") {
    print_document(ir::Value::map({{"format", 1},
                                   {"file", file},
                                   {"written", file},
                                   {"accounts", csv},
                                   {"account_count", moved.count}}),
                   format);
  } else {
    print_words(fmt::format("{} account{} in {} now, which {} names\n", show_count(moved.count),
                            moved.count == 1 ? " is" : "s are", csv, file));
  }
  return ExitCode::done;
}

}  // namespace

ExitCode run_fmt(const Invocation& invocation) {
  const std::string file = project_folder(invocation.value("file")).plan_file;
  const std::string to = invocation.value("--to");
  const std::string format = invocation.value("--format");
  const auto language = wanted_language(to, file);
  if (!language) {
    return print_error(
        Error(errors::bad_option,
              fmt::format("there is no language `{}`; there are yaml and dsl", printable(to, 60))),
        format);
  }
  if (!invocation.value("--accounts").empty())
    return move_accounts_out(invocation, file, *language);
  auto read = read_text_file(file, syntax::kSourceBytesMax);
  if (!read) return print_error(read.error(), format);
  SourceSet sources;
  Sink sink;
  const FileId id = sources.add(file, std::move(*read));
  const auto limits = syntax::TreeLimits::with_bytes(syntax::kSourceBytesMax);
  const syntax::Formatted formatted = syntax::format_source(sources, id, *language, sink, limits);
  // One document on stdout: the diagnostics where they are the answer.
  const bool are_the_answer = format == "json" && !formatted.is_lossy && !formatted.text;
  if (are_the_answer) {
    print_result(render_json(sink.sorted(), sources));
  } else if (!sink.empty()) {
    print_words(render_terminal(sink.sorted(), sources, {}));
  }
  if (formatted.is_lossy) {
    return print_error(
        Error(errors::format_loses,
              fmt::format("{} was left as it is: written again it would not say the same", file)),
        format);
  }
  if (!formatted.text) return ExitCode::error;
  Sink unheard;
  if (const auto tree = syntax::read_source(sources, id, unheard, limits);
      tree && longest_list(*tree) > kLongList) {
    print_words(fmt::format(
        "note: {} has a list of {} items; a list of accounts is read several times faster from a "
        "file: plan fmt --accounts accounts.csv\n",
        file, show_count(longest_list(*tree))));
  }
  const bool is_same = *formatted.text == sources.text(id);
  auto answer = ir::Value::map({{"format", 1}, {"file", file}, {"is_formatted", is_same}});
  if (invocation.has("--check")) {
    if (format == "json") {
      print_document(answer, format);
    } else if (!is_same) {
      print_words(fmt::format("{} is not formatted\n", file));
    }
    return is_same ? ExitCode::done : ExitCode::differences;
  }
  const std::string output = invocation.value("--output");
  if (output == "-" || (output.empty() && !to.empty())) {
    answer.set("text", *formatted.text);
    if (format == "json") {
      print_document(answer, format);
    } else {
      print_result(*formatted.text);
    }
    return ExitCode::done;
  }
  if (!output.empty() && access(output.c_str(), F_OK) == 0) {
    return print_error(
        Error(errors::file_there,
              fmt::format("{} is there, and plan fmt overwrites no other file", printable(output))),
        format);
  }
  const std::string written = output.empty() ? (is_same ? "" : file) : output;
  if (!written.empty()) {
    if (auto done = write_text_file(written, *formatted.text); !done)
      return print_error(done.error(), format);
  }
  answer.set("written", written.empty() ? ir::Value() : ir::Value(written));
  if (format == "json") print_document(answer, format);
  return ExitCode::done;
}

}  // namespace plan::command
