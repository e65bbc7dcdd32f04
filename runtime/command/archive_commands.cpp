#include "runtime/archive/tool.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"

namespace plan::command {
namespace {

ExitCode show(const Result<ir::Value>& result, std::string_view format, ExitCode code) {
  if (!result) return print_error(result.error(), format);
  print_document(*result, format);
  return code;
}

}  // namespace

ExitCode run_archive_inspect(const Invocation& invocation) {
  return show(archive::inspect_archive(invocation.value("file")), invocation.value("--format"),
              ExitCode::done);
}

ExitCode run_archive_verify(const Invocation& invocation) {
  const auto verified = archive::verify_archive(invocation.value("file"));
  const bool is_sound = verified && (*verified)["is_sound"].bool_or(false);
  return show(verified, invocation.value("--format"), is_sound ? ExitCode::done : ExitCode::error);
}

ExitCode run_archive_diff(const Invocation& invocation) {
  const auto compared =
      archive::diff_archives(invocation.value("first"), invocation.value("second"));
  const bool is_equal = compared && (*compared)["is_equal"].bool_or(false);
  return show(compared, invocation.value("--format"),
              is_equal ? ExitCode::done : ExitCode::differences);
}

ExitCode run_archive_compact(const Invocation& invocation) {
  return show(archive::compact_archive(invocation.value("file")), invocation.value("--format"),
              ExitCode::done);
}

}  // namespace plan::command
