// Prevents: a cutover for which an old Stalwart is not ready, in a procedure of the author's own:
// proxies that bring mail to a port where no listener takes their header or somebody has to log in,
// a target or a proxy that the old server bans, and sessions from before the cutover that go on
// writing (reference/stalwart-v015-api.md 0a, 7, 8 and 9.2; std/stalwart-0.15 has all of it).
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/kind_of_source.h"
#include "compiler/check/listeners.h"
#include "compiler/check/names.h"
#include "compiler/schema/formats.h"
#include "compiler/schema/mta_expression.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

constexpr std::int64_t kSmtpPort = 25;
constexpr std::string_view kLogin = "session.auth.require";
constexpr std::string_view kSpared = "server.allowed-ip.";
constexpr std::string_view kSomebody = "198.51.100.25";  // RFC 5737

/// Does the old server want a login at this port? Nothing: it depends on what is not known here.
std::optional<bool> wants_login(const ir::Value& rules, std::int64_t port) {
  static const schema::MtaContext kSession = [] {
    schema::MtaContext context;
    context.name = "session";
    context.is_unrestricted = true;
    context.is_of_old_server = true;
    return context;
  }();
  schema::MtaEnvironment environment;
  environment.variable = [port](std::string_view name) -> std::optional<ir::Value> {
    if (name == "local_port") return ir::Value(port);
    if (name == "remote_ip") return ir::Value(kSomebody);
    return std::nullopt;
  };
  for (const ir::Value& rule : rules.items()) {
    bool is_it = rule["else"].is_string();
    if (!is_it) {
      schema::MtaError error;
      const auto condition =
          schema::parse_mta_expression(rule["if"].string_or(""), kSession, &error);
      if (!condition) return std::nullopt;
      const auto answer = schema::evaluate(*condition, environment);
      if (!answer) return std::nullopt;
      is_it = schema::is_true(*answer);
    }
    if (!is_it) continue;
    const ir::Value& given = rule["else"].is_string() ? rule["else"] : rule["then"];
    const std::string_view result = trim(given.string_or(""));
    if (result == "true") return true;
    return result == "false" ? std::optional(false) : std::nullopt;
  }
  return std::nullopt;
}

class Rule {
 public:
  Rule(const GraphView& view, Sink& sink)
      : view_(view),
        sink_(sink),
        cutover_(view.of_kind(StepKind::address_move).front()),
        before_(view.needs_of(cutover_)),
        address_(view.plan().source["listener"]["address"].string_or("")),
        port_(view.plan().source["listener"]["port"].integer_or(kSmtpPort)) {}

  void run() {
    look_at_listener();
    look_at_login();
    look_at_senders();
    look_at_sessions();
    look_at_restores();
  }

 private:
  [[nodiscard]] std::string cutover() const { return printable(view_.graph().id(cutover_), 160); }

  void look_at_listener() {
    const ir::StepGraph& graph = view_.graph();
    const std::span<const StepId> listeners = view_.of_kind(StepKind::source_listener);
    if (listeners.empty()) {
      report_step(view_, cutover_, Kind::header_before_listener,
                  "brings clients to the proxies, and no step has looked for the old server's "
                  "listener that takes their header",
                  sink_)
          .label("what they send to another one is refused, or counted as theirs")
          .help(
              "let it wait for a step of kind `source.listener`, as std/stalwart-0.15 does; a "
              "listener is read at a start of the server only");
      return;
    }
    const auto is_door = [&](StepId step) {
      const ir::Value address = graph.argument(step, "address");
      return graph.argument(step, "port").integer_or(0) == port_ &&
             is_same_door(address.string_or(""), address_);
    };
    const auto door = std::find_if(listeners.begin(), listeners.end(), is_door);
    if (door == listeners.end()) {
      const ir::Value address = graph.argument(listeners.front(), "address");
      report_step(view_, listeners.front(), Kind::header_before_listener,
                  fmt::format("looks for a listener at {}, port {}, and the proxies bring mail to "
                              "{}, port {}",
                              printable(address.string_or(""), 80),
                              graph.argument(listeners.front(), "port").integer_or(0),
                              printable(address_, 80), port_),
                  sink_)
          .label("that one is not looked for")
          .help("write `address = source.listener.address` and `port = source.listener.port`");
      return;
    }
    const ir::Value trusted = graph.argument(*door, "trusted");
    const std::string& proxy = view_.plan().proxy.text;
    const bool is_trusted =
        std::any_of(trusted.items().begin(), trusted.items().end(), [&](const ir::Value& one) {
          return schema::is_same_host(one.string_or(""), proxy) ||
                 is_ip_in_network(proxy, one.string_or(""));
        });
    if (is_trusted || proxy.empty()) return;
    report_step(
        view_, *door, Kind::header_before_listener,
        fmt::format("does not ask for trust in the proxies, which are at {}", printable(proxy, 80)),
        sink_)
        .label("a header from an address that is not trusted is no header")
        .help("write `trusted = [addresses.proxy]`");
  }

