#include "runtime/archive/provenance.h"

#include <optional>
#include <string>
#include <vector>

#include "runtime/net/imap/date.h"

namespace plan::archive {
namespace {

struct Gone {
  std::int64_t id = 0;
  std::string sha256 = {};
  std::string received_at = {};
};

struct Carried {
  std::int64_t id = 0;
  std::string wire_name = {};
  std::string target_id = {};
  std::string target_mailbox = {};
  std::string target_keywords = {};
  std::string sha256 = {};
  std::int64_t received_seconds = 0;
  std::optional<std::int64_t> uid_validity = {};
  std::optional<std::int64_t> uid = {};
};

/// An item that a carried message may be.
struct Found {
  std::int64_t id = 0;
  bool has_same_bytes = false;
};

std::int64_t seconds_of(std::string_view rfc3339) {
  const auto date = net::imap::parse_rfc3339(rfc3339);
  return date ? date->unix_seconds : -1;
}

Result<std::vector<Carried>> load_carried(store::Database& database) {
  std::vector<Carried> all;
  // A mailbox that could not be read in this pass says nothing.
  PLAN_TRY(rows, database.prepare(
                     "SELECT c.id, c.wire_name, c.target_id, c.target_mailbox, c.target_keywords, "
                     "c.sha256, c.received_at, c.uidvalidity, c.uid FROM plan_carried c LEFT JOIN "
                     "plan_mailbox m ON m.wire_name = c.wire_name WHERE m.problem IS NULL ORDER BY "
                     "c.id"));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) return all;
    all.push_back({.id = rows.integer(0),
                   .wire_name = std::string(rows.text(1)),
                   .target_id = std::string(rows.text(2)),
                   .target_mailbox = std::string(rows.text(3)),
                   .target_keywords = std::string(rows.text(4)),
                   .sha256 = std::string(rows.blob(5)),
                   .received_seconds = seconds_of(rows.text(6)),
                   .uid_validity = rows.integer_if_any(7),
                   .uid = rows.integer_if_any(8)});
  }
}

Result<std::optional<Found>> find_item(store::Database& database, const Carried& carried) {
  if (carried.uid) {
    PLAN_TRY(find, database.prepare(
                       "SELECT id, sha256 FROM plan_item WHERE wire_name = ? AND uidvalidity = ? "
                       "AND uid = ? AND is_gone = 0 AND email_id IS NOT NULL"));
    find.bind(1, carried.wire_name).bind(2, carried.uid_validity).bind(3, carried.uid);
    PLAN_TRY(is_found, find.step());
    if (!is_found) return std::optional<Found>();
    return std::optional<Found>({find.integer(0), find.blob(1) == carried.sha256});
  }
  PLAN_TRY(find, database.prepare(
                     "SELECT id, received_at FROM plan_item WHERE wire_name = ? AND sha256 = ? AND "
                     "state = 0 AND is_gone = 0 AND target_id IS NULL ORDER BY id"));
  find.bind(1, carried.wire_name).bind_blob(2, carried.sha256);
  while (true) {
    PLAN_TRY(is_found, find.step());
    if (!is_found) return std::optional<Found>();
    if (seconds_of(find.text(1)) == carried.received_seconds)
      return std::optional<Found>({find.integer(0), true});
  }
}

}  // namespace

Result<std::uint64_t> adopt_moved(ArchiveFile& archive) {
  store::Database& database = archive.database();
  std::uint64_t adopted = 0;
  PLAN_TRY(rows,
           database.prepare("SELECT g.id, g.sha256, g.received_at FROM plan_item g WHERE g.is_gone "
                            "= 1 AND g.state = 2 AND EXISTS (SELECT 1 FROM plan_item w WHERE "
                            "w.is_gone = 0 AND w.state = 0 AND w.sha256 = g.sha256 AND "
                            "w.received_at = g.received_at)"));
  std::vector<Gone> gone;
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) break;
    gone.push_back({rows.integer(0), std::string(rows.blob(1)), std::string(rows.text(2))});
  }
  if (gone.empty()) return adopted;
  PLAN_TRY(transaction, database.begin());
  for (const Gone& one : gone) {
    PLAN_TRY(give,
             database.prepare("UPDATE plan_item SET state = 2, target_id = g.target_id, "
                              "target_mailbox = g.target_mailbox, target_keywords = "
                              "g.target_keywords, is_proved = g.is_proved FROM (SELECT * FROM "
                              "plan_item WHERE id = ?1) g WHERE plan_item.id = (SELECT id FROM "
                              "plan_item WHERE is_gone = 0 AND state = 0 AND sha256 = ?2 AND "
                              "received_at = ?3 ORDER BY id LIMIT 1)"));
    give.bind(1, one.id).bind_blob(2, one.sha256).bind(3, one.received_at);
    PLAN_TRY_VOID(give.run());
    if (database.changes() == 0) continue;
    PLAN_TRY(forget, database.prepare("DELETE FROM plan_item WHERE id = ?"));
    forget.bind(1, one.id);
    PLAN_TRY_VOID(forget.run());
    ++adopted;
  }
  PLAN_TRY_VOID(transaction.commit());
  return adopted;
}

Result<std::uint64_t> link_carried(ArchiveFile& archive) {
  store::Database& database = archive.database();
  std::uint64_t linked = 0;
  PLAN_TRY(all, load_carried(database));
  if (all.empty()) return linked;
  PLAN_TRY(transaction, database.begin());
  for (const Carried& carried : all) {
    PLAN_TRY(found, find_item(database, carried));
    if (found) {
      PLAN_TRY(link, database.prepare(
                         "UPDATE plan_item SET state = 2, target_id = ?, target_mailbox = ?, "
                         "target_keywords = ?, is_proved = ?, problem = ? WHERE id = ?"));
      link.bind(1, carried.target_id).bind(2, carried.target_mailbox);
      link.bind(3, carried.target_keywords).bind(4, found->has_same_bytes).bind(6, found->id);
      if (found->has_same_bytes)
        link.bind_null(5);
      else
        link.bind(5, "the source keeps other bytes than it was given");
      PLAN_TRY_VOID(link.run());
      ++linked;
    }
    PLAN_TRY(forget, database.prepare("DELETE FROM plan_carried WHERE id = ?"));
    forget.bind(1, carried.id);
    PLAN_TRY_VOID(forget.run());
  }
  if (linked > 0) PLAN_TRY_VOID(archive.set_fact(kLinked, "1"));
  PLAN_TRY_VOID(transaction.commit());
  return linked;
}

}  // namespace plan::archive
