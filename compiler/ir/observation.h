#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/value.h"

namespace plan::ir {

/// How the world stands to what a step wants.
enum class Standing : std::uint8_t {
  satisfied = 0,   ///< nothing to do
  absent = 1,      ///< the step would create it
  differs = 2,     ///< the step would change it: `differences` says what
  unknowable = 3,  ///< cannot be seen before earlier steps ran
};

/// One difference, as data; renderers decide the words. Secrets come as SecretRef or as the text
/// "(secret)".
struct Difference {
  std::string path = {};  ///< "aliases[2]", "route.match.0.if"
  Value is = {};
  Value wanted = {};
};

/// Things of one name: "address books", 2.
struct Counted {
  std::string name = {};  ///< in the plural
  std::uint64_t count = 0;
};

/// What a driver saw, without changing anything.
struct Observation {
  Standing standing = Standing::unknowable;
  std::vector<Difference> differences = {};
  /// The state as the driver needs it for an undo. Secrets only sealed or as references.
  Value prior = {};
  /// What the step reads of the world, for the drift check of saved plans: configuration, accounts,
  /// versions; never counts or content (design.md section 2, promise 3).
  Value fingerprint = {};
  // Estimates for the diff; absent = not measured.
  std::optional<std::uint64_t> bytes = {};
  std::optional<std::uint64_t> messages = {};
  std::optional<std::uint64_t> duration_ms = {};
  std::vector<Counted> beside = {};       ///< what is carried besides messages
  std::vector<Counted> not_carried = {};  ///< what the account has and no step brings
  /// What a step of a held account adds to the time that its clients wait.
  std::optional<std::uint64_t> hold_ms = {};
  std::string hold_basis = {};      ///< the figures that hold_ms came from, for the reviewer
  std::string remark = {};          ///< one line for the reviewer
  std::string duration_basis = {};  ///< the figures that duration_ms came from
  /// The step could not be looked at (a server did not answer, a login was refused): nothing is
  /// known of its standing, and `remark` says why.
  bool is_unseen = false;
};

}  // namespace plan::ir
