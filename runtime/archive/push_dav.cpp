#include "runtime/archive/push_dav.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/archive/dav_items.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/kept_shelf.h"
#include "runtime/archive/target_shelf.h"
#include "runtime/archive/target_texts.h"
#include "runtime/step/errors.h"

namespace plan::archive {
namespace {

using ir::Value;
using net::dav::Kind;
namespace jmap = net::jmap;

constexpr std::array kKinds = {Kind::calendar, Kind::address_book};
/// Entries of one /set, and texts in memory at once.
constexpr std::size_t kSetBatch = 50;
/// The target takes names of 1 to 255 bytes.
constexpr std::size_t kFolderNameBytesMax = 255;

/// Last segments of the collection that a program makes for a user before he asks for any.
constexpr std::array<std::string_view, 7> kUsualNames = {
    "default", "calendar", "personal", "contacts", "addressbook", "addresses", "card"};

std::string folder_name(const DavCollection& collection) {
  std::string name = collection.name;
  if (name.size() > kFolderNameBytesMax) {
    std::size_t end = kFolderNameBytesMax;
    while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80U) --end;
    name.resize(end);
  }
  return name.empty() ? std::string(words_of(collection.kind).folder_type) : name;
}

bool is_usual(const DavCollection& collection) {
  std::string_view path = collection.href;
  while (path.ends_with('/')) path.remove_suffix(1);
  const std::string last = lower_ascii(path.substr(path.rfind('/') + 1));
  return std::find(kUsualNames.begin(), kUsualNames.end(), last) != kUsualNames.end();
}

std::string words(const jmap::SetError& refused) {
  return fmt::format("the target refuses it: {}: {}", refused.type,
                     printable(refused.description, 300));
}

/// Says of a resource of another kind what it is: the target stores events and cards only.
std::string problem_of(std::string_view text, const std::string& said) {
  const std::string component = component_of_text(text);
  const std::string_view what =
      component == "vtodo"       ? "a task (VTODO), which is not carried"
      : component == "vjournal"  ? "a journal (VJOURNAL), which is not carried"
      : component == "vfreebusy" ? "a list of busy times (VFREEBUSY), which is not carried"
                                 : "";
  return what.empty() ? said : fmt::format("{}: {}", what, said);
}

class DavPush {
 public:
  DavPush(ArchiveFile& archive, const TargetAccount& target, const DavPushOptions& options)
      : archive_(archive), target_(target), options_(options) {}

  Result<DavPushReport> run() {
    PLAN_TRY(collections, load_dav_collections(archive_));
    if (collections.empty()) return std::move(report_);  // no need for the capabilities
    for (DavCollection& collection : collections)
      collections_[collection.id] = std::move(collection);
    for (const Kind kind : kKinds) PLAN_TRY_VOID(push(kind));
    return std::move(report_);
  }

 private:
  void kill_point(const char* place) const {
    if (options_.kill_point) options_.kill_point(place);
  }

  [[nodiscard]] Outcome check_stop() const {
    if (!options_.is_stop_requested || !options_.is_stop_requested()) return {};
    return Error(step::errors::stopped, "stopped between two calendars").with_retry(Retry::safe);
  }

  Outcome push(Kind kind) {
    kind_ = kind;
    PLAN_TRY_VOID(read_texts());
    PLAN_TRY(items, load_dav_items(archive_, kind));
    items_ = std::move(items);
    const bool has_collections =
        std::any_of(collections_.begin(), collections_.end(),
                    [&](const auto& one) { return one.second.kind == kind; });
    if (!has_collections) return {};
    PLAN_TRY(shelf, options_.is_since_last ? read_shelf_since_kept(archive_, target_, kind)
                                           : read_and_keep_shelf(archive_, target_, kind));
    shelf_ = std::move(shelf);
    PLAN_TRY_VOID(place_folders());
    claims_.clear();
    for (const DavItem& item : items_)
      if (!item.is_gone && shelf_.entries.contains(item.target_id))
        claims_[item.target_id] = item.id;
    PLAN_TRY_VOID(write_items());
    if (!options_.is_source_authority) return {};
    PLAN_TRY_VOID(remove_items());
    return remove_folders();
  }

