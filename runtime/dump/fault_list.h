#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/dump/fault.h"

namespace plan::dump {

/// How sure we are of a dump; worse ones are larger.
enum class Grade : std::uint8_t {
  proved = 0,      ///< byte for byte what the manifest says
  intact = 1,      ///< nothing is wrong, and end mark and checksum say that nothing is missing
  unprovable = 2,  ///< nothing is wrong, but a loss of some kinds would leave no trace
  damaged = 3,     ///< something is lost or altered
};
[[nodiscard]] std::string_view to_string(Grade grade);
[[nodiscard]] Grade worse(Grade left, Grade right);

/// Faults of one file or dump: the first few of each kind, and how many there are of it. A billion
/// of them take no more memory than twenty.
class FaultList {
 public:
  static constexpr std::uint64_t kListedPerKind = 20;

  struct Counted {
    FaultKind kind = FaultKind::unreadable;
    std::uint64_t count = 0;
    std::vector<Fault> first = {};
  };

  /// True when the fault is among those that are kept: only then its text is worth making.
  [[nodiscard]] bool is_listed(FaultKind kind) const;
  void add(Fault fault);
  void count_more(FaultKind kind, std::uint64_t more);
  [[nodiscard]] bool is_damaged() const;
  [[nodiscard]] bool empty() const { return kinds_.empty(); }
  [[nodiscard]] const std::vector<Counted>& kinds() const { return kinds_; }
  [[nodiscard]] bool has(FaultKind kind) const;
  /// [{kind, weight, text, file_byte, content_byte, record, count}]
  [[nodiscard]] ir::Value to_value() const;

 private:
  Counted& of(FaultKind kind);
  std::vector<Counted> kinds_;
};

}  // namespace plan::dump
