#include "compiler/flow/handed_on.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "compiler/check/graph_view.h"
#include "compiler/flow/states.h"
#include "compiler/ir/steps_before.h"
#include "compiler/schema/formats.h"
#include "compiler/schema/mta_container.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using ir::StepId;
using ir::StepKind;

/// Fewer messages than this in one session make a busy source come again and again.
constexpr double kSessionMessagesMin = 100;

/// One thing that the target would do to the source.
struct Obstacle {
  std::string claim = {};
  std::string hop = {};
  std::string rule = {};
  std::string remedy = {};
};

/// The value of an expression for mail from `ip`; nothing when it asks for more.
[[nodiscard]] std::optional<ir::Value> value_for(const ir::Value& expression,
                                                 std::string_view object, std::string_view property,
                                                 const std::string& ip) {
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

class HandedOn {
 public:
  HandedOn(const ir::StepGraph& graph, const facts::Lock& lock, const ir::Value& source_ips)
      : graph_(graph), lock_(lock) {
    for (const ir::Value& ip : source_ips.items()) ips_.emplace_back(ip.string_or(""));
  }

  /// Did nobody look at what the target does to a busy sender? A target without throttles has no
  /// line in the lock, but its session limit always has.
  [[nodiscard]] bool is_unmeasured() const {
    return !lock_.schema_digest.empty() &&
           !lock_.settings.contains("target.MtaStageData.maxMessages");
  }

  /// What no loaded step in front of the forward lifts, where it is not known what there is to
  /// lift.
  [[nodiscard]] std::vector<std::string> unlifted(StepId forward) {
    look_behind(forward);
    std::vector<std::string> found;
    const auto writes = [&](std::string_view object) {
      return std::any_of(writes_.begin(), writes_.end(),
                         [&](const Write& write) { return is_object(write.arguments, object); });
    };
    if (lock_.throttles.empty() && !writes("MtaInboundThrottle"))
      found.emplace_back("throttles (`MtaInboundThrottle`)");
    if (!writes("MtaStageData")) found.emplace_back("messages in a session (`MtaStageData`)");
    if (!lock_.settings.contains("target.AllowedIp.address") && !writes("AllowedIp"))
      found.emplace_back("bans (`AllowedIp`)");
    return found;
  }

  /// What stands in the way of a step that forwards.
  [[nodiscard]] std::vector<Obstacle> obstacles(StepId forward) {
    look_behind(forward);
    std::vector<Obstacle> found;
    for (const std::string& ip : ips_) {
      for (const facts::LockThrottle& throttle : lock_.throttles) {
        if (!counts(throttle.match, ip) || is_lifted(throttle.description, ip)) continue;
        const std::string shown = printable(throttle.description, 80);
        found.push_back(
            {fmt::format("the throttle `{}` slows down what the source hands on", shown),
             fmt::format("target counts {} by `{}`, and tells it to come again", ip, shown),
             "MtaInboundThrottle.match",
             fmt::format("let a step leave the source out of it (`remote_ip != '{}'`), as "
                         "std/target-preparation does",
                         ip)});
      }
      if (const auto limit = session_limit(ip); limit && *limit < kSessionMessagesMin) {
        found.push_back(
            {fmt::format("the target takes {} messages in a session of the source", *limit),
             fmt::format("target: 452 4.4.5 to message {} of a session from {}", *limit + 1, ip),
             "MtaStageData.maxMessages",
             "let a step raise it for the source's address, as std/target-preparation does"});
      }
      if (may_be_banned(ip)) {
        found.push_back(
            {fmt::format("the target may ban the source {} for ever", ip),
             fmt::format("target bans {} when it has handed on 35 unknown recipients in a day", ip),
             "Security.abuseBanRate",
             "let a step make an AllowedIp of the source's address, as std/target-preparation "
             "does"});
      }
    }
    return found;
  }

 private:
  struct Write {
    StepId step = {};
    ir::Value arguments = {};
  };

  /// Everything that the step waits for, and of it what is live when the step runs.
  void look_behind(StepId forward) {
    const std::vector<bool> needed = ir::needs_of(graph_, forward);
    std::vector<bool> live(graph_.size());
    for (const StepId step : graph_.order()) {
      if (!needed[ir::index(step)] || graph_.kind(step) != StepKind::admin_action) continue;
      if (graph_.argument(step, "action").string_or("") != "ReloadSettings") continue;
      const std::vector<bool> loaded = ir::needs_of(graph_, step);
      for (std::size_t i = 0; i < live.size(); ++i) live[i] = live[i] || loaded[i];
    }
    writes_.clear();
    for (const StepId step : graph_.order()) {
      const StepKind kind = graph_.kind(step);
      if (kind != StepKind::admin_update && kind != StepKind::admin_upsert) continue;
      if (!live[ir::index(step)] || !needed[ir::index(step)]) continue;
      const ir::Value& shape = graph_.shape(step).arguments;
      if (is_object(shape, "MtaInboundThrottle") || is_object(shape, "MtaStageData") ||
          is_object(shape, "AllowedIp"))
        writes_.push_back({step, graph_.arguments(step)});
    }
  }

  /// A condition that asks for more than the address counts somebody at times.
  [[nodiscard]] static bool counts(const ir::Value& match, const std::string& ip) {
    const auto value = value_for(match, "MtaInboundThrottle", "match", ip);
    return !value || schema::is_true(*value);
  }

  [[nodiscard]] bool is_lifted(const std::string& description, const std::string& ip) const {
    return std::any_of(writes_.begin(), writes_.end(), [&](const Write& write) {
      return is_object(write.arguments, "MtaInboundThrottle") &&
             property(write.arguments, "description").string_or("") == description &&
             !counts(write.arguments["set"]["match"], ip);
    });
  }

  [[nodiscard]] std::optional<double> session_limit(const std::string& ip) const {
    const auto setting = lock_.settings.find("target.MtaStageData.maxMessages");
    if (setting == lock_.settings.end()) return std::nullopt;
    ir::Value expression = setting->second;
    for (const Write& write : writes_) {
      const ir::Value& written = write.arguments["set"]["maxMessages"];
      if (is_object(write.arguments, "MtaStageData") && written.is_map()) expression = written;
    }
    const auto value = value_for(expression, "MtaStageData", "maxMessages", ip);
    if (!value) return std::nullopt;
    if (value->is_number()) return value->number_or(0);
    const std::string text = schema::text_of(*value);
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos)
      return std::nullopt;
    return text.size() > 9 ? 1e9 : std::stod(text);
  }

  [[nodiscard]] bool may_be_banned(const std::string& ip) const {
    const auto setting = lock_.settings.find("target.AllowedIp.address");
    if (setting == lock_.settings.end() || !setting->second.is_list()) return false;
    const auto holds = [&](const ir::Value& network) {
      const std::string_view text = network.string_or("");
      return check::is_ip_in_network(ip, text);
    };
    const ir::List& measured = setting->second.items();
    if (std::any_of(measured.begin(), measured.end(), holds)) return false;
    return std::none_of(writes_.begin(), writes_.end(), [&](const Write& write) {
      return is_object(write.arguments, "AllowedIp") && holds(property(write.arguments, "address"));
    });
  }

  const ir::StepGraph& graph_;
  const facts::Lock& lock_;
  std::vector<std::string> ips_;
  std::vector<Write> writes_;
};

}  // namespace