  /// Has the target read every text that it has not read yet.
  Outcome read_texts() {
    while (true) {
      PLAN_TRY_VOID(check_stop());
      struct Unread {
        std::int64_t id = 0;
        std::string text = {};
        std::string sha256 = {};
        std::string uid = {};
      };
      std::vector<Unread> batch;
      PLAN_TRY(rows, archive_.database().prepare(
                         "SELECT i.id, i.text, i.sha256, i.href FROM plan_dav_item i JOIN "
                         "plan_dav_collection c ON c.id = i.collection_id WHERE c.kind = ? AND "
                         "i.is_gone = 0 AND (i.entry_sha256 IS NULL OR i.entry_sha256 <> i.sha256) "
                         "LIMIT ?"));
      rows.bind(1, static_cast<std::int64_t>(kind_)).bind(2, static_cast<std::int64_t>(kSetBatch));
      while (true) {
        PLAN_TRY(has_row, rows.step());
        if (!has_row) break;
        batch.push_back({.id = rows.integer(0),
                         .text = std::string(rows.blob(1)),
                         .sha256 = std::string(rows.blob(2)),
                         // One of its own, the same in every run.
                         .uid = "plan-" + ir::sha256(rows.text(3)).hex()});
      }
      rows.reset();
      if (batch.empty()) return {};
      std::vector<std::string_view> texts;
      std::vector<std::string> uids;
      for (const Unread& one : batch) {
        texts.push_back(one.text);
        uids.push_back(one.uid);
      }
      PLAN_TRY(parsed, parse_at_target(target_, kind_, texts, uids));
      PLAN_TRY(transaction, archive_.database().begin());
      for (std::size_t at = 0; at < batch.size(); ++at) {
        PLAN_TRY(keep, archive_.database().prepare(
                           "UPDATE plan_dav_item SET entry = ?, entry_sha256 = ?, problem = ? "
                           "WHERE id = ?"));
        if (parsed[at].entry)
          keep.bind(1, ir::write_json(*parsed[at].entry)).bind_null(3);
        else
          keep.bind_null(1).bind(3, problem_of(batch[at].text, parsed[at].problem));
        keep.bind_blob(2, batch[at].sha256).bind(4, batch[at].id);
        PLAN_TRY_VOID(keep.run());
      }
      PLAN_TRY_VOID(transaction.commit());
      kill_point("dav-read");
    }
  }

  [[nodiscard]] bool has_folder(const std::string& id) const {
    return std::any_of(shelf_.folders.begin(), shelf_.folders.end(),
                       [&](const TargetFolder& folder) { return folder.id == id; });
  }
  [[nodiscard]] bool is_taken(const std::string& id) const {
    return std::any_of(collections_.begin(), collections_.end(), [&](const auto& one) {
      return one.second.kind == kind_ && one.second.target_id == id;
    });
  }
  [[nodiscard]] bool is_empty(const std::string& id) const {
    return std::none_of(shelf_.entries.begin(), shelf_.entries.end(),
                        [&](const auto& one) { return one.second.folders.contains(id); });
  }

