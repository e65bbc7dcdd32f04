#include "runtime/archive/import_dav.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "compiler/source/text.h"
#include "runtime/archive/digest.h"
#include "runtime/net/errors.h"

namespace plan::archive {
namespace {

namespace dav = net::dav;

struct KnownCollection {
  std::int64_t id = 0;
  std::string name = {};
  std::string description = {};
  std::string color = {};
  std::string sync_token = {};
  bool is_gone = false;
};

struct KnownItem {
  std::int64_t id = 0;
  std::string etag = {};
  std::string sha256 = {};
  bool is_gone = false;
};

/// Said by the server of this one thing: the others may still be read.
bool is_of_one_thing(const Error& error) {
  return error.is(net::errors::http_status) || error.is(net::errors::protocol_violation) ||
         error.is(net::errors::answer_too_large);
}

class DavImport {
 public:
  DavImport(ArchiveFile& archive, const DavSource& source, const DavImportOptions& options)
      : database_(archive.database()), source_(source), options_(options) {}

  Result<DavReport> run() {
    PLAN_TRY(client, source_.connect());
    PLAN_TRY(homes, homes_of(client, source_));
    PLAN_TRY_VOID(load_collections());
    report_.is_there = homes.is_there;
    report_.sharing.add_sharing(homes);
    if (!homes.is_there) {
      // A server that lost its data, or another path, is no user who deleted everything.
      if (!known_.empty())
        report_.problems.push_back(
            {.mailbox = "calendars and contacts",
             .text = fmt::format("{} has nothing at {} any more", source_.server, source_.path)});
      return std::move(report_);
    }
    for (const dav::Collection& collection : homes.collections)
      PLAN_TRY_VOID(take(client, collection));
    for (const auto& [href, collection] : known_)
      if (!collection.is_gone) PLAN_TRY_VOID(drop(collection.id));
    return std::move(report_);
  }

 private:
  Outcome load_collections() {
    PLAN_TRY(rows, database_.prepare("SELECT href, id, name, description, color, is_gone, "
                                     "sync_token FROM plan_dav_collection"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) return {};
      known_[std::string(rows.text(0))] = {.id = rows.integer(1),
                                           .name = std::string(rows.text(2)),
                                           .description = std::string(rows.text(3)),
                                           .color = std::string(rows.text(4)),
                                           .sync_token = std::string(rows.text(6)),
                                           .is_gone = rows.integer(5) != 0};
    }
  }

  Result<std::map<std::string, KnownItem>> items_of(std::int64_t collection_id) {
    std::map<std::string, KnownItem> items;
    PLAN_TRY(rows, database_.prepare("SELECT href, id, etag, sha256, is_gone FROM plan_dav_item "
                                     "WHERE collection_id = ?"));
    rows.bind(1, collection_id);
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) break;
      items[std::string(rows.text(0))] = {.id = rows.integer(1),
                                          .etag = std::string(rows.text(2)),
                                          .sha256 = std::string(rows.blob(3)),
                                          .is_gone = rows.integer(4) != 0};
    }
    return items;
  }

  Result<std::int64_t> store(const dav::Collection& collection, const std::string& sync_token) {
    PLAN_TRY(keep, database_.prepare(
                       "INSERT INTO plan_dav_collection (kind, href, name, description, color, "
                       "sync_token) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (href) DO UPDATE SET "
                       "kind = excluded.kind, name = excluded.name, description = "
                       "excluded.description, color = excluded.color, sync_token = "
                       "excluded.sync_token, is_gone = 0 RETURNING id"));
    keep.bind(1, static_cast<std::int64_t>(collection.kind))
        .bind(2, collection.href)
        .bind(3, collection.name)
        .bind(4, collection.description)
        .bind(5, collection.color)
        .bind(6, sync_token);
    PLAN_TRY(has_row, keep.step());
    const std::int64_t id = has_row ? keep.integer(0) : 0;
    keep.reset();
    return id;
  }

