#pragma once
#include <string_view>

namespace plan::dump {

/// One row of a subspace, as a dump holds it (reference/stalwart-store.md 5): views into a buffer
/// of whoever hands it out, good until the next one is asked for. Integers in keys are big-endian;
/// a counter's value is an i64 of 8 bytes, little-endian; a blob's is its decoded content.
struct Record {
  std::string_view key = {};
  std::string_view value = {};
};

}  // namespace plan::dump
