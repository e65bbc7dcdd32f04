#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"

namespace plan::dump {

/// The schema numbers of versions that write dumps of one file per subspace: 5 is 0.15, 6 is 0.16
/// (reference/stalwart-store.md 1). The importer takes only its own number.
constexpr std::uint32_t kSchema15 = 5;
constexpr std::uint32_t kSchema16 = 6;

/// What the values of a subspace are.
enum class ValueKind : std::uint8_t {
  plain = 0,    ///< bytes that are copied as they are
  none = 1,     ///< always empty: the key says it all
  counter = 2,  ///< i64, 8 bytes little-endian; the importer adds it to what is there
  blob = 3,     ///< decoded content under its BLAKE3-256 (or an ASCII name)
};

/// One table of the store (subspace.def has them all). Names are ours; letters and families are the
/// server's.
struct Subspace {
  char letter = 0;
  std::uint32_t schema = 0;
  std::string_view name = {};
  std::string_view family = {};  ///< as EXPORT_TYPES names it; empty: never exported
  ValueKind value = ValueKind::plain;
  [[nodiscard]] bool is_exported() const { return !family.empty(); }
};

/// All subspaces of a schema, by letter; none for a schema that is not known.
[[nodiscard]] std::span<const Subspace> subspaces(std::uint32_t schema);
/// Null when this schema has no such letter.
[[nodiscard]] const Subspace* find_subspace(char letter, std::uint32_t schema);

/// The families that EXPORT_TYPES of this schema's versions knows, in the server's order.
[[nodiscard]] std::vector<std::string_view> families(std::uint32_t schema);

/// `0.15.5` is 5, `0.16` is 6; nothing for versions without dumps of this kind.
[[nodiscard]] std::optional<std::uint32_t> schema_of_version(std::string_view version);
/// `0.15`, `0.16`; "unknown" otherwise.
[[nodiscard]] std::string_view version_of_schema(std::uint32_t schema);

/// What a person named: a letter (`t`), a name (`blob`), or a family (`data`), as subspaces of this
/// schema, by letter. A letter that once was another thing, or is not exported, gets a note of what
/// it means in this version. Error: unknown-subspace.
struct Selection {
  std::vector<const Subspace*> subspaces = {};
  std::string note = {};
};
[[nodiscard]] Result<Selection> select_subspaces(std::string_view named, std::uint32_t schema);

}  // namespace plan::dump
