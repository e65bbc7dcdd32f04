#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/error.h"

namespace plan::net::jmap {

/// A reference to an object as SetErrors carry it: the type without `x:`.
struct ObjectRef {
  std::string object = {};
  std::string id = {};
};

/// Why one object was not created, updated or destroyed (RFC 8620, 5.3;
/// reference/stalwart-admin.md 3.7).
struct SetError {
  std::string type = {};
  std::string description = {};
  std::vector<std::string> properties =
      {};  ///< leaf names or slash-joined paths; "" when the server does not say
  std::string existing_id = {};  ///< of alreadyExists
  ObjectRef object = {};         ///< of primaryKeyViolation, invalidForeignKey, a refused reload
  std::vector<ObjectRef> linked = {};  ///< of objectIsLinked: who refers to it
  /// Of validationFailed: "Required", property, and the bound or value where there is one, as the
  /// server sent them.
  std::vector<ir::Value> violations = {};

  [[nodiscard]] bool is(std::string_view name) const { return type == name; }
  /// First property, or the property of the first violation; empty when none is named.
  [[nodiscard]] std::string property() const;
};

/// Lenient: what is missing or of the wrong type stays empty.
[[nodiscard]] SetError parse_set_error(const ir::Value& value);

/// As an Error with blame, code, retry by its type and, as argument, `argument_prefix` joined with
/// the property in our spelling: ("set", "aliases/2/name") -> "set.aliases[2].name". `what` names
/// the object: "Domain `example.org`". Values that the server quotes are left out when the property
/// looks like a secret.
[[nodiscard]] Error to_error(const SetError& error, std::string_view what,
                             std::string_view argument_prefix, Blame blame);

/// A method-level error (`["error", {...}, id]`) as an Error. Effect `unknown` for a write: objects
/// that were done before it are not reported (reference/stalwart-admin.md 3.4).
[[nodiscard]] Error method_error(const ir::Value& arguments, std::string_view method,
                                 bool is_read_only, Blame blame);

}  // namespace plan::net::jmap
