#pragma once
#include <cstddef>

namespace plan::facts {

/// A lock of 1,000,000 accounts with ten mailboxes each stays below this.
constexpr std::size_t kLockBytesMax = std::size_t{512} << 20U;
/// One line of a lock; the longest real ones are mailbox lines.
constexpr std::size_t kLockLineBytesMax = std::size_t{4} << 20U;
constexpr std::size_t kFactsBytesMax = std::size_t{512} << 20U;
constexpr std::size_t kFactsLineBytesMax = std::size_t{64} << 10U;
/// Lines that are no measurement and are shown one by one; of others only their number is.
constexpr std::size_t kFactsProblemsMax = 20;

}  // namespace plan::facts
