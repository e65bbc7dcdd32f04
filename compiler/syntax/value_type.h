#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/text_index.h"
#include "compiler/syntax/expression.h"

namespace plan::syntax {

/// The type of a value in the plan language. Addresses, domains, hosts, IP addresses, networks and
/// URLs are texts that were checked; durations (milliseconds) and sizes (bytes) are numbers with a
/// unit; a secret flows only into a secret. docs/language.md has the table.
struct ValueType {
  enum class Kind : std::uint8_t {
#define PLAN_TYPE(identifier, name, meaning) identifier,
#include "compiler/syntax/value_types.def"
#undef PLAN_TYPE
  };
  Kind kind = Kind::any;
  bool is_optional = false;
  std::vector<ValueType> of = {};  ///< one: the items of a list, the values of a map
  /// Of a map whose keys are known; a name that is not among them is a mistake.
  std::vector<std::pair<std::string, ValueType>> members = {};
  bool has_members = false;
  std::string object = {};  ///< of an object: its type in the target's schema, "Domain"

  [[nodiscard]] bool is(Kind wanted) const { return kind == wanted; }
};

/// "list(host)?". Nothing when a name in it is no type; what types of objects there are only the
/// target's schema says.
[[nodiscard]] std::optional<ValueType> parse_type(std::string_view text);
[[nodiscard]] std::string to_text(const ValueType& type);
[[nodiscard]] std::vector<std::string_view> type_names();
/// What a value is by itself.
[[nodiscard]] ValueType type_of_value(const ir::Value& value);
/// May a value of type `given` stand where `wanted` is needed?
[[nodiscard]] bool fits(const ValueType& given, const ValueType& wanted);
/// Why this value may not stand where `wanted` is needed, as the end of a sentence; empty when it
/// may. Looks at the content: a text is a host when it reads as one.
[[nodiscard]] std::string why_not(const ir::Value& value, const ValueType& wanted);

/// Names with their types; looks into `outer` for what it does not have itself. Borrows.
class TypeScope {
 public:
  explicit TypeScope(const TypeScope* outer = nullptr) : outer_(outer) {}
  void set(std::string name, ValueType type);
  [[nodiscard]] const ValueType* find(std::string_view name) const;
  /// Of values: not those of rows, which no expression has.
  [[nodiscard]] std::vector<std::string_view> names() const;

 private:
  const TypeScope* outer_;
  std::vector<std::pair<std::string, ValueType>> types_;
  TextIndex by_name_;
};

/// The type of an expression, whatever the values will be: also of the branch that is not taken.
/// Reports unknown-name and expression-type; `any` then, so that nothing follows from it.
[[nodiscard]] ValueType check_type(const Expression& expression, const TypeScope& scope,
                                   Sink& sink);
/// Of a scalar: that of its expression, or text. A secret among text is reported.
[[nodiscard]] ValueType check_type(const Template& text, const TypeScope& scope, Sink& sink);

/// A function, as functions.def declares it.
struct FunctionInfo {
  std::string_view name = {};
  std::string_view parameters = {};
  std::string_view result = {};
  std::string_view summary = {};
  std::string_view example = {};
  std::string_view example_gives = {};  ///< JSON
};
[[nodiscard]] const std::vector<FunctionInfo>& all_functions();
[[nodiscard]] const FunctionInfo* find_function(std::string_view name);
/// Fewest and most arguments.
[[nodiscard]] std::pair<std::size_t, std::size_t> arity_of(const FunctionInfo& function);

/// The tables of docs/language.md.
[[nodiscard]] std::string function_table_text();
[[nodiscard]] std::string type_table_text();

}  // namespace plan::syntax
