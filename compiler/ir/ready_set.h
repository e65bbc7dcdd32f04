#pragma once
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

namespace plan::ir {

/// A set of numbers below a bound, of which the least is taken out again and again: one bit for
/// each, and above them levels that say which words have any. Each call costs as many words as
/// there are levels, four at a million.
class ReadySet {
 public:
  explicit ReadySet(std::size_t bound) {
    do {
      bound = bound / 64 + 1;
      levels_.emplace_back(bound);
    } while (bound > 1);
  }

  void insert(std::size_t number) {
    for (std::vector<std::uint64_t>& level : levels_) {
      std::uint64_t& word = level[number / 64];
      const bool was_empty = word == 0;
      word |= std::uint64_t{1} << number % 64;
      if (!was_empty) return;
      number /= 64;
    }
  }

  [[nodiscard]] std::optional<std::size_t> take_least() {
    if (levels_.back().front() == 0) return std::nullopt;
    std::size_t number = 0;
    for (std::size_t i = levels_.size(); i-- > 0;)
      number = number * 64 + static_cast<std::size_t>(std::countr_zero(levels_[i][number]));
    std::size_t at = number;
    for (std::vector<std::uint64_t>& level : levels_) {
      std::uint64_t& word = level[at / 64];
      word &= ~(std::uint64_t{1} << at % 64);
      if (word != 0) break;
      at /= 64;
    }
    return number;
  }

 private:
  std::vector<std::vector<std::uint64_t>> levels_;  // the first has the numbers themselves
};

}  // namespace plan::ir
