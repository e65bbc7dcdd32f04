#include "alter.h"

#include <algorithm>
#include <set>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::replay {
namespace {

using ir::Value;

Value altered(const Value& value) {
  if (value.is_bool()) return !value.bool_or(false);
  if (value.is_integer()) return value.integer_or(0) + 7;
  if (value.is_string()) return std::string(value.string_or("")) + "!";
  if (value.is_null()) return "something";
  return Value(12345);
}

// The scalars of an answer by the paths that the comparison gives them, without those under a path
// that is not compared.
void collect(const Value& value, const std::string& path, const std::set<std::string>& ignored,
             std::vector<std::string>& out) {
  if (ignored.contains(path)) return;
  for (const auto& [name, each] : value.members()) collect(each, path + "/" + name, ignored, out);
  for (std::size_t i = 0; i < value.items().size(); ++i)
    collect(value.item(i), path + "/" + std::to_string(i), ignored, out);
  if (!value.is_map() && !value.is_list()) out.push_back(path);
}

bool alter_at(Value& value, const std::string& path, const std::string& wanted) {
  if (path == wanted) {
    value = altered(value);
    return true;
  }
  if (!wanted.starts_with(path + "/")) return false;
  if (value.is_map()) {
    for (auto& [name, each] : value.as_map())
      if (alter_at(each, path + "/" + name, wanted)) return true;
  } else if (value.is_list()) {
    for (std::size_t i = 0; i < value.as_list().size(); ++i)
      if (alter_at(value.as_list()[i], path + "/" + std::to_string(i), wanted)) return true;
  }
  return false;
}

}  // namespace

bool alter_answer(const Value& recorded, const Value& ours, const NameMap& names,
                  std::size_t number, const std::string& where, Score& score) {
  NameMap known = names;
  std::vector<PassedOver> passed;
  static_cast<void>(difference(recorded, ours, known, &passed));
  std::set<std::string> ignored;
  for (const PassedOver& each : passed) {
    ++score.passed_over[{each.member, each.why}];
    if (!each.is_compared) ignored.insert(each.path);
  }
  std::vector<std::string> members;
  collect(recorded, "", ignored, members);
  if (members.empty() || recorded.is_null()) return false;
  const std::string& chosen = members[number % members.size()];
  Value other = recorded;
  known = names;
  if (!alter_at(other, "", chosen) || !difference(other, ours, known).has_value())
    score.deaf.push_back(where + " " + chosen + " of " + ir::write_json(recorded).substr(0, 300));
  return true;
}

void alter_lines(const std::vector<std::string>& recorded, std::size_t number,
                 const std::string& where, Score& score) {
  ++score.altered;
  std::size_t words = 0;
  for (const std::string& line : recorded) words += split(line, ' ').size();
  if (words == 0) {
    ++score.passed_over[{"(silence)", "no line to alter: any line would be one too many"}];
    return;
  }
  // From the chosen word on the first that is compared.
  for (std::size_t tried = 0; tried < words; ++tried) {
    std::size_t at = (number + tried) % words;
    for (const std::string& line : recorded) {
      const auto parts = split(line, ' ');
      if (at >= parts.size()) {
        at -= parts.size();
        continue;
      }
      std::string other;
      for (std::size_t i = 0; i < parts.size(); ++i) {
        std::string word(parts[i]);
        if (i == at) word.insert(word.size() / 2, "7");
        other += (i == 0 ? "" : " ") + word;
      }
      if (normal_line(other) != normal_line(line)) return;
      ++score.passed_over[{"(a word of a line)", "wording, numbers and dates of the server's own"}];
      break;
    }
  }
  score.deaf.push_back(where + " of " + recorded.front());
}

}  // namespace plan::replay
