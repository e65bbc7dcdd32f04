#include "runtime/server/stalwart/arguments.h"

#include <fmt/format.h>

#include <set>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/step/errors.h"

namespace plan::server::stalwart {
namespace {

constexpr std::size_t kShownMax = 3;

std::string show(const ir::Value& value) {
  return value.is_null() ? std::string("nothing") : printable(ir::write_json(value), 120);
}

}  // namespace

Result<std::string> text_argument(const ir::Value& arguments, std::string_view name) {
  const ir::Value& value = arguments[name];
  if (value.is_string() && !value.as_string().empty()) return value.as_string();
  return Error(step::errors::argument_missing, fmt::format("argument `{}` is missing", name))
      .with_blame(Blame::plan)
      .with_argument(std::string(name));
}

std::vector<std::string> address_arguments(const ir::Value& arguments, std::string_view name) {
  std::vector<std::string> addresses;
  std::set<std::string> seen;
  for (const ir::Value& item : arguments[name].items()) {
    std::string address = lower_ascii(item.string_or({}));
    if (!address.empty() && seen.insert(address).second) addresses.push_back(std::move(address));
  }
  return addresses;
}

std::string show_differences(const std::vector<ir::Difference>& differences) {
  std::string text;
  for (std::size_t i = 0; i < differences.size() && i < kShownMax; ++i) {
    text += fmt::format("{}`{}` is {}, wanted {}", i == 0 ? "" : "; ", differences[i].path,
                        show(differences[i].is), show(differences[i].wanted));
  }
  if (differences.size() > kShownMax)
    text += fmt::format(" and {} more", differences.size() - kShownMax);
  return text;
}

ir::Observation unknowable(std::string remark) {
  ir::Observation observation;
  observation.standing = ir::Standing::unknowable;
  observation.remark = std::move(remark);
  return observation;
}

}  // namespace plan::server::stalwart
