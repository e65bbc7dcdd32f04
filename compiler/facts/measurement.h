#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/text_index.h"

namespace plan::facts {

/// Something that changes by the hour: a value, when it was measured, and how. A null value means
/// that it was asked for and could not be told.
struct Measurement {
  std::string what = {};  ///< "account/alice@example.org/bytes" (compiler/facts/survey.md)
  ir::Value value = {};
  std::string unit = {};
  std::string when = {};  ///< RFC 3339, UTC
  std::string how = {};
  Span span = {};
};

/// The measurements of a `.plan/facts.jsonl`; a later line of the same name replaces an earlier
/// one.
class Measurements {
 public:
  /// Room for `count` more.
  void reserve(std::size_t count);
  void add(Measurement measurement);
  [[nodiscard]] const Measurement* find(std::string_view what) const;
  /// The number, or nothing when it was not measured.
  [[nodiscard]] std::optional<std::uint64_t> count(std::string_view what) const;
  [[nodiscard]] const std::vector<Measurement>& all() const { return all_; }

 private:
  std::vector<Measurement> all_;
  TextIndex by_name_;
};

/// Reads JSON lines; a line that is none is reported as `facts-syntax` (a warning) and skipped,
/// because measurements never decide whether a plan is right.
[[nodiscard]] Measurements read_measurements(const SourceSet& sources, FileId file, Sink& sink);

/// One line for `.plan/facts.jsonl`, with its newline.
[[nodiscard]] std::string write_measurement(const Measurement& measurement);
/// Reads one of the `measurements` of a survey document; nothing when it has no name.
[[nodiscard]] std::optional<Measurement> measurement_from(const ir::Value& document);

/// The accounts, sorted, whose password hash was measured both times by the same folder and is
/// another one now (`account/ADDRESS/hash-digest`).
[[nodiscard]] std::vector<std::string> changed_passwords(const Measurements& before,
                                                         const Measurements& now);

}  // namespace plan::facts
