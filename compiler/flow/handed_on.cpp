#include "compiler/flow/handed_on.h"

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "compiler/check/client_limits.h"
#include "compiler/check/graph_view.h"
#include "compiler/flow/states.h"
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
    const auto does_any = [&](bool (HandedOn::*lifts)(const Write&) const) {
      return std::any_of(writes_.begin(), writes_.end(),
                         [&](const Write& write) { return (this->*lifts)(write); });
    };
    if (lock_.throttles.empty() && !does_any(&HandedOn::lifts_some_throttle))
      found.emplace_back("throttles (`MtaInboundThrottle`)");
    if (!does_any(&HandedOn::lifts_session_limit))
      found.emplace_back("messages in a session (`MtaStageData`)");
    if (!lock_.settings.contains("target.AllowedIp.address") && !does_any(&HandedOn::allows_source))
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
      add_refusals(ip, found);
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
    StepKind kind = {};
    ir::Value arguments = {};
  };

  /// Everything that the step waits for, and of it what is live when the step runs.
  void look_behind(StepId forward) {
    const std::vector<bool> loaded = check::loaded_before(graph_, forward);
    writes_.clear();
    for (const StepId step : graph_.order()) {
      const StepKind kind = graph_.kind(step);
      if (kind != StepKind::admin_update && kind != StepKind::admin_upsert &&
          kind != StepKind::admin_destroy)
        continue;
      if (!loaded[ir::index(step)]) continue;
      const ir::Value& shape = graph_.shape(step).arguments;
      if (is_object(shape, "MtaInboundThrottle") || is_object(shape, "MtaStageData") ||
          is_object(shape, "AllowedIp") || is_object(shape, "SenderAuth"))
        writes_.push_back({step, kind, graph_.arguments(step)});
    }
  }

  /// What the last of these steps that says something of a property says; null when none does.
  [[nodiscard]] ir::Value written(std::string_view object, std::string_view name) const {
    ir::Value last;
    for (const Write& write : writes_) {
      const ir::Value& one = write.arguments["set"][name];
      if (is_object(write.arguments, object) && !one.is_null()) last = one;
    }
    return last;
  }

  /// The largest message that the source takes; 0 where nobody has measured it, or it takes all.
  [[nodiscard]] double source_message_max() const {
    const auto setting = lock_.settings.find("source.message_size_limit");
    if (setting == lock_.settings.end()) return 0;
    return number_in(std::string(trim(setting->second.string_or("")))).value_or(0);
  }

  /// Do the steps make the target refuse for sure of what the source hands on?
  [[nodiscard]] bool is_refused(const std::string& ip, std::string_view object,
                                std::string_view name) const {
    const ir::Value expression = written(object, name);
    return check::taken_from(ip, expression, object, name, source_message_max()) ==
           check::Taken::not_all;
  }

  void add_refusals(const std::string& ip, std::vector<Obstacle>& found) const {
    const auto bound_of = [&](const char* name) {
      return number_for(written("MtaStageData", name), name, ip).value_or(0);
    };
    if (is_refused(ip, "MtaStageData", "maxMessageSize"))
      found.push_back(
          {fmt::format("the target takes messages of up to {} from the source",
                       show_bytes(static_cast<std::uint64_t>(bound_of("maxMessageSize")))),
           fmt::format("target refuses a larger one from {}, which the source has taken", ip),
           "MtaStageData.maxMessageSize",
           "let it take from the source's address what the source takes"});
    if (is_refused(ip, "MtaStageData", "maxReceivedHeaders"))
      found.push_back(
          {"the target takes no mail from the source that came there by another server",
           fmt::format("target refuses mail from {} with more than {} `Received` headers: each "
                       "server adds one",
                       ip, bound_of("maxReceivedHeaders")),
           "MtaStageData.maxReceivedHeaders", "let it take 50, as the server does by itself"});
    if (is_refused(ip, "SenderAuth", "spfFromVerify"))
      found.push_back(
          {"the target refuses mail of the source whose sender's domain publishes SPF",
           fmt::format("target: 550 5.7.23 to mail from {}, from where that domain sends none", ip),
           "SenderAuth.spfFromVerify",
           "let it be `disable` or `relaxed` for the source's address"});
  }

  /// A condition that asks for more than the address counts somebody at times.
  [[nodiscard]] static bool counts(const ir::Value& match, const std::string& ip) {
    return check::counts(match, ip).value_or(true);
  }

  [[nodiscard]] bool is_lifted(const std::string& description, const std::string& ip) const {
    return std::any_of(writes_.begin(), writes_.end(), [&](const Write& write) {
      return is_object(write.arguments, "MtaInboundThrottle") &&
             property(write.arguments, "description").string_or("") == description &&
             (write.kind == StepKind::admin_destroy ||
              check::lifts_throttle(write.arguments["set"], std::span(&ip, 1)));
    });
  }

  /// Of a target whose throttles nobody knows: a step that makes one of its own lifts none.
  [[nodiscard]] bool lifts_some_throttle(const Write& write) const {
    if (!is_object(write.arguments, "MtaInboundThrottle")) return false;
    if (write.kind == StepKind::admin_destroy) return true;
    const ir::Value& set = write.arguments["set"];
    if (write.kind == StepKind::admin_upsert && check::limits_by_throttle(set)) return false;
    return check::lifts_throttle(set, ips_);
  }

  /// A limit that only the run knows is taken for one that is raised.
  [[nodiscard]] bool lifts_session_limit(const Write& write) const {
    const ir::Value& written = write.arguments["set"]["maxMessages"];
    return is_object(write.arguments, "MtaStageData") && !written.is_null() &&
           std::all_of(ips_.begin(), ips_.end(), [&](const std::string& ip) {
             return number_for(written, "maxMessages", ip).value_or(kSessionMessagesMin) >=
                    kSessionMessagesMin;
           });
  }

  [[nodiscard]] bool allows_source(const Write& write) const {
    if (!is_object(write.arguments, "AllowedIp") || write.kind == StepKind::admin_destroy)
      return false;
    const std::string_view network = property(write.arguments, "address").string_or("");
    return ips_.empty() || std::any_of(ips_.begin(), ips_.end(), [&](const std::string& ip) {
             return check::is_ip_in_network(ip, network);
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
    return number_for(expression, "maxMessages", ip);
  }

  /// A number that MtaStageData has for mail from `ip`.
  [[nodiscard]] static std::optional<double> number_for(const ir::Value& expression,
                                                        std::string_view name,
                                                        const std::string& ip) {
    const auto value = check::value_for(expression, "MtaStageData", name, ip);
    if (!value) return std::nullopt;
    if (value->is_number()) return value->number_or(0);
    return number_in(schema::text_of(*value));
  }

  [[nodiscard]] static std::optional<double> number_in(const std::string& text) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos)
      return std::nullopt;
    return text.size() > 15 ? 1e15 : std::stod(text);
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
      return is_object(write.arguments, "AllowedIp") && write.kind != StepKind::admin_destroy &&
             holds(property(write.arguments, "address"));
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
