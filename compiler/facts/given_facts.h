#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/facts/lock.h"
#include "compiler/facts/measurement.h"
#include "compiler/source/diagnostic.h"

namespace plan::facts {

/// A measurement that `plan fetch` makes (docs/formats/facts.md has the same table).
struct MeasuredName {
  std::string_view name = {};  ///< "account/ADDRESS/bytes"; a word in capitals is any text
  std::string_view unit = {};
};
[[nodiscard]] const std::vector<MeasuredName>& measured_names();

/// Judges measurements that a person wrote: those of a test (`facts`). `plan fetch` is trusted with
/// what it wrote itself; here a name, a unit or a value that nobody reads would test something else
/// than what is meant. `lock` has the accounts there are; null: nobody knows. Reports
/// `facts-syntax` at each line, also what the file's reader says.
void check_given_facts(const SourceSet& sources, FileId file, const Lock* lock, Sink& sink);

}  // namespace plan::facts
