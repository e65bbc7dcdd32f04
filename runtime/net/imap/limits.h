#pragma once
#include <chrono>
#include <cstddef>

namespace plan::net::imap {

/// Bounds of what a server may send. Constructor arguments of everything that parses, so that tests
/// can go over each by one.
struct Limits {
  /// Text of one response without its literals. A SEARCH answer of a million messages has 8 MB.
  std::size_t line_bytes_max = std::size_t{16} << 20U;
  /// All literals of one response together: the largest message that can be read.
  std::size_t literal_bytes_max = std::size_t{150} << 20U;
  std::size_t list_depth_max = 32;
  /// Atoms, strings and lists of one response.
  std::size_t items_max = 2'000'000;
  /// Answers to one command beside FETCH.
  std::size_t responses_max = 1'000'000;
  /// FETCH answers to one command: the messages of the largest mailbox that can be read.
  std::size_t fetches_max = 10'000'000;
  /// Mailboxes of one LIST.
  std::size_t mailboxes_max = 100'000;
};

/// How long the server may be silent in the middle of a command.
inline constexpr std::chrono::milliseconds kSilenceMax{60'000};
/// Commands that wait for their answer at the same time when APPENDs are pipelined
/// (reference/stalwart-admin.md 8.6: 20 in flight were three times as fast as one).
inline constexpr std::size_t kAppendsInFlight = 20;

}  // namespace plan::net::imap
