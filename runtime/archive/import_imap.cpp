#include "runtime/archive/import_imap.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "compiler/source/text.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/import_mailboxes.h"
#include "runtime/archive/item_state.h"
#include "runtime/archive/message_match.h"
#include "runtime/archive/source_tree.h"
#include "runtime/net/imap/errors.h"
#include "runtime/step/errors.h"

namespace plan::archive {
namespace {

namespace imap = net::imap;
constexpr int kReconnectsMax = 5;
constexpr std::string_view kEverything = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])";

struct KnownItem {
  std::int64_t id = 0;
  std::optional<std::int64_t> email_id = {};
  std::string keywords = {};
};
using KnownItems = std::unordered_map<std::uint32_t, KnownItem>;

struct MailboxState {
  std::int64_t mailbox_id = 0;
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 0;
  std::uint64_t modseq = 0;
};

/// What a mailbox has that the archive has not, and the other way round.
struct Difference {
  std::vector<std::uint32_t> added = {};
  std::vector<std::uint32_t> removed = {};
  std::vector<std::pair<std::uint32_t, std::vector<std::string>>> keywords = {};
};

class Pass {
 public:
  Pass(ArchiveFile& archive, const ImapSource& source, const ImportOptions& options)
      : archive_(archive), database_(archive.database()), source_(source), options_(options) {}

  Result<ImportReport> run() {
    PLAN_TRY_VOID(reconnect());
    if (!options_.is_dry) {
      PLAN_TRY(id, archive_.source(source_.identity, options_.is_source_change_allowed));
      source_id_ = id;
    }
    PLAN_TRY(listed, client_->list());
    PLAN_TRY(spaces, source_.namespaces(*client_));
    const std::vector<SourceMailbox> mailboxes = source_tree(listed, spaces);
    if (options_.is_dry)
      PLAN_TRY_VOID(count_new_mailboxes(mailboxes));
    else
      PLAN_TRY_VOID(store_mailboxes(database_, source_id_, mailboxes, report_));
    for (const SourceMailbox& mailbox : mailboxes) {
      if (!mailbox.is_selectable) continue;
      PLAN_TRY_VOID(check_stop());
      ++report_.mailboxes;
      auto synced = sync(mailbox);
      if (synced) continue;
      if (!synced.error().is(imap::errors::mailbox_missing) &&
          !synced.error().is(imap::errors::imap_refused))
        return std::move(synced.error())
            .while_doing("copying mailbox " + printable(mailbox.folder, 200));
      PLAN_TRY_VOID(note_mailbox_problem(mailbox, synced.error().to_line()));
    }
    PLAN_TRY_VOID(remove_vanished(mailboxes));
    client_->logout();
    return std::move(report_);
  }

 private:
  Outcome check_stop() {
    if (options_.is_stop_requested && options_.is_stop_requested())
      return Error(step::errors::stopped, "stopped between two messages").with_retry(Retry::safe);
    return {};
  }

  Outcome reconnect() {
    PLAN_TRY(client, source_.connect());
    client_ = std::move(client);
    auto enabled = client_->enable_qresync();
    if (!enabled && client_->is_broken()) return std::move(enabled.error());
    return {};
  }

  Outcome note_mailbox_problem(const SourceMailbox& mailbox, std::string text) {
    if (!options_.is_dry) {
      PLAN_TRY(update,
               database_.prepare("UPDATE plan_mailbox SET problem = ? WHERE wire_name = ?"));
      update.bind(1, text).bind(2, mailbox.wire_name);
      PLAN_TRY_VOID(update.run());
    }
    report_.problems.push_back({.mailbox = mailbox.folder, .text = std::move(text)});
    return {};
  }

  // --- mailboxes -------------------------------------------------------------------------------

  Outcome count_new_mailboxes(const std::vector<SourceMailbox>& mailboxes) {
    PLAN_TRY(known, database_.prepare("SELECT 1 FROM plan_mailbox WHERE wire_name = ?"));
    for (const SourceMailbox& mailbox : mailboxes) {
      known.bind(1, mailbox.wire_name);
      PLAN_TRY(is_known, known.step());
      if (!is_known) ++report_.mailboxes_changed;
      known.reset();
    }
    return {};
  }

