#pragma once
#include <cstddef>
#include <cstdint>

namespace plan::syntax {

/// Bounds of one source file. The defaults are far above what people write; a plan with long lists
/// may be given more bytes, up to kSourceBytesMax.
struct TreeLimits {
  std::size_t bytes_max = std::size_t{16} << 20U;
  std::size_t depth_max = 64;
  std::size_t nodes_max = 2'000'000;

  /// The same with room for more bytes, and for twice as many values: a value takes some 150 bytes
  /// of memory, and longer lists of accounts belong into a csv file.
  [[nodiscard]] static TreeLimits with_bytes(std::size_t bytes) {
    TreeLimits limits;
    limits.bytes_max = bytes;
    if (bytes > TreeLimits().bytes_max) limits.nodes_max *= 2;
    return limits;
  }
};

/// The most that `bytes_max` may be set to, and what the commands read of a plan: the values that
/// one may have take no more room, and reading costs some 0.1 s a MiB.
constexpr std::size_t kSourceBytesMax = std::size_t{64} << 20U;
/// Depth of brackets and calls in one expression.
constexpr std::size_t kExpressionDepthMax = 32;
/// Depth of the tree that one expression becomes: a chain of operators grows to the left.
constexpr std::size_t kExpressionTreeDepthMax = 96;
/// Bytes of one scalar that holds an expression.
constexpr std::size_t kExpressionBytesMax = std::size_t{64} << 10U;

/// Bytes and columns of a csv file: a million accounts are some 30 MB.
constexpr std::size_t kCsvBytesMax = std::size_t{128} << 20U;
constexpr std::size_t kCsvColumnsMax = 1'000;

}  // namespace plan::syntax
