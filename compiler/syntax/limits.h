#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace plan::syntax {

/// A list that grows has each value twice for a moment, some 150 bytes. With no more values than
/// one for so many bytes of the file (`1,`), reading stays below 100 bytes for each byte.
constexpr std::size_t kBytesOfValue = 2;
/// What a small file may have whatever it is made of.
constexpr std::size_t kNodesAlways = 100'000;

/// Bounds of one source file. The defaults are far above what people write; a plan with long lists
/// may be given more bytes, up to kSourceBytesMax.
struct TreeLimits {
  std::size_t bytes_max = std::size_t{16} << 20U;
  std::size_t depth_max = 64;
  std::size_t nodes_max = 2'000'000;  ///< what the size of the file allows is never exceeded

  [[nodiscard]] static TreeLimits with_bytes(std::size_t bytes) {
    TreeLimits limits;
    limits.bytes_max = bytes;
    if (bytes > TreeLimits().bytes_max) limits.nodes_max = SIZE_MAX;
    return limits;
  }
  /// The values that a file of `bytes` may have.
  [[nodiscard]] std::size_t nodes_of(std::size_t bytes) const {
    return std::min(nodes_max, kNodesAlways + bytes / kBytesOfValue);
  }
};

/// The most that `bytes_max` may be set to, and what the commands read of a plan.
constexpr std::size_t kSourceBytesMax = std::size_t{128} << 20U;
/// Mistakes that are reported of one file; a text that is no plan at all would fill the screen, and
/// the memory, otherwise.
constexpr std::size_t kProblemsMax = 200;
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
