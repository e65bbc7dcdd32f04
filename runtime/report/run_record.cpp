#include "runtime/report/run_record.h"

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/net/clock.h"

namespace plan::report {
namespace {

using ir::List;
using ir::Value;

template <class T>
Value or_null(const std::optional<T>& value) {
  return value ? Value(*value) : Value();
}

Value time_document(const std::optional<std::int64_t>& wall_ms) {
  return wall_ms ? Value(net::show_utc(*wall_ms)) : Value();
}

Value or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }

Value holds_document(const std::vector<HoldMoment>& holds) {
  List list;
  for (const HoldMoment& hold : holds) {
    list.push_back(Value::map({{"begun", net::show_utc(hold.begun_ms)},
                               {"begun_ms", hold.begun_ms},
                               {"held_ms", hold.ended_ms ? Value(std::max<std::int64_t>(
                                                               0, *hold.ended_ms - hold.begun_ms))
                                                         : Value()},
                               {"is_committed", hold.is_committed},
                               {"is_way_back", hold.is_way_back},
                               {"carried", or_null(hold.carried)}}));
  }
  return list;
}

}  // namespace

Value to_document(const RunRecord& run) {
  List waves;
  for (const WaveRecord& wave : run.waves) {
    waves.push_back(Value::map({{"wave", wave.wave},
                                {"accounts", wave.accounts},
                                {"moved", wave.moved},
                                {"failed", wave.failed}}));
  }
  List accounts;
  for (const AccountRecord& account : run.accounts) {
    List not_checked;
    for (const std::string& part : account.not_checked) not_checked.push_back(part);
    accounts.push_back(Value::map({{"account", account.account},
                                   {"wave", or_null(account.wave)},
                                   {"state", account.state},
                                   {"grade", or_null(account.grade)},
                                   {"mail_grade", or_null(account.mail_grade)},
                                   {"not_checked", std::move(not_checked)},
                                   {"calendars", account.calendars},
                                   {"messages", or_null(account.messages)},
                                   {"bytes", or_null(account.bytes)},
                                   {"carried", or_null(account.carried)},
                                   {"stragglers", or_null(account.stragglers)},
                                   {"held_at", time_document(account.held_at_ms)},
                                   {"held_ms", or_null(account.held_ms)},
                                   {"attempts", account.attempts},
                                   {"copied_at", time_document(account.copied_at_ms)},
                                   {"holds", holds_document(account.holds)}}));
  }
  List failures;
  for (const Failure& failure : run.failures) {
    failures.push_back(Value::map({{"step", failure.step},
                                   {"account", or_null(failure.account)},
                                   {"place", or_null(failure.place)},
                                   {"code", failure.code},
                                   {"message", failure.message},
                                   {"remedy", or_null(failure.remedy)},
                                   {"blame", or_null(failure.blame)},
                                   {"effect", or_null(failure.effect)}}));
  }
  List timeline;
  for (const MomentRecord& moment : run.timeline) {
    timeline.push_back(Value::map({{"time", net::show_utc(moment.wall_ms)},
                                   {"time_ms", moment.wall_ms},
                                   {"step", or_null(moment.step)},
                                   {"account", or_null(moment.account)},
                                   {"what", moment.what},
                                   {"attempt", moment.attempt},
                                   {"text", or_null(moment.text)},
                                   {"place", or_null(moment.place)},
                                   {"procedure", or_null(moment.procedure)}}));
  }
  List approvals;
  for (const std::string& subject : run.approvals_needed) approvals.push_back(subject);
  List throttles;
  for (const ThrottleRecord& throttle : run.throttles) {
    throttles.push_back(Value::map({{"host", throttle.host},
                                    {"connections", throttle.connections},
                                    {"bytes_per_second", throttle.bytes_per_second}}));
  }
  List points;
  for (const std::string& point : run.points) points.push_back(point);
  return Value::map(
      {{"format", 1},
       {"plan", run.plan_name},
       {"run_id", run.run_id},
       {"state", run.state},
       {"started", net::show_utc(run.started_ms)},
       {"ended", time_document(run.ended_ms)},
       {"steps", Value::map({{"total", run.steps}, {"done", run.done}, {"failed", run.failed}})},
       {"waves", std::move(waves)},
       {"accounts", std::move(accounts)},
       {"failures", std::move(failures)},
       {"approvals_needed", std::move(approvals)},
       {"rollback_points", std::move(points)},
       {"is_rollback", run.is_rollback},
       {"is_paused", run.is_paused},
       {"throttles", std::move(throttles)},
       {"timeline", std::move(timeline)}});
}

}  // namespace plan::report
