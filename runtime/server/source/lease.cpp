#include "runtime/server/source/lease.h"

#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"

namespace plan::server::source {
namespace {

constexpr std::size_t kLeaseBytesMax = 4096;
constexpr int kTaken = 17;

// The file is complete before it gets its name, and `ln` gives a name only to one: nobody ever sees
// half a lease.
constexpr const char* kAcquireScript = R"sh(set -e
file=$1 size=$2
umask 077
mkdir -p -- "$(dirname -- "$file")"
next=$file.$$.plan-new
cat > "$next"
if [ "$(wc -c < "$next")" -ne "$size" ]; then rm -f -- "$next"; echo "the input was cut" >&2; exit 9; fi
sync -- "$next"
code=0
ln -- "$next" "$file" 2>/dev/null || code=17
rm -f -- "$next"
if [ "$code" = 17 ] && [ ! -e "$file" ]; then echo "the lease file cannot be made" >&2; exit 9; fi
sync -- "$(dirname -- "$file")"
exit $code)sh";

// Taken away under another name first, so that what is removed is what was looked at.
constexpr const char* kReleaseScript = R"sh(file=$1
read -r token
[ -e "$file" ] || exit 0
[ "$(head -n 1 -- "$file")" = "$token" ] || exit 0
mv -- "$file" "$file.released" || exit 9
if [ "$(head -n 1 -- "$file.released")" != "$token" ]; then ln -- "$file.released" "$file"; fi
rm -f -- "$file.released"
sync -- "$(dirname -- "$file")")sh";

Error script_failed(const net::Host& host, const std::string& path,
                    const net::CommandResult& result) {
  return Error(errors::source_command_failed,
               fmt::format("the lease {} on {} could not be changed", path, host.name()))
      .with_blame(Blame::source)
      .with_detail(trim(result.errors));
}

}  // namespace

std::string SourceLease::text_of(std::string_view token) const {
  return fmt::format("{}\n{}, since {}\n", token, printable(holder_, 200),
                     net::show_utc(clock_.wall_ms()));
}

Result<Lease::Holder> SourceLease::look() {
  const net::Deadline deadline = net::Deadline::after(kCommandTime);
  PLAN_TRY(exists, host_.exists(path_, deadline));
  Holder holder;
  if (!exists) return holder;
  PLAN_TRY(text, host_.read_file(path_, kLeaseBytesMax, deadline));
  const std::vector<std::string_view> lines = split(text, '\n');
  holder.token = trim(lines.front());
  if (lines.size() > 1) holder.words = printable(trim(lines[1]), 300);
  if (holder.token.empty()) holder.token = "(unknown)";  // made by hand: it still keeps others out
  return holder;
}

Outcome SourceLease::acquire(std::string_view token) {
  net::CommandOptions options;
  options.input = text_of(token);
  PLAN_TRY(result, host_.run({"sh", "-c", kAcquireScript, "sh", path_,
                              std::to_string(options.input.size())},
                             net::Deadline::after(kCommandTime), options));
  if (result.exit_code == 0) return {};
  if (result.exit_code != kTaken) return script_failed(host_, path_, result);
  PLAN_TRY(holder, look());
  if (holder.token == token) return {};
  return Error(errors::source_lease_taken,
               fmt::format("{} on {} is held by {}", path_, host_.name(),
                           holder.words.empty() ? "somebody" : holder.words))
      .with_blame(Blame::local);
}

Outcome SourceLease::renew(std::string_view token) {
  PLAN_TRY(holder, look());
  if (holder.token == token) return {};
  return Error(errors::source_lease_lost,
               fmt::format("{} on {} is held by {}", path_, host_.name(),
                           holder.token.empty() ? "nobody" : holder.words))
      .with_blame(Blame::local);
}

Outcome SourceLease::release(std::string_view token) {
  net::CommandOptions options;
  options.input = fmt::format("{}\n", token);  // not in the process list
  PLAN_TRY(result, host_.run({"sh", "-c", kReleaseScript, "sh", path_},
                             net::Deadline::after(kCommandTime), options));
  if (result.exit_code != 0) return script_failed(host_, path_, result);
  return {};
}

Outcome SourceLease::take_over(std::string_view token) {
  const net::Deadline deadline = net::Deadline::after(kCommandTime);
  PLAN_TRY(exists, host_.exists(path_, deadline));
  if (!exists) return acquire(token);
  return host_.replace_file(path_, text_of(token), 0600, deadline);
}

}  // namespace plan::server::source