  Outcome take(const dav::Client& client, const dav::Collection& collection) {
    const auto found = known_.find(collection.href);
    KnownCollection known;
    if (found != known_.end()) {
      known = found->second;
      known_.erase(found);
    }
    ++report_.collections;
    auto read = read_changed(client, collection, known);
    if (!read) {
      if (!is_of_one_thing(read.error())) return std::move(read.error());
      report_.problems.push_back({.mailbox = fmt::format("{} {}", to_string(collection.kind),
                                                         printable(collection.name, 200)),
                                  .text = read.error().to_line()});
      return {};
    }
    if (known.id == 0 || known.is_gone || known.name != collection.name ||
        known.description != collection.description || known.color != collection.color)
      ++report_.collections_changed;
    if (options_.is_dry) return {};
    PLAN_TRY(transaction, database_.begin());
    PLAN_TRY(id, store(collection, read->sync_token));
    for (const Change& change : read->changes) PLAN_TRY_VOID(write(id, change));
    return transaction.commit();
  }

  /// What is to be stored of an item; without an href it is the item of that id that is gone.
  struct Change {
    std::int64_t id = 0;
    dav::Item item = {};
    bool is_text_known = false;  ///< only its ETag is another one
  };

  struct Changes {
    std::vector<Change> changes = {};
    std::string sync_token = {};  ///< for the next pass
  };
  /// What the server says of a collection's items, either way.
  struct Listing {
    std::vector<dav::ItemState> states = {};  ///< of all, or of those that changed
    std::vector<std::string> gone = {};       ///< besides the known ones that a whole list lacks
    bool is_whole = true;
    std::string sync_token = {};
  };

  Result<Listing> list(const dav::Client& client, const dav::Collection& collection,
                       const KnownCollection& known) {
    Listing listing;
    if (options_.is_since_last && !known.is_gone && !known.sync_token.empty()) {
      PLAN_TRY(changes, client.changes(collection, known.sync_token));
      if (changes)
        return Listing{.states = std::move(changes->changed),
                       .gone = std::move(changes->gone),
                       .is_whole = false,
                       .sync_token = std::move(changes->token)};
    }
    // Before the list: what changes in between is in the list, or is named at the next pass.
    PLAN_TRY(token, client.sync_token(collection));
    listing.sync_token = std::move(token);
    PLAN_TRY(states, client.list(collection));
    listing.states = std::move(states);
    return listing;
  }

  Result<Changes> read_changed(const dav::Client& client, const dav::Collection& collection,
                               const KnownCollection& of) {
    PLAN_TRY(known, items_of(of.id));
    PLAN_TRY(listing, list(client, collection, of));
    std::vector<std::string> wanted;
    Changes read{.sync_token = std::move(listing.sync_token)};
    std::vector<Change>& changes = read.changes;
    std::uint64_t removed = 0, created = 0, updated = 0;
    std::map<std::string, const KnownItem*> here;
    if (!listing.is_whole)
      for (const auto& [href, item] : known)
        if (!item.is_gone) here[href] = &item;
    for (const std::string& gone : listing.gone) here.erase(gone);
    for (const dav::ItemState& state : listing.states) {
      const auto found = known.find(state.href);
      const bool is_same = found != known.end() && !found->second.is_gone && !state.etag.empty() &&
                           found->second.etag == state.etag;
      here[state.href] = found == known.end() ? nullptr : &found->second;
      if (!is_same) wanted.push_back(state.href);
    }
    PLAN_TRY(fetched, client.fetch(collection, wanted));
    for (const std::string& gone : fetched.gone) here.erase(gone);
    for (dav::Item& item : fetched.items) {
      const KnownItem* old = here[item.href];
      Change change{.id = old == nullptr ? 0 : old->id, .item = std::move(item)};
      if (old == nullptr || old->is_gone)
        ++created;
      else if (old->sha256 != sha256_raw(change.item.text))
        ++updated;
      else
        change.is_text_known = true;
      changes.push_back(std::move(change));
    }
    for (const auto& [href, item] : known) {
      if (item.is_gone || here.contains(href)) continue;
      ++removed;
      changes.push_back({.id = item.id});
    }
    report_.items += here.size();
    report_.created += created;
    report_.updated += updated;
    report_.removed += removed;
    return read;
  }

