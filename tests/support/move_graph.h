#pragma once
// The graph of a small migration in the shape that lowering gives it: a domain, a rollback point,
// one wave (or two) of accounts with the transaction of design.md section 6, and a step that
// finalizes.
#include <map>
#include <string>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "compiler/source/check.h"

namespace plan::test {

struct MoveGraphOptions {
  std::size_t accounts = 3;
  std::uint32_t parallel = 2;
  std::size_t first_wave = 0;  ///< accounts in a wave of their own before the others; 0: one wave
  bool is_held_for_approval = false;    ///< the last wave
  bool is_first_wave_held = false;      ///< for an approval, too
  std::uint32_t stop_after_failed = 0;  ///< of every wave
  std::uint32_t stop_failed_permille = 0;
  std::uint64_t stop_hold_ms = 0;
  bool has_last_stage = false;  ///< behind finalize: the address moves, and the domain goes back
  bool has_barrier = false;     ///< the last wave begins behind the first one's accounts, softly
  std::int64_t bound_ms = 20'000;
  std::string domain_note = "v1";  ///< change it and the domain's step has another digest
  std::string copy_note = "v1";    ///< the same for every account's copy
  bool has_point_before_finalize = false;
  bool is_finalize_approved = false;  ///< only after `plan approve finalize`
  bool is_from_stalwart = false;      ///< the source is an old Stalwart
};

inline ir::StepGraph move_graph(const MoveGraphOptions& options = {}) {
  using ir::StepKind;
  using ir::TransactionRole;
  using ir::Value;
  ir::StepGraph graph;
  const auto alone = [&](StepKind kind, ir::Stage stage, const std::string& id, Value arguments) {
    return graph.add_step(
        graph.add_shape({kind, stage, TransactionRole::none, id, std::move(arguments), {}}),
        ir::RowId::none, ir::WaveId::none);
  };
  const ir::StepId domain =
      alone(StepKind::admin_upsert, ir::Stage::prepare, "domain/x",
            Value::map({{"object", "Domain"},
                        {"match", Value::map({{"name", "x"}})},
                        {"set", Value::map({{"note", options.domain_note}})}}));
  const ir::StepId point = alone(StepKind::mark_rollback_point, ir::Stage::waves,
                                 "point/before-waves", Value::map({{"point", "before-waves"}}));
  graph.add_edge(domain, point);

  struct Part {
    StepKind kind;
    TransactionRole role;
    const char* name;
    std::vector<std::string> after;  ///< parts; none: what the whole account waits for
    Value arguments;
  };
  const Value account = ir::OutputRef{"$row", "account"};
  const bool is_old = options.is_from_stalwart;
  const std::vector<Part> parts = {
      {StepKind::admin_account,
       TransactionRole::none,
       "create",
       {},
       Value::map({{"account", account}})},
      {StepKind::archive_copy,
       TransactionRole::none,
       "copy",
       {"create"},
       Value::map({{"account", account},
                   {"file", "a"},
                   {"note", options.copy_note},
                   {"account_id", ir::OutputRef{"account/{}/create", "account_id"}}})},
      {is_old ? StepKind::source_hold : StepKind::postfix_hold,
       TransactionRole::held,
       "hold-mail",
       {"copy"},
       Value::map({{"account", account}})},
      {StepKind::proxy_hold,
       TransactionRole::held,
       "hold-clients",
       {"hold-mail"},
       Value::map({{"account", account}, {"bound_ms", options.bound_ms}})},
      {is_old ? StepKind::source_freeze : StepKind::dovecot_deny,
       TransactionRole::held,
       "deny",
       {"hold-clients"},
       Value::map({{"account", account}})},
      {StepKind::archive_delta,
       TransactionRole::held,
       "delta",
       {"deny"},
       Value::map({{"account", account}})},
      {StepKind::archive_grade,
       TransactionRole::held,
       "grade",
       {"delta"},
       Value::map({{"account", account}, {"accept", Value::list({"perfect", "good"})}})},
      {StepKind::admin_account_open,
       TransactionRole::held,
       "open",
       {"grade"},
       Value::map({{"account", account}})},
      {StepKind::admin_keys,
       TransactionRole::held,
       "keys",
       {"grade"},
       Value::map({{"account", account}})},
      {is_old ? StepKind::source_forward : StepKind::postfix_forward,
       TransactionRole::held,
       "forward",
       {"keys"},
       Value::map({{"account", account}})},
      {StepKind::proxy_prepare,
       TransactionRole::held,
       "prepare",
       {"grade"},
       Value::map({{"account", account}})},
      {StepKind::probe_login,
       TransactionRole::held,
       "probe",
       {"open", "forward"},
       Value::map({{"account", account}})},
      {StepKind::proxy_release,
       TransactionRole::commit,
       "release",
       {"prepare", "probe"},
       Value::map({{"account", account}})},
      {StepKind::queue_flush,
       TransactionRole::none,
       "flush",
       {"release"},
       Value::map({{"account", account}})},
      {StepKind::archive_sweep,
       TransactionRole::none,
       "sweep",
       {"flush"},
       Value::map({{"account", account}})},
  };
  std::vector<std::uint32_t> shapes;
  for (const Part& part : parts) {
    shapes.push_back(graph.add_shape({part.kind,
                                      ir::Stage::waves,
                                      part.role,
                                      std::string("account/{}/") + part.name,
                                      part.arguments,
                                      {}}));
  }
  std::vector<ir::WaveId> waves;
  if (options.first_wave > 0) {
    waves.push_back(graph.add_wave({.name = "canary",
                                    .parallel = options.parallel,
                                    .is_held_for_approval = options.is_first_wave_held,
                                    .stop_after_failed = options.stop_after_failed,
                                    .stop_failed_permille = options.stop_failed_permille,
                                    .stop_hold_ms = options.stop_hold_ms}));
  }
  waves.push_back(graph.add_wave({.name = "rest",
                                  .parallel = options.parallel,
                                  .is_held_for_approval = options.is_held_for_approval,
                                  .stop_after_failed = options.stop_after_failed,
                                  .stop_failed_permille = options.stop_failed_permille,
                                  .stop_hold_ms = options.stop_hold_ms}));
  const ir::StepId finalize = alone(StepKind::admin_update, ir::Stage::finalize, "finalize",
                                    Value::map({{"object", "X"}, {"set", Value::map()}}));
  ir::StepId barrier = point;
  ir::StepId begin = point;
  if (options.has_barrier) {
    const ir::RowId row = graph.add_row("rest", Value::map(), {});
    barrier = graph.add_step(graph.add_shape({StepKind::mark_rollback_point,
                                              ir::Stage::waves,
                                              TransactionRole::none,
                                              "wave/{}/begin",
                                              Value::map({{"point", "wave-rest"}}),
                                              {}}),
                             row, waves.back());
    graph.add_edge(point, barrier);
    begin = barrier;
  }
  if (options.has_barrier && options.is_held_for_approval) {
    barrier = graph.add_step(graph.add_shape({StepKind::approval,
                                              ir::Stage::waves,
                                              TransactionRole::none,
                                              "wave/{}/approval",
                                              Value::map({{"wave", "rest"}}),
                                              {}}),
                             graph.add_row("rest", Value::map(), {}), waves.back());
    graph.add_edge(begin, barrier);
  }
  ir::StepId last = finalize;
  if (options.has_point_before_finalize) {
    last = alone(StepKind::mark_rollback_point, ir::Stage::finalize, "point/before-finalize",
                 Value::map({{"point", "before-finalize"}}));
    graph.add_edge(last, finalize);
  }
  if (options.is_finalize_approved) {
    const ir::StepId approval = alone(StepKind::approval, ir::Stage::finalize, "finalize/approval",
                                      Value::map({{"stage", "finalize"}}));
    graph.add_edge(approval, last);
    last = approval;
  }
  for (std::size_t i = 0; i < options.accounts; ++i) {
    const std::string name = "a" + std::to_string(i) + "@x";
    const ir::RowId row = graph.add_row(name, Value::map({{"account", name}}), {});
    const bool is_first_wave = i < options.first_wave;
    std::map<std::string, ir::StepId> done;
    ir::StepId step = {};
    for (std::size_t p = 0; p < parts.size(); ++p) {
      step = graph.add_step(shapes[p], row, is_first_wave ? waves.front() : waves.back());
      for (const std::string& earlier : parts[p].after) graph.add_edge(done.at(earlier), step);
      if (parts[p].after.empty()) graph.add_edge(is_first_wave ? point : barrier, step);
      done[parts[p].name] = step;
      if (options.has_barrier && is_first_wave && graph.kind(step) == StepKind::queue_flush)
        graph.add_soft_edge(step, begin);
    }
    graph.add_edge(step, last);
  }
  if (options.has_last_stage) {
    const ir::StepId address =
        alone(StepKind::address_finalize, ir::Stage::finalize, "finalize/address",
              Value::map({{"public", "x"}, {"to", "y"}}));
    const ir::StepId restore = alone(StepKind::restore, ir::Stage::finalize, "finalize/domain",
                                     Value::map({{"step", "domain/x"}}));
    graph.add_edge(finalize, address);
    graph.add_edge(address, restore);
  }
  const auto problem = graph.freeze();
  PLAN_CHECK(!problem, "the graph of the tests is sound");
  return graph;
}

}  // namespace plan::test
