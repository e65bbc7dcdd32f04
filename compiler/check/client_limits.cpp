#include "compiler/check/client_limits.h"

#include <algorithm>
#include <utility>

#include "compiler/ir/steps_before.h"
#include "compiler/schema/mta_container.h"

namespace plan::check {
namespace {

/// As many a second as nobody sends.
constexpr double kUnmetPerSecond = 100;

/// No message is smaller than this.
constexpr double kMessageBytesMin = 1'000;
/// The sender's server and the source add a `Received` header each.
constexpr double kReceivedMin = 2;
/// What the server takes by itself.
constexpr double kReceivedOfServer = 50;

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

Taken taken_from(const std::string& ip, const ir::Value& expression, std::string_view object,
                 std::string_view property, double message_max) {
  const auto value = value_for(expression, object, property, ip);
  if (!value) return Taken::perhaps;
  if (object == "SenderAuth" && property == "spfFromVerify") {
    const std::string text = schema::text_of(*value);
    if (text == "strict") return Taken::not_all;
    return text == "relaxed" || text == "disable" ? Taken::all : Taken::perhaps;
  }
  if (object != "MtaStageData" || !value->is_number()) return Taken::perhaps;
  const double bound = value->number_or(0);
  if (property == "maxMessageSize") {
    if (bound <= 0) return Taken::perhaps;
    if (bound < (message_max > 0 ? message_max : kMessageBytesMin)) return Taken::not_all;
    return message_max > 0 ? Taken::all : Taken::perhaps;
  }
  if (property != "maxReceivedHeaders" || bound < 0) return Taken::perhaps;
  if (bound < kReceivedMin) return Taken::not_all;
  return bound >= kReceivedOfServer ? Taken::all : Taken::perhaps;
}

std::vector<bool> loaded_before(const ir::StepGraph& graph, ir::StepId step) {
  const std::vector<bool> needed = ir::needs_of(graph, step);
  std::vector<bool> loaded(graph.size());
  for (const ir::StepId reload : graph.order()) {
    if (!needed[ir::index(reload)] || graph.kind(reload) != ir::StepKind::admin_action ||
        graph.argument(reload, "action").string_or("") != "ReloadSettings")
      continue;
    const std::vector<bool> before = ir::needs_of(graph, reload);
    for (std::size_t i = 0; i < loaded.size(); ++i) loaded[i] = loaded[i] || before[i];
  }
  return loaded;
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
