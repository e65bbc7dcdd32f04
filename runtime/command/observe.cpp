#include "runtime/command/observe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <thread>

#include "compiler/ir/step_kind.h"
#include "runtime/net/connect_once.h"
#include "runtime/net/errors.h"
#include "runtime/proxy/errors.h"

namespace plan::command {
namespace {

bool waits_for_output(const ir::Value& value) {
  if (value.is_output()) return true;
  if (value.is_list())
    return std::any_of(value.items().begin(), value.items().end(), waits_for_output);
  return std::any_of(value.members().begin(), value.members().end(),
                     [](const auto& member) { return waits_for_output(member.second); });
}

// Steps of one row, in the graph's order, are looked at together; steps without a row each on their
// own.
std::vector<std::vector<ir::StepId>> groups_of(const ir::StepGraph& graph) {
  std::vector<std::vector<ir::StepId>> groups(graph.row_count() + 1);
  for (const ir::StepId step : graph.order()) {
    const ir::RowId row = graph.row(step);
    if (row == ir::RowId::none) {
      groups.push_back({step});
    } else {
      groups[static_cast<std::size_t>(row)].push_back(step);
    }
  }
  return groups;
}

/// Why a step could not be looked at. That a server does not answer, or is not the one that was
/// agreed on, has nothing to do with what was asked: without that it is the same reason for each
/// step that asks it.
std::string reason_of(const Error& error) {
  const std::array<const ErrorCode*, 11> of_server = {
      &net::errors::name_not_found,       &net::errors::connection_refused,
      &net::errors::connection_dropped,   &net::errors::timed_out,
      &net::errors::tls_failed,           &net::errors::certificate_expired,
      &net::errors::certificate_mismatch, &net::errors::login_refused,
      &net::errors::host_key_changed,     &net::errors::ssh_failed,
      &proxy::errors::proxy_unreachable};
  if (std::none_of(of_server.begin(), of_server.end(),
                   [&](const ErrorCode* code) { return error.is(*code); }))
    return error.to_line();
  return Error(error.code(), error.message()).with_detail(error.detail()).to_line();
}

/// A secret that could not be read is not read again in this look: a program that gives it may take
/// seconds to say no, and say it to the terminal.
class SecretsOfLook final : public secret::SecretSource {
 public:
  explicit SecretsOfLook(secret::SecretSource& secrets) : secrets_(secrets) {}
  Result<secret::Secret> read(const ir::SecretRef& ref) override {
    // Of each account one, and read once.
    if (ref.provider == "source") return secrets_.read(ref);
    net::ConnectTurn turn(fmt::format("secret {}:{}", ref.provider, ref.name));
    if (turn.refusal()) return Error(*turn.refusal());
    auto secret = secrets_.read(ref);
    if (secret)
      turn.answered();
    else
      turn.not_connected(secret.error());
    return secret;
  }
  Result<ir::SecretRef> seal(const secret::Secret& secret) override {
    return secrets_.seal(secret);
  }

 private:
  secret::SecretSource& secrets_;
};

constexpr double kLooksOfStep = 3;    // observe, apply, verify
constexpr double kRecordsOfStep = 2;  // intent, outcome

void predict_hold(ir::Observation& seen, double look_ms, double record_ms) {
  const double own = kLooksOfStep * look_ms + kRecordsOfStep * record_ms;
  // Observe, apply and verify each look at the servers; intent and outcome are made durable.
  std::string basis = fmt::format("2 writes to the journal of {:.1f} ms", record_ms);
  if (look_ms >= 0.5) basis = fmt::format("3 looks at the servers of {:.0f} ms, ", look_ms) + basis;
  if (seen.hold_ms.value_or(0) > 0)
    basis = fmt::format("{}; {}", seen.hold_basis.empty() ? "waiting" : seen.hold_basis, basis);
  seen.hold_ms = seen.hold_ms.value_or(0) + static_cast<std::uint64_t>(own + 0.5);
  seen.hold_basis = std::move(basis);
}

}  // namespace

Observations observe_all(const ObserveParts& parts, std::size_t threads) {
  const std::vector<std::vector<ir::StepId>> groups = groups_of(parts.graph);
  Observations seen;
  std::mutex mutex;
  std::atomic<std::size_t> next{0};

  SecretsOfLook secrets(parts.secrets);
  const auto look_at = [&](ir::StepId step) {
    const ir::StepKind kind = parts.graph.kind(step);
    step::StepDriver* driver = parts.drivers.find(kind);
    const ir::Value arguments = parts.graph.arguments(step);
    if (driver == nullptr || waits_for_output(arguments)) {
      const std::lock_guard lock(mutex);
      seen.by_step.put(static_cast<std::uint32_t>(step), ir::Observation{});
      return;
    }
    const std::string id = parts.graph.id(step);
    const std::string account(arguments["account"].string_or(""));
    step::StepContext context{.id = id,
                              .kind = kind,
                              .arguments = arguments,
                              .account = account,
                              .effect_key = {},
                              .run_id = {},
                              .lease_token = {},
                              .state_directory = parts.state_directory,
                              .secrets = secrets,
                              .clock = parts.clock,
                              .stop = parts.stop,
                              .is_rollback = false,
                              .attempt = 0,
                              .prior = {},
                              .notes = {},
                              .remember = [](const ir::Value&) { return Outcome(); },
                              .progress = [](const step::Progress&) {}};
    const auto begun = parts.clock.now();
    auto observation = driver->observe(context);
    if (observation && parts.graph.role(step) != ir::TransactionRole::none) {
      const std::chrono::duration<double, std::milli> look = parts.clock.now() - begun;
      predict_hold(*observation, look.count(), parts.durable_write_ms);
    }
    const std::lock_guard lock(mutex);
    if (observation) {
      seen.by_step.put(static_cast<std::uint32_t>(step), std::move(*observation));
    } else {
      ir::Observation unseen;
      unseen.is_unseen = true;
      unseen.remark = reason_of(observation.error());
      seen.by_step.put(static_cast<std::uint32_t>(step), std::move(unseen));
    }
  };

  net::ConnectOnce look;
  const auto work = [&] {
    const net::ConnectOnce::OfThread of_look(&look);
    for (std::size_t i = next.fetch_add(1); i < groups.size(); i = next.fetch_add(1)) {
      for (const ir::StepId step : groups[i]) {
        if (parts.stop.is_requested()) return;
        look_at(step);
      }
    }
  };
  {
    std::vector<std::jthread> pool;
    for (std::size_t i = 0; i < std::clamp<std::size_t>(threads, 1, 64); ++i)
      pool.emplace_back(work);
  }
  return seen;
}

}  // namespace plan::command
