// The journal in SQLite. One connection, one mutex. Writers put their entries into a queue; the
// first one there commits for all who came meanwhile (group commit): with n threads a sync of the
// disk serves up to n records. After a write that did not succeed the journal takes no more: what
// is durable is then only known by opening it again.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/check.h"
#include "embedded/engine_schema.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/file_place.h"
#include "runtime/engine/journal.h"
#include "runtime/engine/later_tables.h"
#include "runtime/engine/run_lock.h"
#include "runtime/store/errors.h"
#include "runtime/store/sqlite.h"

namespace plan::engine {
namespace {

constexpr std::int64_t kApplicationId = 0x504C4A31;  // "PLJ1"
constexpr std::int64_t kVersion = 1;
/// Larger journals are checked page by page as they are read; checking all of one takes seconds.
constexpr std::int64_t kWholeCheckBytesMax = std::int64_t{128} << 20U;
constexpr ir::JsonLimits kGraphLimits{.bytes_max = std::size_t{4} << 30U, .depth_max = 128};
constexpr std::size_t kTextBytesMax = 4000;

Error journal_error(Error error) {
  if (!error.is(store::errors::store_damaged)) return error;
  return Error(errors::journal_damaged, error.message()).with_detail(error.detail());
}

Error damaged(std::string message) { return Error(errors::journal_damaged, std::move(message)); }

template <class T>
Result<T> checked(Result<T> result) {
  if (!result) return journal_error(std::move(result).error());
  return result;
}

Result<ir::Value> document(std::string_view text) {
  if (text.empty()) return ir::Value();
  auto value = ir::read_canonical(text);
  if (!value)
    return damaged("a document in the journal cannot be read").with_detail(value.error().message());
  return value;
}

std::optional<std::string> text_of(const ir::Value& value) {
  if (value.is_null()) return std::nullopt;
  return ir::canonical_json(value);
}

class SqliteJournal final : public Journal {
 public:
  SqliteJournal(store::Database database, std::string path, net::Clock& clock)
      : database_(std::move(database)),
        path_(std::move(path)),
        place_(path_),
        run_lock_(path_),
        clock_(clock) {}

  Outcome lock_for_run() override { return run_lock_.take(); }
  void unlock() override { run_lock_.give_back(); }
  bool is_locked_by_somebody() override { return run_lock_.is_held(); }

  Outcome check_place() override {
    if (place_.is_kept(path_)) return {};
    return Error(errors::journal_missing,
                 fmt::format("{} was taken away or replaced while the run went on", path_));
  }

  Outcome ask_for_leases(std::string_view run_id) override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY_VOID(refuse_if_broken());
    return broken_if_failed(later::put_lease_asked(database_, run_id));
  }

  Result<std::vector<std::string>> leases_asked() override {
    const std::lock_guard lock(mutex_);
    return checked(later::leases_asked(database_));
  }

  Outcome begin_run(const RunInfo& run, const ir::StepGraph& graph) override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY_VOID(refuse_if_broken());
    PLAN_TRY_VOID(broken_if_failed(begin_run_locked(run, graph)));
    run_id_ = run.run_id;
    graph_digest_ = run.graph_digest;
    return {};
  }

