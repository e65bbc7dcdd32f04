#include "compiler/check/closed_ports.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "compiler/check/listeners.h"
#include "compiler/check/rules.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"

namespace plan::check {
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
  std::string address = {};
  std::int64_t port = 0;
};

std::vector<Door> doors_of(const Migration& migration) {
  std::vector<Door> doors;
  const Value& measured = rules::setting(migration, "target.NetworkListener.bind");
  if (!measured.is_list()) {
    for (const Seeded& one : kSeeded)
      doors.push_back({std::string(one.name), std::string(one.protocol), "[::]", one.port});
    return doors;
  }
  for (const Value& one : measured.items()) {
    Door door{std::string(one["name"].string_or("")), std::string(one["protocol"].string_or("")),
              std::string(one["address"].string_or("")), one["port"].integer_or(0)};
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
  std::string_view label = {};  ///< what comes of it when nobody listens there
  bool is_until_end = false;    ///< nobody's when everybody has moved
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

class Closing {
 public:
  explicit Closing(const GraphView& view)
      : view_(view), doors_(doors_of(view.migration())), needs_(needs_of(view.plan())) {}

  void destroyed(StepId step, const Value& match) {
    for (const Door& door : doors_) {
      if (is_meant(door, match) && !has_other(door, match) &&
          !is_opened(door, step, [](const TargetWrite&) { return true; }))
        take({step, &door, true, false});
    }
  }

  void written(const TargetWrite& write) {
    const BindChange change = bind_change(write.set);
    for (const Door& door : doors_) {
      const bool is_kept =
          stays(door, change) && write.set["protocol"].string_or(door.protocol) == door.protocol;
      if (is_kept || !is_meant(door, write.match) || has_other(door, write.match)) continue;
      // What is written to the same listener before is gone by then.
      if (!is_opened(door, write.step,
                     [&](const TargetWrite& other) { return !(other.match == write.match); }))
        take({write.step, &door, false, opens_others(write, change)});
    }
  }

  [[nodiscard]] std::vector<ClosedPort> all() && {
    std::map<std::tuple<std::string, std::string, std::int64_t>, const ClosedPort*> told;
    const auto key = [](const ClosedPort& one) {
      return std::tuple(one.listener, one.protocol, one.port);
    };
    for (const ClosedPort& closed : closed_) {
      const ClosedPort*& known = told[key(closed)];
      if (known == nullptr || rank_of(closed) < rank_of(*known)) known = &closed;
    }
    for (ClosedPort& closed : closed_) closed.told_by = told[key(closed)]->step;
    return std::move(closed_);
  }

 private:
  struct Closed {
    StepId step = {};
    const Door* door = nullptr;
    bool is_destroyed = false;
    bool opens_others = false;
  };

  /// The least of those that close the same port is told.
  [[nodiscard]] std::pair<bool, ir::Stage> rank_of(const ClosedPort& closed) const {
    return {closed.needed_for.empty(), view_.graph().stage(closed.step)};
  }

  /// Does the step bind the listener where it was not?
  [[nodiscard]] bool opens_others(const TargetWrite& write, const BindChange& change) const {
    return std::any_of(change.opened.begin(), change.opened.end(), [&](const Bound& bound) {
      return std::none_of(doors_.begin(), doors_.end(), [&](const Door& door) {
        return door.port == bound.port && is_meant(door, write.match) &&
               write.set["protocol"].string_or(door.protocol) == door.protocol;
      });
    });
  }

  /// Does its listener still listen at the port when the step is done? It may have more than one
  /// address there.
  [[nodiscard]] bool stays(const Door& door, const BindChange& change) const {
    if (std::any_of(change.opened.begin(), change.opened.end(),
                    [&](const Bound& bound) { return bound.port == door.port; }))
      return true;
    if (change.is_whole) return false;
    return std::any_of(doors_.begin(), doors_.end(), [&](const Door& other) {
      return other.port == door.port && other.protocol == door.protocol &&
             other.name == door.name &&
             std::none_of(change.closed.begin(), change.closed.end(), [&](const Bound& bound) {
               return bound.port == other.port &&
                      (other.address.empty() || schema::is_same_host(bound.address, other.address));
             });
    });
  }

  /// Has another listener of the target the same port?
  [[nodiscard]] bool has_other(const Door& door, const Value& match) const {
    return std::any_of(doors_.begin(), doors_.end(), [&](const Door& other) {
      return other.port == door.port && other.protocol == door.protocol && !is_meant(other, match);
    });
  }

  /// Does another step that is in time open the port?
  template <typename Counts>
  [[nodiscard]] bool is_opened(const Door& door, StepId step, const Counts& counts) const {
    const ir::StepGraph& graph = view_.graph();
    return std::any_of(view_.writes().begin(), view_.writes().end(), [&](const TargetWrite& other) {
      if (other.object != "NetworkListener" || other.step == step || !counts(other) ||
          graph.stage(other.step) > graph.stage(step) ||
          other.set["protocol"].string_or(door.protocol) != door.protocol)
        return false;
      const std::vector<std::int64_t> ports = opened_ports(other.set);
      return std::find(ports.begin(), ports.end(), door.port) != ports.end();
    });
  }

  [[nodiscard]] bool is_restored(StepId step) const {
    const std::string id = view_.graph().id(step);
    const auto restores = view_.of_kind(StepKind::restore);
    return std::any_of(restores.begin(), restores.end(), [&](StepId restore) {
      return view_.graph().argument(restore, "step") == Value(id);
    });
  }

  void take(const Closed& closed) {
    const StepId step = closed.step;
    const Door& door = *closed.door;
    const ir::StepGraph& graph = view_.graph();
    const auto need = std::find_if(needs_.begin(), needs_.end(), [&](const Need& one) {
      return one.protocol == door.protocol && one.port == door.port;
    });
    const bool is_end = graph.stage(step) == ir::Stage::finalize;
    const bool is_needed = need != needs_.end() && !(need->is_until_end && is_end);
    // Until the end only the plan's own ports are used.
    if (!is_needed && (door.protocol == "http" || is_restored(step))) return;
    if (!seen_.emplace(&graph.shape(step), door.port).second) return;
    closed_.push_back({step, door.name, door.protocol, door.port,
                       is_needed ? need->label : std::string_view{}, closed.is_destroyed,
                       closed.opens_others, step});
  }

  const GraphView& view_;
  std::vector<Door> doors_;
  std::vector<Need> needs_;
  std::set<std::pair<const ir::StepShape*, std::int64_t>> seen_ = {};
  std::vector<ClosedPort> closed_ = {};
};

}  // namespace

std::vector<ClosedPort> closed_ports(const GraphView& view) {
  Closing closing(view);
  const ir::StepGraph& graph = view.graph();
  for (const StepId step : view.of_kind(StepKind::admin_destroy)) {
    // The type is of the shape: finalize destroys a key for each address.
    if (object_type(graph.shape(step).arguments["object"].string_or("")) == "NetworkListener")
      closing.destroyed(step, graph.argument(step, "match"));
  }
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "NetworkListener" && write.match.size() > 0) closing.written(write);
  }
  return std::move(closing).all();
}

}  // namespace plan::check
