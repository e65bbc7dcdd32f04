#include "runtime/engine/kill_point.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>

#include "compiler/source/check.h"

namespace plan::engine {
namespace {

constexpr auto kPoints = std::to_array<KillPoint>({
#define PLAN_KILL_POINT_ENTRY(name, meaning) {name, meaning},
#include "runtime/engine/kill_points.def"
#undef PLAN_KILL_POINT_ENTRY
});

/// What the environment asks for, read once.
struct Wish {
  std::string name;
  long pass = 0;

  explicit Wish(const char* variable) {
    const char* text = std::getenv(variable);
    if (text == nullptr) return;
    const std::string all(text);
    const std::size_t colon = all.rfind(':');
    name = all.substr(0, colon);
    pass = colon == std::string::npos ? 1 : std::strtol(all.c_str() + colon + 1, nullptr, 10);
  }
};

std::function<void(std::string_view)>& watcher() {
  static std::function<void(std::string_view)> one;
  return one;
}

}  // namespace

void watch_kill_points(std::function<void(std::string_view)> told) { watcher() = std::move(told); }

std::span<const KillPoint> all_kill_points() { return kPoints; }

void pass_kill_point(std::string_view name) {
  static const Wish kill("PLAN_KILL_POINT");
  static const Wish stop("PLAN_STOP_POINT");
  static std::atomic<long> passes_to_kill{0};
  static std::atomic<long> passes_to_stop{0};
  bool is_listed = false;
  for (const KillPoint& point : kPoints) is_listed = is_listed || point.name == name;
  PLAN_CHECK(is_listed, "every kill point stands in kill_points.def");
  if (watcher()) watcher()(name);
  if (stop.pass > 0 && stop.name == name && ++passes_to_stop == stop.pass)
    ::kill(::getpid(), SIGSTOP);
  if (kill.pass > 0 && kill.name == name && ++passes_to_kill == kill.pass)
    ::kill(::getpid(), SIGKILL);
}

}  // namespace plan::engine
