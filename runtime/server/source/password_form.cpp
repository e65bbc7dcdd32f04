#include "runtime/server/source/password_form.h"

#include "runtime/server/stalwart/password.h"

namespace plan::server::source {

std::string lock_form(const dovecot::StoredPassword& password) {
  std::string form = password.form();
  // Clear texts are hashed on the way, and a locked one has no hash.
  const bool has_hash = password.scheme != "NONE" && !password.is_locked() &&
                        !password.scheme.starts_with("PLAIN") &&
                        !password.scheme.starts_with("CLEAR");
  if (password.scheme == "PLAIN-MD5" || has_hash) {
    if (stalwart::is_damaged(secret::Secret(password.with_scheme()))) form += ":damaged";
  }
  return form;
}

}  // namespace plan::server::source
