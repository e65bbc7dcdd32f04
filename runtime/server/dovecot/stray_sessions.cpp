#include "runtime/server/dovecot/stray_sessions.h"

#include <algorithm>

namespace plan::server::dovecot {
namespace {

// Reads /proc itself: `ps` is missing in many containers. One grep looks at all processes, so that
// ten thousand sessions cost a fraction of a second. The program's folder is looked at last: other
// programs may have the same names.
constexpr const char* kScript = R"sh(
grep -qs '^1 (dovecot) ' /proc/1/stat && exit 0
for p in $(grep -shoE '^[0-9]+ \((imap|imap-hibernate|pop3|managesieve)\) [^ZX] 1 ' /proc/[0-9]*/stat | cut -d ' ' -f 1)
do
  case $(readlink "/proc/$p/exe") in
    */dovecot/*) [ "$1" != end ] || kill -TERM "$p" && echo "$p" ;;
  esac
done
exit 0
)sh";

Result<std::size_t> run_script(source::Source& source, const char* what) {
  PLAN_TRY(text, source.run(source::Place::dovecot, {"sh", "-c", kScript, "sh", what}));
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

Result<std::size_t> stray_sessions(source::Source& source) { return run_script(source, "list"); }

Result<std::size_t> end_stray_sessions(source::Source& source) { return run_script(source, "end"); }

}  // namespace plan::server::dovecot
