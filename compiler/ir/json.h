#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"

namespace plan::ir {

struct JsonLimits {
  std::size_t bytes_max = std::size_t{64} << 20U;
  std::size_t depth_max = 128;
};

/// Reads one JSON text (RFC 8259) into a Value. Duplicate member names are refused; integers
/// outside 64 signed bits become numbers. Errors: bad-json with line and column, json-too-large.
/// SecretRef and OutputRef never come out of here: use read_canonical for our own files.
[[nodiscard]] Result<Value> parse_json(std::string_view text, const JsonLimits& limits = {});

/// JSON in the order of the maps. A SecretRef is written as {"$secret": {...}} and an OutputRef as
/// {"$output": {...}}. `indent` 0 is one line.
[[nodiscard]] std::string write_json(const Value& value, int indent = 0);

/// The one spelling of a value: members sorted by bytes, no white space, shortest numbers (as RFC
/// 8785). Equal values have equal bytes; digests are over this.
[[nodiscard]] std::string canonical_json(const Value& value);

/// Reads what write_json or canonical_json wrote, with `$secret` and `$output` turned back.
[[nodiscard]] Result<Value> read_canonical(std::string_view text, const JsonLimits& limits = {});

}  // namespace plan::ir