  Outcome remove_vanished(const std::vector<SourceMailbox>& mailboxes) {
    std::set<std::string> listed;
    for (const SourceMailbox& mailbox : mailboxes) listed.insert(mailbox.wire_name);
    std::vector<std::pair<std::string, std::int64_t>> gone;
    PLAN_TRY(known, database_.prepare("SELECT wire_name, mailbox_id FROM plan_mailbox"));
    while (true) {
      PLAN_TRY(has_row, known.step());
      if (!has_row) break;
      if (listed.count(std::string(known.text(0))) == 0)
        gone.emplace_back(known.text(0), known.integer(1));
    }
    // Children before their parents: the longer name first.
    std::sort(gone.begin(), gone.end(), [](const auto& left, const auto& right) {
      return left.first.size() > right.first.size();
    });
    for (const auto& [wire_name, mailbox_id] : gone) {
      ++report_.mailboxes_changed;
      PLAN_TRY(items, load_items(wire_name, {}));
      if (options_.is_dry) {
        report_.removed += items.size();
        continue;
      }
      PLAN_TRY(transaction, database_.begin());
      for (const auto& [uid, item] : items) PLAN_TRY_VOID(remove_item(item));
      for (const std::string_view sql :
           {"DELETE FROM imap_folder_state WHERE folder IN (SELECT folder FROM sync_id_imap WHERE "
            "type_name = "
            "'mailbox' AND local_id = ?)",
            "DELETE FROM sync_id_imap WHERE type_name = 'mailbox' AND local_id = ?",
            "DELETE FROM plan_mailbox WHERE mailbox_id = ?",
            "DELETE FROM mailboxes WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM mailboxes c WHERE "
            "c.parent_id = "
            "?1) AND NOT EXISTS (SELECT 1 FROM emails, json_each(mailbox_ids) j WHERE j.value = "
            "?1)"}) {
        PLAN_TRY(statement, database_.prepare(sql));
        statement.bind(1, mailbox_id);
        PLAN_TRY_VOID(statement.run());
      }
      PLAN_TRY_VOID(transaction.commit());
      report_.removed += items.size();
    }
    return {};
  }

  // --- one mailbox -----------------------------------------------------------------------------

  Result<MailboxState> load_state(const std::string& wire_name) {
    PLAN_TRY(find,
             database_.prepare("SELECT mailbox_id, uidvalidity, uidnext, modseq FROM plan_mailbox "
                               "WHERE wire_name = ?"));
    find.bind(1, wire_name);
    PLAN_TRY(is_found, find.step());
    MailboxState state;
    if (is_found)
      state = {.mailbox_id = find.integer(0),
               .uid_validity = static_cast<std::uint32_t>(find.integer(1)),
               .uid_next = static_cast<std::uint32_t>(find.integer(2)),
               .modseq = static_cast<std::uint64_t>(find.integer(3))};
    return state;
  }

