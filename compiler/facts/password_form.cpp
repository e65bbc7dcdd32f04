#include "compiler/facts/password_form.h"

#include <array>

#include "compiler/source/text.h"

namespace plan::facts {
namespace {

constexpr std::array kForms = {
#define PLAN_PASSWORD_FORM(scheme, verdict, words) \
  PasswordForm{scheme, PasswordVerdict::verdict, words},
#include "compiler/facts/password_form.def"
#undef PLAN_PASSWORD_FORM
};

}  // namespace

std::span<const PasswordForm> password_forms() { return kForms; }

std::string_view scheme_name(std::string_view scheme) { return scheme.substr(0, scheme.find(':')); }

PasswordForm password_form(std::string_view scheme) {
  if (scheme.ends_with(kDamaged))
    return {scheme, PasswordVerdict::refuse,
            "the hash is damaged: cut, with something around it, or with a part that nothing has"};
  const std::string_view name = scheme_name(scheme);
  const std::string_view form = scheme.substr(name.size());
  for (const PasswordForm& row : kForms) {
    const std::string_view row_name = scheme_name(row.scheme);
    // The name is compared without case, as the target does; `$2y$` and the like are exact.
    if (equals_ignoring_case(row_name, name) && row.scheme.substr(row_name.size()) == form)
      return row;
  }
  return {scheme, PasswordVerdict::unknown, "no table knows what the target makes of it"};
}

}  // namespace plan::facts
