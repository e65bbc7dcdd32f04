#include "runtime/dump/move/service.h"

#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/dump/move/errors.h"
#include "runtime/step/errors.h"

namespace plan::dump {
namespace {

constexpr std::chrono::seconds kCommandTime{120};
constexpr std::chrono::milliseconds kLookAgain{250};

net::Deadline soon() { return net::Deadline::after(kCommandTime); }

}  // namespace

Result<std::string> run_there(net::Host& host, const std::vector<std::string>& arguments,
                              const net::CommandOptions& options) {
  PLAN_TRY(result, host.run(arguments, soon(), options));
  if (result.exit_code != 0) {
    return Error(errors::server_command_failed,
                 fmt::format("`{}` on {} ended with {}", printable(arguments.front(), 120),
                             host.name(), result.exit_code))
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

Result<bool> Service::is_running() {
  if (!block_.unit.empty()) {
    // Not only `active`: a unit that is on its way up or down has its files open too.
    PLAN_TRY(result, host_.run({"systemctl", "is-active", block_.unit}, soon()));
    const std::string_view state = trim(result.output);
    if (state.empty()) {
      return Error(errors::server_command_failed,
                   fmt::format("systemd on {} says nothing about {}", host_.name(), block_.unit))
          .with_blame(Blame::target)
          .with_detail(trim(result.errors));
    }
    return state != "inactive" && state != "failed" && state != "unknown";
  }
  if (!block_.container.empty()) {
    PLAN_TRY(state, run_there(host_, {"docker", "inspect", "--format", "{{.State.Running}}",
                                      block_.container}));
    return trim(state) == "true";
  }
  PLAN_TRY(result, host_.run(block_.running, soon()));
  return result.exit_code == 0;
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
    return Error(errors::service_not_ready, fmt::format("{} does not run", name()))
        .with_blame(Blame::target);
  }
  if (block_.ready.empty()) return {};
  PLAN_TRY(result, host_.run(block_.ready, soon()));
  if (result.exit_code == 0) return {};
  return Error(errors::service_not_ready,
               fmt::format("{} runs, and `{}` ends with {}", name(),
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
