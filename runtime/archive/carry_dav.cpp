// Calendars and contacts of the target back to the source, three ways with what plan left at the
// target.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/archive/carry_back.h"
#include "runtime/archive/dav_items.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/errors.h"
#include "runtime/archive/target_shelf.h"
#include "runtime/archive/target_texts.h"
#include "runtime/step/errors.h"

namespace plan::archive {
namespace {

using ir::Value;
using net::dav::Kind;
using net::dav::Written;

constexpr int kRoundsMax = 4;
constexpr const char* kTargetDecided = "changed at both sides: the target's decided";

class DavCarry {
 public:
  DavCarry(ArchiveFile& archive, const DavSource& source, const TargetAccount& target,
           const CarryOptions& options, CarryReport& report)
      : archive_(archive),
        database_(archive.database()),
        source_(source),
        target_(target),
        texts_(target, source.account),
        options_(options),
        is_dry_(options.is_dry),
        report_(report) {}

  Outcome run() {
    for (int round = 0; round < kRoundsMax; ++round) {
      is_changed_meanwhile_ = false;
      if (!is_dry_) {
        PLAN_TRY_VOID(read_source());
        kill_point("dav-read");
        PLAN_TRY(client, source_.connect());
        client_ = std::move(client);
      }
      PLAN_TRY(collections, load_dav_collections(archive_));
      collections_ = std::move(collections);
      for (const Kind kind : {Kind::calendar, Kind::address_book}) PLAN_TRY_VOID(carry(kind));
      if (!is_changed_meanwhile_) return {};
    }
    return Error(errors::carry_back_unsettled,
                 "the source's calendars keep changing while they are written to")
        .with_retry(Retry::safe)
        .with_blame(Blame::source);
  }

 private:
  void kill_point(const char* place) const {
    if (options_.kill_point) options_.kill_point(place);
  }

  Outcome read_source() {
    PLAN_TRY(read, import_dav(archive_, source_));
    if (read.problems.empty()) return {};
    return Error(step::errors::not_as_wanted,
                 "a calendar or address book of the source cannot be read")
        .with_retry(Retry::safe)
        .with_blame(Blame::source)
        .with_detail(read.problems.front().mailbox + ": " + read.problems.front().text);
  }

  Outcome carry(Kind kind) {
    kind_ = kind;
    PLAN_TRY(session, target_.client().session());
    if (!session->has_capability(words_of(kind).capability)) return {};
    PLAN_TRY(items, load_dav_items(archive_, kind));
    PLAN_TRY(shelf, read_shelf(target_, kind));
    folders_ = shelf.folders;
    std::map<std::string, DavItem*> by_target, by_uid, by_href;
    for (DavItem& item : items) {
      if (!item.target_id.empty()) {
        by_target[item.target_id] = &item;
      } else if (!item.is_gone) {
        by_href[item.href] = &item;
        if (item.entry) by_uid[item.uid()] = &item;
      }
    }
    for (const auto& [id, entry] : shelf.entries) {
      const auto known = by_target.find(id);
      DavItem* item = known != by_target.end() ? known->second : nullptr;
      if (DavItem* written = written_before(item, entry, by_href); written != nullptr) {
        if (item != nullptr && !item->is_gone) PLAN_TRY_VOID(leave_old_place(*item, entry));
        item = written;
      } else if (const auto twin = by_uid.find(entry.uid);
                 item == nullptr && twin != by_uid.end()) {
        item = twin->second;
      }
      PLAN_TRY_VOID(settle(item, entry));
    }
    for (DavItem& item : items)
      if (!item.target_id.empty() && !shelf.entries.contains(item.target_id))
        PLAN_TRY_VOID(remove(item));
    return {};
  }

  /// What an earlier try wrote, whose answer was lost: it has the name that every try gives it.
  /// Null when there is none, or the entry has not left the place that is known.
  [[nodiscard]] DavItem* written_before(const DavItem* known, const TargetEntry& entry,
                                        const std::map<std::string, DavItem*>& by_href) {
    if (entry.folders.empty()) return nullptr;
    const DavCollection* to = collection_for(*entry.folders.begin());
    if (to == nullptr) return nullptr;
    if (known != nullptr && !known->is_gone && known->collection_id == to->id) return nullptr;
    const auto found = by_href.find(new_href(*to, entry));
    return found == by_href.end() ? nullptr : found->second;
  }
  /// The same in every try.
  [[nodiscard]] std::string new_href(const DavCollection& to, const TargetEntry& entry) const {
    return fmt::format("{}plan-{}.{}", to.href, ir::sha256(entry.uid).hex().substr(0, 32),
                       kind_ == Kind::calendar ? "ics" : "vcf");
  }

