#pragma once
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/move/server_block.h"
#include "runtime/net/clock.h"
#include "runtime/net/host.h"
#include "runtime/step/step_driver.h"

namespace plan::dump {

/// Stops and starts a server by systemd, docker or the plan's own commands, on its own machine.
/// What the control says of a start means nothing (a unit of type simple has "started" at once), so
/// both directions are looked at until they are true.
class Service {
 public:
  Service(net::Host& host, const ServerBlock& block) : host_(host), block_(block) {}

  /// Also while it is on its way up or down. Errors: service-unknown (a name that nobody knows is
  /// not a server that is stopped), server-command-failed.
  [[nodiscard]] Result<bool> is_running();
  /// Errors: server-command-failed, service-stays, stopped.
  [[nodiscard]] Outcome stop(step::StepContext& context);
  /// Until it runs and `ready` ends with 0. Errors: server-command-failed, service-not-ready.
  [[nodiscard]] Outcome start(step::StepContext& context);
  /// Once: runs, and is ready.
  [[nodiscard]] Outcome check_ready();
  /// Which run of the server this is; another text after each start. Empty: the control cannot tell
  /// (commands of the plan).
  [[nodiscard]] Result<std::string> identity();
  /// "systemd unit stalwart.service", for people.
  [[nodiscard]] std::string name() const;

 private:
  [[nodiscard]] std::vector<std::string> command(std::string_view verb) const;
  [[nodiscard]] Result<bool> is_unit_running();
  [[nodiscard]] Result<bool> is_container_running();
  [[nodiscard]] Error unknown(std::string_view why) const;

  net::Host& host_;
  const ServerBlock& block_;
};

/// Runs a command and wants exit code 0. Error: server-command-failed with what it said.
[[nodiscard]] Result<std::string> run_there(net::Host& host,
                                            const std::vector<std::string>& arguments,
                                            const net::CommandOptions& options = {});

}  // namespace plan::dump
