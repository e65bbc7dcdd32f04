#include "runtime/archive/tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/limits.h"

namespace plan::archive {
namespace {

using ir::Value;

constexpr std::string_view kTables[] = {"sources",
                                        "blobs",
                                        "mailboxes",
                                        "emails",
                                        "identities",
                                        "sieve_scripts",
                                        "address_books",
                                        "contact_cards",
                                        "calendars",
                                        "calendar_events",
                                        "participant_identities",
                                        "file_nodes",
                                        "sync_id_imap",
                                        "imap_folder_state",
                                        "sync_id_managesieve",
                                        "sync_id_jmap",
                                        "sync_id_dav",
                                        "sync_id_maildir",
                                        "sync_id_takeout"};

constexpr std::string_view kNotCarried[] = {
    "identities",      "address_books",          "contact_cards", "calendars",
    "calendar_events", "participant_identities", "file_nodes"};

std::string joined(const std::vector<std::string>& path) {
  std::string text;
  for (const std::string& name : path) text += (text.empty() ? "" : "/") + name;
  return text;
}

Value problems_of(const std::vector<ImportProblem>& problems) {
  Value list = Value::list();
  for (const ImportProblem& problem : problems)
    list.push_back(Value::map({{"mailbox", problem.mailbox},
                               {"uid", std::int64_t{problem.uid}},
                               {"text", problem.text}}));
  return list;
}

Result<bool> has_provenance(ArchiveFile& archive) {
  PLAN_TRY(count, archive.database().query_integer(
                      "SELECT count(*) FROM sqlite_master WHERE name = 'plan_item'"));
  return count.value_or(0) > 0;
}

/// An operator may name any file. One that never was a database is the wrong file, not a damaged
/// archive: there is no copy to restore. An empty one would be made an archive.
Outcome check_beginning(const std::string& path) {
  constexpr std::string_view kBeginning("SQLite format 3\0", 16);
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code)) return {};  // to open it says what is wrong
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return {};
  std::string found(kBeginning.size(), '\0');
  file.read(found.data(), static_cast<std::streamsize>(found.size()));
  found.resize(static_cast<std::size_t>(file.gcount()));
  if (found == kBeginning) return {};
  return Error(errors::archive_foreign,
               fmt::format("{} is no archive: it {}", path,
                           found.empty() ? "is empty" : "does not begin as one does"))
      .with_blame(Blame::plan);
}

Result<ArchiveFile> open_named(const std::string& path, bool has_provenance) {
  PLAN_TRY_VOID(check_beginning(path));
  return ArchiveFile::open(path, {.must_exist = true, .has_provenance = has_provenance});
}

/// Every thing of an archive as a line that two archives can have in common.
Result<std::multiset<std::string>> lines_of(ArchiveFile& archive) {
  std::multiset<std::string> lines;
  store::Database& database = archive.database();
  PLAN_TRY(mailboxes, database.prepare("SELECT id, role FROM mailboxes"));
  while (true) {
    PLAN_TRY(has_row, mailboxes.step());
    if (!has_row) break;
    PLAN_TRY(path, mailbox_path(database, mailboxes.integer(0)));
    lines.insert(fmt::format("mailbox {} role {}", printable(joined(path), 1000),
                             mailboxes.is_null(1) ? "-" : mailboxes.text(1)));
  }
  PLAN_TRY(
      emails,
      database.prepare(
          "SELECT j.value, b.hash, e.keywords, e.received_at FROM emails e JOIN blobs b ON b.id = "
          "e.blob_id, json_each(e.mailbox_ids) j"));
  while (true) {
    PLAN_TRY(has_row, emails.step());
    if (!has_row) break;
    PLAN_TRY(path, mailbox_path(database, emails.integer(0)));
    std::vector<std::string> keywords = texts_of_json(emails.text(2));
    std::sort(keywords.begin(), keywords.end());
    lines.insert(fmt::format("message {} in {} keywords {} received {}", ir::to_hex(emails.blob(1)),
                             printable(joined(path), 1000), json_array(keywords), emails.text(3)));
  }
  PLAN_TRY(scripts, database.prepare("SELECT s.name, s.is_active, b.hash FROM sieve_scripts s JOIN "
                                     "blobs b ON b.id = s.blob_id"));
  while (true) {
    PLAN_TRY(has_row, scripts.step());
    if (!has_row) break;
    lines.insert(fmt::format("script {} {} {}", printable(scripts.text(0), 200),
                             scripts.integer(1) != 0 ? "active" : "inactive",
                             ir::to_hex(scripts.blob(2))));
  }
  return lines;
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
    insert.bind(1, fmt::format("row:{}:{}", id, joined(path))).bind(2, id);
    PLAN_TRY_VOID(insert.run());
  }
  PLAN_TRY(emails,
           database.prepare("SELECT e.id, p.wire_name, b.data, e.received_at, e.keywords FROM "
                            "emails e JOIN blobs b ON b.id = "
                            "e.blob_id, json_each(e.mailbox_ids) j JOIN plan_mailbox p ON "
                            "p.mailbox_id = j.value WHERE e.id "
                            "NOT IN (SELECT email_id FROM plan_item WHERE email_id IS NOT NULL)"));
  PLAN_TRY(insert, database.prepare("INSERT OR IGNORE INTO plan_item (wire_name, uidvalidity, uid, "
                                    "email_id, sha256, bytes, received_at, "
                                    "keywords) VALUES (?, 0, ?, ?, ?, ?, ?, ?)"));
  while (true) {
    PLAN_TRY(has_row, emails.step());
    if (!has_row) break;
    insert.bind(1, emails.text(1))
        .bind(2, emails.integer(0))
        .bind(3, emails.integer(0))
        .bind_blob(4, sha256_raw(emails.blob(2)));
    insert.bind(5, static_cast<std::int64_t>(emails.blob(2).size()))
        .bind(6, emails.text(3))
        .bind(7, emails.text(4));
    PLAN_TRY_VOID(insert.run());
  }
  return transaction.commit();
}

}  // namespace

