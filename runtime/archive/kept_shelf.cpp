#include "runtime/archive/kept_shelf.h"

#include <fmt/format.h>

#include <optional>

#include "compiler/ir/json.h"

namespace plan::archive {
namespace {

using ir::Value;
using net::dav::Kind;

/// Fact of the archive: the target's account and the state that the kept entries belong to.
std::string fact_name(Kind kind) { return fmt::format("dav-shelf-{}", static_cast<int>(kind)); }
std::string fact_of(const TargetAccount& target, std::string_view state) {
  return fmt::format("{}\n{}", target.account_id(), state);
}

TargetType type_of(Kind kind) {
  const ShelfWords& words = words_of(kind);
  return {.name = words.entry_type, .capability = words.capability};
}

Outcome keep_entry(ArchiveFile& archive, Kind kind, const TargetEntry& entry) {
  ir::List folders;
  for (const std::string& folder : entry.folders) folders.emplace_back(folder);
  PLAN_TRY(keep, archive.database().prepare(
                     "INSERT OR REPLACE INTO plan_dav_entry (kind, target_id, uid, folders, "
                     "digest) VALUES (?, ?, ?, ?, ?)"));
  keep.bind(1, static_cast<std::int64_t>(kind)).bind(2, entry.id).bind(3, entry.uid);
  keep.bind(4, ir::write_json(Value(std::move(folders)))).bind_blob(5, entry.digest);
  return keep.run();
}

Outcome forget_entry(ArchiveFile& archive, Kind kind, const std::string& id) {
  PLAN_TRY(forget, archive.database().prepare(
                       "DELETE FROM plan_dav_entry WHERE kind = ? AND target_id = ?"));
  forget.bind(1, static_cast<std::int64_t>(kind)).bind(2, id);
  return forget.run();
}

Result<std::map<std::string, TargetEntry>> load_entries(ArchiveFile& archive, Kind kind) {
  std::map<std::string, TargetEntry> entries;
  PLAN_TRY(rows, archive.database().prepare("SELECT target_id, uid, folders, digest FROM "
                                            "plan_dav_entry WHERE kind = ?"));
  rows.bind(1, static_cast<std::int64_t>(kind));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) return entries;
    TargetEntry entry{.id = std::string(rows.text(0)),
                      .uid = std::string(rows.text(1)),
                      .digest = std::string(rows.blob(3))};
    PLAN_TRY(folders, ir::parse_json(rows.text(2)));
    for (const Value& folder : folders.items()) entry.folders.emplace(folder.string_or(""));
    entries[entry.id] = std::move(entry);
  }
}

/// Nothing when only a whole reading will do.
Result<std::optional<TargetShelf>> kept_shelf(ArchiveFile& archive, const TargetAccount& target,
                                              Kind kind) {
  const std::optional<TargetShelf> nothing;
  PLAN_TRY(fact, archive.fact(fact_name(kind)));
  const std::string of_account = fact_of(target, "");
  if (!fact.starts_with(of_account) || fact.size() == of_account.size()) return nothing;
  PLAN_TRY(changes, target.changes_of(type_of(kind), fact.substr(of_account.size())));
  if (!changes) return nothing;
  TargetShelf shelf;
  PLAN_TRY(folders, read_folders(target, kind));
  shelf.folders = std::move(folders);
  PLAN_TRY(entries, load_entries(archive, kind));
  shelf.entries = std::move(entries);
  PLAN_TRY(changed, read_entries(target, kind, changes->changed));
  // What was changed and is not there any more is gone, whichever list names it.
  for (const std::vector<std::string>* ids : {&changes->changed, &changes->gone})
    for (const std::string& id : *ids) shelf.entries.erase(id);
  for (const TargetEntry& entry : changed) shelf.entries[entry.id] = entry;
  PLAN_TRY(count, target.count_of(type_of(kind)));
  if (count && *count != shelf.entries.size()) return nothing;
  const std::string now = fact_of(target, changes->state);
  if (now == fact) return std::optional<TargetShelf>(std::move(shelf));
  PLAN_TRY(transaction, archive.database().begin());
  for (const std::vector<std::string>* ids : {&changes->changed, &changes->gone})
    for (const std::string& id : *ids) PLAN_TRY_VOID(forget_entry(archive, kind, id));
  for (const TargetEntry& entry : changed) PLAN_TRY_VOID(keep_entry(archive, kind, entry));
  PLAN_TRY_VOID(archive.set_fact(fact_name(kind), now));
  PLAN_TRY_VOID(transaction.commit());
  return std::optional<TargetShelf>(std::move(shelf));
}

}  // namespace

Result<TargetShelf> read_and_keep_shelf(ArchiveFile& archive, const TargetAccount& target,
                                        Kind kind) {
  // Asked before the list: what changes while it is read is named by the next /changes.
  PLAN_TRY(state, target.state_of(type_of(kind)));
  PLAN_TRY(shelf, read_shelf(target, kind));
  PLAN_TRY(transaction, archive.database().begin());
  PLAN_TRY(forget, archive.database().prepare("DELETE FROM plan_dav_entry WHERE kind = ?"));
  forget.bind(1, static_cast<std::int64_t>(kind));
  PLAN_TRY_VOID(forget.run());
  for (const auto& [id, entry] : shelf.entries) PLAN_TRY_VOID(keep_entry(archive, kind, entry));
  PLAN_TRY_VOID(archive.set_fact(fact_name(kind), fact_of(target, state)));
  PLAN_TRY_VOID(transaction.commit());
  return shelf;
}

Result<TargetShelf> read_shelf_since_kept(ArchiveFile& archive, const TargetAccount& target,
                                          Kind kind) {
  PLAN_TRY(kept, kept_shelf(archive, target, kind));
  if (kept) return std::move(*kept);
  return read_and_keep_shelf(archive, target, kind);
}

Outcome read_bodies(const TargetAccount& target, Kind kind, TargetShelf& shelf,
                    const std::vector<std::string>& ids) {
  std::vector<std::string> wanted;
  for (const std::string& id : ids) {
    const auto found = shelf.entries.find(id);
    if (found != shelf.entries.end() && found->second.body.is_null()) wanted.push_back(id);
  }
  PLAN_TRY(entries, read_entries(target, kind, wanted));
  for (TargetEntry& entry : entries) shelf.entries[entry.id].body = std::move(entry.body);
  return {};
}

}  // namespace plan::archive