  [[nodiscard]] DavCollection* collection_of(std::int64_t id) {
    const auto found = std::find_if(collections_.begin(), collections_.end(),
                                    [id](const DavCollection& one) { return one.id == id; });
    return found == collections_.end() ? nullptr : &*found;
  }
  [[nodiscard]] DavCollection* collection_for(const std::string& folder) {
    const auto found =
        std::find_if(collections_.begin(), collections_.end(), [&](const DavCollection& one) {
          return one.kind == kind_ && !one.is_gone && one.target_id == folder;
        });
    return found == collections_.end() ? nullptr : &*found;
  }

  [[nodiscard]] std::string where(const TargetEntry& entry) const {
    const std::string_view title = kind_ == Kind::calendar
                                       ? entry.body["title"].string_or("")
                                       : entry.body["name"]["full"].string_or("");
    return fmt::format("{} `{}`", words_of(kind_).one,
                       printable(title.empty() ? std::string_view(entry.uid) : title, 100));
  }

  Outcome conflict(std::string place, std::string rule) {
    for (const CarryConflict& one : report_.conflicts)
      if (one.place == place && one.rule == rule) return {};
    if (!is_dry_) {
      PLAN_TRY(keep, database_.prepare(
                         "INSERT INTO plan_carry_note (wall_ms, place, rule) VALUES (?, ?, ?)"));
      keep.bind(1, net::system_clock().wall_ms()).bind(2, place).bind(3, rule);
      PLAN_TRY_VOID(keep.run());
    }
    report_.conflicts.push_back({std::move(place), std::move(rule)});
    return {};
  }

  Outcome settle(DavItem* item, const TargetEntry& entry) {
    const std::string folder = entry.folders.empty() ? std::string() : *entry.folders.begin();
    DavCollection* at = item == nullptr ? nullptr : collection_of(item->collection_id);
    const bool is_in_place = at != nullptr && entry.folders.contains(at->target_id);
    const bool is_known = item != nullptr && !item->target_id.empty();
    const bool is_untouched = is_known && is_in_place && entry.digest == item->target_digest;
    if (is_untouched && !item->is_gone) return {};  // the source's own change stays
    if (item != nullptr && !item->is_gone && is_in_place) {
      PLAN_TRY(is_same, is_alike(*item, entry));
      if (is_same) return note(*item, entry);
    }
    if (is_known && !item->is_gone && item->sha256 != item->pushed_sha256)
      PLAN_TRY_VOID(conflict(where(entry), kTargetDecided));
    if (is_untouched)
      PLAN_TRY_VOID(
          conflict(where(entry), "gone at the source, still at the target: it is given back"));
    if (is_dry_) {
      ++report_.entries;
      return {};
    }
    DavCollection* to = is_in_place && !at->is_gone ? at : collection_for(folder);
    if (to == nullptr) {
      PLAN_TRY(made, make_collection(folder));
      to = made;
    }
    if (to == nullptr) return {};  // refused: listed
    return write(item, entry, *to);
  }

  /// Is the text that the source has now the same to the target as what it has itself?
  Result<bool> is_alike(DavItem& item, const TargetEntry& entry) {
    if (!item.entry && !is_dry_) {
      PLAN_TRY(find, database_.prepare("SELECT text FROM plan_dav_item WHERE id = ?"));
      find.bind(1, item.id);
      PLAN_TRY(is_found, find.step());
      if (!is_found) return false;
      const std::string text(find.blob(0));
      PLAN_TRY(parsed, parse_at_target(target_, kind_, {text}, {entry.uid}));
      item.entry = parsed.front().entry;
    }
    return item.entry && entry_digest(kind_, *item.entry) == entry.digest;
  }

  /// Both sides have the same: what a later change is seen by.
  Outcome note(DavItem& item, const TargetEntry& entry) {
    if (is_dry_) return {};
    PLAN_TRY(transaction, database_.begin());
    PLAN_TRY_VOID(free_others(entry, item.href));
    PLAN_TRY(keep, database_.prepare("UPDATE plan_dav_item SET entry = ?, entry_sha256 = sha256 "
                                     "WHERE id = ?"));
    keep.bind(1, ir::write_json(*item.entry)).bind(2, item.id);
    PLAN_TRY_VOID(keep.run());
    item.target_id = entry.id;
    item.pushed_sha256 = item.sha256;
    item.target_digest = entry.digest;
    item.problem.clear();
    PLAN_TRY_VOID(keep_dav_item(archive_, item));
    PLAN_TRY_VOID(transaction.commit());
    kill_point("dav-noted");
    return {};
  }

