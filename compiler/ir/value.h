#pragma once
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "compiler/source/check.h"

namespace plan::ir {

class Value;
using List = std::vector<Value>;

/// A map in the order in which it was written; keys are unique. Look-up is linear in small maps,
/// which is what plans, JMAP objects and step arguments are, and by hash in large ones, so that a
/// hostile document costs linear time.
class Map {
 public:
  using Entry = std::pair<std::string, Value>;

  Map();
  Map(const Map& other);
  Map(Map&& other) noexcept;
  Map& operator=(const Map& other);
  Map& operator=(Map&& other) noexcept;
  ~Map();

  [[nodiscard]] const Value* find(std::string_view key) const;
  [[nodiscard]] Value* find(std::string_view key);
  /// The member, or null when there is none.
  [[nodiscard]] const Value& operator[](std::string_view key) const;
  /// Replaces or appends.
  void set(std::string key, Value value);
  bool erase(std::string_view key);
  void reserve(std::size_t count);
  [[nodiscard]] bool contains(std::string_view key) const { return find(key) != nullptr; }
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::vector<Entry>::const_iterator begin() const;
  [[nodiscard]] std::vector<Entry>::const_iterator end() const;
  [[nodiscard]] std::vector<Entry>::iterator begin();
  [[nodiscard]] std::vector<Entry>::iterator end();
  friend bool operator==(const Map& left, const Map& right);  // regardless of order

 private:
  struct Index;
  [[nodiscard]] std::size_t position_of(std::string_view key) const;

  std::vector<Entry> entries_;
  std::unique_ptr<Index> index_;  // only in large maps
};

/// Where a secret comes from: never the secret. `provider` is `env`, `file`, `command`, `sealed` or
/// `source` (a password hash that is read again at apply); `name` is the variable, path or account.
struct SecretRef {
  std::string provider = {};
  std::string name = {};
  friend bool operator==(const SecretRef&, const SecretRef&) = default;
};

/// An output of another step, known only when that has run.
struct OutputRef {
  std::string step = {};   ///< id of the step
  std::string field = {};  ///< name of its output
  friend bool operator==(const OutputRef&, const OutputRef&) = default;
};

/// A JSON-like value, with the two kinds that JSON lacks. The only document type of the project:
/// JSON is read and written by ir/json.h, everything else sees this.
class Value {
 public:
  enum class Type : std::uint8_t {
    null,
    boolean,
    integer,
    number,
    string,
    list,
    map,
    secret,
    output
  };

  Value() = default;
  Value(std::nullptr_t) {}                                                // NOLINT
  Value(bool value) : data_(value) {}                                     // NOLINT
  Value(int value) : data_(std::int64_t{value}) {}                        // NOLINT
  Value(unsigned value) : data_(std::int64_t{value}) {}                   // NOLINT
  Value(std::int64_t value) : data_(value) {}                             // NOLINT
  Value(std::uint64_t value) : data_(static_cast<std::int64_t>(value)) {  // NOLINT
    PLAN_CHECK(value <= INT64_MAX, "callers bound their numbers");
  }
  Value(double value) : data_(value) {}                         // NOLINT
  Value(const char* value) : data_(std::string(value)) {}       // NOLINT
  Value(std::string value) : data_(std::move(value)) {}         // NOLINT
  Value(std::string_view value) : data_(std::string(value)) {}  // NOLINT
  Value(List value) : data_(std::move(value)) {}                // NOLINT
  Value(Map value) : data_(std::move(value)) {}                 // NOLINT
  Value(SecretRef value) : data_(std::move(value)) {}           // NOLINT
  Value(OutputRef value) : data_(std::move(value)) {}           // NOLINT

  /// `Value::map({{"name", "x"}, {"size", 3}})`, `Value::list({1, 2})`.
  [[nodiscard]] static Value map(std::vector<std::pair<std::string, Value>> entries = {});
  [[nodiscard]] static Value list(List items = {}) { return Value(std::move(items)); }

  [[nodiscard]] Type type() const { return static_cast<Type>(data_.index()); }
  [[nodiscard]] bool is_null() const { return type() == Type::null; }
  [[nodiscard]] bool is_bool() const { return type() == Type::boolean; }
  [[nodiscard]] bool is_integer() const { return type() == Type::integer; }
  [[nodiscard]] bool is_number() const { return is_integer() || type() == Type::number; }
  [[nodiscard]] bool is_string() const { return type() == Type::string; }
  [[nodiscard]] bool is_list() const { return type() == Type::list; }
  [[nodiscard]] bool is_map() const { return type() == Type::map; }
  [[nodiscard]] bool is_secret() const { return type() == Type::secret; }
  [[nodiscard]] bool is_output() const { return type() == Type::output; }

  // Lenient readers for documents of the outside: the wrong type reads as the fallback, a missing
  // member as null.
  [[nodiscard]] bool bool_or(bool fallback) const;
  [[nodiscard]] std::int64_t integer_or(std::int64_t fallback) const;
  [[nodiscard]] double number_or(double fallback) const;
  [[nodiscard]] std::string_view string_or(std::string_view fallback) const;
  /// Member `key` of a map; null when this is no map or has no such member.
  [[nodiscard]] const Value& operator[](std::string_view key) const;
  [[nodiscard]] const Value& operator[](const char* key) const {
    return (*this)[std::string_view(key)];
  }
  /// Item `index` of a list; null when this is no list or is shorter.
  [[nodiscard]] const Value& item(std::size_t index) const;
  /// The items of a list, nothing for everything else.
  [[nodiscard]] const List& items() const;
  /// The members of a map, nothing for everything else.
  [[nodiscard]] const Map& members() const;
  /// Number of items or members, 0 for everything else.
  [[nodiscard]] std::size_t size() const;

  // Strict access: PLAN_CHECKs the type, so test it first.
  [[nodiscard]] const std::string& as_string() const { return get<std::string>(); }
  [[nodiscard]] std::int64_t as_integer() const { return get<std::int64_t>(); }
  [[nodiscard]] const SecretRef& as_secret() const { return get<SecretRef>(); }
  [[nodiscard]] const OutputRef& as_output() const { return get<OutputRef>(); }
  [[nodiscard]] List& as_list() { return get<List>(); }
  [[nodiscard]] Map& as_map() { return get<Map>(); }
  [[nodiscard]] const List& as_list() const { return get<List>(); }
  [[nodiscard]] const Map& as_map() const { return get<Map>(); }

  /// Sets a member; a null value becomes a map first.
  void set(std::string key, Value value);
  /// Appends an item; a null value becomes a list first.
  void push_back(Value value);

  friend bool operator==(const Value& left, const Value& right);

 private:
  template <class T>
  [[nodiscard]] const T& get() const {
    const T* value = std::get_if<T>(&data_);
    PLAN_CHECK(value != nullptr, "the caller tested the type of this value");
    return *value;
  }
  template <class T>
  [[nodiscard]] T& get() {
    T* value = std::get_if<T>(&data_);
    PLAN_CHECK(value != nullptr, "the caller tested the type of this value");
    return *value;
  }

  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Map, SecretRef,
               OutputRef>
      data_;
};

[[nodiscard]] std::string_view to_string(Value::Type type);

}  // namespace plan::ir
