#include "runtime/engine/later_tables.h"

#include <array>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"

namespace plan::engine::later {
namespace {

constexpr std::array kTables = {
    "CREATE TABLE IF NOT EXISTS place (graph_digest TEXT NOT NULL PRIMARY KEY, "
    "places TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS hold_uptime (account TEXT NOT NULL PRIMARY KEY, "
    "up_ms INTEGER) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS account_grade (account TEXT NOT NULL PRIMARY KEY, "
    "grade TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS lease_asked (run_id TEXT NOT NULL PRIMARY KEY) STRICT, "
    "WITHOUT ROWID",
};

Result<bool> has_table(store::Database& database, std::string_view name) {
  PLAN_TRY(find, database.prepare("SELECT 1 FROM sqlite_master WHERE name = ?"));
  find.bind(1, name);
  return find.step();
}

}  // namespace

Outcome make_tables(store::Database& database) {
  for (const char* table : kTables) PLAN_TRY_VOID(database.execute(table));
  return {};
}

Outcome put_places(store::Database& database, std::string_view graph_digest,
                   const std::vector<std::string>& places) {
  const ir::List list(places.begin(), places.end());
  PLAN_TRY(statement,
           database.prepare(
               "INSERT INTO place (graph_digest, places) VALUES (?, ?) ON CONFLICT DO NOTHING"));
  statement.bind(1, graph_digest).bind(2, ir::canonical_json(ir::Value(list)));
  return statement.run();
}

Result<std::string> places(store::Database& database, std::string_view graph_digest) {
  PLAN_TRY(is_there, has_table(database, "place"));
  if (!is_there) return std::string();
  PLAN_TRY(statement, database.prepare("SELECT places FROM place WHERE graph_digest = ?"));
  statement.bind(1, graph_digest);
  PLAN_TRY(has_row, statement.step());
  return has_row ? std::string(statement.text(0)) : std::string();
}

Outcome put_uptime(store::Database& database, std::string_view account,
                   std::optional<std::int64_t> up_ms) {
  PLAN_TRY(statement,
           database.prepare("INSERT INTO hold_uptime (account, up_ms) VALUES (?, ?) ON CONFLICT "
                            "(account) DO UPDATE SET up_ms = excluded.up_ms"));
  statement.bind(1, account).bind(2, up_ms);
  return statement.run();
}

Result<std::map<std::string, std::int64_t>> uptimes(store::Database& database) {
  std::map<std::string, std::int64_t> uptimes;
  PLAN_TRY(is_there, has_table(database, "hold_uptime"));
  if (!is_there) return uptimes;
  PLAN_TRY(rows,
           database.prepare("SELECT account, up_ms FROM hold_uptime WHERE up_ms IS NOT NULL"));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) return uptimes;
    uptimes.emplace(std::string(rows.text(0)), rows.integer(1));
  }
}

Outcome put_grade(store::Database& database, std::string_view account, std::string_view grade) {
  PLAN_TRY(statement,
           database.prepare("INSERT INTO account_grade (account, grade) VALUES (?, ?) ON CONFLICT "
                            "(account) DO UPDATE SET grade = excluded.grade"));
  statement.bind(1, account).bind(2, grade);
  return statement.run();
}

Result<std::map<std::string, std::string>> grades(store::Database& database) {
  std::map<std::string, std::string> grades;
  PLAN_TRY(is_there, has_table(database, "account_grade"));
  if (!is_there) return grades;
  PLAN_TRY(rows, database.prepare("SELECT account, grade FROM account_grade"));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) return grades;
    grades.emplace(std::string(rows.text(0)), std::string(rows.text(1)));
  }
}

Outcome put_lease_asked(store::Database& database, std::string_view run_id) {
  PLAN_TRY(statement,
           database.prepare("INSERT INTO lease_asked (run_id) VALUES (?) ON CONFLICT DO NOTHING"));
  statement.bind(1, run_id);
  return statement.run();
}

Result<std::vector<std::string>> leases_asked(store::Database& database) {
  std::vector<std::string> run_ids;
  PLAN_TRY(is_there, has_table(database, "lease_asked"));
  if (!is_there) return run_ids;
  PLAN_TRY(rows, database.prepare("SELECT run_id FROM lease_asked"));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) return run_ids;
    run_ids.emplace_back(rows.text(0));
  }
}

}  // namespace plan::engine::later
