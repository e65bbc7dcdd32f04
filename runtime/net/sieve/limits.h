#pragma once
#include <chrono>
#include <cstddef>

namespace plan::net::sieve {

/// Bounds of what a ManageSieve server may send.
struct Limits {
  std::size_t line_bytes_max = 65536;
  /// One script; Pigeonhole's own default limit is 1 MB.
  std::size_t literal_bytes_max = std::size_t{16} << 20U;
  std::size_t lines_max = 10'000;  ///< of one answer
};

inline constexpr std::chrono::milliseconds kSilenceMax{30'000};

}  // namespace plan::net::sieve
