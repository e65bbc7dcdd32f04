#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace plan::ir {

/// A finding of the check, as who reviews a diff sees it beside the steps.
struct ReviewedFinding {
  std::string code = {};      ///< "quota-too-small"
  std::string severity = {};  ///< "warning"
  std::string message = {};
  std::string place = {};        ///< "migration.yaml:33:5"; empty when unknown
  std::string silenced_at = {};  ///< where the plan silences it; empty: it does not
  std::string reason = {};       ///< why it does
};

/// Room on the disk of one machine, as `plan fetch` measured it.
struct MachineDisk {
  /// "source", "operator" (where plan runs), "target"; about a store "dump FOLDER", "store"; of a
  /// plan about a store "dump FOLDER", "store".
  std::string machine = {};
  std::optional<std::uint64_t> free_bytes = {};  ///< nothing: not measured
  std::string how = {};                          ///< what was asked, or why there is no figure
  std::string when = {};                         ///< RFC 3339, UTC
  /// What goes there, where that is measured too and not counted from the steps; empty: it is not.
  std::string needed_for = {};
  std::optional<std::uint64_t> needed_bytes = {};
};

}  // namespace plan::ir