Result<Value> inspect_archive(const std::string& path) {
  PLAN_TRY(archive, open_named(path, false));
  store::Database& database = archive.database();
  Value result = Value::map({{"file", path}});
  Value sources = Value::list();
  PLAN_TRY(source,
           database.prepare("SELECT kind, session_url, account_id FROM sources ORDER BY id"));
  while (true) {
    PLAN_TRY(has_row, source.step());
    if (!has_row) break;
    sources.push_back(Value::map({{"kind", source.text(0)},
                                  {"session_url", source.text(1)},
                                  {"account_id", source.text(2)}}));
  }
  result.set("sources", std::move(sources));
  Value rows = Value::map();
  for (const std::string_view table : kTables) {
    PLAN_TRY(count, database.query_integer(fmt::format("SELECT count(*) FROM {}", table)));
    rows.set(std::string(table), count.value_or(0));
  }
  result.set("rows", std::move(rows));
  PLAN_TRY(bytes, database.query_integer("SELECT coalesce(sum(length(data)), 0) FROM blobs"));
  result.set("blob_bytes", bytes.value_or(0));
  Value mailboxes = Value::list();
  PLAN_TRY(mailbox, database.prepare("SELECT m.id, m.role, m.is_subscribed, (SELECT count(*) FROM "
                                     "emails e, json_each(e.mailbox_ids) j "
                                     "WHERE j.value = m.id) FROM mailboxes m ORDER BY m.id"));
  while (true) {
    PLAN_TRY(has_row, mailbox.step());
    if (!has_row) break;
    PLAN_TRY(names, mailbox_path(database, mailbox.integer(0)));
    Value list = Value::list();
    for (const std::string& name : names) list.push_back(name);
    mailboxes.push_back(
        Value::map({{"path", std::move(list)},
                    {"role", mailbox.is_null(1) ? Value(nullptr) : Value(mailbox.text(1))},
                    {"is_subscribed", mailbox.integer(2) != 0},
                    {"messages", mailbox.integer(3)}}));
  }
  result.set("mailboxes", std::move(mailboxes));
  Value scripts = Value::list();
  PLAN_TRY(script, database.prepare("SELECT s.name, s.is_active, length(b.data) FROM sieve_scripts "
                                    "s JOIN blobs b ON b.id = s.blob_id"));
  while (true) {
    PLAN_TRY(has_row, script.step());
    if (!has_row) break;
    scripts.push_back(Value::map({{"name", script.text(0)},
                                  {"is_active", script.integer(1) != 0},
                                  {"bytes", script.integer(2)}}));
  }
  result.set("scripts", std::move(scripts));
  PLAN_TRY(is_ours, has_provenance(archive));
  if (is_ours) {
    PLAN_TRY(state, push_state(archive));
    result.set("provenance", Value::map({{"at_target", state.at_target},
                                         {"open", state.open},
                                         {"refused", state.refused}}));
  } else {
    result.set("provenance", nullptr);
  }
  return result;
}