  Outcome end_run(RunState state, std::string_view message) override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY_VOID(refuse_if_broken());
    auto statement =
        database_.prepare("UPDATE run SET state = ?, message = ?, ended_ms = ? WHERE run_id = ?");
    if (!statement) return journal_error(std::move(statement).error());
    statement->bind(1, static_cast<int>(state))
        .bind(2, message)
        .bind(3, clock_.wall_ms())
        .bind(4, run_id_);
    return broken_if_failed(statement->run());
  }

  Result<std::optional<RunInfo>> latest_run() override {
    PLAN_TRY(all, read_runs("ORDER BY number DESC LIMIT 1"));
    if (all.empty()) return std::optional<RunInfo>();
    return std::optional<RunInfo>(std::move(all.front()));
  }

  Result<std::vector<RunInfo>> runs() override { return read_runs("ORDER BY number"); }

  Result<ir::StepGraph> graph(std::string_view digest) override {
    std::string text;
    {
      const std::lock_guard lock(mutex_);
      PLAN_TRY(statement,
               checked(database_.prepare("SELECT document FROM graph WHERE digest = ?")));
      statement.bind(1, digest);
      PLAN_TRY(has_row, checked(statement.step()));
      if (!has_row) return damaged(fmt::format("the journal lacks graph {}", digest));
      text = statement.blob(0);
    }
    if (ir::sha256(text).hex() != digest) {
      return damaged(fmt::format("graph {} in the journal is not what its digest says", digest));
    }
    auto value = ir::read_canonical(text, kGraphLimits);
    if (!value)
      return damaged("a graph in the journal cannot be read").with_detail(value.error().message());
    auto graph = ir::StepGraph::from_document(*value);
    if (!graph)
      return damaged("a graph in the journal cannot be read").with_detail(graph.error().message());
    return graph;
  }

  Outcome remember_places(std::string_view digest,
                          const std::vector<std::string>& places) override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY_VOID(refuse_if_broken());
    return broken_if_failed(later::put_places(database_, digest, places));
  }

  Result<std::vector<std::string>> places(std::string_view digest) override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY(list, checked(later::places(database_, digest)));
    std::vector<std::string> places;
    if (list.empty()) return places;
    auto read = ir::read_canonical(list, kGraphLimits);
    if (!read || !read->is_list()) return damaged("the places of a graph cannot be read");
    for (const ir::Value& place : read->items()) places.emplace_back(place.string_or(""));
    return places;
  }

  Outcome write(const std::vector<Entry>& entries) override {
    Waiting mine{&entries};
    std::unique_lock lock(queue_mutex_);
    queue_.push_back(&mine);
    queue_changed_.wait(lock, [&] { return mine.is_over || !has_leader_; });
    if (mine.is_over) return std::move(mine.outcome);
    has_leader_ = true;
    std::deque<Waiting*> group;
    group.swap(queue_);
    lock.unlock();
    Outcome outcome = commit(group);
    lock.lock();
    for (Waiting* waiting : group) {
      waiting->is_over = true;
      if (!outcome) waiting->outcome = Error(outcome.error());
    }
    has_leader_ = false;
    queue_changed_.notify_all();
    return outcome;
  }

  Result<std::optional<StepRecord>> step(std::string_view id) override {
    const std::lock_guard lock(mutex_);
    if (!select_step_) {
      PLAN_TRY(made,
               checked(database_.prepare(std::string(kStepColumns) +
                                         ", prior, outputs, notes FROM step WHERE step = ?")));
      select_step_.emplace(std::move(made));
    }
    select_step_->bind(1, id);
    PLAN_TRY(has_row, checked(select_step_->step()));
    if (!has_row) return std::optional<StepRecord>();
    auto record = read_record(*select_step_);
    if (record) {
      for (int i = 0; i < 3; ++i) {
        auto value = document(select_step_->text(kStepColumnCount + i));
        if (!value) {
          record = Error(std::move(value).error());
          break;
        }
        ir::Value& to = i == 0 ? record->prior : i == 1 ? record->outputs : record->notes;
        to = std::move(*value);
      }
    }
    select_step_->reset();
    if (!record) return std::move(record).error();
    return std::optional<StepRecord>(std::move(*record));
  }

  Outcome each_step(const std::function<void(const StepRecord&)>& visit) override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY(statement, checked(database_.prepare(std::string(kStepColumns) +
                                                  " FROM step ORDER BY sequence")));
    while (true) {
      PLAN_TRY(has_row, checked(statement.step()));
      if (!has_row) return {};
      PLAN_TRY(record, read_record(statement));
      visit(record);
    }
  }

  Result<std::vector<HoldRecord>> holds() override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY(statement, checked(database_.prepare(
                            "SELECT account, begun_ms, boot_id, bound_ms, is_rollback, ended_ms, "
                            "is_committed FROM hold ORDER BY number")));
    std::vector<HoldRecord> all;
    while (true) {
      PLAN_TRY(has_row, checked(statement.step()));
      if (!has_row) break;
      all.push_back(
          {.account = std::string(statement.text(0)),
           .begun_ms = statement.integer(1),
           .boot_id = std::string(statement.text(2)),
           .bound_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(0, statement.integer(3))),
           .is_rollback = statement.integer(4) != 0,
           .ended_ms = statement.integer_if_any(5),
           .is_committed = statement.integer(6) != 0});
    }
    PLAN_TRY(uptimes, checked(later::uptimes(database_)));
    for (HoldRecord& hold : all) {
      const auto found = uptimes.find(hold.account);
      if (found != uptimes.end() && !hold.ended_ms) hold.up_ms = found->second;
    }
    return all;
  }

  Result<std::map<std::string, ir::Value>> grades() override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY(texts, checked(later::grades(database_)));
    std::map<std::string, ir::Value> grades;
    for (const auto& [account, text] : texts) {
      PLAN_TRY(grade, document(text));
      grades.emplace(account, std::move(grade));
    }
    return grades;
  }

  Outcome each_history(std::string_view account,
                       const std::function<bool(const HistoryRecord&)>& visit) override {
    const std::lock_guard lock(mutex_);
    const std::string columns =
        "SELECT sequence, wall_ms, run_id, step, account, what, attempt, text FROM history ";
    PLAN_TRY(statement, checked(database_.prepare(
                            columns + (account.empty() ? "ORDER BY sequence"
                                                       : "WHERE account = ? ORDER BY sequence"))));
    if (!account.empty()) statement.bind(1, account);
    while (true) {
      PLAN_TRY(has_row, checked(statement.step()));
      if (!has_row) return {};
      const HistoryRecord record{statement.integer(0),
                                 statement.integer(1),
                                 std::string(statement.text(2)),
                                 std::string(statement.text(3)),
                                 std::string(statement.text(4)),
                                 std::string(statement.text(5)),
                                 static_cast<std::uint32_t>(statement.integer(6)),
                                 std::string(statement.text(7))};
      if (!visit(record)) return {};
    }
  }

  Outcome add_request(const Request& request) override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY(statement, checked(database_.prepare("INSERT INTO request (kind, subject, parameters, "
                                                  "wall_ms) VALUES (?, ?, ?, ?)")));
    statement.bind(1, static_cast<int>(request.kind))
        .bind(2, request.subject)
        .bind(3, ir::canonical_json(request.parameters))
        .bind(4, clock_.wall_ms());
    if (auto outcome = statement.run(); !outcome) return journal_error(std::move(outcome).error());
    return {};
  }

  Result<std::vector<Request>> requests(std::int64_t after_id) override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY(statement,
             checked(database_.prepare("SELECT id, kind, subject, parameters, wall_ms FROM "
                                       "request WHERE id > ? ORDER BY id")));
    statement.bind(1, after_id);
    std::vector<Request> all;
    while (true) {
      PLAN_TRY(has_row, checked(statement.step()));
      if (!has_row) return all;
      if (statement.integer(1) < 0 || statement.integer(1) > 4) continue;  // of a newer plan
      PLAN_TRY(parameters, document(statement.text(3)));
      all.push_back({statement.integer(0), static_cast<RequestKind>(statement.integer(1)),
                     std::string(statement.text(2)), std::move(parameters), statement.integer(4)});
    }
  }

  Result<bool> is_approved(std::string_view subject) override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY(statement,
             checked(database_.prepare("SELECT 1 FROM request WHERE kind = 0 AND subject = ? "
                                       "AND used_ms IS NULL LIMIT 1")));
    statement.bind(1, subject);
    return checked(statement.step());
  }

  Outcome use_approval(std::string_view subject) override {
    const std::lock_guard lock(mutex_);
    PLAN_TRY(statement,
             checked(database_.prepare("UPDATE request SET used_ms = ? WHERE kind = 0 AND "
                                       "subject = ? AND used_ms IS NULL")));
    statement.bind(1, clock_.wall_ms()).bind(2, subject);
    return broken_if_failed(statement.run());
  }

 private:
  struct Waiting {
    const std::vector<Entry>* entries = nullptr;
    bool is_over = false;
    Outcome outcome = {};
  };

  static constexpr std::string_view kStepColumns =
      "SELECT step, state, digest, graph_digest, account, attempts, effect_key, was_satisfied, "
      "error_code, error_message, error_effect, error_blame, started_ms, ended_ms, sequence";
  static constexpr int kStepColumnCount = 15;

  [[nodiscard]] Outcome refuse_if_broken() const {
    if (!is_broken_) return {};
    return damaged(fmt::format(
        "{}: an earlier write did not succeed; nothing more is written in this process", path_));
  }

  Outcome broken_if_failed(Outcome outcome) {
    if (outcome) return {};
    is_broken_ = true;
    return journal_error(std::move(outcome).error());
  }

  static Result<StepRecord> read_record(const store::Statement& row) {
    StepRecord record;
    record.step = row.text(0);
    const std::int64_t state = row.integer(1);
    if (state < 0 || state > static_cast<std::int64_t>(StepState::stopped)) {
      return damaged(
          fmt::format("step `{}` is in state {}, which does not exist", record.step, state));
    }
    record.state = static_cast<StepState>(state);
    record.digest = row.text(2);
    record.graph_digest = row.text(3);
    record.account = row.text(4);
    record.attempts =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(row.integer(5), 0, UINT32_MAX));
    record.effect_key = row.text(6);
    record.was_satisfied = row.integer(7) != 0;
    if (!row.is_null(8)) {
      record.error = RecordedError{std::string(row.text(8)), std::string(row.text(9)),
                                   std::string(row.text(10)), std::string(row.text(11))};
    }
    record.started_ms = row.integer(12);
    record.ended_ms = row.integer(13);
    record.sequence = row.integer(14);
    return record;
  }

  Result<std::vector<RunInfo>> read_runs(std::string_view order) {
    const std::lock_guard lock(mutex_);
    PLAN_TRY(statement, checked(database_.prepare(fmt::format(
                            "SELECT run_id, plan_name, graph_digest, saved_plan_digest, "
                            "is_rollback, state, started_ms, ended_ms, boot_id, process_id, "
                            "message FROM run {}",
                            order))));
    std::vector<RunInfo> all;
    while (true) {
      PLAN_TRY(has_row, checked(statement.step()));
      if (!has_row) return all;
      const std::int64_t state = statement.integer(5);
      if (state < 0 || state > static_cast<std::int64_t>(RunState::needs_approval)) {
        return damaged(fmt::format("a run is in state {}, which does not exist", state));
      }
      all.push_back({std::string(statement.text(0)), std::string(statement.text(1)),
                     std::string(statement.text(2)), std::string(statement.text(3)),
                     statement.integer(4) != 0, static_cast<RunState>(state), statement.integer(6),
                     statement.integer_if_any(7), std::string(statement.text(8)),
                     statement.integer(9), std::string(statement.text(10))});
    }
  }

  Outcome begin_run_locked(const RunInfo& run, const ir::StepGraph& graph) {
    PLAN_TRY(transaction, database_.begin());
    PLAN_TRY(known, database_.prepare("SELECT 1 FROM graph WHERE digest = ?"));
    known.bind(1, run.graph_digest);
    PLAN_TRY(is_known, known.step());
    if (!is_known) {
      const std::string text = ir::canonical_json(graph.to_document());
      PLAN_CHECK(ir::sha256(text).hex() == run.graph_digest,
                 "the run names the graph that it executes");
      PLAN_TRY(insert, database_.prepare("INSERT INTO graph (digest, document) VALUES (?, ?)"));
      insert.bind(1, run.graph_digest).bind_blob(2, text);
      PLAN_TRY_VOID(insert.run());
    }
    PLAN_TRY(upsert, database_.prepare(
                         "INSERT INTO run (run_id, plan_name, graph_digest, saved_plan_digest, "
                         "is_rollback, state, started_ms, ended_ms, boot_id, process_id, message) "
                         "VALUES (?, ?, ?, ?, ?, 0, ?, NULL, ?, ?, '') "
                         "ON CONFLICT (run_id) DO UPDATE SET graph_digest = excluded.graph_digest, "
                         "state = 0, ended_ms = NULL, boot_id = excluded.boot_id, "
                         "process_id = excluded.process_id, message = ''"));
    upsert.bind(1, run.run_id)
        .bind(2, run.plan_name)
        .bind(3, run.graph_digest)
        .bind(4, run.saved_plan_digest)
        .bind(5, run.is_rollback)
        .bind(6, run.started_ms)
        .bind(7, run.boot_id)
        .bind(8, run.process_id);
    PLAN_TRY_VOID(upsert.run());
    return transaction.commit();
  }

  Outcome commit(const std::deque<Waiting*>& group) {
    const std::lock_guard lock(mutex_);
    PLAN_TRY_VOID(refuse_if_broken());
    return broken_if_failed(commit_locked(group));
  }

  Outcome commit_locked(const std::deque<Waiting*>& group) {
    PLAN_TRY(transaction, database_.begin());
    for (const Waiting* waiting : group) {
      for (const Entry& entry : *waiting->entries) {
        PLAN_TRY_VOID(std::visit([&](const auto& e) { return put(e); }, entry));
      }
    }
    return transaction.commit();
  }

  /// A statement that is prepared once and lives as long as the connection.
  Result<store::Statement*> cached(std::optional<store::Statement>& slot, std::string_view sql) {
    if (!slot) {
      PLAN_TRY(made, database_.prepare(sql));
      slot.emplace(std::move(made));
    }
    return &*slot;
  }

  /// One row of history; its number is the sequence of the outcome.
  Result<std::int64_t> tell(std::string_view step, std::string_view account, std::string_view what,
                            std::uint32_t attempt, std::string_view text) {
    PLAN_TRY(
        insert,
        cached(insert_history_,
               "INSERT INTO history (wall_ms, run_id, step, account, what, attempt, text) "
               "VALUES (?, ?, ?, coalesce(?, (SELECT account FROM step WHERE step = ?), ''), ?, "
               "coalesce(?, (SELECT attempts FROM step WHERE step = ?), 0), ?)"));
    insert->bind(1, clock_.wall_ms()).bind(2, run_id_).bind(3, step);
    if (account.empty()) {
      insert->bind_null(4);
    } else {
      insert->bind(4, account);
    }
    insert->bind(5, step).bind(6, what);
    if (attempt == 0) {
      insert->bind_null(7);
    } else {
      insert->bind(7, std::int64_t{attempt});
    }
    insert->bind(8, step).bind(9, text.substr(0, kTextBytesMax));
    PLAN_TRY_VOID(insert->run());
    return database_.last_insert_id();
  }

  /// An update of a step that must be there.
  Outcome run_on_one(store::Statement& statement) {
    PLAN_TRY_VOID(statement.run());
    PLAN_CHECK(database_.changes() == 1, "an outcome follows the intent of its step");
    return {};
  }

  Outcome put(const Intent& e) {
    // The prior state of the first attempt stays: later ones may see what earlier ones did.
    PLAN_TRY(
        upsert,
        cached(
            insert_intent_,
            "INSERT INTO step (step, state, digest, graph_digest, account, attempts, effect_key, "
            "was_satisfied, prior, started_ms, ended_ms, sequence) "
            "VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, 0, 0) "
            "ON CONFLICT (step) DO UPDATE SET state = 1, digest = ?2, graph_digest = ?3, "
            "account = ?4, attempts = ?5, effect_key = ?6, was_satisfied = 0, "
            "prior = CASE WHEN ?9 THEN ?7 ELSE prior END, "
            "notes = CASE WHEN ?9 THEN NULL ELSE notes END, "
            "error_code = NULL, error_message = NULL, error_effect = NULL, error_blame = NULL, "
            "started_ms = ?8, ended_ms = 0"));
    upsert->bind(1, e.step)
        .bind(2, e.digest)
        .bind(3, graph_digest_)
        .bind(4, e.account)
        .bind(5, std::int64_t{e.attempt})
        .bind(6, e.effect_key);
    if (e.prior) {
      upsert->bind(7, ir::canonical_json(*e.prior));
    } else {
      upsert->bind_null(7);
    }
    upsert->bind(8, clock_.wall_ms()).bind(9, e.prior.has_value());
    PLAN_TRY_VOID(upsert->run());
    PLAN_TRY(row, tell(e.step, e.account, "started", e.attempt, ""));
    static_cast<void>(row);
    return {};
  }

  Outcome put(const Done& e) {
    PLAN_TRY(row, tell(e.step, "", e.was_satisfied ? "satisfied" : "done", 0, e.text));
    PLAN_TRY(update,
             cached(update_done_,
                    "UPDATE step SET state = 2, outputs = ?, was_satisfied = ?, ended_ms = ?, "
                    "sequence = ?, error_code = NULL, error_message = NULL, error_effect = NULL, "
                    "error_blame = NULL WHERE step = ?"));
    update->bind(1, text_of(e.outputs))
        .bind(2, e.was_satisfied)
        .bind(3, clock_.wall_ms())
        .bind(4, row)
        .bind(5, e.step);
    return run_on_one(*update);
  }

  Outcome put(const Failed& e) {
    PLAN_TRY(row, tell(e.step, e.account, to_string(e.state), 0, e.error.message));
    if (!e.had_intent) {
      PLAN_TRY(insert,
               cached(insert_waiting_,
                      "INSERT INTO step (step, state, digest, graph_digest, account, attempts, "
                      "effect_key, was_satisfied, started_ms, ended_ms, sequence) "
                      "VALUES (?, 0, '', '', ?, 0, '', 0, 0, 0, 0) ON CONFLICT (step) DO NOTHING"));
      insert->bind(1, e.step).bind(2, e.account);
      PLAN_TRY_VOID(insert->run());
    }
    PLAN_TRY(update,
             cached(update_failed_,
                    "UPDATE step SET state = CASE WHEN ?1 THEN ?2 ELSE state END, error_code = ?3, "
                    "error_message = ?4, error_effect = ?5, error_blame = ?6, ended_ms = ?7, "
                    "sequence = CASE WHEN ?1 THEN ?8 ELSE sequence END WHERE step = ?9"));
    update->bind(1, e.had_intent)
        .bind(2, static_cast<int>(e.state))
        .bind(3, e.error.code)
        .bind(4, std::string_view(e.error.message).substr(0, kTextBytesMax))
        .bind(5, e.error.effect)
        .bind(6, e.error.blame)
        .bind(7, clock_.wall_ms())
        .bind(8, row)
        .bind(9, e.step);
    return run_on_one(*update);
  }

  Outcome put(const Noted& e) {
    PLAN_TRY(update, cached(update_notes_, "UPDATE step SET notes = ? WHERE step = ?"));
    update->bind(1, text_of(e.notes)).bind(2, e.step);
    return run_on_one(*update);
  }

  Outcome put(const UndoIntent& e) {
    PLAN_TRY_VOID(tell(e.step, "", "undo-started", 0, ""));
    PLAN_TRY(update, cached(update_undoing_, "UPDATE step SET state = 5 WHERE step = ?"));
    update->bind(1, e.step);
    return run_on_one(*update);
  }

  Outcome put(const Undone& e) {
    PLAN_TRY(row, tell(e.step, "", "undone", 0, e.text));
    PLAN_TRY(
        update,
        cached(update_undone_,
               "UPDATE step SET state = 6, prior = NULL, outputs = NULL, notes = NULL, "
               "was_satisfied = 0, error_code = NULL, error_message = NULL, error_effect = NULL, "
               "error_blame = NULL, ended_ms = ?, sequence = ? WHERE step = ?"));
    update->bind(1, clock_.wall_ms()).bind(2, row).bind(3, e.step);
    return run_on_one(*update);
  }

  Outcome put(const HoldBegun& e) {
    PLAN_TRY(insert, cached(insert_hold_,
                            "INSERT INTO hold (account, begun_ms, boot_id, bound_ms, is_rollback, "
                            "is_committed) VALUES (?, ?, ?, ?, ?, 0) "
                            "ON CONFLICT (account) WHERE ended_ms IS NULL DO UPDATE SET "
                            "begun_ms = excluded.begun_ms, boot_id = excluded.boot_id, "
                            "bound_ms = excluded.bound_ms, is_rollback = excluded.is_rollback"));
    insert->bind(1, e.account)
        .bind(2, e.wall_ms)
        .bind(3, e.boot_id)
        .bind(4, static_cast<std::int64_t>(e.bound_ms))
        .bind(5, e.is_rollback);
    PLAN_TRY_VOID(insert->run());
    PLAN_TRY_VOID(later::put_uptime(database_, e.account, e.up_ms));
    return tell("", e.account, "held", 0, "").map([](std::int64_t) {});
  }

  Outcome put(const Graded& e) {
    return later::put_grade(database_, e.account, ir::canonical_json(e.grade));
  }

  Outcome put(const HoldTurned& e) {
    PLAN_TRY(update,
             cached(turn_hold_,
                    "UPDATE hold SET is_rollback = 1 WHERE account = ? AND ended_ms IS NULL"));
    update->bind(1, e.account);
    return update->run();
  }

  Outcome put(const HoldEnded& e) {
    PLAN_TRY(update, cached(update_hold_,
                            "UPDATE hold SET ended_ms = ?, is_committed = ? WHERE account = ? AND "
                            "ended_ms IS NULL"));
    update->bind(1, clock_.wall_ms()).bind(2, e.is_committed).bind(3, e.account);
    PLAN_TRY_VOID(update->run());
    PLAN_TRY(row, tell("", e.account, e.is_committed ? "released" : "given-back", 0, ""));
    static_cast<void>(row);
    return {};
  }

  // The connection comes first: statements are finalized before it is closed.
  store::Database database_;
  std::optional<store::Statement> select_step_, insert_intent_, insert_history_, update_done_,
      update_failed_, insert_waiting_, turn_hold_, update_notes_, update_undoing_, update_undone_,
      insert_hold_, update_hold_;
  std::string path_;
  FilePlace place_;
  RunLock run_lock_;
  net::Clock& clock_;
  std::mutex mutex_;  ///< the connection and what follows
  std::string run_id_;
  std::string graph_digest_;
  bool is_broken_ = false;

  std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  std::deque<Waiting*> queue_;
  bool has_leader_ = false;
};

}  // namespace

