#pragma once
#include <functional>
#include <memory>
#include <string>

#include "runtime/net/host.h"
#include "runtime/step/step_driver.h"

namespace plan::dump {

/// What the drivers of store plans need of the rest of the program.
struct MoveWorld {
  std::shared_ptr<net::HostPool> hosts = {};
  /// For tests that kill the process after a durable part of a transfer.
  std::function<void()> kill_point = {};
};

/// store.check, service.stop, dump.export, dump.import, store.switch, service.start,
/// service.restart.
void add_move_drivers(step::DriverTable& table, const MoveWorld& world);

[[nodiscard]] std::shared_ptr<step::StepDriver> make_check_driver(const MoveWorld& world);
[[nodiscard]] std::shared_ptr<step::StepDriver> make_stop_driver(const MoveWorld& world);
[[nodiscard]] std::shared_ptr<step::StepDriver> make_start_driver(const MoveWorld& world);
[[nodiscard]] std::shared_ptr<step::StepDriver> make_restart_driver(const MoveWorld& world);
[[nodiscard]] std::shared_ptr<step::StepDriver> make_export_driver(const MoveWorld& world);
[[nodiscard]] std::shared_ptr<step::StepDriver> make_import_driver(const MoveWorld& world);
[[nodiscard]] std::shared_ptr<step::StepDriver> make_switch_driver(const MoveWorld& world);

}  // namespace plan::dump
