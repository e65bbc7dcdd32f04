// links: server
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/server/dovecot/deny_file.h"
#include "runtime/server/dovecot/drivers.h"
#include "runtime/server/dovecot/passwd_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::server::dovecot;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const PasswdEntry& entry : parse_passwd_file(text).entries) {
    static_cast<void>(entry.password.form());
    static_cast<void>(quota_of(entry));
    // What is handed on names its scheme, so it reads the same under any default.
    const std::string stored = entry.password.with_scheme();
    if (!stored.empty() && entry.password.scheme.size() < 30) {
      PLAN_CHECK(parse_password(stored, "PLAIN").text == entry.password.text,
                 "a stored password reads back");
    }
  }
  const auto names = parse_deny_file(text);
  for (const std::string& name : names) {
    if (is_passwd_file_name(name))
      PLAN_CHECK(parse_deny_file(deny_file_text({name})).contains(name),
                 "a denied name reads back");
  }
  static_cast<void>(door_fault(parse_passdbs(text), "/etc/dovecot/plan-deny"));
  return 0;
}
