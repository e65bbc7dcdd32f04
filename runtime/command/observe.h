#pragma once
#include "compiler/ir/observation_table.h"
#include "compiler/ir/step_graph.h"
#include "runtime/secret/secret.h"
#include "runtime/step/step_driver.h"

namespace plan::command {

/// What the drivers saw of the world, read-only: the other half of a diff.
struct Observations {
  /// A step that could not be looked at is unseen, and its remark says why.
  ir::ObservationTable by_step = {};
};

struct ObserveParts {
  const ir::StepGraph& graph;
  const step::DriverTable& drivers;
  secret::SecretSource& secrets;
  net::Clock& clock;
  const step::StopSignal& stop;
  std::string_view state_directory = {};
  /// What making one journal record durable takes here (step::durable_write_ms).
  double durable_write_ms = 0;
};

/// Calls observe of every step, `threads` at a time; the steps of one account by one thread, in
/// their order. A held step's share of the hold is what its driver says that it waits, and three
/// times what looking at it took just now (looking, doing, looking again are the same round trips),
/// and two journal records; both figures stand in its basis. A step whose arguments wait for the
/// output of another is unknowable. A server that does not answer is tried once for all steps
/// (net::ConnectOnce). Changes nothing anywhere.
[[nodiscard]] Observations observe_all(const ObserveParts& parts, std::size_t threads = 8);

}  // namespace plan::command
