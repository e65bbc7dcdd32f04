// Prevents: a port of the target that a step closes while mail, the proxies or plan itself need it:
// its listener is destroyed, or bound elsewhere. Nothing is seen before the next start of the
// target, whoever makes it; from then on mail waits at the source and bounces in the end
// (reference/stalwart-admin.md 4.5, 5.12).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/listeners.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;
using ir::Value;

struct Seeded {
  std::string_view name = {};
  std::string_view protocol = {};
  std::int64_t port = 0;
};

/// Where a fresh target listens.
constexpr std::array<Seeded, 7> kSeeded = {{{"smtp", "smtp", 25},
                                            {"submissions", "smtp", 465},
                                            {"imaps", "imap", 993},
                                            {"pop3s", "pop3", 995},
                                            {"sieve", "manageSieve", 4190},
                                            {"https", "http", 443},
                                            {"http", "http", 8080}}};

/// One port of a listener that the target has.
struct Door {
  std::string name = {};
  std::string protocol = {};
  std::int64_t port = 0;
};

std::vector<Door> doors_of(const Migration& migration) {
  std::vector<Door> doors;
  const Value& measured = setting(migration, "target.NetworkListener.bind");
  if (!measured.is_list()) {
    for (const Seeded& one : kSeeded)
      doors.push_back({std::string(one.name), std::string(one.protocol), one.port});
    return doors;
  }
  for (const Value& one : measured.items()) {
    Door door{std::string(one["name"].string_or("")), std::string(one["protocol"].string_or("")),
              one["port"].integer_or(0)};
    const auto* const seeded =
        std::find_if(kSeeded.begin(), kSeeded.end(), [&](const Seeded& other) {
          return other.protocol == door.protocol && other.port == door.port;
        });
    if (door.name.empty() && seeded != kSeeded.end()) door.name = seeded->name;
    doors.push_back(std::move(door));
  }
  return doors;
}

/// The port of `https://new.example.org:8443`.
std::int64_t port_of_url(std::string_view url) {
  const std::string_view host = syntax::host_of_url(url);
  if (host.empty()) return 0;
  std::string_view behind =
      url.substr(static_cast<std::size_t>(host.data() + host.size() - url.data()));
  if (behind.starts_with(']')) behind.remove_prefix(1);
  if (!behind.starts_with(':')) return 443;
  std::int64_t port = 0;
  std::from_chars(behind.data() + 1, behind.data() + behind.size(), port);
  return port;
}

constexpr std::int64_t kMailPort = 25;  // where everybody brings mail behind the end

struct Need {
  std::string_view protocol = {};
  std::int64_t port = 0;
  std::string_view label = {};
  bool is_until_end = false;  ///< nobody's when everybody has moved
};

std::vector<Need> needs_of(const Plan& plan) {
  constexpr std::string_view kProxies = "the proxies bring clients there";
  const auto port = [&](const char* service) { return plan.target[service]["port"].integer_or(0); };
  return {{"smtp", port("smtp"),
           "the source hands mail on to it there: it would wait, and bounce in the end",
           port("smtp") != kMailPort},
          {"smtp", port("submission"), kProxies, true},
          {"imap", port("imap"), kProxies, true},
          {"manageSieve", port("sieve"), kProxies, true},
          {"http", port_of_url(plan.target["url"].string_or("")),
           "plan itself speaks to the target there", false}};
}

/// Is it the listener that a step names? False also where that cannot be told.
bool is_meant(const Door& door, const Value& match) {
  return std::all_of(match.members().begin(), match.members().end(), [&](const auto& member) {
    if (member.first == "name") return member.second == Value(door.name);
    return member.first == "protocol" && member.second == Value(door.protocol);
  });
}

bool has_port(const std::vector<std::int64_t>& ports, std::int64_t port) {
  return std::find(ports.begin(), ports.end(), port) != ports.end();
}

class Closing {
 public:
  Closing(const GraphView& view, Sink& sink)
      : view_(view),
        sink_(sink),
        doors_(doors_of(view.migration())),
        needs_(needs_of(view.plan())),
        is_measured_(setting(view.migration(), "target.NetworkListener.bind").is_list()) {}