  /// Steps that write settings, and that the cutover waits for.
  [[nodiscard]] std::vector<StepId> settings() const {
    std::vector<StepId> steps;
    for (const StepId step : view_.of_kind(StepKind::source_settings)) {
      if (before_[ir::index(step)]) steps.push_back(step);
    }
    return steps;
  }

  /// A fresh server wants a login at every port but 25.
  void look_at_login() {
    const ir::StepGraph& graph = view_.graph();
    bool is_written = false;
    for (const StepId step : settings()) {
      const ir::Value blocks = graph.argument(step, "blocks");
      for (const ir::Value& block : blocks.items()) {
        if (block["key"].string_or("") != kLogin) continue;
        is_written = true;
        for (const std::int64_t port : {kSmtpPort, port_}) {
          if (!wants_login(block["rules"], port).value_or(false)) continue;
          report_step(view_, step, Kind::procedure_broken,
                      fmt::format("lets the old server ask for a login at port {}", port), sink_)
              .label("mail from outside, and what the target hands back, would be refused there")
              .help(
                  fmt::format("let the rules of `{}` give `false` for this `local_port`; those of "
                              "std/stalwart-source do with `entry_port = source.listener.port`",
                              kLogin));
          break;
        }
      }
      const ir::Value values = graph.argument(step, "values");
      for (const ir::Value& one : values.items()) {
        // As a single value it is for every port.
        is_written = is_written || one["key"].string_or("").starts_with(kLogin);
      }
    }
    if (is_written || port_ == kSmtpPort) return;
    report_step(view_, cutover_, Kind::procedure_broken,
                fmt::format("brings mail to port {} of the old server, which wants a login at "
                            "every port but {}",
                            port_, kSmtpPort),
                sink_)
        .label("mail from outside would be refused there")
        .help(
            fmt::format("write a block `{}` that gives `false` for this `local_port` in a step of "
                        "kind `source.settings` that the cutover waits for, as std/stalwart-source "
                        "does",
                        kLogin));
  }

  /// The target hands back what is for those who have not moved, and every client comes from the
  /// proxies: both do what a server bans others for.
  void look_at_senders() {
    std::vector<std::string> spared;
    std::optional<StepId> sparing;
    for (const StepId step : settings()) {
      const ir::Value values = view_.graph().argument(step, "values");
      for (const ir::Value& one : values.items()) {
        const std::string_view key = one["key"].string_or("");
        if (!key.starts_with(kSpared)) continue;
        spared.emplace_back(key.substr(kSpared.size()));
        if (!sparing) sparing = step;
      }
    }
    const Plan& plan = view_.plan();
    for (const Named* const sender : {&plan.target_address, &plan.proxy}) {
      if (!is_ip_address(sender->text)) continue;  // said of the plan itself
      const bool is_spared = std::any_of(spared.begin(), spared.end(), [&](const auto& network) {
        return schema::is_same_host(network, sender->text) ||
               is_ip_in_network(sender->text, network);
      });
      if (is_spared) continue;
      const bool is_proxy = sender == &plan.proxy;
      auto report = report_step(
          view_, cutover_, Kind::procedure_broken,
          fmt::format(
              "comes before the old server is told never to ban {}, {}", sender->text,
              is_proxy ? "from where all clients come" : "the target, which hands mail back to it"),
          sink_);
      report.label("35 unknown recipients in a day, or a hundred wrong passwords, ban it for good");
      if (sparing) report.note(view_.graph().origin(*sparing), "others are spared here");
      report.help(fmt::format(
          "write the setting `{}{}` in a step of kind `source.settings` that the cutover waits "
          "for; std/stalwart-source does with `{} = [{}]`",
          kSpared, sender->text, is_proxy ? "proxies" : "target_ips",
          is_proxy ? "addresses.proxy" : "addresses.target"));
    }
  }