void report_handed_on(const ir::StepGraph& graph, const facts::Lock& lock,
                      const ir::Value& source_ips, Span fallback, Sink& sink) {
  HandedOn handed_on(graph, lock, source_ips);
  std::set<const ir::StepShape*> seen;  // steps of one shape wait for the same
  for (const StepId step : graph.order()) {
    if (!is_forward(graph.kind(step))) continue;
    if (!seen.insert(&graph.shape(step)).second) continue;
    const Span place = graph.origin(step).is_known() ? graph.origin(step) : fallback;
    if (handed_on.is_unmeasured()) {
      if (const std::vector<std::string> unlifted = handed_on.unlifted(step); !unlifted.empty())
        sink.report(Kind::not_measured, place,
                    fmt::format("not measured: what the target does to the source, which hands on "
                                "all mail; no step lifts {}",
                                fmt::join(unlifted, ", ")))
            .label(
                "a fresh target closes the sixth connection within a second and takes 10 "
                "messages in a session")
            .help(
                "run `plan fetch`, or let steps in front of every forward lift them for the "
                "source's address, as std/target-preparation does");
    }
    const std::string account(graph.argument(step, "account").string_or(""));
    for (const Obstacle& obstacle : handed_on.obstacles(step)) {
      sink.report(Kind::mail_flow, place, obstacle.claim)
          .argument("account", account)
          .label(fmt::format("when `{}` is done", graph.id(step)))
          .note(place, fmt::format("source forwards {} to the target ({})", account,
                                   graph.kind(step) == StepKind::source_forward ? "lookup list"
                                                                                : "transport map"))
          .note({}, fmt::format("then {} ({})", obstacle.hop, obstacle.rule))
          .help(fmt::format("{}, and reload the settings before the first account is forwarded",
                            obstacle.remedy));
    }
  }
}

}  // namespace plan::flow
