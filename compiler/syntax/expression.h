#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/diagnostic.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

/// What to do about a secret where none can be.
inline constexpr const char* kSecretRemedy =
    "take the secret out: it may stand only where a secret is needed";

/// An expression: inside `${...}`, or bare in the plan language. Total and without side effects;
/// docs/language.md has its grammar.
struct Expression {
  enum class Kind : std::uint8_t {
    literal,
    list,
    name,
    member,  ///< operands: the whole; `text` is the member
    index,   ///< operands: the whole, the key
    call,    ///< `text` is the function
    negation,
    equal,
    not_equal,
    less,
    less_or_equal,
    conjunction,
    disjunction,
  };
  enum class Unit : std::uint8_t { none, duration, size };
  Kind kind = Kind::literal;
  Span span = {};
  std::string text = {};
  ir::Value literal = {};
  Unit unit = Unit::none;  ///< of a literal quantity: milliseconds or bytes
  std::vector<Expression> operands = {};
};

/// A scalar as it is written: text with expressions in it. `$${` is the text `${`.
struct Template {
  struct Part {
    std::string text = {};
    std::optional<Expression> expression = {};
  };
  std::vector<Part> parts = {};
  Span span = {};

  [[nodiscard]] bool has_expression() const;
};

/// Names that expressions can see; looks into `outer` for what it does not have itself. Borrows.
class Scope {
 public:
  explicit Scope(const Scope* outer = nullptr) : outer_(outer) {}
  void set(std::string name, ir::Value value);
  [[nodiscard]] const ir::Value* find(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> names() const;

 private:
  const Scope* outer_;
  ir::Map values_;
};

/// Reads a scalar's text. Reports expression-syntax and unknown-function with the exact place;
/// nothing then.
[[nodiscard]] std::optional<Template> parse_template(const Node& scalar, const SourceSet& sources,
                                                     Sink& sink);

/// Does it need `name` (a row's variable, say)?
[[nodiscard]] bool mentions(const Expression& expression, std::string_view name);
[[nodiscard]] bool mentions(const Template& text, std::string_view name);

/// The value: typed when the scalar is one expression, else text. Reports unknown-name (with the
/// nearest) and expression-type; nothing then. Secrets are values of their own and never become
/// part of a text.
[[nodiscard]] std::optional<ir::Value> evaluate(const Expression& expression, const Scope& scope,
                                                Sink& sink);
[[nodiscard]] std::optional<ir::Value> evaluate(const Template& text, const Scope& scope,
                                                Sink& sink);

/// Names of all functions, for help and tests.
[[nodiscard]] std::vector<std::string_view> function_names();

}  // namespace plan::syntax
