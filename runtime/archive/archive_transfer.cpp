// `plan archive import` and `export`: source -> archive, archive -> target, archive -> archive.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "runtime/archive/digest.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/grade.h"
#include "runtime/archive/item_state.h"
#include "runtime/archive/limits.h"
#include "runtime/archive/named_archive.h"
#include "runtime/archive/push_dav.h"
#include "runtime/archive/tool.h"
#include "runtime/store/errors.h"

namespace plan::archive {
namespace {

using ir::Value;

/// What no account has; an archive that says so is not worth the hours that it would take.
constexpr std::int64_t kMailboxesMax = 20'000;
constexpr std::string_view kUnfinished = ".plan-unfinished";

/// What the export carries none of; `dav_type` names it in the id map of DAV, where what plan has
/// read itself is carried from its own tables.
struct LeftBehind {
  std::string_view table = {};
  std::string_view dav_type = {};
};
constexpr std::array kLeftBehind = {LeftBehind{"identities", ""},
                                    LeftBehind{"address_books", "addressbook"},
                                    LeftBehind{"contact_cards", "contactcard"},
                                    LeftBehind{"calendars", "calendar"},
                                    LeftBehind{"calendar_events", "calendarevent"},
                                    LeftBehind{"participant_identities", ""},
                                    LeftBehind{"file_nodes", ""}};

Value problems_of(const std::vector<ImportProblem>& problems) {
  Value list = Value::list();
  for (const ImportProblem& problem : problems)
    list.push_back(Value::map({{"mailbox", problem.mailbox},
                               {"uid", std::int64_t{problem.uid}},
                               {"text", problem.text}}));
  return list;
}

/// Another program may have worked on the archive since the last export: it gives the row ids of
/// what it deletes to what comes next. What is not what it was has left; its place becomes free.
Outcome drop_replaced(store::Database& database) {
  std::vector<std::int64_t> gone;
  {
    PLAN_TRY(items, database.prepare(
                        "SELECT p.id, p.sha256, b.data, EXISTS (SELECT 1 FROM json_each("
                        "e.mailbox_ids) j JOIN plan_mailbox m ON m.mailbox_id = j.value WHERE "
                        "m.wire_name = p.wire_name) FROM plan_item p LEFT JOIN emails e ON e.id = "
                        "p.email_id LEFT JOIN blobs b ON b.id = e.blob_id WHERE p.uidvalidity = 0 "
                        "AND p.is_gone = 0 AND p.sha256 IS NOT NULL"));
    while (true) {
      PLAN_TRY(has_row, items.step());
      if (!has_row) break;
      if (items.is_null(2) || items.integer(3) == 0 || items.blob(1) != sha256_raw(items.blob(2)))
        gone.push_back(items.integer(0));
    }
  }
  PLAN_TRY(forget, database.prepare("DELETE FROM plan_item WHERE id = ? AND state IN (0, 3)"));
  PLAN_TRY(leave, database.prepare("UPDATE plan_item SET is_gone = 1, email_id = NULL, uid = -id "
                                   "WHERE id = ?"));
  for (const std::int64_t id : gone) {
    forget.bind(1, id);
    PLAN_TRY_VOID(forget.run());
    leave.bind(1, id);
    PLAN_TRY_VOID(leave.run());
  }
  return database.execute(
      "DELETE FROM plan_item WHERE uidvalidity = 0 AND state = 5; UPDATE plan_item SET keywords = "
      "(SELECT e.keywords FROM emails e WHERE e.id = email_id) WHERE uidvalidity = 0 AND email_id "
      "IS NOT NULL");
}

/// An archive of another program as push_jmap wants it: one mailbox row each, one item for each
/// message and mailbox. UIDVALIDITY 0 and the row id stand for a place at a source that is not
/// known.
Outcome give_provenance(ArchiveFile& archive) {
  store::Database& database = archive.database();
  PLAN_TRY(transaction, database.begin());
  std::vector<std::int64_t> ids;
  PLAN_TRY(mailboxes,
           database.prepare(
               "SELECT id FROM mailboxes WHERE id NOT IN (SELECT mailbox_id FROM plan_mailbox)"));
  while (true) {
    PLAN_TRY(has_row, mailboxes.step());
    if (!has_row) break;
    ids.push_back(mailboxes.integer(0));
  }
  for (const std::int64_t id : ids) {
    PLAN_TRY(path, mailbox_path(database, id));
    PLAN_TRY(insert, database.prepare(
                         "INSERT OR IGNORE INTO plan_mailbox (wire_name, mailbox_id, separator, "
                         "is_selectable, role) "
                         "SELECT ?1, id, '/', 1, coalesce(role, '') FROM mailboxes WHERE id = ?2"));
    insert.bind(1, fmt::format("row:{}:{}", id, joined_path(path))).bind(2, id);
    PLAN_TRY_VOID(insert.run());
  }
  PLAN_TRY_VOID(drop_replaced(database));
  PLAN_TRY(emails,
           database.prepare(
               "SELECT e.id, p.wire_name, b.data, e.received_at, e.keywords, length(b.data) "
               "FROM emails e JOIN blobs b ON b.id = e.blob_id, json_each(e.mailbox_ids) j "
               "JOIN plan_mailbox p ON p.mailbox_id = j.value WHERE NOT EXISTS (SELECT 1 "
               "FROM plan_item i WHERE i.email_id = e.id AND i.wire_name = p.wire_name)"));
  PLAN_TRY(insert, database.prepare("INSERT OR IGNORE INTO plan_item (wire_name, uidvalidity, uid, "
                                    "email_id, sha256, bytes, received_at, "
                                    "keywords, state, problem) VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, "
                                    "?)"));
  while (true) {
    PLAN_TRY(has_row, emails.step());
    if (!has_row) break;
    const std::int64_t bytes = emails.integer(5);
    const bool is_too_large = bytes > static_cast<std::int64_t>(kMessageBytesMax);
    insert.bind(1, emails.text(1)).bind(2, emails.integer(0)).bind(3, emails.integer(0));
    if (is_too_large) {
      insert.bind_null(4).bind(8, static_cast<int>(ItemState::unreadable));
      insert.bind(9, fmt::format("{} bytes, more than plan carries", bytes));
    } else {
      insert.bind_blob(4, sha256_raw(emails.blob(2)));
      insert.bind(8, static_cast<int>(ItemState::wanted)).bind_null(9);
    }
    insert.bind(5, bytes).bind(6, emails.text(3)).bind(7, emails.text(4));
    PLAN_TRY_VOID(insert.run());
  }
  return transaction.commit();
}

/// `count` null: nobody counted.
Value left_behind(std::string_view what, Value count) {
  return Value::map({{"what", what}, {"count", std::move(count)}});
}

Outcome add_count(ArchiveFile& archive, std::string_view what, const std::string& from_where,
                  Value& not_carried) {
  PLAN_TRY(rows, archive.database().query_integer("SELECT count(*) FROM " + from_where));
  if (rows.value_or(0) > 0) not_carried.push_back(left_behind(what, *rows));
  return {};
}

/// Vandelay's archives may have more than mail and scripts: nothing of it is pushed or compared.
Result<Value> left_by_export(ArchiveFile& archive) {
  Value not_carried = Value::list();
  for (const LeftBehind& one : kLeftBehind) {
    std::string where(one.table);
    if (!one.dav_type.empty())
      where += fmt::format(
          " WHERE id NOT IN (SELECT local_id FROM sync_id_dav WHERE type_name = '{}' AND item_href "
          "IN (SELECT href FROM plan_dav_item UNION ALL SELECT href FROM plan_dav_collection))",
          one.dav_type);
    PLAN_TRY_VOID(add_count(archive, one.table, where, not_carried));
  }
  PLAN_TRY_VOID(add_count(archive, "emails in no mailbox",
                          "emails WHERE json_array_length(mailbox_ids) = 0", not_carried));
  PLAN_TRY_VOID(add_count(archive, "sieve_scripts without a name",
                          "sieve_scripts WHERE name IS NULL", not_carried));
  return not_carried;
}

/// Opens an archive whose content is about to be believed: nothing of a damaged one is written
/// anywhere.
Result<ArchiveFile> open_sound(const std::string& path) {
  PLAN_TRY(archive, open_named(path, true));
  PLAN_TRY(mailboxes, archive.database().query_integer("SELECT count(*) FROM mailboxes"));
  if (mailboxes.value_or(0) > kMailboxesMax)
    return Error(errors::archive_damaged,
                 fmt::format("{} has {} mailboxes, more than {}", path, *mailboxes, kMailboxesMax))
        .with_blame(Blame::plan);
  PLAN_TRY(complaints, archive.verify());
  if (!complaints.empty())
    return Error(errors::archive_damaged,
                 fmt::format("{} contradicts itself in {} places", path, complaints.size()))
        .with_blame(Blame::plan)
        .with_detail(complaints.front());
  return std::move(archive);
}

Result<std::int64_t> count_of(ArchiveFile& archive, const char* from_where) {
  PLAN_TRY(count, archive.database().query_integer(std::string("SELECT ") + from_where));
  return count.value_or(0);
}

Result<Value> counts_of(ArchiveFile& archive, const std::string& path) {
  PLAN_TRY(messages, count_of(archive, "count(*) FROM emails"));
  PLAN_TRY(bytes, count_of(archive,
                           "coalesce(sum(length(b.data)), 0) FROM emails e JOIN blobs b ON b.id = "
                           "e.blob_id"));
  PLAN_TRY(scripts, count_of(archive, "count(*) FROM sieve_scripts"));
  PLAN_TRY(entries, count_of(archive, "count(*) FROM plan_dav_item WHERE is_gone = 0"));
  PLAN_TRY(not_carried, left_by_export(archive));
  return Value::map({{"file", path},
                     {"messages", messages},
                     {"bytes", bytes},
                     {"scripts", scripts},
                     {"calendar_entries", entries},
                     {"not_carried", std::move(not_carried)}});
}

/// What nobody reads at the source.
Value left_by_import(const AccountSource& source) {
  Value not_carried = Value::list();
  if (!source.has_sieve)
    not_carried.push_back(
        left_behind("Sieve scripts: the plan names no ManageSieve of the source", nullptr));
  if (!source.dav && !source.dav_server.empty())
    not_carried.push_back(left_behind("calendars and contacts of " + source.dav_server, nullptr));
  return not_carried;
}

Error unwritable(const std::string& path, int number) {
  return Error(store::errors::store_unreadable,
               fmt::format("{} cannot be written: {}", path, std::strerror(number)))
      .with_blame(Blame::local);
}

/// Only its owner may read it: it is somebody's mail.
Outcome make_empty(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return unwritable(path, errno);
  ::close(file);
  return {};
}

/// The copy without what is plan's own, and the names and numbers of that.
Result<Value> strip(const std::string& path) {
  PLAN_TRY(archive, ArchiveFile::open(path, {.must_exist = true, .has_provenance = false}));
  store::Database& database = archive.database();
  std::vector<std::string> tables;
  {
    PLAN_TRY(rows, database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name "
                                    "GLOB 'plan_*' ORDER BY name"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      tables.emplace_back(rows.text(0));
    }
  }
  Value not_carried = Value::list();
  for (const std::string& table : tables) {
    std::string quoted;
    for (const char c : table) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    PLAN_TRY_VOID(add_count(archive, table, '"' + quoted + '"', not_carried));
    PLAN_TRY_VOID(database.execute("DROP TABLE \"" + quoted + '"'));
  }
  PLAN_TRY_VOID(database.execute("VACUUM"));
  PLAN_TRY_VOID(database.checkpoint());
  return not_carried;
}

}  // namespace

Result<Value> import_archive(const std::string& path, const AccountSource& source,
                             const ImportOptions& options) {
  {
    // A login that is refused leaves no file behind.
    PLAN_TRY(client, source.imap.connect());
    client->logout();
  }
  if (std::error_code code; !std::filesystem::exists(path, code)) PLAN_TRY_VOID(make_empty(path));
  PLAN_TRY(archive, ArchiveFile::open(path));
  PLAN_TRY(mail, import_imap(archive, source.imap, options));
  std::vector<ImportProblem> problems = std::move(mail.problems);
  const auto add = [&problems](std::vector<ImportProblem>& more) {
    problems.insert(problems.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
  };
  SieveReport scripts;
  if (source.has_sieve) {
    PLAN_TRY(read,
             import_sieve(archive, source.sieve, options.is_source_change_allowed, options.is_dry));
    scripts = std::move(read);
    add(scripts.problems);
  }
  DavReport dav;
  if (source.dav) {
    PLAN_TRY(read, import_dav(archive, *source.dav, {.is_dry = options.is_dry}));
    dav = std::move(read);
    add(dav.problems);
  }
  PLAN_TRY_VOID(archive.database().checkpoint());
  return Value::map({{"file", path},
                     {"mailboxes", mail.mailboxes},
                     {"messages", mail.messages},
                     {"created", mail.created},
                     {"updated", mail.updated},
                     {"removed", mail.removed},
                     {"bytes", mail.bytes},
                     {"scripts", scripts.scripts},
                     {"calendar_entries", dav.items},
                     {"problems", problems_of(problems)},
                     {"not_carried", left_by_import(source)}});
}

Result<Value> look_before_export(const std::string& path) {
  PLAN_TRY(archive, open_sound(path));
  return counts_of(archive, path);
}

Result<Value> export_archive(const std::string& path, const TargetAccount& target,
                             const ExportOptions& options) {
  PLAN_TRY(archive, open_sound(path));
  PLAN_TRY_VOID(give_provenance(archive));
  PushOptions push = options.push;
  push.is_present_taken = options.is_present_taken;
  PLAN_TRY(report, push_jmap(archive, target, push));
  Value problems = Value::list();
  for (const PushProblem& problem : report.problems)
    problems.push_back(Value::map({{"what", problem.what}, {"text", problem.text}}));
  PLAN_TRY(entries, count_of(archive, "count(*) FROM plan_dav_item"));
  DavPushReport dav;
  if (entries > 0) {
    PLAN_TRY(pushed, push_dav(archive, target,
                              {.is_source_authority = push.is_source_authority,
                               .is_stop_requested = push.is_stop_requested}));
    dav = std::move(pushed);
    for (const PushProblem& problem : dav.problems)
      problems.push_back(Value::map({{"what", problem.what}, {"text", problem.text}}));
  }
  PLAN_TRY(not_carried, left_by_export(archive));
  if (!push.is_source_authority)
    PLAN_TRY_VOID(add_count(archive, "sieve_scripts", "sieve_scripts", not_carried));
  PLAN_TRY(graded, grade_target(archive, target,
                                {.is_delivery_allowed = true,
                                 .is_target_authority = !push.is_source_authority}));
  const Value grade = graded.to_value();
  return Value::map({{"file", path},
                     {"mailboxes_created", report.mailboxes_created},
                     {"created", report.created},
                     {"present", report.resolved},
                     {"updated", report.updated},
                     {"destroyed", report.destroyed},
                     {"bytes", report.bytes},
                     {"scripts", report.scripts},
                     {"calendar_entries", dav.created + dav.updated},
                     {"problems", std::move(problems)},
                     {"not_carried", std::move(not_carried)},
                     {"grade", grade["mail_grade"]},
                     {"summary", grade["summary"]},
                     {"differences", grade["differences"]}});
}

Result<Value> copy_archive(const std::string& from, const std::string& to) {
  std::error_code code;
  if (std::filesystem::exists(std::filesystem::symlink_status(to, code)))
    return Error(errors::archive_there, fmt::format("{} is there already", to))
        .with_blame(Blame::plan);
  const std::string beside = to + std::string(kUnfinished);
  // Of a copy that was killed; nobody else writes files of that name.
  for (const char* tail : {"", "-wal", "-shm"}) std::filesystem::remove(beside + tail, code);
  PLAN_TRY_VOID(make_empty(beside));
  const auto written = [&]() -> Result<Value> {
    PLAN_TRY(archive, open_sound(from));
    PLAN_TRY(messages, count_of(archive, "count(*) FROM emails"));
    PLAN_TRY(copy, archive.database().prepare("VACUUM INTO ?"));
    copy.bind(1, beside);
    PLAN_TRY_VOID(copy.run());
    PLAN_TRY(not_carried, strip(beside));
    if (::link(beside.c_str(), to.c_str()) != 0) {
      if (errno == EEXIST)
        return Error(errors::archive_there, fmt::format("{} is there already", to))
            .with_blame(Blame::plan);
      return unwritable(to, errno);
    }
    return Value::map({{"file", to},
                       {"messages", messages},
                       {"bytes", static_cast<std::int64_t>(std::filesystem::file_size(to, code))},
                       {"not_carried", std::move(not_carried)}});
  };
  auto result = written();
  for (const char* tail : {"", "-wal", "-shm"}) std::filesystem::remove(beside + tail, code);
  return result;
}

}  // namespace plan::archive
