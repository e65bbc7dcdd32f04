#include "runtime/archive/import_sieve.h"

#include <fmt/format.h>

#include <map>

#include "compiler/source/text.h"
#include "runtime/archive/digest.h"
#include "runtime/net/sieve/errors.h"

namespace plan::archive {
namespace {

struct ReadScript {
  std::string name = {};
  std::string content = {};
  bool is_active = false;
};

struct KnownScript {
  std::int64_t id = 0;
  std::string hash = {};
  bool is_active = false;
};

}  // namespace

Result<SieveReport> import_sieve(ArchiveFile& archive, const SieveSource& source,
                                 bool is_source_change_allowed, bool is_dry) {
  SieveReport report;
  PLAN_TRY(client, source.connect());
  PLAN_TRY(names, client->list());
  std::vector<ReadScript> scripts;
  for (const net::sieve::ScriptName& name : names) {
    auto content = client->get(name.name);
    if (!content) {
      if (!content.error().is(net::sieve::errors::script_missing) &&
          !content.error().is(net::sieve::errors::sieve_refused))
        return std::move(content.error());
      report.problems.push_back({.mailbox = "Sieve script " + printable(name.name, 200),
                                 .text = content.error().to_line()});
      continue;
    }
    scripts.push_back(
        {.name = name.name, .content = std::move(*content), .is_active = name.is_active});
  }
  client->logout();
  report.scripts = scripts.size();

  store::Database& database = archive.database();
  std::map<std::string, KnownScript> known;
  PLAN_TRY(rows,
           database.prepare("SELECT s.name, s.id, b.hash, s.is_active FROM sieve_scripts s JOIN "
                            "blobs b ON b.id = s.blob_id "
                            "JOIN sync_id_managesieve m ON m.local_id = s.id JOIN sources o ON "
                            "o.id = m.source_id WHERE "
                            "o.kind = 'managesieve' AND o.session_url = ? AND o.account_id = ?"));
  rows.bind(1, source.identity.session_url).bind(2, source.identity.account_id);
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) break;
    known[std::string(rows.text(0))] = {.id = rows.integer(1),
                                        .hash = std::string(rows.blob(2)),
                                        .is_active = rows.integer(3) != 0};
  }
  std::optional<store::Transaction> transaction;
  std::int64_t source_id = 0;
  if (!is_dry) {
    PLAN_TRY(id, archive.source(source.identity, is_source_change_allowed));
    source_id = id;
    PLAN_TRY(begun, database.begin());
    transaction.emplace(std::move(begun));
    // At most one is active at any instant of the transaction, as the index demands.
    PLAN_TRY(calm, database.prepare(
                       "UPDATE sieve_scripts SET is_active = 0 WHERE id IN (SELECT local_id FROM "
                       "sync_id_managesieve WHERE source_id = ?)"));
    calm.bind(1, source_id);
    PLAN_TRY_VOID(calm.run());
  }
  for (const ReadScript& script : scripts) {
    const auto found = known.find(script.name);
    const bool is_new = found == known.end();
    if (is_new)
      ++report.created;
    else if (found->second.hash != blake3(script.content) ||
             found->second.is_active != script.is_active)
      ++report.updated;
    if (is_dry) {
      if (!is_new) known.erase(found);
      continue;
    }
    PLAN_TRY(blob, archive.put_blob(script.content));
    std::int64_t id = is_new ? 0 : found->second.id;
    if (!is_new) {
      PLAN_TRY(update, database.prepare("UPDATE sieve_scripts SET blob_id = ? WHERE id = ?"));
      update.bind(1, blob.id).bind(2, id);
      PLAN_TRY_VOID(update.run());
      known.erase(found);
    } else {
      PLAN_TRY(insert, database.prepare(
                           "INSERT OR IGNORE INTO sieve_scripts (name, is_active, blob_id) VALUES "
                           "(?, 0, ?)"));
      insert.bind(1, script.name).bind(2, blob.id);
      PLAN_TRY_VOID(insert.run());
      if (database.changes() == 0) {
        --report.created;
        report.problems.push_back(
            {.mailbox = "Sieve script " + printable(script.name, 200),
             .text = "the archive has a script of that name from another source"});
        continue;
      }
      id = database.last_insert_id();
      PLAN_TRY(map, database.prepare(
                        "INSERT OR REPLACE INTO sync_id_managesieve (source_id, name, local_id) "
                        "VALUES (?, ?, ?)"));
      map.bind(1, source_id).bind(2, script.name).bind(3, id);
      PLAN_TRY_VOID(map.run());
    }
    if (!script.is_active) continue;
    PLAN_TRY(activate,
             database.prepare("UPDATE OR IGNORE sieve_scripts SET is_active = 1 WHERE id = ?"));
    activate.bind(1, id);
    PLAN_TRY_VOID(activate.run());
  }
  if (report.problems.empty()) {  // what could not be read is not gone
    for (const auto& [name, script] : known) {
      ++report.removed;
      if (is_dry) continue;
      for (const std::string_view sql : {"DELETE FROM sync_id_managesieve WHERE local_id = ?",
                                         "DELETE FROM sieve_scripts WHERE id = ?"}) {
        PLAN_TRY(statement, database.prepare(sql));
        statement.bind(1, script.id);
        PLAN_TRY_VOID(statement.run());
      }
    }
  }
  if (transaction) PLAN_TRY_VOID(transaction->commit());
  return report;
}

}  // namespace plan::archive
