// Prevents: clients that refuse the target at the end. From finalize on they reach it by the public
// name, and its certificate has to be for that name (reference/stalwart-admin.md 9 row 16).
#include <fmt/format.h>

#include "compiler/check/names.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

/// RFC 6125: a `*` stands for one whole label at the left.
bool covers(std::string_view pattern, std::string_view name) {
  if (equals_ignoring_case(pattern, name)) return true;
  if (!pattern.starts_with("*.")) return false;
  const std::size_t dot = name.find('.');
  return dot != std::string_view::npos && equals_ignoring_case(pattern.substr(1), name.substr(dot));
}

}  // namespace

void certificate_name(const Migration& migration, Sink& sink) {
  const Named& name = migration.plan.public_name;
  const ir::Value& certificates = setting(migration, "target.Certificate.subjectAlternativeNames");
  if (!certificates.is_list() || name.text.empty() || is_ip_address(name.text)) return;
  std::string seen;
  for (const ir::Value& pattern : certificates.items()) {
    if (covers(pattern.string_or(""), name.text)) return;
    if (seen.size() < 200)
      seen += fmt::format("{}`{}`", seen.empty() ? "" : ", ", printable(pattern.string_or(""), 80));
  }
  sink.report(Kind::certificate_name, name.span,
              seen.empty() ? std::string("the target has no certificate of its own")
                           : fmt::format("the target's certificates are for {}", seen))
      .label("from finalize on clients reach the target by this name")
      .help(fmt::format(
          "give the target a certificate for `{}` before you approve finalize, then run "
          "`plan fetch`",
          printable(name.text, 120)));
}

}  // namespace plan::check::rules
