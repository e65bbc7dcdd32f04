#pragma once
// What is not compared, or compared by role only, when an answer of the embedded target is held
// against a recorded one. Everything that makes two different answers count as equal stands in this
// file and in normalise.cpp.
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"

namespace plan::replay {

/// Recorded names of things to ours, both ways: an id, a blob, a state that was equal in the
/// recording must be equal here and a different one different.
class NameMap {
 public:
  /// True when the pair fits what is known; learns it when nothing is known of either.
  bool fits(const std::string& recorded, const std::string& ours);
  [[nodiscard]] const std::string* ours(const std::string& recorded) const;
  void learn(const std::string& recorded, const std::string& ours);

 private:
  std::map<std::string, std::string> to_ours_;
  std::map<std::string, std::string> to_recorded_;
};

/// The first difference as "path: recorded X, here Y", or nothing.
[[nodiscard]] std::optional<std::string> difference(const ir::Value& recorded,
                                                    const ir::Value& ours, NameMap& names);

/// A line of a line protocol with its server-chosen parts (numbers of mailboxes, queue ids, dates,
/// host name words of the greeting) replaced by marks; capability lists sorted.
[[nodiscard]] std::string normal_line(std::string_view line);

}  // namespace plan::replay