  /// A folder for each collection: the empty one that the target made for the user becomes the one
  /// that a program usually makes for him, or the first.
  Outcome place_folders() {
    std::vector<DavCollection*> open;
    for (auto& [id, collection] : collections_) {
      if (collection.kind != kind_) continue;
      if (!collection.target_id.empty() && !has_folder(collection.target_id)) {
        collection.target_id.clear();  // the account was made anew
        PLAN_TRY_VOID(keep_dav_collection(archive_, collection));
      }
      if (!collection.is_gone && collection.target_id.empty()) open.push_back(&collection);
    }
    std::stable_sort(open.begin(), open.end(),
                     [](const DavCollection* left, const DavCollection* right) {
                       return std::pair(!is_usual(*left), left->href) <
                              std::pair(!is_usual(*right), right->href);
                     });
    for (DavCollection* collection : open) {
      // An archive that was lost, and the account was filled before.
      const std::string filled = folder_with_items_of(*collection);
      for (const TargetFolder& folder : shelf_.folders) {
        if (!filled.empty() && folder.id != filled) continue;
        const bool is_made_for_user = folder.is_default && is_empty(folder.id);
        // Asked for before, and the answer was lost.
        const bool is_lost_answer =
            collection->is_wanted && !folder.is_default && folder.name == folder_name(*collection);
        if (is_taken(folder.id)) continue;
        if (filled.empty() && !is_made_for_user && !is_lost_answer) continue;
        collection->target_id = folder.id;
        collection->is_ours = !folder.is_default;
        break;
      }
      if (collection->target_id.empty()) PLAN_TRY_VOID(make_folder(*collection));
      PLAN_TRY_VOID(keep_dav_collection(archive_, *collection));
    }
    return {};
  }

  /// The folder that holds most of the entries of a collection already; empty: none holds one.
  std::string folder_with_items_of(const DavCollection& collection) const {
    std::map<std::string_view, const TargetEntry*> by_uid;
    for (const auto& [id, entry] : shelf_.entries) by_uid[entry.uid] = &entry;
    std::map<std::string, std::size_t> counts;
    for (const DavItem& item : items_) {
      if (item.is_gone || item.collection_id != collection.id) continue;
      const std::string uid = item.uid();
      const auto found = by_uid.find(uid);
      if (found == by_uid.end()) continue;
      for (const std::string& folder : found->second->folders)
        if (!is_taken(folder)) ++counts[folder];
    }
    const auto most = std::max_element(
        counts.begin(), counts.end(),
        [](const auto& left, const auto& right) { return left.second < right.second; });
    return most == counts.end() ? std::string() : most->first;
  }

  Outcome make_folder(DavCollection& collection) {
    const ShelfWords& shelf = words_of(kind_);
    collection.is_wanted = true;
    PLAN_TRY_VOID(keep_dav_collection(archive_, collection));
    kill_point("dav-folder-begun");
    Value folder = Value::map({{"name", folder_name(collection)}});
    if (!collection.description.empty()) folder.set("description", collection.description);
    PLAN_TRY(result, target_.client().set({.type = std::string(shelf.folder_type),
                                           .account_id = target_.account_id(),
                                           .create = Value::map({{"f", std::move(folder)}}),
                                           .capability = std::string(shelf.capability)}));
    kill_point("dav-folder-answered");
    if (!result.failures.empty()) {
      report_.problems.push_back(
          {fmt::format("{} {}", to_string(kind_), printable(collection.name, 200)),
           words(result.failures.front().error)});
      return {};
    }
    collection.target_id = result.created_id("f");
    collection.is_ours = true;
    shelf_.folders.push_back({.id = collection.target_id, .name = folder_name(collection)});
    ++report_.folders;
    return {};
  }

  struct Work {
    DavItem* item = nullptr;
    const TargetEntry* there = nullptr;  ///< null: to be created
    std::string folder = {};
  };

  /// The entry that stands for an item: the one that was made for it, else the one with its UID.
  const TargetEntry* entry_for(const DavItem& item, const std::string& folder) const {
    const auto known = shelf_.entries.find(item.target_id);
    if (known != shelf_.entries.end() && known->second.uid == item.uid()) return &known->second;
    for (const auto& [id, entry] : shelf_.entries) {
      if (entry.uid != item.uid()) continue;
      if (kind_ == Kind::calendar || entry.folders.contains(folder)) return &entry;
    }
    return nullptr;
  }

