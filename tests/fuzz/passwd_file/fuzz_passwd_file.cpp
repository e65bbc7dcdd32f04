// links: server
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/ir/json.h"
#include "compiler/source/check.h"
#include "runtime/server/dovecot/deny_file.h"
#include "runtime/server/dovecot/drivers.h"
#include "runtime/server/dovecot/passwd_file.h"
#include "runtime/server/source/password_form.h"
#include "runtime/server/stalwart15/directory.h"

namespace {

/// The accounts of another kind of source: what the interface of an old Stalwart lists.
void read_principals(std::string_view text) {
  using namespace plan::server::stalwart15;
  const auto all = plan::ir::parse_json(text);
  if (!all) return;
  Principals principals;
  for (const plan::ir::Value& one : all->items()) {
    const std::string_view type = one["type"].string_or("");
    (type == "domain"  ? principals.domains
     : type == "role"  ? principals.roles
     : type == "group" ? principals.groups
     : type == "list"  ? principals.lists
                       : principals.individuals)
        .push_back(one);
  }
  const auto directory = read_directory(principals);
  if (!directory) return;
  const OldAccount* earlier = nullptr;
  for (const OldAccount& account : directory->accounts) {
    PLAN_CHECK(earlier == nullptr || earlier->address < account.address, "sorted, each once");
    earlier = &account;
    for (const std::string& alias : account.aliases)
      PLAN_CHECK(alias != account.address, "an address is no alias of itself");
    static_cast<void>(plan::server::source::lock_form(account.password));
  }
  for (const OldList& list : directory->lists)
    PLAN_CHECK(!list.address.empty(), "a list has an address");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::server::dovecot;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.starts_with('[')) read_principals(text);
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
