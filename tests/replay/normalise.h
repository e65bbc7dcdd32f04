#pragma once
// What is not compared, or compared by role only, when an answer of the embedded target is held
// against a recorded one. Everything that makes two different answers count as equal stands in this
// file and in normalise.cpp.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/ir/value.h"

namespace plan::replay {

/// Recorded names of things to ours, both ways: an id or a blob that was equal in the recording
/// must be equal here and a different one different. Ids are short and counted anew for each type
/// and account: `role` says which they are of ("Email of k").
class NameMap {
 public:
  /// True when the pair fits what is known; learns it when nothing is known of either.
  bool fits(const std::string& role, const std::string& recorded, const std::string& ours);
  [[nodiscard]] const std::string* ours(const std::string& role, const std::string& recorded) const;
  /// What a recording captures by name, whatever its role.
  void capture(const std::string& recorded, const std::string& ours) { captured_[recorded] = ours; }
  /// The long ids (those by time) that a request may name as they were recorded.
  [[nodiscard]] std::map<std::string, std::string> long_names() const;

 private:
  using Pair = std::pair<std::string, std::string>;  // role and name
  std::map<Pair, std::string> to_ours_;
  std::map<Pair, std::string> to_recorded_;
  std::map<std::string, std::string> captured_;
};

/// Members that are the server's own wording or follow from something else: not compared.
[[nodiscard]] bool is_ignored_member(std::string_view member);

/// The first difference as "path: recorded X, here Y", or nothing.
[[nodiscard]] std::optional<std::string> difference(const ir::Value& recorded,
                                                    const ir::Value& ours, NameMap& names);

/// A line of a line protocol with its server-chosen parts (numbers of mailboxes, queue ids, dates,
/// host name words of the greeting) replaced by marks; capability lists sorted.
[[nodiscard]] std::string normal_line(std::string_view line);

}  // namespace plan::replay
