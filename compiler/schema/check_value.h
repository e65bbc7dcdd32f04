#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/schema/schema.h"

namespace plan::schema {

enum class ProblemCode : std::uint8_t {
  unknown_type,  ///< no such object type, or a view or embedded type where an addressable one is
                 ///< needed
  unknown_property,  ///< `nearest` may have the name that was meant
  unknown_variant,   ///< `@type` is none of the union's
  missing_variant,   ///< `@type` is not there
  missing_property,  ///< required on create
  server_set,        ///< only the server writes it
  immutable,         ///< cannot be in an update
  wrong_type,        ///< a text where a number belongs, an array where the wire has an object...
  not_nullable,      ///< null where a value must be
  empty_text,        ///< "" (the server wants null)
  unknown_enum_value,
  below_minimum,
  above_maximum,
  too_few,  ///< members, items or bytes
  too_many,
  bad_format,      ///< domain, address, network, date, id...
  bad_pointer,     ///< a patch key that leads nowhere
  bad_key,         ///< list keys that are no numbers, empty set members, members that are `false`
  bad_expression,  ///< MTA expression: syntax, names, arity
  masked_secret,   ///< the `****` of a reading, written back
  too_deep,
};
[[nodiscard]] std::string_view to_string(ProblemCode code);  ///< kebab-case

/// What the real server answers (3.7). `accepted`: it takes the value, and things go wrong later;
/// only the compiler refuses.
enum class Refusal : std::uint8_t { invalid_patch, validation_failed, accepted };

struct Problem {
  std::string path =
      {};  ///< "set.aliases.0.name": dots, the keys of lists and maps as they are written
  ProblemCode code = {};
  std::string message = {};  ///< lower case, no full stop, code in backticks
  std::string nearest = {};  ///< the name that was probably meant, or empty
  Refusal refusal = Refusal::invalid_patch;
  std::string property = {};         ///< slash-joined path as the server names it: "aliases/0/name"
  std::optional<double> limit = {};  ///< of below_minimum, above_maximum, too_few, too_many
  std::optional<std::uint32_t> offset = {};  ///< byte in the text at `path`, of bad_expression
};

enum class Use : std::uint8_t { create, update };

struct CheckOptions {
  Use use = Use::create;
  std::string path = {};  ///< put before every path of a problem
  /// Values of a plan: lists may stand for sets and for lists of objects, secrets and outputs of
  /// other steps for texts and ids. False: exactly the wire.
  bool is_plan_value = true;
  /// Type of the object whose id the output of another step is ("Role", "Account/Group"); empty:
  /// not told. Where there is no such function, every output is taken for the id that is needed.
  std::function<std::string(const ir::OutputRef&)> object_of = {};
};

/// Checks a value for an object of `type` (with `@type` member when it is a union): every property,
/// every embedded value, every bound and format, and what the reference calls hidden validators.
/// For an update the keys may be pointers ("credentials/0/secret"). Whether references exist and
/// keys are free is not looked at. At most kProblemsMax problems come back.
[[nodiscard]] std::vector<Problem> check_value(const Schema& schema, std::string_view type,
                                               const ir::Value& value,
                                               const CheckOptions& options = {});

/// Checks the value of one property that objects are looked for by (`match`, filters).
[[nodiscard]] std::vector<Problem> check_property(const Schema& schema, std::string_view type,
                                                  std::string_view property, const ir::Value& value,
                                                  const CheckOptions& options = {});

/// `value` as the server stores it (1.7): domains and addresses in lower case and A-labels,
/// networks without a full prefix, lists of a plan turned into the wire's objects and renumbered,
/// set members that are `false` dropped. What does not fit its type stays as it is. Compare with
/// what was read only after this.
[[nodiscard]] ir::Value canonical_value(const Schema& schema, std::string_view type,
                                        const ir::Value& value);

/// The object that a create of `value` makes: canonical, every property of its variant present
/// (defaults filled in recursively, null for nullable, empty containers), without server-set ones
/// unless their default is known.
[[nodiscard]] ir::Value complete_value(const Schema& schema, std::string_view type,
                                       const ir::Value& value);

}  // namespace plan::schema