Result<std::unique_ptr<Journal>> open_journal(const std::string& path,
                                              const JournalOptions& options) {
  struct stat status = {};
  const bool is_there = ::stat(path.c_str(), &status) == 0;
  if (options.is_read_only && !is_there) {
    return Error(errors::journal_missing, fmt::format("{} is not there", path));
  }
  // SQLite would wait at a pipe for ever.
  if (is_there && !S_ISREG(status.st_mode))
    return Error(store::errors::store_foreign, fmt::format("{} is no file", path));
  PLAN_TRY(database, checked(store::Database::open(
                         path, {.is_read_only = options.is_read_only, .vfs = options.vfs})));
  if (is_there && status.st_size <= kWholeCheckBytesMax) {
    if (auto outcome = database.check_integrity(); !outcome) {
      return journal_error(std::move(outcome).error());
    }
  }
  if (options.is_read_only) {
    PLAN_TRY(version, checked(database.schema_version(kApplicationId, kVersion)));
    if (!version) return Error(errors::journal_missing, fmt::format("{} is empty", path));
  } else {
    std::string_view schema;
    for (const EmbeddedFile& file : embedded::engine_schema()) {
      if (file.name == "schema.sql") schema = file.text;
    }
    PLAN_CHECK(!schema.empty(), "schema.sql is compiled in");
    PLAN_TRY(version, checked(database.ensure_schema(kApplicationId, kVersion, schema)));
    PLAN_CHECK(version == kVersion, "there is no older format yet");
    if (auto made = later::make_tables(database); !made) return journal_error(made.error());
  }
  return std::unique_ptr<Journal>(std::make_unique<SqliteJournal>(
      std::move(database), path, options.clock == nullptr ? net::system_clock() : *options.clock));
}

}  // namespace plan::engine