  /// One row for an entry: the place that it had before is no longer the one that stands for it.
  Outcome free_others(const TargetEntry& entry, const std::string& href) {
    PLAN_TRY(free, database_.prepare("UPDATE plan_dav_item SET target_id = NULL WHERE target_id = "
                                     "? AND href <> ? AND collection_id IN (SELECT id FROM "
                                     "plan_dav_collection WHERE kind = ?)"));
    free.bind(1, entry.id).bind(2, href).bind(3, static_cast<std::int64_t>(kind_));
    return free.run();
  }

  Outcome refuse(const TargetEntry& entry, std::string text) {
    for (const PushProblem& one : report_.refused)
      if (one.what == where(entry)) return {};
    report_.refused.push_back({where(entry), std::move(text)});
    return {};
  }

  Outcome write(DavItem* item, const TargetEntry& entry, const DavCollection& to) {
    PLAN_TRY(text, texts_.find(kind_, entry));
    if (text.empty())
      return refuse(entry, "the target shows no text of it over DAV that says the same");
    const bool is_moved = item != nullptr && item->collection_id != to.id;
    const bool is_new = item == nullptr || item->is_gone || is_moved;
    const std::string href = is_new ? new_href(to, entry) : item->href;
    PLAN_TRY(answer, client_->put(kind_, href, text, is_new ? std::string() : item->etag));
    kill_point("dav-written");
    if (answer.outcome == Written::changed_meanwhile || answer.outcome == Written::gone) {
      is_changed_meanwhile_ = true;
      return {};
    }
    if (answer.outcome == Written::refused)
      return refuse(entry, "the source refuses it: " + answer.words);
    ++report_.entries;
    report_.bytes += text.size();
    if (is_moved && !item->is_gone) PLAN_TRY_VOID(remove_old(*item));
    return read_back(href, entry, to);
  }

  /// What the source made of it, compared with what the target has.
  Outcome read_back(const std::string& href, const TargetEntry& entry, const DavCollection& to) {
    PLAN_TRY(there, client_->get(href));
    if (there.items.empty()) {
      is_changed_meanwhile_ = true;
      return {};
    }
    const net::dav::Item& item = there.items.front();
    PLAN_TRY(parsed, parse_at_target(target_, kind_, {item.text}, {entry.uid}));
    const auto& seen = parsed.front().entry;
    if (!seen || entry_digest(kind_, *seen) != entry.digest)
      PLAN_TRY_VOID(
          conflict(where(entry), fmt::format("the source keeps it otherwise: {}",
                                             seen ? members_that_differ(kind_, *seen, entry.body)
                                                  : parsed.front().problem)));
    const std::string sha256 = sha256_raw(item.text);
    PLAN_TRY(transaction, database_.begin());
    PLAN_TRY_VOID(free_others(entry, href));
    PLAN_TRY(keep,
             database_.prepare(
                 "INSERT INTO plan_dav_item (collection_id, href, etag, text, sha256, entry, "
                 "entry_sha256, target_id, pushed_sha256, target_digest) VALUES (?1, ?2, ?3, ?4, "
                 "?5, ?6, ?5, ?7, ?5, ?8) ON CONFLICT (href) DO UPDATE SET collection_id = ?1, "
                 "etag = ?3, text = ?4, sha256 = ?5, is_gone = 0, entry = ?6, entry_sha256 = ?5, "
                 "target_id = ?7, pushed_sha256 = ?5, target_digest = ?8, problem = NULL"));
    keep.bind(1, to.id).bind(2, href).bind(3, item.etag).bind_blob(4, item.text);
    keep.bind_blob(5, sha256).bind(7, entry.id).bind_blob(8, entry.digest);
    if (seen)
      keep.bind(6, ir::write_json(*seen));
    else
      keep.bind_null(6);
    PLAN_TRY_VOID(keep.run());
    PLAN_TRY_VOID(transaction.commit());
    kill_point("dav-noted");
    return {};
  }

  Outcome leave_old_place(DavItem& item, const TargetEntry& entry) {
    if (item.sha256 != item.pushed_sha256) PLAN_TRY_VOID(conflict(where(entry), kTargetDecided));
    return is_dry_ ? Outcome() : remove_old(item);
  }

  /// The place from which an entry was moved at the target.
  Outcome remove_old(DavItem& item) {
    PLAN_TRY(answer, client_->remove(item.href, item.etag));
    kill_point("dav-place-left");
    if (answer.outcome == Written::changed_meanwhile) is_changed_meanwhile_ = true;
    if (answer.outcome != Written::done && answer.outcome != Written::gone) return {};
    PLAN_TRY(gone, database_.prepare("UPDATE plan_dav_item SET is_gone = 1 WHERE id = ?"));
    gone.bind(1, item.id);
    return gone.run();
  }

