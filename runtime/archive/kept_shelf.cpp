#include "runtime/archive/kept_shelf.h"

#include <fmt/format.h>

#include <optional>

#include "compiler/ir/json.h"
#include "runtime/archive/limits.h"

namespace plan::archive {
namespace {

using ir::Value;
using net::dav::Kind;

/// Fact of the archive: the target's account and the state that the kept entries belong to.
std::string fact_name(Kind kind) { return fmt::format("dav-shelf-{}", static_cast<int>(kind)); }
std::string fact_of(const TargetAccount& target, std::string_view state) {
  return fmt::format("{}\n{}", target.account_id(), state);
}

Result<std::string> state_of(const TargetAccount& target, Kind kind) {
  const ShelfWords& words = words_of(kind);
  PLAN_TRY(answer, target.client().call_one(
                       fmt::format("{}/get", words.entry_type),
                       Value::map({{"accountId", target.account_id()}, {"ids", Value::list({})}}),
                       target.reading(words.capability)));
  return std::string(answer["state"].string_or(""));
}

/// Nothing when the target does not count.
Result<std::optional<std::uint64_t>> count_of(const TargetAccount& target, Kind kind) {
  const ShelfWords& words = words_of(kind);
  PLAN_TRY(
      answer,
      target.client().call_one(
          fmt::format("{}/query", words.entry_type),
          Value::map({{"accountId", target.account_id()}, {"limit", 1}, {"calculateTotal", true}}),
          target.reading(words.capability)));
  const std::int64_t total = answer["total"].integer_or(-1);
  if (total < 0) return std::optional<std::uint64_t>();
  return std::optional<std::uint64_t>(static_cast<std::uint64_t>(total));
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

/// Nothing when the target cannot tell what changed.
Result<std::optional<TargetChanges>> changes_since(const TargetAccount& target, Kind kind,
                                                   std::string state) {
  const ShelfWords& words = words_of(kind);
  TargetChanges found;
  for (int page = 0; page < kChangePagesMax; ++page) {
    PLAN_TRY(answers,
             target.client().call({{.method = fmt::format("{}/changes", words.entry_type),
                                    .arguments = Value::map({{"accountId", target.account_id()},
                                                             {"sinceState", state}})}},
                                  target.reading(words.capability)));
    if (answers.empty() || answers[0].is_error()) break;
    const Value& answer = answers[0].arguments;
    for (const std::string_view member : {"created", "updated"})
      for (const Value& id : answer[member].items()) found.changed.emplace_back(id.string_or(""));
    for (const Value& id : answer["destroyed"].items()) found.gone.emplace_back(id.string_or(""));
    state = std::string(answer["newState"].string_or(""));
    found.state = state;
    if (state.empty()) break;
    if (!answer["hasMoreChanges"].bool_or(false))
      return std::optional<TargetChanges>(std::move(found));
  }
  return std::optional<TargetChanges>();
}

/// Nothing when only a whole reading will do.
Result<std::optional<TargetShelf>> kept_shelf(ArchiveFile& archive, const TargetAccount& target,
                                              Kind kind) {
  const std::optional<TargetShelf> nothing;
  PLAN_TRY(fact, archive.fact(fact_name(kind)));
  const std::string of_account = fact_of(target, "");
  if (!fact.starts_with(of_account) || fact.size() == of_account.size()) return nothing;
  PLAN_TRY(changes, changes_since(target, kind, fact.substr(of_account.size())));
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
  PLAN_TRY(count, count_of(target, kind));
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
  PLAN_TRY(state, state_of(target, kind));
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
