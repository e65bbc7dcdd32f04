#include "runtime/command/error_catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "compiler/source/diagnostic.h"

namespace plan::command {

std::span<const CatalogueEntry> error_catalogue() {
  static const std::vector<CatalogueEntry> kEntries = {
#include "embedded/error_tables.inc"
  };
  return kEntries;
}

std::string diagnostics_page() {
  std::string page =
      "# Diagnostics and errors\n\n"
      "Generated from compiler/source/kinds.def and the errors.def of each module by `plan docs "
      "diagnostics`; a test compares\n"
      "the two. `plan explain CODE` says more about each.\n\n"
      "## What the compiler finds in a plan\n\n| code | severity | what it is |\n|---|---|---|\n";
  std::vector<KindInfo> kinds = all_kinds();
  std::sort(kinds.begin(), kinds.end(),
            [](const KindInfo& a, const KindInfo& b) { return a.name < b.name; });
  for (const KindInfo& kind : kinds) {
    page += fmt::format("| [{0}](diagnostics/{0}.md) | {1} | {2} |\n", kind.name,
                        to_string(kind.severity), kind.summary);
  }
  page +=
      "\n## What can happen in a run\n\n| code | where | what it is | what to do "
      "|\n|---|---|---|---|\n";
  std::vector<CatalogueEntry> entries(error_catalogue().begin(), error_catalogue().end());
  std::sort(entries.begin(), entries.end(), [](const CatalogueEntry& a, const CatalogueEntry& b) {
    return a.code.name < b.code.name;
  });
  for (const CatalogueEntry& entry : entries) {
    page += fmt::format("| `{}` | {} | {} | {} |\n", entry.code.name, entry.module,
                        entry.code.summary, entry.code.remedy);
  }
  return page;
}

}  // namespace plan::command