  /// Rights that are taken do not end a session that lives; only a start of the server does, which
  /// plan cannot make: its operator says that it was.
  void look_at_sessions() {
    const ir::StepGraph& graph = view_.graph();
    std::vector<StepId> restarts;
    for (const StepId step : view_.of_kind(StepKind::approval)) {
      if (graph.stage(step) == ir::Stage::cutover && view_.needs_of(step)[ir::index(cutover_)])
        restarts.push_back(step);
    }
    std::set<const ir::StepShape*> seen;
    for (const StepId step : view_.of_kind(StepKind::source_freeze)) {
      if (!seen.insert(&graph.shape(step)).second) continue;
      const std::vector<bool> needs = view_.needs_of(step);
      if (std::any_of(restarts.begin(), restarts.end(),
                      [&](StepId restart) { return needs[ir::index(restart)]; }))
        continue;
      report_step(
          view_, step, Kind::delta_without_hold,
          fmt::format("leaves sessions from before `{}` alive, which go on writing", cutover()),
          sink_)
          .label("rights that are taken end no session of an old Stalwart, only a restart does")
          .note(graph.origin(cutover_), "clients come through the proxies from here on")
          .help(
              "let the waves wait for a step of kind `approval` with `stage = cutover` behind it, "
              "for which its operator restarts the old server, as std/stalwart-0.15 does");
    }
  }

  /// What the cutover waited for has to stay as long as somebody has not moved.
  void look_at_restores() {
    const ir::StepGraph& graph = view_.graph();
    for (const StepId restore : view_.of_kind(StepKind::restore)) {
      const auto of = graph.find(graph.argument(restore, "step").string_or(""));
      if (!of || graph.kind(*of) != StepKind::source_settings ||
          graph.stage(restore) >= ir::Stage::finalize || !before_[ir::index(*of)])
        continue;
      const std::string why = why_needed(graph.arguments(*of));
      if (why.empty()) continue;
      report_step(view_, restore, Kind::procedure_broken,
                  fmt::format("puts back what `{}` writes while the old server still needs it",
                              printable(graph.id(*of), 160)),
                  sink_)
          .label(why)
          .note(graph.origin(*of), "it is written here")
          .help(
              "move it to stage finalize, behind `finalize/address`, as std/stalwart-source does");
    }
  }

  /// What happens when these settings are as they were before; empty: nothing that is told here.
  [[nodiscard]] std::string why_needed(const ir::Value& arguments) const {
    const Plan& plan = view_.plan();
    for (const ir::Value& one : arguments["values"].items()) {
      const std::string_view key = one["key"].string_or("");
      if (!key.starts_with(kSpared)) continue;
      const std::string_view network = key.substr(kSpared.size());
      for (const Named* const sender : {&plan.target_address, &plan.proxy}) {
        if (sender->text.empty() || (!schema::is_same_host(network, sender->text) &&
                                     !is_ip_in_network(sender->text, network)))
          continue;
        return fmt::format("from then on it may ban {}, {}", printable(sender->text, 80),
                           sender == &plan.proxy ? "from where all clients come"
                                                 : "the target, which hands mail back to it");
      }
    }
    if (port_ == kSmtpPort) return {};
    for (const ir::Value& block : arguments["blocks"].items()) {
      if (block["key"].string_or("") == kLogin)
        return fmt::format("from then on it wants a login at port {}, where the proxies bring mail",
                           port_);
    }
    return {};
  }

  const GraphView& view_;
  Sink& sink_;
  StepId cutover_;
  std::vector<bool> before_;
  std::string address_;  ///< where the proxies bring mail
  std::int64_t port_ = kSmtpPort;
};

}  // namespace

void old_server_unready(const GraphView& view, Sink& sink) {
  if (!is_from_stalwart(view.plan()) || view.of_kind(StepKind::address_move).empty()) return;
  Rule(view, sink).run();
}

}  // namespace plan::check::rules
