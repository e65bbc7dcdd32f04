#pragma once
#include <cstddef>

namespace plan::schema {

/// Bounds of a schema document. The real ones (0.16.0 to 0.16.19) have 0.94 MB, depth 10, 381
/// types, 2,100 properties and 3,700 enum values.
inline constexpr std::size_t kDocumentBytesMax = std::size_t{16} << 20U;
inline constexpr std::size_t kDocumentDepthMax = 64;
inline constexpr std::size_t kNamesMax = 50'000;  ///< types, properties and enum values together
inline constexpr std::size_t kNameBytesMax = 256;
inline constexpr std::size_t kWarningsMax = 100;  ///< more are counted in the last one

/// Bounds of a value that is checked, completed or patched.
inline constexpr std::size_t kValueDepthMax = 32;
inline constexpr std::size_t kValueNodesMax = 200'000;
inline constexpr std::size_t kProblemsMax = 100;
/// Objects made out of nothing but defaults for one value; a type that holds itself would go on for
/// ever.
inline constexpr std::size_t kDefaultObjectsMax = 5'000;

/// Bounds of one MTA expression: the real ones stay below 300 bytes and depth 4.
inline constexpr std::size_t kExpressionBytesMax = 65'536;
inline constexpr std::size_t kExpressionDepthMax = 64;
inline constexpr std::size_t kExpressionNodesMax = 10'000;
inline constexpr std::size_t kMatchesMax = 1'000;  ///< `if`/`then` pairs in one container
/// Longest text that an evaluation may build, and most items in a list of it.
inline constexpr std::size_t kEvaluatedBytesMax = std::size_t{1} << 20U;
inline constexpr std::size_t kEvaluatedItemsMax = 10'000;

}  // namespace plan::schema
