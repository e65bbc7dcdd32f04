#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/rehearsal/schema_facts.h"

namespace plan::rehearsal {

/// Why a property could not be written: SetError `invalidPatch`.
struct PatchError {
  std::string path = {};
  std::string description = {};
};

/// Writes one patch member into a complete object (reference/stalwart-admin.md 2.2). `pointer` is
/// "name", "aliases/0/enabled", "/description"... Nothing is changed when it fails.
class Patcher {
 public:
  Patcher(const SchemaFacts& facts, std::int64_t now_seconds, bool is_create)
      : facts_(&facts), now_(now_seconds), is_create_(is_create) {}

  [[nodiscard]] std::optional<PatchError> write(const Struct& members, ir::Value& object,
                                                std::string_view pointer,
                                                const ir::Value& given) const;

 private:
  using Segments = std::vector<std::string>;
  [[nodiscard]] std::optional<PatchError> write_field(const Struct& members, ir::Value& object,
                                                      const Segments& segments, std::size_t at,
                                                      const ir::Value& given) const;
  [[nodiscard]] std::optional<PatchError> write_at(const FieldType& type, ir::Value& slot,
                                                   const Segments& segments, std::size_t at,
                                                   const ir::Value& given) const;
  [[nodiscard]] std::optional<PatchError> write_whole(const FieldType& type, ir::Value& slot,
                                                      const std::string& path,
                                                      const ir::Value& given, int depth) const;
  [[nodiscard]] std::optional<PatchError> write_object(const FieldType& type, ir::Value& slot,
                                                       const std::string& path,
                                                       const ir::Value& given, int depth) const;
  [[nodiscard]] std::optional<PatchError> write_number(const FieldType& type, ir::Value& slot,
                                                       const std::string& path,
                                                       const ir::Value& given) const;
  [[nodiscard]] std::optional<PatchError> write_list_item(const FieldType& type, ir::Value& list,
                                                          const Segments& segments, std::size_t at,
                                                          const ir::Value& given) const;

  const SchemaFacts* facts_;
  std::int64_t now_;
  bool is_create_;
};

/// Required, bounds, lengths of a complete object: the list `validationErrors`, empty when it is
/// fine.
[[nodiscard]] ir::Value validate_object(const SchemaFacts& facts, const Shape& shape,
                                        const ir::Value& object);

/// Every reference in an object.
struct Reference {
  std::string object_name = {};  ///< as in the schema, maybe a view
  std::string id = {};
};
[[nodiscard]] std::vector<Reference> references_of(const SchemaFacts& facts, const Shape& shape,
                                                   const ir::Value& object);

/// The same object with secrets shown as `****`.
[[nodiscard]] ir::Value masked(const SchemaFacts& facts, const Shape& shape,
                               const ir::Value& object);

/// Visits every expression: (property, expression).
void for_each_expression(
    const SchemaFacts& facts, const Shape& shape, const ir::Value& object,
    const std::function<void(const std::string& property, const ir::Value& expression)>& visit);

}  // namespace plan::rehearsal
