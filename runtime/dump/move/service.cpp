#include "runtime/dump/move/service.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/dump/move/errors.h"
#include "runtime/step/errors.h"

namespace plan::dump {
namespace {

constexpr std::chrono::seconds kCommandTime{120};
constexpr std::chrono::milliseconds kLookAgain{250};

net::Deadline soon() { return net::Deadline::after(kCommandTime); }

/// The value of `Name=value` in lines of `systemctl show`; empty when there is none.
std::string_view property_of(std::string_view lines, std::string_view name) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    if (line.starts_with(name) && line.substr(name.size(), 1) == "=")
      return trim(line.substr(name.size() + 1));
  }
  return {};
}

/// A command as it can be typed again, but for the lines of a script.
std::string shown(const std::vector<std::string>& arguments) {
  constexpr std::size_t kShown = 120;
  std::string line = arguments.front();
  if (line == "sh") return line;
  for (std::size_t i = 1; i < arguments.size() && line.size() < kShown; ++i)
    line += " " + arguments[i];
  return printable(line, kShown);
}

}  // namespace

Result<std::string> run_there(net::Host& host, const std::vector<std::string>& arguments,
                              const net::CommandOptions& options) {
  PLAN_TRY(result, host.run(arguments, soon(), options));
  if (result.exit_code != 0) {
    return Error(errors::server_command_failed,
                 fmt::format("`{}` on {} ended with {}", shown(arguments), host.name(),
                             result.exit_code))
        .with_blame(Blame::target)
        .with_detail(trim(result.errors.empty() ? result.output : result.errors));
  }
  return std::move(result.output);
}

std::string Service::name() const {
  if (!block_.unit.empty()) return "systemd unit " + block_.unit;
  if (!block_.container.empty()) return "container " + block_.container;
  return "the server";
}

std::vector<std::string> Service::command(std::string_view verb) const {
  if (!block_.unit.empty()) return {"systemctl", std::string(verb), block_.unit};
  if (!block_.container.empty()) return {"docker", std::string(verb), block_.container};
  return verb == "stop" ? block_.stop : block_.start;
}

Error Service::unknown(std::string_view why) const {
  return Error(errors::service_unknown, fmt::format("{} on {}: {}", name(), host_.name(), why))
      .with_blame(Blame::target);
}

Result<bool> Service::is_unit_running() {
  // Not `is-active`, which calls a unit that is not there inactive.
  PLAN_TRY(answer, run_there(host_, {"systemctl", "show", "--property=LoadState",
                                     "--property=ActiveState", block_.unit}));
  const std::string_view loaded = property_of(answer, "LoadState");
  const std::string_view state = property_of(answer, "ActiveState");
  if (loaded == "not-found") return unknown("systemd has no such unit");
  if (loaded == "masked") return unknown("the unit is masked, it cannot be started again");
  if (loaded != "loaded" || state.empty()) {
    return Error(errors::server_command_failed,
                 fmt::format("systemd on {} says of {} what plan does not know", host_.name(),
                             block_.unit))
        .with_blame(Blame::target)
        .with_detail(printable(trim(answer), 400));
  }
  // Not only `active`: a unit that is on its way up or down has its files open too.
  return state != "inactive" && state != "failed";
}

Result<bool> Service::is_container_running() {
  PLAN_TRY(result, host_.run({"docker", "inspect", "--type", "container", "--format",
                              "{{.State.Status}}", block_.container},
                             soon()));
  if (result.exit_code != 0 && result.errors.find("o such ") != std::string::npos)
    return unknown("docker has no such container");
  const std::string_view state = trim(result.output);
  for (const std::string_view stopped : {"created", "exited", "dead"})
    if (result.exit_code == 0 && state == stopped) return false;
  // A paused one has its files open, one that restarts will have.
  for (const std::string_view up : {"running", "paused", "restarting", "removing"})
    if (result.exit_code == 0 && state == up) return true;
  return Error(errors::server_command_failed,
               fmt::format("`docker inspect` on {} ended with {} and says of {} what plan does not "
                           "know",
                           host_.name(), result.exit_code, block_.container))
      .with_blame(Blame::target)
      .with_detail(printable(trim(result.errors.empty() ? result.output : result.errors), 400));
}

Result<bool> Service::is_running() {
  if (!block_.unit.empty()) return is_unit_running();
  if (!block_.container.empty()) return is_container_running();
  PLAN_TRY(result, host_.run(block_.running, soon()));
  return result.exit_code == 0;
}

Result<std::string> Service::identity() {
  if (!block_.unit.empty()) {
    PLAN_TRY(answer,
             run_there(host_, {"systemctl", "show", "--property=InvocationID", block_.unit}));
    return std::string(property_of(answer, "InvocationID"));
  }
  if (!block_.container.empty()) {
    PLAN_TRY(answer, run_there(host_, {"docker", "inspect", "--type", "container", "--format",
                                       "{{.State.StartedAt}}", block_.container}));
    return std::string(trim(answer));
  }
  return std::string();
}

Outcome Service::stop(step::StepContext& context) {
  PLAN_TRY(is_up, is_running());
  if (is_up) PLAN_TRY_VOID(run_there(host_, command("stop")));
  const auto until = context.clock.now() + block_.stop_within;
  while (true) {
    PLAN_TRY(still, is_running());
    if (!still) return {};
    if (context.clock.now() >= until) {
      return Error(errors::service_stays,
                   fmt::format(
                       "{} on {} still runs {} after it was told to stop", name(), host_.name(),
                       show_duration_ms(static_cast<std::uint64_t>(block_.stop_within.count()))))
          .with_effect(Effect::unknown)
          .with_blame(Blame::target);
    }
    context.clock.sleep_for(kLookAgain);
  }
}

Outcome Service::check_ready() {
  PLAN_TRY(is_up, is_running());
  if (!is_up) {
    return Error(errors::service_not_ready,
                 fmt::format("{} on {} does not run", name(), host_.name()))
        .with_blame(Blame::target);
  }
  if (block_.ready.empty()) return {};
  PLAN_TRY(result, host_.run(block_.ready, soon()));
  if (result.exit_code == 0) return {};
  return Error(errors::service_not_ready,
               fmt::format("{} on {} runs, and `{}` ends with {}", name(), host_.name(),
                           printable(block_.ready.front(), 120), result.exit_code))
      .with_blame(Blame::target)
      .with_detail(trim(result.errors.empty() ? result.output : result.errors));
}

Outcome Service::start(step::StepContext& context) {
  PLAN_TRY(is_up, is_running());
  if (!is_up) PLAN_TRY_VOID(run_there(host_, command("start")));
  const auto until = context.clock.now() + block_.start_within;
  while (true) {
    Outcome ready = check_ready();
    if (ready || !ready.error().is(errors::service_not_ready)) return ready;
    if (context.clock.now() >= until) return std::move(ready).error().with_effect(Effect::unknown);
    context.clock.sleep_for(kLookAgain);
  }
}

}  // namespace plan::dump
