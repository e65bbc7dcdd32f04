#include "runtime/archive/tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/limits.h"
#include "runtime/archive/named_archive.h"

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

Result<bool> has_provenance(ArchiveFile& archive) {
  PLAN_TRY(count, archive.database().query_integer(
                      "SELECT count(*) FROM sqlite_master WHERE name = 'plan_item'"));
  return count.value_or(0) > 0;
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
    lines.insert(fmt::format("mailbox {} role {}", printable(joined_path(path), 1000),
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
                             printable(joined_path(path), 1000), json_array(keywords),
                             emails.text(3)));
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

}  // namespace plan::archive
