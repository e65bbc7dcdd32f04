#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "compiler/ir/observation.h"

namespace plan::ir {

/// What was seen of the steps of a graph, by index of the step. Of most steps of a large plan that
/// is done there is nothing to say but that: each of those costs four bytes. A value; may be read
/// from any thread while nobody writes.
class ObservationTable {
 public:
  /// Null: the step was not looked at.
  [[nodiscard]] const Observation* find(std::uint32_t step) const {
    const std::uint32_t slot = step < slots_.size() ? slots_[step] : kNone;
    return slot == kNone ? nullptr : slot == kDone ? &done() : &seen_[slot - kFirst];
  }
  [[nodiscard]] bool is_satisfied(std::uint32_t step) const {
    const Observation* seen = find(step);
    return seen != nullptr && seen->standing == Standing::satisfied;
  }
  void put(std::uint32_t step, Observation observation);
  /// To be changed; one that says nothing, when the step was not looked at.
  [[nodiscard]] Observation& operator[](std::uint32_t step);
  /// Calls `each` with the step's index and what was seen of it, by index.
  template <class Each>
  void for_each(const Each& each) const {
    for (std::uint32_t step = 0; step < slots_.size(); ++step) {
      if (const Observation* seen = find(step)) each(step, *seen);
    }
  }

 private:
  static constexpr std::uint32_t kNone = 0;
  static constexpr std::uint32_t kDone = 1;
  static constexpr std::uint32_t kFirst = 2;

  [[nodiscard]] static const Observation& done();
  std::uint32_t& slot_of(std::uint32_t step);

  std::vector<std::uint32_t> slots_ = {};
  std::deque<Observation> seen_ = {};  // a reference stays good when others come
};

}  // namespace plan::ir
