#include <fmt/format.h>

#include "compiler/diff/change.h"
#include "compiler/diff/words.h"

namespace plan::diff {
namespace {

ir::Value or_null(const std::optional<std::uint64_t>& value) {
  return value ? ir::Value(*value) : ir::Value();
}

ir::Value counted_document(const std::vector<ir::Counted>& all) {
  ir::Value counts = ir::Value::map();
  for (const ir::Counted& one : all) counts.set(one.name, one.count);
  return counts;
}

ir::Value cost_document(const Cost& cost) {
  return ir::Value::map({{"messages", or_null(cost.messages)},
                         {"bytes", or_null(cost.bytes)},
                         {"duration_ms", or_null(cost.duration_ms)},
                         {"hold_ms", or_null(cost.hold_ms)},
                         {"not_measured", cost.not_measured},
                         {"beside", counted_document(cost.beside)},
                         {"not_carried", counted_document(cost.not_carried)}});
}

ir::Value shares_document(const std::vector<TimeShare>& shares) {
  ir::List list;
  for (const TimeShare& share : shares)
    list.push_back(ir::Value::map({{"step", share.step}, {"ms", share.ms}, {"from", share.basis}}));
  return list;
}

// Secrets are node kinds of their own up to here; in a document for programs they are this text.
ir::Value without_secrets(const ir::Value& value) {
  if (value.is_secret()) return "(secret)";
  if (value.is_output()) return show_value(value);
  if (value.is_list()) {
    ir::List items;
    for (const ir::Value& item : value.items()) items.push_back(without_secrets(item));
    return items;
  }
  if (value.is_map()) {
    ir::Map map;
    for (const auto& [key, member] : value.members()) map.set(key, without_secrets(member));
    return map;
  }
  return value;
}

ir::Value step_document(const StepChange& step) {
  std::string remark = step.unseen_because;
  if (!step.remark.empty()) remark += (remark.empty() ? "" : "; ") + step.remark;
  const ir::StepKindInfo& kind = ir::info(step.kind);
  ir::List differences;
  for (const ir::Difference& difference : step.differences) {
    differences.push_back(ir::Value::map({{"path", difference.path},
                                          {"is", without_secrets(difference.is)},
                                          {"wanted", without_secrets(difference.wanted)}}));
  }
  return ir::Value::map(
      {{"step", step.id},
       {"kind", kind.name},
       {"effect", to_string(effect_of(step))},
       {"undo", to_string(kind.undo)},
       {"lost", kind.lost.empty() ? ir::Value() : ir::Value(kind.lost)},
       {"standing", step.is_unseen ? "could not be looked at" : standing_word(step.standing)},
       {"seen", !step.is_unseen},
       {"held", step.role != ir::TransactionRole::none},
       {"differences", std::move(differences)},
       {"remark", remark},
       {"place", step.place}});
}

ir::Value steps_document(const std::vector<StepChange>& steps) {
  ir::List list;
  for (const StepChange& step : steps) list.push_back(step_document(step));
  return list;
}

ir::Value step_costs_document(const std::vector<StepCost>& costs) {
  ir::List list;
  for (const StepCost& cost : costs)
    list.push_back(ir::Value::map({{"step", cost.step},
                                   {"bytes", or_null(cost.bytes)},
                                   {"duration_ms", or_null(cost.duration_ms)},
                                   {"from", cost.basis}}));
  return list;
}

ir::Value clients_document(const WaveChange& wave) {
  const auto given = [](std::uint64_t value) {
    return value == 0 ? ir::Value() : ir::Value(value);
  };
  return ir::Value::map({{"bytes", or_null(wave.download_bytes())},
                         {"bytes_per_s", given(wave.client_bytes_per_s)},
                         {"duration_ms", or_null(download_ms(wave))},
                         {"within_ms", given(wave.client_within_ms)}});
}

ir::Value disks_document(const std::vector<DiskChange>& disks) {
  ir::List list;
  for (const DiskChange& disk : disks)
    list.push_back(ir::Value::map(
        {{"machine", disk.disk.machine},
         {"needed", or_null(disk.needed_bytes)},
         {"is_at_least", disk.is_at_least},
         {"free", or_null(disk.disk.free_bytes)},
         {"fits", disk.needed_bytes && disk.disk.free_bytes ? ir::Value(disk.fits()) : ir::Value()},
         {"from", disk.basis},
         {"how", disk.disk.how},
         {"measured", disk.disk.when}}));
  return list;
}

ir::Value findings_document(const std::vector<ir::ReviewedFinding>& findings) {
  ir::List list;
  for (const ir::ReviewedFinding& finding : findings) {
    const bool is_silenced = !finding.silenced_at.empty();
    list.push_back(
        ir::Value::map({{"code", finding.code},
                        {"severity", finding.severity},
                        {"message", finding.message},
                        {"place", finding.place},
                        {"silenced_at", is_silenced ? ir::Value(finding.silenced_at) : ir::Value()},
                        {"reason", is_silenced ? ir::Value(finding.reason) : ir::Value()}}));
  }
  return list;
}

ir::Value reasons_document(const ChangeSet& changes) {
  ir::List list;
  for (const UnseenReason& one : changes.unseen_reasons())
    list.push_back(
        ir::Value::map({{"reason", one.reason}, {"steps", one.steps}, {"first", one.first}}));
  return list;
}

}  // namespace

ir::Value to_document(const ChangeSet& changes) {
  ir::List stages;
  for (const StageChange& stage : changes.stages) {
    ir::List waves;
    for (const WaveChange& wave : stage.waves) {
      ir::List accounts;
      for (const AccountChange& account : wave.accounts) {
        accounts.push_back(ir::Value::map({{"account", account.account},
                                           {"cost", cost_document(account.cost)},
                                           {"hold", shares_document(account.hold)},
                                           {"duration", shares_document(account.duration)},
                                           {"steps", steps_document(account.steps)}}));
      }
      waves.push_back(ir::Value::map({{"wave", wave.name},
                                      {"parallel", wave.parallel},
                                      {"approval", wave.is_held_for_approval},
                                      {"cost", cost_document(wave.cost)},
                                      {"duration_from", duration_basis(wave)},
                                      {"clients", clients_document(wave)},
                                      {"steps", steps_document(wave.steps)},
                                      {"accounts", std::move(accounts)}}));
    }
    stages.push_back(ir::Value::map({{"stage", to_string(stage.stage)},
                                     {"steps", steps_document(stage.steps)},
                                     {"costs", step_costs_document(stage.costs)},
                                     {"waves", std::move(waves)}}));
  }
  ir::List undo;
  for (const ir::StepKind kind : changes.kinds_to_undo()) {
    const ir::StepKindInfo& info = ir::info(kind);
    undo.push_back(
        ir::Value::map({{"kind", info.name},
                        {"undo", to_string(info.undo)},
                        {"lost", info.lost.empty() ? ir::Value() : ir::Value(info.lost)}}));
  }
  ir::List notes;
  for (const std::string& note : changes.notes) notes.emplace_back(note);
  return ir::Value::map(
      {{"format", 2},
       {"plan", changes.plan_name},
       {"digest", changes.digest.empty() ? ir::Value() : ir::Value(changes.digest)},
       {"made_from", changes.made_from.empty() ? ir::Value() : ir::Value(changes.made_from)},
       {"path", changes.path.empty() ? ir::Value() : ir::Value(changes.path)},
       {"changes", static_cast<std::uint64_t>(changes.change_count())},
       {"unseen", static_cast<std::uint64_t>(changes.unseen_count())},
       {"stages", std::move(stages)},
       {"undo", std::move(undo)},
       {"disks", disks_document(changes.disks)},
       {"findings", findings_document(changes.findings)},
       {"unseen_because", reasons_document(changes)},
       {"notes", std::move(notes)}});
}

}  // namespace plan::diff
