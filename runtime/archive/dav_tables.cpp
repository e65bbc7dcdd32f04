#include "runtime/archive/dav_tables.h"

#include <fmt/format.h>

#include <map>

#include "compiler/ir/json.h"
#include "runtime/archive/dav_items.h"

namespace plan::archive {
namespace {

using net::dav::Kind;

constexpr std::string_view kAreTablesDue = "dav-tables-due";  // fact: they lag behind

/// How the layout calls the two kinds.
struct TableWords {
  std::string_view collections;
  std::string_view collection_type;
  std::string_view items;
  std::string_view item_type;
};
constexpr TableWords kCalendars = {.collections = "calendars",
                                   .collection_type = "calendar",
                                   .items = "calendar_events",
                                   .item_type = "calendarevent"};
constexpr TableWords kAddressBooks = {.collections = "address_books",
                                      .collection_type = "addressbook",
                                      .items = "contact_cards",
                                      .item_type = "contactcard"};

class TableWriter {
 public:
  TableWriter(ArchiveFile& archive, Kind kind, std::int64_t source_id)
      : archive_(archive),
        database_(archive.database()),
        kind_(kind),
        words_(kind == Kind::calendar ? kCalendars : kAddressBooks),
        source_id_(source_id) {}

  Outcome run(const std::vector<DavCollection>& collections) {
    PLAN_TRY_VOID(forget());
    std::map<std::int64_t, const DavCollection*> by_id;
    std::map<std::int64_t, std::int64_t> rows;
    for (const DavCollection& collection : collections) {
      if (collection.kind != kind_ || collection.is_gone) continue;
      by_id[collection.id] = &collection;
      PLAN_TRY(row, write(collection));
      rows[collection.id] = row;
    }
    PLAN_TRY(items, load_dav_items(archive_, kind_));
    for (const DavItem& item : items) {
      if (item.is_gone || !item.entry || !rows.contains(item.collection_id)) continue;
      PLAN_TRY_VOID(write(item, by_id.at(item.collection_id)->href, rows.at(item.collection_id)));
    }
    return {};
  }

 private:
  Outcome forget() {
    for (const auto& [table, type] : {std::pair(words_.items, words_.item_type),
                                      std::pair(words_.collections, words_.collection_type)}) {
      PLAN_TRY(rows, database_.prepare(fmt::format(
                         "DELETE FROM {} WHERE id IN (SELECT local_id FROM sync_id_dav WHERE "
                         "source_id = ? AND type_name = ?)",
                         table)));
      rows.bind(1, source_id_).bind(2, type);
      PLAN_TRY_VOID(rows.run());
    }
    PLAN_TRY(ids, database_.prepare("DELETE FROM sync_id_dav WHERE source_id = ?"));
    ids.bind(1, source_id_);
    return ids.run();
  }

  Outcome map(std::string_view type, const std::string& collection, const std::string& item,
              const std::string& etag, std::int64_t row) {
    PLAN_TRY(keep, database_.prepare("INSERT INTO sync_id_dav (source_id, type_name, "
                                     "collection_href, item_href, etag, local_id) VALUES (?, ?, "
                                     "?, ?, ?, ?)"));
    keep.bind(1, source_id_).bind(2, type).bind(3, collection).bind(4, item).bind(5, etag);
    keep.bind(6, row);
    return keep.run();
  }

  Result<std::int64_t> write(const DavCollection& collection) {
    const bool is_calendar = kind_ == Kind::calendar;
    PLAN_TRY(keep, database_.prepare(fmt::format(
                       "INSERT INTO {} (name, description{}) VALUES (?, ?{})", words_.collections,
                       is_calendar ? ", color" : "", is_calendar ? ", ?" : "")));
    keep.bind(1, collection.name);
    if (collection.description.empty())
      keep.bind_null(2);
    else
      keep.bind(2, collection.description);
    if (is_calendar && collection.color.empty())
      keep.bind_null(3);
    else if (is_calendar)
      keep.bind(3, collection.color);
    PLAN_TRY_VOID(keep.run());
    const std::int64_t row = database_.last_insert_id();
    PLAN_TRY_VOID(map(words_.collection_type, collection.href, collection.href, "", row));
    return row;
  }

  Outcome write(const DavItem& item, const std::string& collection_href, std::int64_t collection) {
    const bool is_calendar = kind_ == Kind::calendar;
    ir::Value data = *item.entry;
    if (!is_calendar) data.as_map().erase("uid");
    PLAN_TRY(keep,
             database_.prepare(
                 is_calendar
                     ? "INSERT INTO calendar_events (calendar_ids, data) VALUES (?, ?)"
                     : "INSERT OR IGNORE INTO contact_cards (address_book_ids, data, uid) VALUES "
                       "(?, ?, ?)"));
    keep.bind(1, fmt::format("[{}]", collection)).bind(2, ir::canonical_json(data));
    if (!is_calendar) keep.bind(3, item.uid());
    PLAN_TRY_VOID(keep.run());
    if (database_.changes() == 0) return {};
    return map(words_.item_type, collection_href, item.href, item.etag, database_.last_insert_id());
  }

  ArchiveFile& archive_;
  store::Database& database_;
  Kind kind_;
  const TableWords& words_;
  std::int64_t source_id_;
};

}  // namespace

Outcome write_dav_tables(ArchiveFile& archive, const DavSource& source) {
  PLAN_TRY(collections, load_dav_collections(archive));
  PLAN_TRY(transaction, archive.database().begin());
  for (const Kind kind : {Kind::calendar, Kind::address_book}) {
    const std::string principal = source.url + source.path;
    PLAN_TRY(id, archive.source({.kind = kind == Kind::calendar ? "caldav" : "carddav",
                                 .session_url = source.url,
                                 .account_id = principal,
                                 .account_name = principal,
                                 .username = source.account},
                                false));
    PLAN_TRY_VOID(TableWriter(archive, kind, id).run(collections));
  }
  return transaction.commit();
}

Outcome refresh_dav_tables(ArchiveFile& archive, const DavSource& source, std::uint64_t changes,
                           bool is_held) {
  PLAN_TRY(due, archive.fact(kAreTablesDue));
  if (changes == 0 && due != "1") return {};
  if (is_held) return due == "1" ? Outcome() : archive.set_fact(kAreTablesDue, "1");
  PLAN_TRY_VOID(write_dav_tables(archive, source));
  return due == "1" ? archive.set_fact(kAreTablesDue, "0") : Outcome();
}

}  // namespace plan::archive
