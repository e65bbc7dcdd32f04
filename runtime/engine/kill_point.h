#pragma once
#include <functional>
#include <span>
#include <string_view>

namespace plan::engine {

struct KillPoint {
  std::string_view name = {};
  std::string_view meaning = {};
};

/// All of kill_points.def, for the suite that kills at each.
[[nodiscard]] std::span<const KillPoint> all_kill_points();

/// Told of every pass before anything else, in the thread that passes; a simulation ends its world
/// there. Set while no run is under way; empty: nobody listens.
void watch_kill_points(std::function<void(std::string_view name)> watcher);

/// Counts the pass; at the pass that the environment names (PLAN_KILL_POINT=name:n, n from 1) the
/// process kills itself with SIGKILL, at that of PLAN_STOP_POINT it stops (SIGSTOP) until somebody
/// lets it go on: for tests that kill a server just then. Does nothing else but tell the watcher.
void pass_kill_point(std::string_view name);

}  // namespace plan::engine

/// A named border between a durable write and an effect.
#define PLAN_KILL_POINT(name) ::plan::engine::pass_kill_point(name)