  Outcome write_items() {
    std::vector<Work> batch;
    for (DavItem& item : items_) {
      if (item.is_gone) continue;
      const DavCollection& collection = collections_.at(item.collection_id);
      if (!item.entry) {
        report_.problems.push_back({item.where(collection), item.problem});
        continue;
      }
      if (collection.target_id.empty()) {
        PLAN_TRY_VOID(refuse(item, "the target has no folder for it"));
        continue;
      }
      const TargetEntry* there = entry_for(item, collection.target_id);
      if (there != nullptr) {
        const auto [claim, is_free] = claims_.emplace(there->id, item.id);
        if (!is_free && claim->second != item.id) {
          PLAN_TRY_VOID(refuse(item,
                               "the target has one event for each UID, and another calendar "
                               "of the account has it"));
          continue;
        }
      }
      PLAN_TRY(is_done, settle(item, there, collection));
      if (is_done) continue;
      batch.push_back({.item = &item, .there = there, .folder = collection.target_id});
      if (batch.size() < kSetBatch) continue;
      PLAN_TRY_VOID(write(batch));
      batch.clear();
    }
    return write(batch);
  }

  /// True when there is nothing to write.
  Result<bool> settle(DavItem& item, const TargetEntry* there, const DavCollection& collection) {
    const bool was_pushed = item.pushed_sha256 == item.sha256 && !item.target_id.empty();
    if (!options_.is_source_authority) {
      if (was_pushed) return true;  // whatever became of it at the target is its user's doing
      const bool is_new = item.target_id.empty();
      if (is_new && there == nullptr) return false;
      if (there != nullptr && is_alike(item, *there, collection)) return adopt(item, *there);
      if (there != nullptr && !is_new && there->digest == item.target_digest) return false;
      // Changed on both sides: the target's stays, and the difference is said each time.
      report_.problems.push_back(
          {item.where(collection), "changed at both sides after the flip: the target's stays"});
      return true;
    }
    if (there == nullptr || !was_pushed || there->id != item.target_id) {
      if (there == nullptr || !is_alike(item, *there, collection)) return false;
      return adopt(item, *there);
    }
    return there->digest == item.target_digest && there->folders.contains(collection.target_id);
  }

  /// It is there: a reply was lost, or an earlier move brought it.
  Result<bool> adopt(DavItem& item, const TargetEntry& there) {
    item.target_id = there.id;
    item.pushed_sha256 = item.sha256;
    item.target_digest = there.digest;
    PLAN_TRY_VOID(keep_dav_item(archive_, item));
    return true;
  }

  [[nodiscard]] bool is_alike(const DavItem& item, const TargetEntry& there,
                              const DavCollection& collection) const {
    return there.digest == entry_digest(kind_, *item.entry) && there.folders.size() == 1 &&
           there.folders.contains(collection.target_id);
  }

  Outcome refuse(DavItem& item, std::string problem) {
    item.problem = std::move(problem);
    report_.problems.push_back({item.where(collections_.at(item.collection_id)), item.problem});
    return keep_dav_item(archive_, item);
  }

