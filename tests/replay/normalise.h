#pragma once
// What is not compared, or compared by role only, when an answer of the embedded target is held
// against a recorded one. Everything that makes two different answers count as equal stands in this
// file and in normalise.cpp.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

/// A recorded member that passed although it was not compared letter by letter.
struct PassedOver {
  std::string path = {};
  std::string member = {};
  const char* why = nullptr;
  bool is_compared = false;  ///< by its role or its form; otherwise not at all
};

/// The first difference as "path: recorded X, here Y", or nothing. `passed_over` is told of every
/// member that was let through by a rule of this file.
[[nodiscard]] std::optional<std::string> difference(const ir::Value& recorded,
                                                    const ir::Value& ours, NameMap& names,
                                                    std::vector<PassedOver>* passed_over = nullptr);

/// How a header of an answer is compared: the same text, only that it is there, or (nullptr) not.
enum class HeaderRule : std::uint8_t { same, present, ignored };
[[nodiscard]] HeaderRule header_rule(std::string_view name);

/// A line of a line protocol with its server-chosen parts (numbers of mailboxes, queue ids, dates,
/// host name words of the greeting) replaced by marks; capability lists sorted.
[[nodiscard]] std::string normal_line(std::string_view line);

}  // namespace plan::replay
