#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/source/error.h"

namespace plan::dump {

/// What can be wrong with a dump (fault.def has what each means).
enum class FaultKind : std::uint8_t {
#define PLAN_FAULT(identifier, name, weight, text) identifier,
#include "runtime/dump/fault.def"
#undef PLAN_FAULT
};

/// `damaged`: proof that something is lost or altered. `doubt`: unusual, and nothing is lost by it.
enum class FaultWeight : std::uint8_t { damaged = 0, doubt = 1 };

/// One thing that is wrong, and where.
struct Fault {
  FaultKind kind = FaultKind::unreadable;
  std::string text = {};        ///< with numbers; one line, lower case
  std::uint64_t file_byte = 0;  ///< of the file, from 0: the block it lies in, or the place itself
  std::uint64_t content_byte = 0;  ///< of the decoded content, from 0
  std::uint64_t record = 0;        ///< how many whole records stand before it
};

[[nodiscard]] std::string_view to_string(FaultKind kind);
[[nodiscard]] FaultWeight weight_of(FaultKind kind);
/// What is the case, in general words.
[[nodiscard]] std::string_view summary_of(FaultKind kind);

/// The same as an error, for whoever cannot go on: dump-damaged, dump-foreign (no regular file),
/// dump-changed or dump-unreadable.
[[nodiscard]] Error to_error(const Fault& fault);

}  // namespace plan::dump
