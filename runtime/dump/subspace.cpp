#include "runtime/dump/subspace.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/dump/errors.h"

namespace plan::dump {
namespace {

constexpr Subspace kSubspaces[] = {
#define PLAN_SUBSPACE(letter, schema, name, family, value) \
  {letter, schema, name, family, ValueKind::value},
#include "compiler/schema/subspace.def"
#undef PLAN_SUBSPACE
};

/// Letters whose meaning changed: what older documents and versions mean by them
/// (reference/stalwart-store.md 8).
struct OlderMeaning {
  char letter = 0;
  std::string_view text = {};
};
constexpr OlderMeaning kOlderMeanings[] = {
    {'b', "a bitmap of document ids up to 0.14"},
    {'c', "a bitmap of tags up to 0.14"},
    {'d', "the directory's names and principals up to 0.15"},
    {'g', "the full-text index up to 0.14"},
    {'h', "outgoing reports by due time up to 0.15"},
    {'j', "blob reservations up to 0.14, upload quota and undelete records in 0.15"},
    {'k', "blob links, of one length (41 bytes) up to 0.14"},
    {'r', "received reports by expiry up to 0.15"},
    {'s', "settings as text up to 0.15"},
    {'t', "blobs, in family blob with `j` and `k` up to 0.15"},
    {'v', "a bitmap of words up to 0.14"},
    {'w', "the telemetry index up to 0.14"},
};

std::string note_of(const Subspace& subspace) {
  const auto* older =
      std::find_if(std::begin(kOlderMeanings), std::end(kOlderMeanings),
                   [&](const OlderMeaning& meaning) { return meaning.letter == subspace.letter; });
  std::string note;
  if (older != std::end(kOlderMeanings))
    note = fmt::format("`{}` was {}; in {} it is {}", subspace.letter, older->text,
                       version_of_schema(subspace.schema), subspace.name);
  if (!subspace.is_exported())
    note += fmt::format("{}`{}` ({}) is in no family of {}: its exports never hold it",
                        note.empty() ? "" : "; ", subspace.letter, subspace.name,
                        version_of_schema(subspace.schema));
  return note;
}

}  // namespace

std::span<const Subspace> subspaces(std::uint32_t schema) {
  const auto* first = std::find_if(std::begin(kSubspaces), std::end(kSubspaces),
                                   [&](const Subspace& item) { return item.schema == schema; });
  const auto* last = std::find_if(first, std::end(kSubspaces),
                                  [&](const Subspace& item) { return item.schema != schema; });
  return {first, last};
}

const Subspace* find_subspace(char letter, std::uint32_t schema) {
  for (const Subspace& subspace : subspaces(schema))
    if (subspace.letter == letter) return &subspace;
  return nullptr;
}

std::vector<std::string_view> families(std::uint32_t schema) {
  if (schema == kSchema15)
    return {"data",  "directory", "blob",      "config", "changelog",
            "queue", "report",    "telemetry", "tasks"};
  if (schema == kSchema16)
    return {"data", "registry", "blob", "changelog", "queue", "report", "telemetry", "tasks"};
  return {};
}

std::optional<std::uint32_t> schema_of_version(std::string_view version) {
  const auto is_line = [&](std::string_view line) {
    return version == line ||
           (version.substr(0, line.size()) == line && version.substr(line.size(), 1) == ".");
  };
  if (is_line("0.15")) return kSchema15;
  if (is_line("0.16")) return kSchema16;
  return std::nullopt;
}

std::string_view version_of_schema(std::uint32_t schema) {
  if (schema == kSchema15) return "0.15";
  if (schema == kSchema16) return "0.16";
  return "unknown";
}

Result<Selection> select_subspaces(std::string_view named, std::uint32_t schema) {
  Selection selection;
  for (const Subspace& subspace : subspaces(schema)) {
    const bool is_letter = named.size() == 1 && named[0] == subspace.letter;
    if (!is_letter && named != subspace.name && (named.empty() || named != subspace.family))
      continue;
    // A name that is a family's too ("directory", "blob") means the family.
    selection.subspaces.push_back(&subspace);
    if (is_letter) selection.note = note_of(subspace);
  }
  if (selection.subspaces.empty())
    return Error(errors::unknown_subspace,
                 fmt::format("{} has no subspace or family `{}`", version_of_schema(schema),
                             printable(named, 40)));
  return selection;
}

}  // namespace plan::dump
