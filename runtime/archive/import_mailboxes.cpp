#include "runtime/archive/import_mailboxes.h"

#include <map>
#include <optional>
#include <string>

namespace plan::archive {
namespace {

Result<std::int64_t> store_mailbox(store::Database& database, std::int64_t source_id,
                                   const SourceMailbox& mailbox, std::optional<std::int64_t> parent,
                                   ImportReport& report) {
  std::int64_t id = 0;
  PLAN_TRY(known, database.prepare("SELECT m.id FROM plan_mailbox p JOIN mailboxes m ON m.id = "
                                   "p.mailbox_id WHERE p.wire_name = ?"));
  known.bind(1, mailbox.wire_name);
  PLAN_TRY(is_known, known.step());
  if (is_known) id = known.integer(0);
  known.reset();
  if (id == 0) {
    PLAN_TRY(same, database.prepare("SELECT id FROM mailboxes WHERE parent_id IS ? AND name = ?"));
    same.bind(1, parent).bind(2, mailbox.path.back());
    PLAN_TRY(is_same, same.step());
    if (is_same) id = same.integer(0);
  }
  if (id == 0) {
    PLAN_TRY(insert, database.prepare("INSERT INTO mailboxes (name, parent_id, role, sort_order, "
                                      "is_subscribed) VALUES (?, ?, NULL, 0, ?)"));
    insert.bind(1, mailbox.path.back()).bind(2, parent).bind(3, mailbox.is_subscribed);
    PLAN_TRY_VOID(insert.run());
    id = database.last_insert_id();
    ++report.mailboxes_changed;
  }
  PLAN_TRY(update,
           database.prepare("UPDATE mailboxes SET is_subscribed = ?2, role = CASE WHEN ?3 = '' "
                            "OR EXISTS (SELECT 1 FROM mailboxes o WHERE o.role = ?3 AND o.id "
                            "<> ?1) THEN role ELSE ?3 END WHERE id = ?1"));
  update.bind(1, id).bind(2, mailbox.is_subscribed).bind(3, mailbox.role);
  PLAN_TRY_VOID(update.run());
  PLAN_TRY(keep,
           database.prepare(
               "INSERT INTO plan_mailbox (wire_name, mailbox_id, separator, is_selectable, role) "
               "VALUES (?, ?, ?, ?, ?) ON CONFLICT (wire_name) DO UPDATE SET mailbox_id = "
               "excluded.mailbox_id, separator = excluded.separator, is_selectable = "
               "excluded.is_selectable, role = excluded.role"));
  keep.bind(1, mailbox.wire_name).bind(2, id).bind(3, std::string(1, mailbox.separator));
  if (mailbox.separator == '\0') keep.bind(3, "");
  keep.bind(4, mailbox.is_selectable).bind(5, mailbox.role);
  PLAN_TRY_VOID(keep.run());
  if (!mailbox.is_selectable) return id;
  PLAN_TRY(map,
           database.prepare("INSERT OR REPLACE INTO sync_id_imap (source_id, type_name, folder, "
                            "uidvalidity, uid, local_id) VALUES (?, 'mailbox', ?, 0, 0, ?)"));
  map.bind(1, source_id).bind(2, mailbox.folder).bind(3, id);
  PLAN_TRY_VOID(map.run());
  return id;
}

}  // namespace

Outcome store_mailboxes(store::Database& database, std::int64_t source_id,
                        const std::vector<SourceMailbox>& mailboxes, ImportReport& report) {
  PLAN_TRY(transaction, database.begin());
  std::map<std::vector<std::string>, std::int64_t> ids;
  for (const SourceMailbox& mailbox : mailboxes) {
    std::optional<std::int64_t> parent;
    if (mailbox.path.size() > 1)
      parent = ids.at({mailbox.path.begin(), mailbox.path.end() - 1});  // the tree has every parent
    PLAN_TRY(id, store_mailbox(database, source_id, mailbox, parent, report));
    ids[mailbox.path] = id;
  }
  return transaction.commit();
}

}  // namespace plan::archive