  /// Items that are not gone; without `uid_validity` those of all.
  Result<KnownItems> load_items(const std::string& wire_name,
                                std::optional<std::uint32_t> uid_validity) {
    KnownItems items;
    PLAN_TRY(rows, database_.prepare(
                       "SELECT uid, id, email_id, keywords FROM plan_item WHERE wire_name = ?1 "
                       "AND is_gone = 0 AND (?2 IS NULL OR uidvalidity = ?2)"));
    rows.bind(1, wire_name);
    if (uid_validity)
      rows.bind(2, std::int64_t{*uid_validity});
    else
      rows.bind_null(2);
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      items[static_cast<std::uint32_t>(rows.integer(0))] = {.id = rows.integer(1),
                                                            .email_id = rows.integer_if_any(2),
                                                            .keywords = std::string(rows.text(3))};
    }
    return items;
  }

  /// Those of the given UIDs, and those that were never read: what a small difference is about.
  Result<KnownItems> load_some(const std::string& wire_name, std::uint32_t uid_validity,
                               const imap::SelectedMailbox& selected) {
    KnownItems items;
    PLAN_TRY(one, database_.prepare(
                      "SELECT uid, id, email_id, keywords FROM plan_item WHERE wire_name = ?1 AND "
                      "uidvalidity = ?2 AND uid BETWEEN ?3 AND ?4 AND is_gone = 0"));
    const auto take = [&](store::Statement& rows) -> Outcome {
      while (true) {
        PLAN_TRY(has_row, rows.step());
        if (!has_row) break;
        items[static_cast<std::uint32_t>(rows.integer(0))] = {
            .id = rows.integer(1),
            .email_id = rows.integer_if_any(2),
            .keywords = std::string(rows.text(3))};
      }
      rows.reset();
      return {};
    };
    const auto look = [&](std::uint32_t first, std::uint32_t last) -> Outcome {
      one.bind(1, wire_name).bind(2, std::int64_t{uid_validity});
      one.bind(3, std::int64_t{first}).bind(4, std::int64_t{last});
      return take(one);
    };
    for (const imap::FetchedMessage& message : selected.changed)
      PLAN_TRY_VOID(look(message.uid, message.uid));
    for (const auto& [first, last] : selected.vanished.ranges) PLAN_TRY_VOID(look(first, last));
    PLAN_TRY(unread,
             database_.prepare("SELECT uid, id, email_id, keywords FROM plan_item INDEXED BY "
                               "plan_item_unread_idx WHERE wire_name = ?1 AND uidvalidity = ?2 AND "
                               "email_id IS NULL AND is_gone = 0"));
    unread.bind(1, wire_name).bind(2, std::int64_t{uid_validity});
    PLAN_TRY_VOID(take(unread));
    return items;
  }

  Result<std::uint64_t> count_items(const std::string& wire_name, std::uint32_t uid_validity) {
    PLAN_TRY(
        count,
        database_.prepare(
            "SELECT count(*) FROM plan_item INDEXED BY "
            "plan_item_present_idx WHERE wire_name = ?1 AND uidvalidity = ?2 AND is_gone = 0"));
    count.bind(1, wire_name).bind(2, std::int64_t{uid_validity});
    PLAN_TRY(has_row, count.step());
    return has_row ? static_cast<std::uint64_t>(count.integer(0)) : 0;
  }

  Outcome sync(const SourceMailbox& mailbox) {
    PLAN_TRY(state, load_state(mailbox.wire_name));
    imap::SelectOptions select;
    if (!options_.is_full_scan && state.uid_validity != 0 && state.modseq != 0) {
      select.known_uid_validity = state.uid_validity;
      select.known_modseq = state.modseq;
    }
    PLAN_TRY(selected, client_->select(mailbox.wire_name, select));
    report_.messages += selected.exists;
    if (state.uid_validity != 0 && state.uid_validity != selected.uid_validity) {
      ++report_.mailboxes_changed;
      PLAN_TRY_VOID(remove_other_validities(mailbox, selected.uid_validity));
    }
    if (!options_.is_dry && options_.are_others_rows_looked_for)
      PLAN_TRY_VOID(adopt_foreign_rows(mailbox, selected.uid_validity));

    Difference difference;
    const bool is_same_epoch = state.uid_validity == selected.uid_validity && state.modseq != 0 &&
                               selected.highest_modseq != 0 && !options_.is_full_scan;
    PLAN_TRY(present, count_items(mailbox.wire_name, selected.uid_validity));
    KnownItems items;
    bool is_known = false;
    if (is_same_epoch && client_->is_qresync_enabled()) {
      const bool is_small = selected.changed.size() <= kLookedUpMax &&
                            selected.vanished.ranges.size() <= kLookedUpMax;
      PLAN_TRY(some, is_small ? load_some(mailbox.wire_name, selected.uid_validity, selected)
                              : load_items(mailbox.wire_name, selected.uid_validity));
      items = std::move(some);
      is_known = difference_by_qresync(selected, items, present, difference);
    } else if (is_same_epoch && state.modseq == selected.highest_modseq && state.uid_next != 0 &&
               state.uid_next == selected.uid_next && present == selected.exists) {
      is_known = true;  // CONDSTORE alone: nothing came, nothing changed, as many as before
      PLAN_TRY(some, load_some(mailbox.wire_name, selected.uid_validity, selected));
      items = std::move(some);
    }
    if (!is_known) {
      ++report_.scanned;
      PLAN_TRY(all, load_items(mailbox.wire_name, selected.uid_validity));
      items = std::move(all);
      PLAN_TRY_VOID(difference_by_scan(selected, items, difference));
    }
    for (const auto& [uid, item] : items)  // tried again
      if (!item.email_id && std::find(difference.removed.begin(), difference.removed.end(), uid) ==
                                difference.removed.end())
        difference.added.push_back(uid);
    std::sort(difference.added.begin(), difference.added.end());
    difference.added.erase(std::unique(difference.added.begin(), difference.added.end()),
                           difference.added.end());

    report_.removed += difference.removed.size();
    report_.updated += difference.keywords.size();
    if (options_.is_dry) {
      report_.created += difference.added.size();
      return {};
    }
    PLAN_TRY_VOID(apply(items, difference));
    PLAN_TRY_VOID(read_new(mailbox, state.mailbox_id, selected.uid_validity, difference.added));
    return finish(mailbox, selected);
  }

  /// `present`: items of the mailbox; `items` may be only those that `selected` names.
  bool difference_by_qresync(const imap::SelectedMailbox& selected, const KnownItems& items,
                             std::uint64_t present, Difference& difference) {
    for (const auto& [uid, item] : items) {
      if (!selected.vanished.contains(uid)) continue;
      difference.removed.push_back(uid);
      --present;
    }
    std::set<std::uint32_t> added;
    for (const imap::FetchedMessage& message : selected.changed) {
      const auto known = items.find(message.uid);
      if (known == items.end()) {
        added.insert(message.uid);
      } else if (message.flags && !selected.vanished.contains(message.uid)) {
        compare_keywords(message.uid, known->second, *message.flags, difference);
      }
    }
    difference.added.assign(added.begin(), added.end());
    if (present + added.size() == selected.exists) return true;
    difference = {};
    return false;
  }

  Outcome difference_by_scan(const imap::SelectedMailbox& selected, const KnownItems& items,
                             Difference& difference) {
    std::set<std::uint32_t> seen;
    const auto sink = [&](imap::FetchedMessage&& message) -> Outcome {
      if (!message.flags || !seen.insert(message.uid).second) return {};
      const auto known = items.find(message.uid);
      if (known == items.end())
        difference.added.push_back(message.uid);
      else
        compare_keywords(message.uid, known->second, *message.flags, difference);
      return {};
    };
    if (selected.exists > 0) PLAN_TRY_VOID(client_->fetch("1:*", "(UID FLAGS)", sink));
    for (const auto& [uid, item] : items)
      if (seen.count(uid) == 0) difference.removed.push_back(uid);
    return {};
  }

  static void compare_keywords(std::uint32_t uid, const KnownItem& item,
                               const std::vector<std::string>& flags, Difference& difference) {
    if (!item.email_id) return;
    std::vector<std::string> keywords = keywords_of(flags);
    if (!same_keywords(keywords, texts_of_json(item.keywords)))
      difference.keywords.emplace_back(uid, std::move(keywords));
  }

  Outcome apply(const KnownItems& items, const Difference& difference) {
    if (difference.removed.empty() && difference.keywords.empty()) return {};
    PLAN_TRY(transaction, database_.begin());
    for (const std::uint32_t uid : difference.removed) PLAN_TRY_VOID(remove_item(items.at(uid)));
    for (const auto& [uid, keywords] : difference.keywords) {
      const KnownItem& item = items.at(uid);
      const std::string json = json_array(keywords);
      PLAN_TRY(email, database_.prepare("UPDATE emails SET keywords = ? WHERE id = ?"));
      email.bind(1, json).bind(2, *item.email_id);
      PLAN_TRY_VOID(email.run());
      PLAN_TRY(update, database_.prepare("UPDATE plan_item SET keywords = ? WHERE id = ?"));
      update.bind(1, json).bind(2, item.id);
      PLAN_TRY_VOID(update.run());
    }
    return transaction.commit();
  }

  /// In a transaction. What is at the target stays noted until it is destroyed there.
  Outcome remove_item(const KnownItem& item) {
    if (item.email_id) {
      for (const std::string_view sql :
           {"DELETE FROM sync_id_imap WHERE source_id IN (SELECT id FROM sources) AND type_name = "
            "'email' AND local_id = ?",
            "DELETE FROM emails WHERE id = ?"}) {
        PLAN_TRY(statement, database_.prepare(sql));
        statement.bind(1, *item.email_id);
        PLAN_TRY_VOID(statement.run());
      }
    }
    PLAN_TRY(forget,
             database_.prepare("DELETE FROM plan_item WHERE id = ? AND state IN (0, 3, 5)"));
    forget.bind(1, item.id);
    PLAN_TRY_VOID(forget.run());
    PLAN_TRY(mark,
             database_.prepare("UPDATE plan_item SET is_gone = 1, email_id = NULL WHERE id = ?"));
    mark.bind(1, item.id);
    return mark.run();
  }

  Outcome remove_other_validities(const SourceMailbox& mailbox, std::uint32_t uid_validity) {
    PLAN_TRY(rows, database_.prepare(
                       "SELECT id, email_id FROM plan_item WHERE wire_name = ? AND uidvalidity "
                       "<> ? AND is_gone = 0"));
    rows.bind(1, mailbox.wire_name).bind(2, std::int64_t{uid_validity});
    std::vector<KnownItem> stale;
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      stale.push_back({.id = rows.integer(0), .email_id = rows.integer_if_any(1)});
    }
    report_.removed += stale.size();
    if (options_.is_dry) return {};
    PLAN_TRY(transaction, database_.begin());
    for (const KnownItem& item : stale) PLAN_TRY_VOID(remove_item(item));
    return transaction.commit();
  }

  /// Messages that another program put into this archive from this source: no need to read them
  /// again.
  Outcome adopt_foreign_rows(const SourceMailbox& mailbox, std::uint32_t uid_validity) {
    PLAN_TRY(rows, database_.prepare(
                       "SELECT s.uid, e.id, e.received_at, e.keywords, b.data FROM sync_id_imap s "
                       "JOIN emails e ON "
                       "e.id = s.local_id JOIN blobs b ON b.id = e.blob_id WHERE s.source_id = ?1 "
                       "AND s.type_name "
                       "= 'email' AND s.folder = ?2 AND s.uidvalidity = ?3 AND NOT EXISTS (SELECT "
                       "1 FROM plan_item "
                       "p WHERE p.wire_name = ?4 AND p.uidvalidity = ?3 AND p.uid = s.uid)"));
    rows.bind(1, source_id_).bind(2, mailbox.folder).bind(3, std::int64_t{uid_validity});
    rows.bind(4, mailbox.wire_name);
    PLAN_TRY(has_first, rows.step());
    if (!has_first) return {};
    PLAN_TRY(transaction, database_.begin());
    do {
      PLAN_TRY(insert, database_.prepare(
                           "INSERT INTO plan_item (wire_name, uidvalidity, uid, email_id, sha256, "
                           "bytes, received_at, keywords) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
      insert.bind(1, mailbox.wire_name)
          .bind(2, std::int64_t{uid_validity})
          .bind(3, rows.integer(0));
      insert.bind(4, rows.integer(1)).bind_blob(5, sha256_raw(rows.blob(4)));
      insert.bind(6, static_cast<std::int64_t>(rows.blob(4).size()));
      insert.bind(7, rows.text(2)).bind(8, rows.text(3));
      PLAN_TRY_VOID(insert.run());
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
    } while (true);
    return transaction.commit();
  }

  Outcome finish(const SourceMailbox& mailbox, const imap::SelectedMailbox& selected) {
    PLAN_TRY(transaction, database_.begin());
    PLAN_TRY(state,
             database_.prepare(
                 "UPDATE plan_mailbox SET uidvalidity = ?, uidnext = ?, modseq = ?, problem = "
                 "NULL WHERE wire_name = ?"));
    state.bind(1, std::int64_t{selected.uid_validity})
        .bind(2, std::int64_t{selected.uid_next})
        .bind(3, static_cast<std::int64_t>(
                     std::min<std::uint64_t>(selected.highest_modseq, INT64_MAX)))
        .bind(4, mailbox.wire_name);
    PLAN_TRY_VOID(state.run());
    PLAN_TRY(folder,
             database_.prepare(
                 "INSERT OR REPLACE INTO imap_folder_state (source_id, folder, uidvalidity, "
                 "uidnext, last_seen) VALUES (?, ?, ?, ?, ?)"));
    folder.bind(1, source_id_)
        .bind(2, mailbox.folder)
        .bind(3, std::int64_t{selected.uid_validity})
        .bind(4, std::int64_t{selected.uid_next})
        .bind(5, net::show_utc(net::system_clock().wall_ms()));
    PLAN_TRY_VOID(folder.run());
    return transaction.commit();
  }

  // --- reading messages ------------------------------------------------------------------------

  Outcome read_new(const SourceMailbox& mailbox, std::int64_t mailbox_id,
                   std::uint32_t uid_validity, const std::vector<std::uint32_t>& uids) {
    for (std::size_t begin = 0; begin < uids.size(); begin += options_.fetch_batch) {
      PLAN_TRY_VOID(check_stop());
      const std::size_t end = std::min(uids.size(), begin + options_.fetch_batch);
      Batch batch{.mailbox = mailbox, .mailbox_id = mailbox_id, .uid_validity = uid_validity};
      batch.wanted.insert(uids.begin() + static_cast<std::ptrdiff_t>(begin),
                          uids.begin() + static_cast<std::ptrdiff_t>(end));
      PLAN_TRY_VOID(read_batch(batch));
    }
    return {};
  }

  struct Batch {
    const SourceMailbox& mailbox;
    std::int64_t mailbox_id = 0;
    std::uint32_t uid_validity = 0;
    std::set<std::uint32_t> wanted = {};
  };

  Outcome read_batch(Batch& batch) {
    auto fetched = fetch_some(batch, batch.wanted);
    if (!fetched && !is_of_the_source(fetched.error())) return std::move(fetched.error());
    if (!fetched) {
      // One of them breaks the answer, or the connection: one by one, so that it harms no other.
      const std::set<std::uint32_t> left = batch.wanted;
      for (const std::uint32_t uid : left) {
        PLAN_TRY_VOID(reselect(batch));
        auto one = fetch_some(batch, {uid});
        if (one) continue;
        if (!is_of_the_source(one.error())) return std::move(one.error());
        PLAN_TRY_VOID(note_unreadable(batch, uid, one.error().to_line()));
        batch.wanted.erase(uid);
      }
    }
    if (batch.wanted.empty()) return {};
    // Not delivered: expunged meanwhile, or kept from us.
    PLAN_TRY_VOID(reselect(batch));
    imap::UidSet asked;
    for (const std::uint32_t uid : batch.wanted) asked.add(uid);
    PLAN_TRY(present, client_->search("UID " + asked.to_string()));
    for (const std::uint32_t uid : batch.wanted)
      if (present.contains(uid))
        PLAN_TRY_VOID(
            note_unreadable(batch, uid, "the server lists the message and does not send it"));
    return {};
  }

  [[nodiscard]] static bool is_of_the_source(const Error& error) {
    return error.blame() == Blame::source || error.blame() == Blame::network;
  }

  /// A connection with the batch's mailbox open.
  Outcome reselect(const Batch& batch) {
    if (!client_->is_broken()) return {};
    if (++reconnects_ > kReconnectsMax + static_cast<int>(report_.problems.size()))
      return Error(net::imap::errors::imap_refused,
                   "the source's IMAP server breaks one connection after the other")
          .with_blame(Blame::source);
    PLAN_TRY_VOID(reconnect());
    PLAN_TRY(selected, client_->select(batch.mailbox.wire_name));
    if (selected.uid_validity != batch.uid_validity)
      return Error(net::imap::errors::mailbox_missing,
                   "the mailbox got another UIDVALIDITY while it was read")
          .with_blame(Blame::source);
    return {};
  }

  /// Fetches `uids` and stores what comes, in one transaction or several; what was stored leaves
  /// batch.wanted.
  Outcome fetch_some(Batch& batch, std::set<std::uint32_t> uids) {
    imap::UidSet set;
    for (const std::uint32_t uid : uids) set.add(uid);
    std::optional<store::Transaction> transaction;
    std::size_t open_bytes = 0;
    std::vector<std::uint32_t> open_uids;
    const auto commit = [&]() -> Outcome {
      if (!transaction) return {};
      PLAN_TRY_VOID(transaction->commit());
      transaction.reset();
      for (const std::uint32_t uid : open_uids) batch.wanted.erase(uid);
      open_uids.clear();
      open_bytes = 0;
      if (options_.progress) options_.progress(report_.created, report_.bytes);
      return {};
    };
    const auto sink = [&](imap::FetchedMessage&& message) -> Outcome {
      if (!message.body || !message.flags || uids.erase(message.uid) == 0) return {};
      if (!transaction) {
        PLAN_TRY(begun, database_.begin());
        transaction.emplace(std::move(begun));
      }
      PLAN_TRY_VOID(store_message(batch, message));
      open_uids.push_back(message.uid);
      open_bytes += message.body->size();
      return open_bytes >= kCommitBytes ? commit() : Outcome();
    };
    auto fetched = client_->fetch(set.to_string(), kEverything, sink);
    PLAN_TRY_VOID(commit());  // what came before an error came whole
    return fetched;
  }

  Outcome store_message(const Batch& batch, const imap::FetchedMessage& message) {
    const std::string& body = *message.body;
    std::string received_at;
    if (message.internal_date)
      if (const auto date = imap::parse_internal_date(*message.internal_date))
        received_at = date->rfc3339();
    if (received_at.empty()) received_at = date_header_of(body);
    if (received_at.empty()) received_at = "1970-01-01T00:00:00Z";
    const std::string keywords = json_array(keywords_of(*message.flags));
    PLAN_TRY(blob, archive_.put_blob(body));
    PLAN_TRY(email,
             database_.prepare("INSERT INTO emails (blob_id, received_at, mailbox_ids, keywords, "
                               "message_match) VALUES (?, ?, ?, ?, ?)"));
    email.bind(1, blob.id).bind(2, received_at).bind(3, fmt::format("[{}]", batch.mailbox_id));
    email.bind(4, keywords).bind(5, match_of(body).to_json());
    PLAN_TRY_VOID(email.run());
    const std::int64_t email_id = database_.last_insert_id();
    PLAN_TRY(map,
             database_.prepare(
                 "INSERT OR REPLACE INTO sync_id_imap (source_id, type_name, folder, uidvalidity, "
                 "uid, local_id) VALUES (?, 'email', ?, ?, ?, ?)"));
    map.bind(1, source_id_).bind(2, batch.mailbox.folder).bind(3, std::int64_t{batch.uid_validity});
    map.bind(4, std::int64_t{message.uid}).bind(5, email_id);
    PLAN_TRY_VOID(map.run());
    PLAN_TRY(
        item,
        database_.prepare(
            "INSERT INTO plan_item (wire_name, uidvalidity, uid, email_id, sha256, bytes, "
            "received_at, "
            "keywords) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (wire_name, uidvalidity, uid) "
            "DO UPDATE "
            "SET email_id = excluded.email_id, sha256 = excluded.sha256, bytes = excluded.bytes, "
            "received_at "
            "= excluded.received_at, keywords = excluded.keywords, state = 0, problem = NULL"));
    item.bind(1, batch.mailbox.wire_name).bind(2, std::int64_t{batch.uid_validity});
    item.bind(3, std::int64_t{message.uid}).bind(4, email_id).bind_blob(5, sha256_raw(body));
    item.bind(6, static_cast<std::int64_t>(body.size())).bind(7, received_at).bind(8, keywords);
    PLAN_TRY_VOID(item.run());
    ++report_.created;
    report_.bytes += body.size();
    return {};
  }

  Outcome note_unreadable(const Batch& batch, std::uint32_t uid, std::string text) {
    PLAN_TRY(note, database_.prepare(
                       "INSERT INTO plan_item (wire_name, uidvalidity, uid, state, problem) VALUES "
                       "(?, ?, ?, 5, ?) ON CONFLICT (wire_name, uidvalidity, uid) DO UPDATE SET "
                       "problem = excluded.problem"));
    note.bind(1, batch.mailbox.wire_name).bind(2, std::int64_t{batch.uid_validity});
    note.bind(3, std::int64_t{uid}).bind(4, text);
    PLAN_TRY_VOID(note.run());
    report_.problems.push_back(
        {.mailbox = batch.mailbox.folder, .uid = uid, .text = std::move(text)});
    return {};
  }

  ArchiveFile& archive_;
  store::Database& database_;
  const ImapSource& source_;
  const ImportOptions& options_;
  std::unique_ptr<imap::Client> client_;
  std::int64_t source_id_ = 0;
  int reconnects_ = 0;
  ImportReport report_ = {};
};

}  // namespace

Result<net::imap::Namespaces> ImapSource::namespaces(net::imap::Client& client) const {
  PLAN_TRY(spaces, client.namespaces());
  if (!shared_prefix.empty())
    spaces.shared.push_back({.prefix = shared_prefix, .separator = shared_prefix.back()});
  return spaces;
}

Result<ImportReport> import_imap(ArchiveFile& archive, const ImapSource& source,
                                 const ImportOptions& options) {
  return Pass(archive, source, options).run();
}

}  // namespace plan::archive