  void destroyed(StepId step, const Value& match) {
    for (const Door& door : doors_) {
      if (is_meant(door, match) && !has_other(door, match) &&
          !is_made(door, step, [](const TargetWrite&) { return true; }))
        say(step, door);
    }
  }

  void written(const TargetWrite& write) {
    const Value& bind = write.set["bind"];
    const std::vector<std::int64_t> ports = bound_ports(bind);
    for (const Door& door : doors_) {
      const bool stays = (bind.is_null() || has_port(ports, door.port)) &&
                         write.set["protocol"].string_or(door.protocol) == door.protocol;
      if (stays || !is_meant(door, write.match) || has_other(door, write.match)) continue;
      // What is written to the same listener before is gone by then.
      if (!is_made(door, write.step,
                   [&](const TargetWrite& other) { return !(other.match == write.match); }))
        say(write.step, door);
    }
  }

 private:
  /// Has another listener of the target the same port?
  [[nodiscard]] bool has_other(const Door& door, const Value& match) const {
    return std::any_of(doors_.begin(), doors_.end(), [&](const Door& other) {
      return other.port == door.port && other.protocol == door.protocol && !is_meant(other, match);
    });
  }

  /// Does another step that is in time open the port?
  template <typename Counts>
  [[nodiscard]] bool is_made(const Door& door, StepId step, const Counts& counts) const {
    const ir::StepGraph& graph = view_.graph();
    return std::any_of(view_.writes().begin(), view_.writes().end(), [&](const TargetWrite& other) {
      return other.object == "NetworkListener" && other.step != step && counts(other) &&
             graph.stage(other.step) <= graph.stage(step) &&
             other.set["protocol"].string_or(door.protocol) == door.protocol &&
             has_port(bound_ports(other.set["bind"]), door.port);
    });
  }

  [[nodiscard]] bool is_restored(StepId step) const {
    const std::string id = view_.graph().id(step);
    const auto restores = view_.of_kind(StepKind::restore);
    return std::any_of(restores.begin(), restores.end(), [&](StepId restore) {
      return view_.graph().argument(restore, "step") == Value(id);
    });
  }

  void say(StepId step, const Door& door) {
    const ir::StepGraph& graph = view_.graph();
    const auto need = std::find_if(needs_.begin(), needs_.end(), [&](const Need& one) {
      return one.protocol == door.protocol && one.port == door.port;
    });
    const bool is_end = graph.stage(step) == ir::Stage::finalize;
    const bool is_needed = need != needs_.end() && !(need->is_until_end && is_end);
    // Until the end only the plan's own ports are used.
    if (!is_needed && (door.protocol == "http" || is_restored(step))) return;
    if (!said_.emplace(&graph.shape(step), door.port).second) return;
    report_step(
        view_, step, Kind::target_port_closed,
        fmt::format("closes port {} of the target, where {} for `{}`", door.port,
                    door.name.empty() ? std::string("it listens")
                                      : fmt::format("`{}` listens", printable(door.name, 60)),
                    printable(door.protocol, 40)),
        sink_)
        .severity(is_needed && is_measured_ ? Severity::error : Severity::warning)
        .label(std::string(is_needed ? need->label : "who uses it is refused when he has moved"))
        .help(
            "leave this listener as it is, and give one at another port a name of its own, as "
            "std/listener does; the port closes at the target's next start, whoever makes it");
  }

  const GraphView& view_;
  Sink& sink_;
  std::vector<Door> doors_;
  std::vector<Need> needs_;
  bool is_measured_;
  std::set<std::pair<const ir::StepShape*, std::int64_t>> said_ = {};
};

}  // namespace

void listener_taken_away(const GraphView& view, Sink& sink) {
  Closing closing(view, sink);
  const ir::StepGraph& graph = view.graph();
  for (const StepId step : view.of_kind(StepKind::admin_destroy)) {
    // The type is of the shape: finalize destroys a key for each address.
    if (object_type(graph.shape(step).arguments["object"].string_or("")) == "NetworkListener")
      closing.destroyed(step, graph.argument(step, "match"));
  }
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "NetworkListener" && write.match.size() > 0) closing.written(write);
  }
}

}  // namespace plan::check::rules