  /// Deleted at the target.
  Outcome remove(DavItem& item) {
    const DavCollection* collection = collection_of(item.collection_id);
    if (item.is_gone || collection == nullptr) return forget(item);
    const std::string place = item.where(*collection);
    if (item.sha256 != item.pushed_sha256) {
      PLAN_TRY_VOID(conflict(place, "deleted at the target, changed at the source: it stays"));
      return forget(item);
    }
    ++report_.entries;
    if (is_dry_) return {};
    PLAN_TRY(answer, client_->remove(item.href, item.etag));
    kill_point("dav-deleted");
    if (answer.outcome == Written::changed_meanwhile) {
      --report_.entries;
      is_changed_meanwhile_ = true;
      return {};
    }
    if (answer.outcome == Written::refused) {
      --report_.entries;
      report_.refused.push_back(
          {place, "deleted at the target; the source refuses that: " + answer.words});
      return {};
    }
    item.is_gone = true;
    return forget(item);
  }

  /// Neither side has it any more, or it is the source's alone again.
  Outcome forget(DavItem& item) {
    if (is_dry_) return {};
    item.target_id.clear();
    item.pushed_sha256.clear();
    item.target_digest.clear();
    if (item.is_gone) {
      PLAN_TRY(gone, database_.prepare("UPDATE plan_dav_item SET is_gone = 1 WHERE id = ?"));
      gone.bind(1, item.id);
      PLAN_TRY_VOID(gone.run());
    }
    return keep_dav_item(archive_, item);
  }

  /// A folder that the user made at the target. Null when the source refuses it.
  Result<DavCollection*> make_collection(const std::string& folder) {
    const auto found = std::find_if(folders_.begin(), folders_.end(),
                                    [&](const TargetFolder& one) { return one.id == folder; });
    PLAN_TRY(homes, homes_of(*client_, source_));
    const std::vector<std::string>& places =
        kind_ == Kind::calendar ? homes.calendar_homes : homes.address_book_homes;
    DavCollection made{.kind = kind_,
                       .name = found == folders_.end() || found->name.empty()
                                   ? std::string(words_of(kind_).folder_type)
                                   : found->name,
                       .target_id = folder};
    net::dav::WriteAnswer answer{.outcome = Written::refused, .words = "it has no home for it"};
    if (!places.empty()) {
      made.href = fmt::format("{}plan-{}/", places.front(), ir::sha256(folder).hex().substr(0, 16));
      PLAN_TRY(said, client_->make({.kind = kind_, .href = made.href, .name = made.name}));
      kill_point("dav-folder-made");
      answer = std::move(said);
    }
    if (answer.outcome != Written::done && answer.outcome != Written::changed_meanwhile) {
      report_.refused.push_back({fmt::format("{} {}", to_string(kind_), printable(made.name, 100)),
                                 "the source refuses it: " + answer.words});
      return static_cast<DavCollection*>(nullptr);
    }
    PLAN_TRY(keep, database_.prepare(
                       "INSERT INTO plan_dav_collection (kind, href, name, target_id) VALUES (?, "
                       "?, ?, ?) ON CONFLICT (href) DO UPDATE SET is_gone = 0, target_id = "
                       "excluded.target_id RETURNING id"));
    keep.bind(1, static_cast<std::int64_t>(kind_)).bind(2, made.href).bind(3, made.name);
    keep.bind(4, folder);
    PLAN_TRY(has_row, keep.step());
    made.id = has_row ? keep.integer(0) : 0;
    keep.reset();
    ++report_.mailboxes;
    collections_.push_back(std::move(made));
    return &collections_.back();
  }

  ArchiveFile& archive_;
  store::Database& database_;
  const DavSource& source_;
  const TargetAccount& target_;
  TargetTexts texts_;
  const CarryOptions& options_;
  bool is_dry_;
  CarryReport& report_;
  std::optional<net::dav::Client> client_ = {};
  std::vector<DavCollection> collections_ = {};
  std::vector<TargetFolder> folders_ = {};
  Kind kind_ = Kind::calendar;
  bool is_changed_meanwhile_ = false;
};

}  // namespace

Outcome carry_dav(ArchiveFile& archive, const DavSource& source, const TargetAccount& target,
                  const CarryOptions& options, CarryReport& report) {
  return DavCarry(archive, source, target, options, report)
      .run()
      .while_doing("carrying calendars and contacts back");
}

}  // namespace plan::archive