  Outcome write(std::vector<Work>& batch) {
    if (batch.empty()) return {};
    PLAN_TRY_VOID(check_stop());
    const ShelfWords& shelf = words_of(kind_);
    std::vector<std::string> to_update;
    for (const Work& work : batch)
      if (work.there != nullptr) to_update.push_back(work.there->id);
    PLAN_TRY_VOID(read_bodies(target_, kind_, shelf_, to_update));
    jmap::SetRequest request{.type = std::string(shelf.entry_type),
                             .account_id = target_.account_id(),
                             .create = Value::map(),
                             .update = Value::map(),
                             .capability = std::string(shelf.capability)};
    for (std::size_t at = 0; at < batch.size(); ++at) {
      const Work& work = batch[at];
      const Value folders = Value::map({{work.folder, true}});
      if (work.there == nullptr) {
        Value object = *work.item->entry;
        object.set(std::string(shelf.folder_ids), folders);
        request.create.set(fmt::format("n{}", at), std::move(object));
        continue;
      }
      Value patch = Value::map({{std::string(shelf.folder_ids), folders}});
      for (const auto& [name, value] : work.there->body.members())
        if (!work.item->entry->members().contains(name) && normal_has(work.there->body, name))
          patch.set(name, nullptr);
      for (const auto& [name, value] : work.item->entry->members())
        if (name != "uid" && name != "@type") patch.set(name, value);
      request.update.set(work.there->id, std::move(patch));
    }
    PLAN_TRY(result, target_.client().set(std::move(request)));
    kill_point("dav-written");
    std::map<std::string, std::string> refused;
    for (const jmap::SetFailure& failure : result.failures)
      refused[failure.id] = words(failure.error);
    std::vector<std::string> ids;
    std::vector<DavItem*> written;
    for (std::size_t at = 0; at < batch.size(); ++at) {
      Work& work = batch[at];
      const std::string creation = fmt::format("n{}", at);
      const auto failure = refused.find(work.there == nullptr ? creation : work.there->id);
      if (failure != refused.end()) {
        PLAN_TRY_VOID(refuse(*work.item, failure->second));
        continue;
      }
      work.item->target_id = work.there == nullptr ? result.created_id(creation) : work.there->id;
      work.item->problem.clear();
      work.there == nullptr ? ++report_.created : ++report_.updated;
      ids.push_back(work.item->target_id);
      written.push_back(work.item);
    }
    // As the target keeps it, which may be another form: that is what a later change is seen by.
    PLAN_TRY(entries, read_entries(target_, kind_, ids));
    std::map<std::string, std::string> digests;
    for (const TargetEntry& entry : entries) digests[entry.id] = entry.digest;
    PLAN_TRY(transaction, archive_.database().begin());
    for (DavItem* item : written) {
      claims_[item->target_id] = item->id;
      item->pushed_sha256 = item->sha256;
      item->target_digest = digests[item->target_id];
      PLAN_TRY_VOID(keep_dav_item(archive_, *item));
    }
    return transaction.commit();
  }

  /// Members that count; the others are the target's own.
  [[nodiscard]] bool normal_has(const Value& body, const std::string& name) const {
    return normal_entry(kind_, body).members().contains(name);
  }

  /// Gives an item that is gone the entry that was made of it, where plan ended before it noted
  /// that.
  void find_unnoted() {
    std::multimap<std::string, std::string> unclaimed;
    for (const auto& [id, entry] : shelf_.entries)
      if (!claims_.contains(id)) unclaimed.emplace(entry.uid, id);
    for (DavItem& item : items_) {
      if (!item.is_gone || !item.target_id.empty() || !item.entry) continue;
      const auto [first, last] = unclaimed.equal_range(item.uid());
      const auto made = std::find_if(first, last, [&](const auto& one) {
        return shelf_.entries.at(one.second).digest == entry_digest(kind_, *item.entry);
      });
      if (made != last) item.target_id = made->second;
    }
  }

  Outcome remove_items() {
    find_unnoted();
    for (DavItem& item : items_) {
      if (!item.is_gone || item.target_id.empty()) continue;
      const auto there = shelf_.entries.find(item.target_id);
      const auto claim = claims_.find(item.target_id);
      // Moved at the source: another item stands for the entry now.
      const bool is_claimed = claim != claims_.end() && claim->second != item.id;
      if (there != shelf_.entries.end() && !is_claimed) {
        PLAN_TRY_VOID(check_stop());
        PLAN_TRY(result,
                 target_.client().set({.type = std::string(words_of(kind_).entry_type),
                                       .account_id = target_.account_id(),
                                       .destroy = {item.target_id},
                                       .capability = std::string(words_of(kind_).capability)}));
        kill_point("dav-destroyed");
        if (!result.failures.empty() && !result.failures.front().error.is("notFound")) {
          report_.problems.push_back(
              {item.where(collections_.at(item.collection_id)),
               "gone at the source; " + words(result.failures.front().error)});
          continue;
        }
        shelf_.entries.erase(there);
        ++report_.destroyed;
      }
      item.target_id.clear();
      item.pushed_sha256.clear();
      item.target_digest.clear();
      PLAN_TRY_VOID(keep_dav_item(archive_, item));
    }
    return {};
  }

