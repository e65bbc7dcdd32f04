#include "runtime/archive/grade_dav.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/archive/dav_items.h"
#include "runtime/archive/kept_shelf.h"
#include "runtime/archive/limits.h"
#include "runtime/archive/target_shelf.h"

namespace plan::archive {
namespace {

using net::dav::Kind;

class DavGrader {
 public:
  DavGrader(ArchiveFile& archive, const TargetAccount& target, const GradeOptions& options,
            GradeReport& report)
      : archive_(archive), target_(target), options_(options), report_(report) {}

  Outcome run(const DavReport& seen) {
    report_.dav_grade = Grade::perfect;
    if (!seen.is_there)
      add(Grade::not_checked, "calendars and contacts",
          "the source's server has nothing at the account's path: never used, or `path` is wrong");
    for (const ImportProblem& problem : seen.problems)
      add(Grade::not_checked, problem.mailbox, problem.text);
    if (seen.changes() > 0)
      add(Grade::not_checked, "the source",
          fmt::format("its calendars and contacts changed since they were read: {} new, {} "
                      "changed, {} gone",
                      seen.created, seen.updated, seen.removed));
    PLAN_TRY(collections, load_dav_collections(archive_));
    for (const Kind kind : {Kind::calendar, Kind::address_book})
      PLAN_TRY_VOID(compare(kind, collections));
    if (seen.sharing.shared > 0 || seen.sharing.of_others > 0 || seen.sharing.subscriptions > 0)
      add(Grade::good, "calendars and contacts", "not carried: " + seen.sharing.not_carried());
    PLAN_TRY(counts, count_dav(archive_));
    counts.shared = seen.sharing.shared;
    counts.shared_with = seen.sharing.shared_with;
    counts.of_others = seen.sharing.of_others;
    counts.subscriptions = seen.sharing.subscriptions;
    report_.dav_counts = counts;
    report_.is_dav_checked =
        options_.is_target_authority && report_.dav_grade != Grade::not_checked;
    return {};
  }

 private:
  void add(Grade grade, std::string where, std::string text) {
    report_.dav_grade = worse(report_.dav_grade, grade);
    ++report_.differences_count;
    const auto at = std::find_if(
        report_.differences.begin(), report_.differences.end(),
        [grade](const GradeDifference& one) { return worse(one.grade, grade) != one.grade; });
    report_.differences.insert(at, {grade, std::move(where), std::move(text)});
    if (report_.differences.size() > kDifferencesListed) report_.differences.pop_back();
  }

  Outcome compare(Kind kind, const std::vector<DavCollection>& collections) {
    std::map<std::int64_t, const DavCollection*> by_id;
    bool has_some = false;
    for (const DavCollection& collection : collections) {
      by_id[collection.id] = &collection;
      has_some = has_some || collection.kind == kind;
    }
    PLAN_TRY(items, load_dav_items(archive_, kind));
    if (!has_some && !is_extra_looked_for(kind)) return {};
    PLAN_TRY(shelf, options_.is_since_last ? read_shelf_since_kept(archive_, target_, kind)
                                           : read_shelf(target_, kind));
    PLAN_TRY_VOID(find_alarms(kind));
    PLAN_TRY_VOID(read_digests(kind, items, shelf));
    for (const DavItem& item : items) {
      if (item.is_gone) {
        if (!options_.is_target_authority && shelf.entries.erase(item.target_id) > 0)
          add(Grade::poor, item.where(*by_id[item.collection_id]),
              "gone at the source, still at the target");
        continue;
      }
      ++report_.dav_items;
      compare(kind, item, *by_id[item.collection_id], shelf);
    }
    if (options_.is_target_authority) return {};
    for (const auto& [id, entry] : shelf.entries)
      add(Grade::poor, fmt::format("{} {} of the target", words_of(kind).one, printable(id, 60)),
          "is not from the source");
    return {};
  }

