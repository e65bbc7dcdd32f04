#include "compiler/check/client_limits.h"

#include <algorithm>
#include <utility>

#include "compiler/schema/mta_container.h"

namespace plan::check {
namespace {

/// As many a second as nobody sends.
constexpr double kUnmetPerSecond = 100;

/// `rate` as it is written: a count in a period of milliseconds.
bool is_unmet(const ir::Value& rate) {
  const double period = rate["period"].number_or(0);
  return period > 0 && rate["count"].number_or(0) * 1'000 / period >= kUnmetPerSecond;
}

bool is_switched(const ir::Value& set, bool is_on) {
  return set["enable"].is_bool() && set["enable"].bool_or(false) == is_on;
}

}  // namespace

std::optional<ir::Value> value_for(const ir::Value& expression, std::string_view object,
                                   std::string_view property, const std::string& ip) {
  if (!expression.is_map()) return std::nullopt;
  ir::Value whole = expression;
  if (whole["match"].is_null()) whole.set("match", ir::Value::map());
  const auto container = schema::MtaContainer::parse(whole, schema::context_of(object, property));
  if (!container) return std::nullopt;
  schema::MtaEnvironment environment;
  environment.variable = [&](std::string_view name) -> std::optional<ir::Value> {
    if (name == "remote_ip") return ir::Value(ip);
    return std::nullopt;
  };
  auto value = container->evaluate(environment);
  return value ? std::optional(std::move(*value)) : std::nullopt;
}

std::optional<bool> counts(const ir::Value& match, const std::string& ip) {
  const auto value = value_for(match, "MtaInboundThrottle", "match", ip);
  if (!value) return std::nullopt;
  return schema::is_true(*value);
}

bool lifts_throttle(const ir::Value& set, std::span<const std::string> ips) {
  if (is_switched(set, false) || is_unmet(set["rate"])) return true;
  const ir::Value& match = set["match"];
  return !match.is_null() && std::all_of(ips.begin(), ips.end(), [&](const std::string& ip) {
    return !counts(match, ip).value_or(true);
  });
}

bool limits_by_throttle(const ir::Value& set) {
  if (is_switched(set, false)) return false;
  const auto& members = set.members();
  return is_switched(set, true) ||
         std::any_of(members.begin(), members.end(), [&](const auto& one) {
           if (one.first == "rate") return !is_unmet(one.second);
           return one.first == "key" || one.first.starts_with("rate/") ||
                  one.first.starts_with("key/");
         });
}

}  // namespace plan::check
