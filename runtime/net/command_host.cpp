#include "runtime/net/command_host.h"

#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"

namespace plan::net {
namespace {

// $1 path, $2 mode, $3 size. The size is compared because a connection that breaks looks like the
// end of the input.
constexpr const char* kReplaceScript = R"sh(set -e
t=$1
if [ -L "$t" ]; then t=$(readlink -f -- "$t"); fi
d=$(dirname -- "$t")
b=$d/.$(basename -- "$t").plan-new
umask 077
rm -f -- "$b"
cat > "$b"
if [ "$(wc -c < "$b")" -ne "$3" ]; then rm -f -- "$b"; echo "the input was cut" >&2; exit 9; fi
if [ -e "$t" ]; then chown --reference="$t" -- "$b"; chmod --reference="$t" -- "$b"; else chmod "$2" -- "$b"; fi
sync -- "$b"
mv -f -- "$b" "$t"
sync -- "$d")sh";

constexpr const char* kReadScript =
    R"sh(if [ ! -f "$1" ]; then echo "no such regular file" >&2; exit 9; fi
exec cat -- "$1")sh";

}  // namespace

Result<std::string> CommandHost::read_file(const std::string& path, std::size_t bytes_max,
                                           Deadline deadline) {
  CommandOptions options;
  options.output_bytes_max = bytes_max;
  auto result = run({"sh", "-c", kReadScript, "sh", path}, deadline, options);
  if (!result && result.error().is(errors::answer_too_large)) {
    return Error(errors::file_unreadable, fmt::format("{}: larger than {} bytes", path, bytes_max));
  }
  if (!result) return std::move(result).error();
  if (result->exit_code != 0) return unreadable(path, result->errors);
  return std::move(result->output);
}

Outcome CommandHost::replace_file(const std::string& path, std::string_view bytes, unsigned mode,
                                  Deadline deadline) {
  const std::lock_guard lock(replace_mutex_);  // the file beside has one name
  CommandOptions options;
  options.input = std::string(bytes);
  PLAN_TRY(result, run({"sh", "-c", kReplaceScript, "sh", path, fmt::format("{:o}", mode),
                        std::to_string(bytes.size())},
                       deadline, options));
  if (result.exit_code != 0) return unreadable(path, result.errors);
  return {};
}

Result<bool> CommandHost::exists(const std::string& path, Deadline deadline) {
  PLAN_TRY(result, run({"test", "-e", path}, deadline, {}));
  if (result.exit_code > 1) return unreadable(path, result.errors);
  return result.exit_code == 0;
}

Error CommandHost::unreadable(const std::string& path, std::string_view said) const {
  return Error(errors::file_unreadable, fmt::format("{} on {}", path, name()))
      .with_detail(trim(said));
}

}  // namespace plan::net