  Outcome remove_folders() {
    for (auto& [id, collection] : collections_) {
      if (collection.kind != kind_ || !collection.is_gone || collection.target_id.empty()) continue;
      if (collection.is_ours) {
        PLAN_TRY(result,
                 target_.client().set({.type = std::string(words_of(kind_).folder_type),
                                       .account_id = target_.account_id(),
                                       .destroy = {collection.target_id},
                                       .capability = std::string(words_of(kind_).capability)}));
        kill_point("dav-folder-destroyed");
        if (!result.failures.empty() && !result.failures.front().error.is("notFound")) {
          report_.problems.push_back(
              {fmt::format("{} {}", to_string(kind_), printable(collection.name, 200)),
               "gone at the source; " + words(result.failures.front().error)});
          continue;
        }
        ++report_.folders;
      }
      collection.target_id.clear();
      collection.is_wanted = false;
      collection.is_ours = false;
      PLAN_TRY_VOID(keep_dav_collection(archive_, collection));
    }
    return {};
  }

  ArchiveFile& archive_;
  const TargetAccount& target_;
  const DavPushOptions& options_;
  DavPushReport report_ = {};
  Kind kind_ = Kind::calendar;
  std::map<std::int64_t, DavCollection> collections_ = {};
  std::vector<DavItem> items_ = {};
  TargetShelf shelf_ = {};
  std::map<std::string, std::int64_t> claims_ = {};  ///< target entry to the item it stands for
};

}  // namespace

Result<DavPushReport> push_dav(ArchiveFile& archive, const TargetAccount& target,
                               const DavPushOptions& options) {
  return DavPush(archive, target, options)
      .run()
      .while_doing("bringing calendars and contacts to the target");
}

Outcome take_back_dav(ArchiveFile& archive, const TargetAccount& target) {
  // The source has nothing, as far as the target is concerned: what plan brought goes.
  PLAN_TRY_VOID(archive.database().execute(
      "UPDATE plan_dav_item SET is_gone = 1; UPDATE plan_dav_collection SET is_gone = 1"));
  PLAN_TRY(report, push_dav(archive, target, {}));
  if (report.problems.empty()) return {};
  return Error(step::errors::not_as_wanted,
               fmt::format("the target keeps {} of the events and cards that plan brought",
                           report.problems.size()))
      .with_retry(Retry::safe)
      .with_blame(Blame::target)
      .with_detail(report.problems.front().what + ": " + report.problems.front().text);
}

Result<std::uint64_t> name_dav_folders(ArchiveFile& archive, const TargetAccount& as_user) {
  std::uint64_t named = 0;
  PLAN_TRY(collections, load_dav_collections(archive));
  for (const DavCollection& collection : collections) {
    if (collection.is_gone || collection.target_id.empty()) continue;
    const ShelfWords& shelf = words_of(collection.kind);
    Value patch = Value::map({{"name", folder_name(collection)}, {"isSubscribed", true}});
    if (!collection.description.empty()) patch.set("description", collection.description);
    // "#RRGGBB": programs also write an alpha behind it, which JMAP has not.
    if (collection.kind == Kind::calendar && collection.color.starts_with('#') &&
        collection.color.size() >= 7)
      patch.set("color", collection.color.substr(0, 7));
    PLAN_TRY(result,
             as_user.client().set({.type = std::string(shelf.folder_type),
                                   .account_id = as_user.account_id(),
                                   .update = Value::map({{collection.target_id, std::move(patch)}}),
                                   .capability = std::string(shelf.capability)}));
    if (result.failures.empty()) ++named;
  }
  return named;
}

}  // namespace plan::archive
