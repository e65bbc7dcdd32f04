#include "compiler/flow/names_with_plus.h"

#include <algorithm>

#include <fmt/format.h>

#include "compiler/flow/mail_address.h"
#include "compiler/source/text.h"

namespace plan::flow {

namespace {

[[nodiscard]] bool is_with_plus(const Subject& subject, const std::string& name) {
  const std::string base = without_tag(parse_address(name));
  return base != name &&
         std::find(subject.names.begin(), subject.names.end(), base) == subject.names.end();
}

}  // namespace

bool NamesWithPlus::is_among(const Subject& subject) {
  return std::any_of(subject.names.begin(), subject.names.end(),
                     [&](const std::string& name) { return is_with_plus(subject, name); });
}

bool NamesWithPlus::leave_out(Subject& subject) {
  const std::vector<std::string> names = subject.names;
  for (const std::string& name : names) {
    if (!is_with_plus(subject, name)) continue;
    if (std::find(left_out_.begin(), left_out_.end(), name) == left_out_.end())
      left_out_.push_back(name);
    if (name == subject.account) return false;
    std::erase(subject.names, name);
    std::erase(subject.aliases, name);
    subject.dropped.erase(name);
  }
  return true;
}

std::optional<Counterexample> NamesWithPlus::told() const {
  if (left_out_.empty()) return std::nullopt;
  Counterexample example;
  example.what = "plus";
  example.is_supposed = true;
  example.account = left_out_.front();
  const std::size_t others = left_out_.size() - 1;
  example.claim = fmt::format(
      "the old server takes what follows the `+` in `{}`{} for a tag: mail for it goes to the name "
      "in front of it, or is refused",
      printable(left_out_.front(), 80),
      others == 0 ? std::string() : fmt::format(", and in {} more,", show_count(others)));
  return example;
}

}  // namespace plan::flow
