#pragma once
#include <chrono>
#include <cstddef>

namespace plan::secret {

inline constexpr std::size_t kSecretBytesMax = 64 * 1024;  ///< keys and tokens are far below it
inline constexpr std::chrono::milliseconds kCommandTimeout{
    60'000};  ///< a person may have to touch a token

}  // namespace plan::secret
