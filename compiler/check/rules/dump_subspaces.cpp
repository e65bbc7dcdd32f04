// Prevents: parts of a dump that the version does not have. EXPORT_TYPES knows other families in
// 0.15 than in 0.16, takes no letters whatever its documentation says, and fails as a whole for one
// bad or empty item (reference/stalwart-store.md 3).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/rules.h"
#include "compiler/check/store_version.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

std::string family_list(std::uint32_t schema) {
  std::string text;
  for (const std::string_view family : store_families(schema))
    text += fmt::format("{}`{}`", text.empty() ? "" : ", ", family);
  return text;
}

void look_at(const PlanDump& dump, const Named& name, std::uint32_t schema,
             std::string_view version, Sink& sink) {
  if (name.text.empty()) {
    sink.report(Kind::dump_subspaces, name.span,
                fmt::format("dump `{}` names no subspaces", printable(dump.name, 80)))
        .label("to the server an empty EXPORT_TYPES is an error, not everything")
        .help("write `subspaces: all`, or name families");
    return;
  }
  const std::vector<std::string_view> families = store_families(schema);
  const bool is_family =
      std::find(families.begin(), families.end(), std::string_view(name.text)) != families.end();
  if (is_family || (!dump.is_by_server && is_store_subspace(name.text, schema))) return;
  const std::uint32_t other = schema == 5 ? 6 : 5;
  const std::vector<std::string_view> theirs = store_families(other);
  auto report = sink.report(
      Kind::dump_subspaces, name.span,
      fmt::format("Stalwart {} has no {} `{}`", printable(version, 40),
                  dump.is_by_server ? "family" : "subspace or family", printable(name.text, 60)));
  if (dump.is_by_server && is_store_subspace(name.text, schema)) {
    report.label(fmt::format("EXPORT_TYPES takes no letters; `{}` is in family `{}`", name.text,
                             family_of_store_subspace(name.text, schema)));
  } else if (std::find(theirs.begin(), theirs.end(), std::string_view(name.text)) != theirs.end()) {
    report.label(fmt::format("that is a family of {}", schema == 5 ? "0.16" : "0.15"));
  } else if (const auto near = nearest(name.text, families)) {
    report.label(fmt::format("did you mean `{}`?", *near));
  }
  report.help(fmt::format("families of this version: {}", family_list(schema)));
}

}  // namespace

void dump_subspaces(const Migration& migration, Sink& sink) {
  const std::string version = store_server_version(*migration.lock);
  const auto schema = store_schema_of_version(version);
  if (!schema) return;  // dump-version and not-measured speak of it
  for (const PlanDump& dump : migration.plan.dumps) {
    for (const Named& name : dump.named) look_at(dump, name, *schema, version, sink);
  }
}

}  // namespace plan::check::rules
