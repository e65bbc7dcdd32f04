#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"

namespace plan::schema {

/// What an MTA expression may name in one place (reference/stalwart-admin.md 6.4).
struct MtaContext {
  std::string_view name = {};  ///< "queue, recipient"
  std::vector<std::string_view> variables = {};
  std::vector<std::string_view> constants = {};
  bool is_unrestricted = false;  ///< every variable and constant of the server
  /// Of a Stalwart 0.13 to 0.15: is_local_domain and is_local_address take the directory, `'*'`, in
  /// front of the name.
  bool is_of_old_server = false;
};

struct MtaFunction {
  std::string_view name = {};
  std::uint8_t arity = 0;
  bool is_asynchronous = false;  ///< asks the server: answered by a callback
};
[[nodiscard]] const std::vector<MtaFunction>& mta_functions();
[[nodiscard]] const MtaFunction* mta_function(std::string_view name);

/// One node of a parsed expression; children are indices into MtaExpression::nodes.
struct MtaNode {
  enum class Kind : std::uint8_t {
    number,
    text,
    list,
    variable,
    constant,
    capture,
    global,
    call,
    matches,
    negate,
    minus,
    binary,
    item
  };
  enum class Operator : std::uint8_t {
    none,
    logical_or,
    logical_and,
    logical_xor,
    equal,
    not_equal,
    greater,
    greater_equal,
    less,
    less_equal,
    add,
    subtract,
    multiply,
    divide
  };
  Kind kind = Kind::number;
  Operator op = Operator::none;
  std::uint32_t begin = 0;  ///< bytes in the text
  std::uint32_t end = 0;
  std::string text = {};  ///< of text, variable, constant, global, call (its name), matches (the
                          ///< regular expression)
  double number = 0;      ///< of number (durations in milliseconds), capture
  std::vector<std::uint32_t> children = {};
};

struct MtaError {
  std::uint32_t offset = 0;
  std::string message = {};
  std::string nearest = {};
  bool is_refused_by_server = true;
};

/// A parsed expression. Immutable; may be evaluated from any thread.
struct MtaExpression {
  std::vector<MtaNode> nodes = {};  ///< the last one is the root; empty: not parsed
  [[nodiscard]] const MtaNode& root() const { return nodes.back(); }
};

/// Parses strictly what 6.2 allows: stricter than the server, whose parser takes `a &&` and `a b`.
/// Returns nothing after an error; the first error is told. Bounded by kExpressionBytesMax,
/// kExpressionDepthMax, kExpressionNodesMax.
[[nodiscard]] std::optional<MtaExpression> parse_mta_expression(std::string_view text,
                                                                const MtaContext& context,
                                                                MtaError* error);

/// What a variable or function gives: text, number (integers as double), boolean (as 1 and 0), list
/// of texts.
using MtaValue = ir::Value;

/// Where an evaluation gets what only the server knows. A function that is asked with a name it
/// does not know answers nothing, and so does one that cannot be answered now (a directory that is
/// down): the evaluation ends with `expression-undecided`.
struct MtaEnvironment {
  /// The value of a variable; null: empty text; nothing: nobody but the server can tell.
  std::function<std::optional<ir::Value>(std::string_view name)> variable = {};
  /// is_local_domain, is_local_address, key_exists, key_get, key_set, counter_incr, counter_get,
  /// dns_query, sql_query, system, metric.
  std::function<std::optional<ir::Value>(std::string_view name,
                                         const std::vector<ir::Value>& arguments)>
      call = {};
};

/// Evaluates a parsed expression. Errors: expression-undecided (a callback had no answer),
/// expression-too-large.
[[nodiscard]] Result<ir::Value> evaluate(const MtaExpression& expression,
                                         const MtaEnvironment& environment);

/// Is this value true where a condition is asked for: number other than 0, text or list that is not
/// empty.
[[nodiscard]] bool is_true(const ir::Value& value);
/// The value as the text that a name or a comparison sees.
[[nodiscard]] std::string text_of(const ir::Value& value);

/// A whole container, parsed once: `match` in the order of its numbers, then `else`.
class MtaContainer {
 public:
  /// Errors: bad-expression, with the part and the offset.
  [[nodiscard]] static Result<MtaContainer> parse(const ir::Value& container,
                                                  const MtaContext& context);
  struct Chosen {
    std::size_t arm = 0;  ///< arms().size() for `else`
    ir::Value value = {};
  };
  /// `then` of the first `if` that is true, else `else`. Captures of an `if` are seen by its
  /// `then`.
  /// A condition that nobody but the server can tell is put to `suppose`; without it, or when it
  /// says nothing, the evaluation ends with `expression-undecided`.
  using Suppose = std::function<std::optional<bool>(std::size_t arm)>;
  [[nodiscard]] Result<Chosen> choose(const MtaEnvironment& environment,
                                      const Suppose& suppose = {}) const;
  [[nodiscard]] Result<ir::Value> evaluate(const MtaEnvironment& environment) const;

  struct Arm {
    MtaExpression condition = {};
    MtaExpression result = {};
    std::string text = {};  ///< the condition as it was written
  };
  [[nodiscard]] const std::vector<Arm>& arms() const { return arms_; }
  [[nodiscard]] const MtaExpression& otherwise() const { return otherwise_; }
  /// A part of a condition, whose answer is supposed.
  struct Taken {
    std::size_t arm = 0;
    std::uint32_t node = 0;
    bool is_true = false;
  };
  /// The same container in which these parts have those answers.
  [[nodiscard]] MtaContainer taking(const std::vector<Taken>& answers) const;
  /// How many conditions are looked at, at most, for mail to this domain.
  [[nodiscard]] std::size_t asked_for(const std::string& domain) const {
    const auto own = arms_of_.find(domain);
    return general_.size() + (own == arms_of_.end() ? 0 : own->second.size());
  }

 private:
  using ArmNumbers = std::vector<std::size_t>;
  void index_arms();

  std::vector<Arm> arms_;
  // A plan of thousands of domains has conditions for each, and a message is to one of them: arms
  // whose conditions begin with the domain that they are for, by that domain, and all the others.
  std::unordered_map<std::string, ArmNumbers> arms_of_;
  ArmNumbers general_;
  std::vector<std::uint32_t> names_domain_;  // by arm: the node that says so, or kNoNode
  bool has_patterns_of_domain_ = false;      // arms that say so by a pattern for the address
  MtaExpression otherwise_;
};

}  // namespace plan::schema
