#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/ir/value.h"

namespace plan::schema {

/// The constructs of reference/stalwart-admin.md 1.6. `unknown` is a construct of a later server:
/// it is named in Schema::warnings() and every value is taken for it.
enum class TypeKind : std::uint8_t {
  string,
  number,
  boolean,
  enumeration,
  date,
  blob_id,
  object_id,
  object,
  object_list,
  set,
  map,
  unknown,
};
[[nodiscard]] std::string_view to_string(TypeKind kind);

/// 1.7. `other` is a format of a later server: checked as a plain string.
enum class StringFormat : std::uint8_t {
  string,
  text,
  html,
  secret,
  secret_text,
  uri,
  color,
  email_address,
  ip_address,
  ip_network,
  socket_address,
  other,
};
[[nodiscard]] std::string_view to_string(StringFormat format);

/// 1.8. Sizes are bytes, durations milliseconds.
enum class NumberFormat : std::uint8_t {
  integer,
  unsigned_integer,
  size,
  duration,
  floating,
  other
};
[[nodiscard]] std::string_view to_string(NumberFormat format);

/// Rules that the server applies and its document does not show (1.7).
enum class Validator : std::uint8_t { none, domain, local_part, email, hostname };

enum class Update : std::uint8_t { can_change = 0, immutable = 1, server_set = 2 };

/// The type of a property, a member of a set, a key or value of a map. Immutable, shared.
struct Type {
  TypeKind kind = TypeKind::unknown;
  StringFormat string_format = StringFormat::string;
  NumberFormat number_format = NumberFormat::integer;
  bool is_nullable = false;
  std::string reference =
      {};  ///< name of the enum, or of the object type (for object_id also of a view)
  std::optional<double> minimum = {};  ///< of numbers
  std::optional<double> maximum = {};
  std::optional<std::uint64_t> items_min = {};  ///< of sets, lists, maps
  std::optional<std::uint64_t> items_max = {};
  std::optional<std::uint64_t> length_min = {};  ///< of strings, in bytes
  std::optional<std::uint64_t> length_max = {};
  std::shared_ptr<const Type> key = {};    ///< of maps
  std::shared_ptr<const Type> value = {};  ///< of maps; of sets the member

  /// `string:emailAddress?`, `number:size[1..100]`, `set(enum:Locale){1..}`: how documentation and
  /// the facts file write a type.
  [[nodiscard]] std::string notation() const;
  friend bool operator==(const Type& left, const Type& right);
};

struct Property {
  std::string name = {};
  Type type = {};
  Update update = Update::can_change;
  bool is_enterprise = false;
  Validator validator = Validator::none;
  /// In the form of the wire: the document's short forms are translated. Nothing: the zero of the
  /// type.
  std::optional<ir::Value> default_value = {};
  friend bool operator==(const Property&, const Property&) = default;
};

/// A set of properties; several variants may share one.
class Struct {
 public:
  std::string name = {};

  [[nodiscard]] const std::vector<Property>& properties() const { return properties_; }
  [[nodiscard]] const Property* find(std::string_view property) const;
  void add(Property property);

 private:
  friend class Loader;
  std::vector<Property> properties_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

struct Variant {
  std::string name = {};           ///< value of `@type`; empty for the only struct of a single type
  const Struct* fields = nullptr;  ///< null: a marker, `{"@type": "X"}` is all of it
};

enum class ObjectKind : std::uint8_t {
  collection = 0,  ///< get, query, set
  singleton = 1,   ///< one instance, id `singleton`
  view = 2,        ///< an alias for references and screens; not a method name
  embedded = 3,    ///< only inside other objects
};
[[nodiscard]] std::string_view to_string(ObjectKind kind);

/// An addressable or embedded type.
struct ObjectType {
  std::string name = {};  ///< as on the wire: "x:Domain"
  ObjectKind kind = ObjectKind::embedded;
  bool is_enterprise = false;
  bool is_multiple = false;  ///< a union: values carry `@type`
  std::string permission_prefix = {};
  std::string label_property = {};     ///< what stalwart-cli matches by; often not unique
  std::string view_of = {};            ///< of views: the real type
  std::string view_variant = {};       ///< of views: the variant it shows, or empty
  std::vector<Variant> variants = {};  ///< the first one is the default

  /// The struct of a single type; of a union the struct of variant `name`. Null: no such variant,
  /// or a marker.
  [[nodiscard]] const Struct* fields(std::string_view variant = {}) const;
  [[nodiscard]] const Variant* variant(std::string_view variant) const;
};

struct EnumType {
  std::string name = {};
  std::vector<std::string> values = {};
  std::unordered_map<std::string, std::size_t> by_value = {};
  [[nodiscard]] bool contains(std::string_view value) const;
};

}  // namespace plan::schema