  /// What each item is at the target when all is well; and of those that are otherwise there, as
  /// many as are listed, how they are.
  Outcome read_digests(Kind kind, const std::vector<DavItem>& items, TargetShelf& shelf) {
    digests_.clear();
    std::vector<std::string> otherwise;
    for (const DavItem& item : items) {
      if (!item.entry || item.is_gone) continue;
      const std::string& digest = digests_[item.id] = entry_digest(kind, *item.entry);
      const auto found = shelf.entries.find(item.target_id);
      if (found != shelf.entries.end() && found->second.digest != digest &&
          otherwise.size() < kDifferencesListed)
        otherwise.push_back(item.target_id);
    }
    return read_bodies(target_, kind, shelf, otherwise);
  }

  /// The events whose texts have alarms: the target's reading of a text may leave them out.
  Outcome find_alarms(Kind kind) {
    with_alarms_.clear();
    if (kind != Kind::calendar) return {};
    PLAN_TRY(rows, archive_.database().prepare(
                       "SELECT id FROM plan_dav_item WHERE is_gone = 0 AND instr(text, "
                       "CAST('BEGIN:VALARM' AS BLOB)) > 0"));
    while (true) {
      PLAN_TRY(has_row, rows.step());
      if (!has_row) return {};
      with_alarms_.insert(rows.integer(0));
    }
  }

  [[nodiscard]] bool has_lost_alarms(const DavItem& item) const {
    if (!item.entry || !with_alarms_.contains(item.id)) return false;
    const std::string shown = lower_ascii(ir::write_json(*item.entry));
    return shown.find("\"alerts\"") == std::string::npos &&
           shown.find("valarm") == std::string::npos;
  }

  /// The target has the capability of this kind at all.
  [[nodiscard]] bool is_extra_looked_for(Kind kind) const {
    const auto session = target_.client().session();
    return session && (*session)->has_capability(words_of(kind).capability);
  }

  void compare(Kind kind, const DavItem& item, const DavCollection& collection,
               TargetShelf& shelf) {
    const std::string where = item.where(collection);
    const auto found = shelf.entries.find(item.target_id);
    if (found == shelf.entries.end()) {
      if (!item.problem.empty())
        add(Grade::investigate, where, item.problem);
      else if (!options_.is_target_authority || item.target_id.empty())
        add(Grade::poor, where, "is not at the target");
      return;  // else deleted there by its user
    }
    const TargetEntry entry = std::move(found->second);
    shelf.entries.erase(found);
    if (item.pushed_sha256 != item.sha256) {
      add(Grade::poor, where,
          item.problem.empty() ? "is at the target as it was before its last change"
                               : item.problem);
      return;
    }
    if (options_.is_target_authority && entry.digest != item.target_digest) return;
    if (!item.entry || entry.digest != digests_[item.id])
      add(Grade::investigate, where,
          fmt::format("the target keeps it otherwise: {}",
                      !item.entry            ? "unread"
                      : entry.body.is_null() ? "some members"
                                             : members_that_differ(kind, *item.entry, entry.body)));
    if (has_lost_alarms(item))
      add(Grade::investigate, where,
          "lossy: the target leaves the alarms (VALARM) of its text out");
    const bool is_in_place =
        entry.folders.size() == 1 && entry.folders.contains(collection.target_id);
    if (!options_.is_target_authority && !is_in_place)
      add(Grade::investigate, where, "is in another folder at the target");
  }

  ArchiveFile& archive_;
  const TargetAccount& target_;
  const GradeOptions& options_;
  GradeReport& report_;
  std::set<std::int64_t> with_alarms_ = {};
  std::map<std::int64_t, std::string> digests_ = {};
};

}  // namespace

Outcome grade_dav(ArchiveFile& archive, const TargetAccount& target, const DavReport& seen,
                  const GradeOptions& options, GradeReport& report) {
  return DavGrader(archive, target, options, report)
      .run(seen)
      .while_doing("comparing calendars and contacts");
}

}  // namespace plan::archive
