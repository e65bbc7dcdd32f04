#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/schema/schema.h"

namespace plan::schema {

/// Fills a Schema; the two readers (a server's document, the facts file) share it.
class Loader {
 public:
  Loader() : data_(std::make_shared<Schema::Data>()) {}

  /// Counts names against kNamesMax and checks their length.
  [[nodiscard]] Outcome take_name(std::string_view name);
  void warn(std::string text);
  EnumType& add_enum(std::string_view name);
  static void add_value(EnumType& type, std::string_view value);
  Struct& add_struct(std::string_view name);
  ObjectType& add_object(std::string_view name);
  [[nodiscard]] Struct* find_struct(std::string_view name);
  [[nodiscard]] ObjectType* find_object(std::string_view name);
  void set_version(std::string version) { data_->version = std::move(version); }

  /// Applies what documents do not show (hidden validators), checks references, hands the schema
  /// over.
  [[nodiscard]] Schema finish();

  /// Turns every default from the document's display form into the wire's. For a schema nobody else
  /// has yet.
  static void translate_defaults(Schema& schema);

 private:
  void warn_about_references(const std::string& owner, const Type& type);

  std::shared_ptr<Schema::Data> data_;
  std::unordered_map<std::string, ObjectType*> mutable_objects_;
  std::size_t names_ = 0;
  std::size_t warnings_left_out_ = 0;
};

/// The validator that the server applies to this property although its document does not show it
/// (1.7).
[[nodiscard]] Validator hidden_validator(std::string_view structure, std::string_view property);

/// A default in the document's display form ("1m", {"default": "expr"}, arrays) in the form of the
/// wire (1.5).
[[nodiscard]] ir::Value wire_default(const Schema& schema, const Type& type, const ir::Value& shown,
                                     int depth = 0);

/// `250ms`, `5s`, `1m`, `1h`, `1d` in milliseconds.
[[nodiscard]] std::optional<std::int64_t> duration_ms(std::string_view text);

}  // namespace plan::schema
