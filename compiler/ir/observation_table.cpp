#include "compiler/ir/observation_table.h"

#include <utility>

namespace plan::ir {
namespace {

bool says_no_more_than_done(const Observation& seen) {
  return seen.standing == Standing::satisfied && !seen.is_unseen && seen.differences.empty() &&
         seen.prior.is_null() && seen.fingerprint.is_null() && !seen.bytes && !seen.messages &&
         !seen.duration_ms && seen.beside.empty() && seen.not_carried.empty() && !seen.hold_ms &&
         seen.hold_basis.empty() && seen.remark.empty() && seen.duration_basis.empty();
}

}  // namespace

const Observation& ObservationTable::done() {
  static const Observation kSatisfied{.standing = Standing::satisfied};
  return kSatisfied;
}

std::uint32_t& ObservationTable::slot_of(std::uint32_t step) {
  if (step >= slots_.size()) slots_.resize(std::size_t{step} + 1, kNone);
  return slots_[step];
}

void ObservationTable::put(std::uint32_t step, Observation observation) {
  if (std::uint32_t& slot = slot_of(step); slot < kFirst && says_no_more_than_done(observation)) {
    slot = kDone;
    return;
  }
  (*this)[step] = std::move(observation);
}

Observation& ObservationTable::operator[](std::uint32_t step) {
  std::uint32_t& slot = slot_of(step);
  if (slot < kFirst) {
    seen_.push_back(slot == kDone ? done() : Observation{});
    slot = static_cast<std::uint32_t>(seen_.size() - 1) + kFirst;
  }
  return seen_[slot - kFirst];
}

}  // namespace plan::ir