  Outcome write(std::int64_t collection_id, const Change& change) {
    if (change.item.href.empty()) {
      PLAN_TRY(gone, database_.prepare("UPDATE plan_dav_item SET is_gone = 1 WHERE id = ?"));
      gone.bind(1, change.id);
      return gone.run();
    }
    if (change.is_text_known) {
      PLAN_TRY(tag, database_.prepare("UPDATE plan_dav_item SET etag = ? WHERE id = ?"));
      tag.bind(1, change.item.etag).bind(2, change.id);
      return tag.run();
    }
    PLAN_TRY(keep,
             database_.prepare(
                 "INSERT INTO plan_dav_item (collection_id, href, etag, text, sha256) VALUES (?, "
                 "?, ?, ?, ?) ON CONFLICT (href) DO UPDATE SET collection_id = "
                 "excluded.collection_id, etag = excluded.etag, text = excluded.text, sha256 = "
                 "excluded.sha256, is_gone = 0, problem = NULL"));
    keep.bind(1, collection_id)
        .bind(2, change.item.href)
        .bind(3, change.item.etag)
        .bind_blob(4, change.item.text)
        .bind_blob(5, sha256_raw(change.item.text));
    return keep.run();
  }

  /// A collection that is not there any more, with all that was in it.
  Outcome drop(std::int64_t id) {
    ++report_.collections_changed;
    PLAN_TRY(count,
             database_.prepare(
                 "SELECT count(*) FROM plan_dav_item WHERE collection_id = ? AND is_gone = 0"));
    count.bind(1, id);
    PLAN_TRY(has_row, count.step());
    if (has_row) report_.removed += static_cast<std::uint64_t>(count.integer(0));
    count.reset();
    if (options_.is_dry) return {};
    PLAN_TRY(transaction, database_.begin());
    for (const std::string_view sql :
         {"UPDATE plan_dav_item SET is_gone = 1 WHERE collection_id = ?",
          "UPDATE plan_dav_collection SET is_gone = 1 WHERE id = ?"}) {
      PLAN_TRY(statement, database_.prepare(sql));
      statement.bind(1, id);
      PLAN_TRY_VOID(statement.run());
    }
    return transaction.commit();
  }

  store::Database& database_;
  const DavSource& source_;
  const DavImportOptions& options_;
  std::map<std::string, KnownCollection> known_ = {};
  DavReport report_ = {};
};

}  // namespace

Result<dav::Homes> homes_of(const dav::Client& client, const DavSource& source) {
  if (!source.homes.calendars.empty()) return client.homes_at(source.homes);
  auto usual = client.homes(source.path);
  const bool is_open = usual ? !usual->is_there : usual.error().is(net::errors::http_status);
  if (!is_open || !source.is_principal_asked) return usual;
  PLAN_TRY(principal, client.principal());
  if (!principal || *principal == source.path) return usual;
  PLAN_TRY(homes, client.homes(*principal));
  const std::string path = lower_ascii(*principal);
  const std::string address = lower_ascii(source.account);
  const auto has_segment = [&path](std::string_view segment) {
    return path.find(fmt::format("/{}/", segment)) != std::string::npos;
  };
  const bool is_its_own = has_segment(address) ||
                          has_segment(address.substr(0, address.find('@'))) ||
                          std::find(homes.addresses.begin(), homes.addresses.end(),
                                    "mailto:" + address) != homes.addresses.end();
  if (is_its_own) return homes;
  return Error(net::errors::protocol_violation,
               fmt::format("{} says that its login for {} is {}, which does not name the account: "
                           "name its place as `dav.path`",
                           source.server, source.account, printable(*principal, 200)))
      .with_blame(Blame::source);
}

Result<DavReport> import_dav(ArchiveFile& archive, const DavSource& source,
                             const DavImportOptions& options) {
  return DavImport(archive, source, options)
      .run()
      .while_doing(fmt::format("reading calendars and contacts at {}", source.url));
}

}  // namespace plan::archive