Result<Value> verify_archive(const std::string& path) {
  PLAN_TRY(archive, open_named(path, false));
  PLAN_TRY(complaints, archive.verify());
  Value list = Value::list();
  for (const std::string& complaint : complaints) list.push_back(complaint);
  return Value::map(
      {{"file", path}, {"is_sound", complaints.empty()}, {"complaints", std::move(list)}});
}

Result<Value> diff_archives(const std::string& left, const std::string& right) {
  PLAN_TRY(left_archive, open_named(left, false));
  PLAN_TRY(right_archive, open_named(right, false));
  PLAN_TRY(left_lines, lines_of(left_archive));
  PLAN_TRY(right_lines, lines_of(right_archive));
  std::vector<std::string> only_left, only_right;
  std::set_difference(left_lines.begin(), left_lines.end(), right_lines.begin(), right_lines.end(),
                      std::back_inserter(only_left));
  std::set_difference(right_lines.begin(), right_lines.end(), left_lines.begin(), left_lines.end(),
                      std::back_inserter(only_right));
  Value list = Value::list();
  for (const auto* side : {&only_left, &only_right})
    for (const std::string& what : *side)
      if (list.size() < kDifferencesListed)
        list.push_back(
            Value::map({{"what", what}, {"only_in", side == &only_left ? "left" : "right"}}));
  const std::uint64_t count = only_left.size() + only_right.size();
  return Value::map(
      {{"is_equal", count == 0}, {"differences_count", count}, {"differences", std::move(list)}});
}

Result<Value> compact_archive(const std::string& path) {
  const auto size_now = [&] {
    std::error_code code;
    const auto size = std::filesystem::file_size(path, code);
    return code ? std::int64_t{0} : static_cast<std::int64_t>(size);
  };
  PLAN_TRY(archive, open_named(path, false));
  PLAN_TRY_VOID(archive.database().checkpoint());
  const std::int64_t before = size_now();
  PLAN_TRY(blobs, archive.collect_garbage());
  PLAN_TRY_VOID(archive.database().execute("VACUUM"));
  PLAN_TRY_VOID(archive.database().checkpoint());
  return Value::map(
      {{"file", path}, {"blobs", blobs}, {"bytes_before", before}, {"bytes_after", size_now()}});
}

Result<Value> import_archive(const std::string& path, const AccountSource& source,
                             const ImportOptions& options) {
  PLAN_TRY(archive, ArchiveFile::open(path));
  PLAN_TRY(mail, import_imap(archive, source.imap, options));
  SieveReport scripts;
  if (source.has_sieve) {
    PLAN_TRY(read,
             import_sieve(archive, source.sieve, options.is_source_change_allowed, options.is_dry));
    scripts = std::move(read);
  }
  Value problems = problems_of(mail.problems);
  for (const ImportProblem& problem : scripts.problems)
    problems.push_back(
        Value::map({{"mailbox", problem.mailbox}, {"uid", 0}, {"text", problem.text}}));
  return Value::map({{"file", path},
                     {"mailboxes", mail.mailboxes},
                     {"messages", mail.messages},
                     {"created", mail.created},
                     {"updated", mail.updated},
                     {"removed", mail.removed},
                     {"bytes", mail.bytes},
                     {"scripts", scripts.scripts},
                     {"problems", std::move(problems)}});
}

Result<Value> export_archive(const std::string& path, const TargetAccount& target,
                             const PushOptions& options) {
  PLAN_TRY(archive, open_named(path, true));
  PLAN_TRY_VOID(give_provenance(archive));
  PLAN_TRY(report, push_jmap(archive, target, options));
  Value problems = Value::list();
  for (const PushProblem& problem : report.problems)
    problems.push_back(Value::map({{"what", problem.what}, {"text", problem.text}}));
  // Vandelay's archives may have more than mail and scripts: nothing of it is pushed or compared.
  Value not_carried = Value::list();
  for (const std::string_view table : kNotCarried) {
    PLAN_TRY(rows, archive.database().query_integer(fmt::format("SELECT count(*) FROM {}", table)));
    if (rows.value_or(0) > 0)
      not_carried.push_back(Value::map({{"what", table}, {"count", *rows}}));
  }
  return Value::map({{"file", path},
                     {"mailboxes_created", report.mailboxes_created},
                     {"created", report.created},
                     {"updated", report.updated},
                     {"destroyed", report.destroyed},
                     {"bytes", report.bytes},
                     {"scripts", report.scripts},
                     {"problems", std::move(problems)},
                     {"not_carried", std::move(not_carried)}});
}

}  // namespace plan::archive
