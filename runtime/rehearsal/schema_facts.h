#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/schema/type.h"
#include "compiler/source/result.h"

namespace plan::rehearsal {

/// What a property can hold (reference/stalwart-admin.md 1.6).
struct FieldType {
  enum class Kind : std::uint8_t {
    string,
    number,
    boolean,
    enumeration,
    date_time,
    blob_id,
    object_id,
    object,
    object_list,
    set,
    map
  };
  Kind kind = Kind::string;
  std::string format = {};
  std::string name = {};  ///< of the enum or object
  bool is_nullable = false;
  std::optional<double> min = {};
  std::optional<double> max = {};
  std::optional<std::size_t> max_length = {};
  std::optional<std::size_t> min_items = {};
  std::shared_ptr<const FieldType> key = {};
  std::shared_ptr<const FieldType> member = {};  ///< of a set or map
};

struct Field {
  enum class Update : std::uint8_t { mutable_, immutable, server_set };
  std::string name = {};
  FieldType type = {};
  Update update = Update::mutable_;
  schema::Validator validator = schema::Validator::none;
};

struct Struct {
  std::string name = {};
  std::vector<Field> fields = {};
  ir::Value defaults = {};  ///< in wire form
  [[nodiscard]] const Field* field(std::string_view field_name) const;
};

struct Variant {
  std::string name = {};
  const Struct* members = nullptr;  ///< null: a marker without members
};

struct Shape {
  const Struct* single = nullptr;
  std::vector<Variant> variants = {};
  [[nodiscard]] bool is_multi() const { return single == nullptr; }
  [[nodiscard]] const Variant* variant(std::string_view variant_name) const;
};

struct ObjectType {
  std::string name = {};  ///< "x:Domain"
  bool is_singleton = false;
  std::string permission_prefix = {};
  const Shape* shape = nullptr;
};

/// The schema document as the target's registry uses it: it accepts and fills in, where the
/// compiler's library (which reads the same document) explains to the author of a plan what is
/// wrong. Immutable.
class SchemaFacts {
 public:
  /// Errors: bad-json; schema-unusable when the sections are not there.
  [[nodiscard]] static Result<std::unique_ptr<SchemaFacts>> parse(std::string_view json);

  [[nodiscard]] const ObjectType* type(
      std::string_view name) const;  ///< null for views and unknown names
  [[nodiscard]] const std::map<std::string, ObjectType, std::less<>>& types() const {
    return types_;
  }
  /// Shape of an addressable or embedded object; views resolve. Null when unknown.
  [[nodiscard]] const Shape* shape(std::string_view name) const;
  /// "x:Account/Group" to "x:Account" and the variant "Group".
  struct Target {
    std::string type = {};
    std::string variant = {};
  };
  [[nodiscard]] Target target_of(std::string_view object_name) const;
  /// True also for enums the document does not have (reference 1.6 knows one).
  [[nodiscard]] bool enum_has(std::string_view enum_name, std::string_view value) const;
  [[nodiscard]] const std::vector<std::string>& enum_values(std::string_view enum_name) const;

  /// The object with every property: what is missing gets its default. `variant` chooses one of a
  /// multi-variant shape. Objects inside that are deeper or more than a document of the real server
  /// ever has (one that contains itself) stay empty.
  [[nodiscard]] ir::Value blank(const Shape& shape, std::string_view variant,
                                std::int64_t now_seconds) const;
  [[nodiscard]] ir::Value blank_value(const FieldType& type, const ir::Value* given_default,
                                      std::int64_t now_seconds) const;

  /// Is there a property of that name in any struct? The server hides the names it has never heard
  /// of.
  [[nodiscard]] bool is_property(std::string_view name) const {
    return properties_.contains(std::string(name));
  }
  /// Can objects of `type` hold references to objects of `target`, however deep?
  [[nodiscard]] bool refers_to(const ObjectType& type, std::string_view target) const;

  [[nodiscard]] const std::string& json() const { return json_; }
  [[nodiscard]] const std::string& gzip() const { return gzip_; }
  [[nodiscard]] const std::string& hash() const {
    return hash_;
  }  ///< of the compressed bytes, URL-safe base64

 private:
  class Blanks;

  SchemaFacts() = default;
  std::map<std::string, Struct, std::less<>> structs_;
  std::map<std::string, Shape, std::less<>> shapes_;
  std::map<std::string, ObjectType, std::less<>> types_;
  std::map<std::string, Target, std::less<>> views_;
  std::map<std::string, std::vector<std::string>, std::less<>> enums_;
  std::map<std::string, std::unordered_set<std::string>, std::less<>> enum_sets_;
  std::unordered_set<std::string> properties_;
  std::map<std::string, std::set<std::string>, std::less<>>
      targets_;  ///< type to the types it can refer to
  std::string json_;
  std::string gzip_;
  std::string hash_;
};

/// An id that refers to nothing: what a reference holds before it is set (reference 1.9: all bits
/// set).
inline constexpr std::string_view kNoId = "p333333333333";

}  // namespace plan::rehearsal
