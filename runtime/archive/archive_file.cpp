#include "runtime/archive/archive_file.h"

#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/schema.h"

namespace plan::archive {
namespace {

constexpr std::size_t kComplaintsMax = 100;
constexpr int kPathDepthMax = 1000;

/// Archives that older programs wrote lack it.
Outcome add_missing_column(store::Database& database, std::string_view table,
                           std::string_view column, std::string_view type) {
  PLAN_TRY(there,
           database.query_integer(fmt::format(
               "SELECT count(*) FROM pragma_table_info('{}') WHERE name = '{}'", table, column)));
  if (there.value_or(0) > 0) return {};
  return database.execute(fmt::format("ALTER TABLE {} ADD COLUMN {} {}", table, column, type));
}

}  // namespace

Result<ArchiveFile> ArchiveFile::open(const std::string& path, const ArchiveOptions& options) {
  const std::string doing = fmt::format("opening archive {}", path);
  store::SqliteOptions sqlite;
  sqlite.must_exist = options.must_exist;
  sqlite.vfs = options.vfs;
  sqlite.has_json_checks = true;
  auto database = store::Database::open(path, sqlite);
  if (!database) return std::move(database.error()).while_doing(doing);
  const auto prepare = [&]() -> Outcome {
    PLAN_TRY(tables,
             database->query_integer("SELECT count(*) FROM sqlite_master WHERE type = 'table'"));
    PLAN_TRY(ours,
             database->query_integer("SELECT count(*) FROM sqlite_master WHERE type = 'table' "
                                     "AND name IN ('sources', 'blobs', 'emails')"));
    if (tables.value_or(0) > 0 && ours.value_or(0) < 3)
      return Error(errors::archive_foreign, "the database has tables, but not those of an archive");
    PLAN_TRY(triggers,
             database->query_integer("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"));
    if (triggers.value_or(0) > 0)
      return Error(errors::archive_foreign, "the file has triggers, which no archive has");
    PLAN_TRY(transaction, database->begin());
    PLAN_TRY_VOID(database->execute(kArchiveSchema));
    PLAN_TRY_VOID(add_missing_column(*database, "calendar_events", "data_type",
                                     "TEXT NOT NULL DEFAULT 'Event'"));
    if (options.has_provenance) {
      PLAN_TRY_VOID(database->execute(kProvenanceSchema));
      PLAN_TRY_VOID(add_missing_column(*database, "plan_dav_collection", "sync_token",
                                       "TEXT NOT NULL DEFAULT ''"));
    }
    return transaction.commit();
  };
  if (auto prepared = prepare(); !prepared) return std::move(prepared.error()).while_doing(doing);
  return ArchiveFile(std::move(*database));
}

Result<std::int64_t> ArchiveFile::source(const SourceIdentity& identity, bool is_change_allowed) {
  if (!is_change_allowed) {
    PLAN_TRY(other, database_->prepare("SELECT session_url, account_id FROM sources WHERE kind = ? "
                                       "AND (session_url <> ? OR account_id <> ?) LIMIT 1"));
    other.bind(1, identity.kind).bind(2, identity.session_url).bind(3, identity.account_id);
    PLAN_TRY(is_other, other.step());
    if (is_other)
      return Error(errors::source_conflict,
                   fmt::format("the archive is of {} at {}, not of {} at {}",
                               printable(other.text(1), 200), printable(other.text(0), 200),
                               identity.account_id, identity.session_url))
          .with_blame(Blame::plan);
  }
  PLAN_TRY(upsert,
           database_->prepare(
               "INSERT INTO sources (kind, session_url, account_id, account_name, username) "
               "VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, session_url, account_id) DO UPDATE SET "
               "account_name = excluded.account_name, username = excluded.username RETURNING id"));
  upsert.bind(1, identity.kind)
      .bind(2, identity.session_url)
      .bind(3, identity.account_id)
      .bind(4, identity.account_name)
      .bind(5, identity.username);
  PLAN_TRY(has_row, upsert.step());
  const std::int64_t id = has_row ? upsert.integer(0) : 0;
  upsert.reset();
  return id;
}

Result<StoredBlob> ArchiveFile::put_blob(std::string_view bytes) {
  const std::string hash = blake3(bytes);
  PLAN_TRY(insert, database_->prepare("INSERT OR IGNORE INTO blobs (hash, data) VALUES (?, ?)"));
  insert.bind_blob(1, hash).bind_blob(2, bytes);
  PLAN_TRY_VOID(insert.run());
  const bool is_new = database_->changes() > 0;
  PLAN_TRY(find, database_->prepare("SELECT id FROM blobs WHERE hash = ?"));
  find.bind_blob(1, hash);
  PLAN_TRY(is_found, find.step());
  if (!is_found) return Error(errors::archive_damaged, "a blob that was stored is not found");
  return StoredBlob{.id = find.integer(0), .is_new = is_new};
}

Result<std::string> ArchiveFile::blob(std::int64_t id) {
  PLAN_TRY(find, database_->prepare("SELECT data FROM blobs WHERE id = ?"));
  find.bind(1, id);
  PLAN_TRY(is_found, find.step());
  if (!is_found)
    return Error(errors::archive_damaged, fmt::format("the archive has no blob {}", id));
  return std::string(find.blob(0));
}

Result<std::int64_t> ArchiveFile::collect_garbage() {
  PLAN_TRY_VOID(database_->execute(
      "DELETE FROM blobs WHERE id NOT IN (SELECT blob_id FROM emails UNION SELECT blob_id FROM "
      "sieve_scripts UNION SELECT blob_id FROM file_nodes WHERE blob_id IS NOT NULL UNION "
      "SELECT t.value FROM contact_cards, json_tree(contact_cards.data) t WHERE t.key = '@blob' "
      "AND t.value IS NOT NULL UNION SELECT t.value FROM calendar_events, "
      "json_tree(calendar_events.data) t WHERE t.key = '@blob' AND t.value IS NOT NULL)"));
  return database_->changes();
}

Outcome ArchiveFile::set_fact(std::string_view name, std::string_view value) {
  PLAN_TRY(upsert,
           database_->prepare("INSERT INTO plan_fact (name, value) VALUES (?, ?) ON CONFLICT "
                              "(name) DO UPDATE SET value = excluded.value"));
  upsert.bind(1, name).bind(2, value);
  return upsert.run();
}

Result<std::string> ArchiveFile::fact(std::string_view name) {
  PLAN_TRY(find, database_->prepare("SELECT value FROM plan_fact WHERE name = ?"));
  find.bind(1, name);
  PLAN_TRY(is_found, find.step());
  return is_found ? std::string(find.text(0)) : std::string();
}

Result<std::vector<std::string>> ArchiveFile::verify() {
  std::vector<std::string> complaints;
  const auto complain = [&](std::string text) {
    if (complaints.size() < kComplaintsMax) complaints.push_back(std::move(text));
  };
  if (auto intact = database_->check_integrity(); !intact) {
    complain(intact.error().to_line());
    return complaints;
  }
  PLAN_TRY(foreign, database_->prepare("PRAGMA foreign_key_check"));
  while (true) {
    PLAN_TRY(has_row, foreign.step());
    if (!has_row) break;
    complain(fmt::format("row {} of {} refers to a row of {} that is not there", foreign.integer(1),
                         printable(foreign.text(0), 100), printable(foreign.text(2), 100)));
  }
  PLAN_TRY(blobs, database_->prepare("SELECT id, hash, data FROM blobs"));
  while (true) {
    PLAN_TRY(has_row, blobs.step());
    if (!has_row) break;
    if (blobs.blob(1) != blake3(blobs.blob(2)))
      complain(
          fmt::format("blob {} does not have the digest it is stored under", blobs.integer(0)));
  }
  struct Check {
    std::string_view sql;
    std::string_view text;
  };
  static constexpr Check kChecks[] = {
      {"SELECT emails.id FROM emails, json_each(mailbox_ids) m WHERE m.type <> 'integer' OR "
       "m.value "
       "NOT IN (SELECT id FROM mailboxes)",
       "email {} is in a mailbox that is not there"},
      {"WITH RECURSIVE below(id) AS (SELECT id FROM mailboxes WHERE parent_id IS NULL UNION SELECT "
       "m.id FROM mailboxes m JOIN below ON m.parent_id = below.id) SELECT id FROM mailboxes WHERE "
       "id NOT IN (SELECT id FROM below)",
       "mailbox {} is below itself"},
      {"SELECT emails.id FROM emails, json_each(keywords) k WHERE k.type <> 'text'",
       "email {} has a keyword that is no text"},
      {"SELECT id FROM emails WHERE json_type(mailbox_ids) <> 'array' OR json_type(keywords) <> "
       "'array' "
       "OR json_type(message_match) <> 'object'",
       "email {} has a list that is none"},
      {"SELECT contact_cards.id FROM contact_cards, json_tree(data) t WHERE t.key = '@blob' AND "
       "(t.type <> 'integer' OR t.value NOT IN (SELECT id FROM blobs))",
       "contact card {} refers to a blob that is not there"},
      {"SELECT calendar_events.id FROM calendar_events, json_tree(data) t WHERE t.key = '@blob' "
       "AND "
       "(t.type <> 'integer' OR t.value NOT IN (SELECT id FROM blobs))",
       "calendar event {} refers to a blob that is not there"},
      {"SELECT local_id FROM sync_id_imap WHERE type_name = 'email' AND local_id NOT IN (SELECT id "
       "FROM emails)",
       "the id map of IMAP names email {}, which is not there"},
      {"SELECT local_id FROM sync_id_managesieve WHERE local_id NOT IN (SELECT id FROM "
       "sieve_scripts)",
       "the id map of ManageSieve names script {}, which is not there"},
  };
  for (const Check& check : kChecks) {
    PLAN_TRY(rows, database_->prepare(check.sql));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      complain(fmt::format(fmt::runtime(check.text), rows.integer(0)));
    }
  }
  return complaints;
}

Result<std::vector<std::string>> mailbox_path(store::Database& database, std::int64_t mailbox_id) {
  PLAN_TRY(find, database.prepare("SELECT name, parent_id FROM mailboxes WHERE id = ?"));
  std::vector<std::string> path;
  std::optional<std::int64_t> id = mailbox_id;
  for (int depth = 0; id && depth < kPathDepthMax; ++depth) {
    find.bind(1, *id);
    PLAN_TRY(is_found, find.step());
    if (!is_found) break;
    path.insert(path.begin(), std::string(find.text(0)));
    id = find.integer_if_any(1);
    find.reset();
  }
  return path;
}

}  // namespace plan::archive
