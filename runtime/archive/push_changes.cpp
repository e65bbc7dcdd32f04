#include "runtime/archive/push_changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/archive/import_imap.h"
#include "runtime/archive/item_state.h"
#include "runtime/archive/target_mailboxes.h"
#include "runtime/step/errors.h"

namespace plan::archive {

using ir::Value;
namespace jmap = net::jmap;

Value true_map(const std::vector<std::string>& names) {
  Value map = Value::map();
  for (const std::string& name : names) map.set(name, true);
  return map;
}

std::string place_of(const std::string& wire_name, std::int64_t uid) {
  return fmt::format("{} uid {}", printable(wire_name, 200), uid);
}

Outcome check_stop(const PushOptions& options) {
  if (options.is_stop_requested && options.is_stop_requested())
    return Error(step::errors::stopped, "stopped between two batches").with_retry(Retry::safe);
  return {};
}

Result<std::vector<PushChanges::Placed>> PushChanges::placed(std::string_view condition) {
  std::vector<Placed> items;
  PLAN_TRY(rows, database_.prepare(
                     fmt::format("SELECT p.id, p.wire_name, p.uid, p.target_id, p.target_mailbox, "
                                 "p.target_keywords, p.keywords FROM plan_item p LEFT JOIN "
                                 "plan_target_mailbox t ON t.wire_name = p.wire_name WHERE {} "
                                 "ORDER BY p.id",
                                 condition)));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) break;
    items.push_back({.id = rows.integer(0),
                     .wire_name = std::string(rows.text(1)),
                     .uid = rows.integer(2),
                     .target_id = std::string(rows.text(3)),
                     .target_mailbox = std::string(rows.text(4)),
                     .target_keywords = std::string(rows.text(5)),
                     .keywords = std::string(rows.text(6))});
  }
  return items;
}

/// Is the message at the target as plan left it?
bool PushChanges::is_untouched(const Placed& item, const TargetEmail& email) {
  return email.mailbox_ids == std::vector<std::string>{item.target_mailbox} &&
         same_keywords(email.keywords, keywords_for_target(texts_of_json(item.target_keywords)));
}

Outcome PushChanges::note_conflict(const Placed& item, std::string text) {
  PLAN_TRY(note, database_.prepare("UPDATE plan_item SET problem = ? WHERE id = ?"));
  note.bind(1, text).bind(2, item.id);
  return note.run();
}

Outcome PushChanges::update_changed(const std::map<std::string, std::string>& places) {
  // By id: the other conditions hold for nearly every item.
  PLAN_TRY(items,
           placed(fmt::format("p.id IN ({} UNION ALL {}) AND +p.state = 2 AND +p.is_gone = 0 "
                              "AND (p.target_keywords <> p.keywords OR p.target_mailbox <> "
                              "t.target_id)",
                              kUnsettledItems, kMisplacedItems)));
  for (std::size_t begin = 0; begin < items.size(); begin += kGetBatch) {
    PLAN_TRY_VOID(check_stop(options_));
    const std::size_t end = std::min(items.size(), begin + kGetBatch);
    std::vector<std::string> ids;
    for (std::size_t index = begin; index < end; ++index) ids.push_back(items[index].target_id);
    PLAN_TRY(emails, target_.emails(ids));
    Value update = Value::map();
    std::map<std::string, const Placed*> asked;
    for (std::size_t index = begin; index < end; ++index) {
      const Placed& item = items[index];
      const auto found = emails.find(item.target_id);
      if (found == emails.end()) {
        PLAN_TRY_VOID(note_conflict(item, "destroyed at the target by somebody else"));
        continue;
      }
      const Value keywords = true_map(keywords_for_target(texts_of_json(item.keywords)));
      const auto place = places.find(item.wire_name);
      const std::string mailbox = place == places.end() ? item.target_mailbox : place->second;
      const bool is_done =
          found->second.mailbox_ids == std::vector<std::string>{mailbox} &&
          same_keywords(found->second.keywords, keywords_for_target(texts_of_json(item.keywords)));
      if (!is_done && !is_untouched(item, found->second)) {
        PLAN_TRY_VOID(note_conflict(item, "changed at the target by somebody else"));
        continue;
      }
      // Also when it is done: a crash may have lost the note.
      update.set(item.target_id,
                 Value::map({{"keywords", keywords}, {"mailboxIds", true_map({mailbox})}}));
      asked[item.target_id] = &item;
    }
    if (update.is_null() || update.size() == 0) continue;
    PLAN_TRY(result, target_.client().set({.type = "Email",
                                           .account_id = target_.account_id(),
                                           .update = std::move(update),
                                           .capability = std::string(jmap::kMail)}));
    if (options_.kill_point) options_.kill_point("update-answered");
    std::map<std::string, std::string> refused;
    for (const jmap::SetFailure& failure : result.failures)
      refused[failure.id] = fmt::format("{}: {}", failure.error.type, failure.error.description);
    PLAN_TRY(transaction, database_.begin());
    for (const auto& [id, item] : asked) {
      if (const auto why = refused.find(id); why != refused.end()) {
        PLAN_TRY_VOID(note_conflict(*item, why->second));
        continue;
      }
      const auto place = places.find(item->wire_name);
      PLAN_TRY(note,
               database_.prepare(
                   "UPDATE plan_item SET target_keywords = ?, target_mailbox = ?, problem = NULL "
                   "WHERE id = ?"));
      note.bind(1, item->keywords)
          .bind(2, place == places.end() ? item->target_mailbox : place->second)
          .bind(3, item->id);
      PLAN_TRY_VOID(note.run());
      ++report_.updated;
    }
    PLAN_TRY_VOID(transaction.commit());
  }
  return {};
}

Outcome PushChanges::destroy_gone(std::string_view condition) {
  PLAN_TRY(items, placed(condition));
  for (std::size_t begin = 0; begin < items.size(); begin += kGetBatch) {
    PLAN_TRY_VOID(check_stop(options_));
    const std::size_t end = std::min(items.size(), begin + kGetBatch);
    std::vector<std::string> ids;
    for (std::size_t index = begin; index < end; ++index) ids.push_back(items[index].target_id);
    PLAN_TRY(emails, target_.emails(ids));
    std::vector<std::string> destroy;
    std::map<std::string, const Placed*> asked;
    {
      PLAN_TRY(transaction, database_.begin());
      for (std::size_t index = begin; index < end; ++index) {
        const Placed& item = items[index];
        const auto found = emails.find(item.target_id);
        if (found == emails.end()) {
          PLAN_TRY_VOID(forget(item.id));
          continue;
        }
        if (!is_untouched(item, found->second)) {
          PLAN_TRY_VOID(
              note_conflict(item, "gone at the source, changed at the target by somebody else"));
          continue;
        }
        PLAN_TRY(mark, database_.prepare("UPDATE plan_item SET state = 4 WHERE id = ?"));
        mark.bind(1, item.id);
        PLAN_TRY_VOID(mark.run());
        destroy.push_back(item.target_id);
        asked[item.target_id] = &item;
      }
      PLAN_TRY_VOID(transaction.commit());
    }
    if (destroy.empty()) continue;
    if (options_.kill_point) options_.kill_point("destroy-begun");
    PLAN_TRY(result, target_.client().set({.type = "Email",
                                           .account_id = target_.account_id(),
                                           .destroy = destroy,
                                           .capability = std::string(jmap::kMail)}));
    if (options_.kill_point) options_.kill_point("destroy-answered");
    std::map<std::string, std::string> refused;
    for (const jmap::SetFailure& failure : result.failures)
      if (!failure.error.is("notFound")) refused[failure.id] = failure.error.type;
    PLAN_TRY(transaction, database_.begin());
    for (const auto& [id, item] : asked) {
      if (const auto why = refused.find(id); why != refused.end()) {
        PLAN_TRY(back,
                 database_.prepare("UPDATE plan_item SET state = 2, problem = ? WHERE id = ?"));
        back.bind(1, why->second).bind(2, item->id);
        PLAN_TRY_VOID(back.run());
        continue;
      }
      PLAN_TRY_VOID(forget(item->id));
      ++report_.destroyed;
    }
    PLAN_TRY_VOID(transaction.commit());
  }
  return {};
}

Outcome PushChanges::forget(std::int64_t id) {
  PLAN_TRY(drop, database_.prepare("DELETE FROM plan_item WHERE id = ? AND is_gone = 1"));
  drop.bind(1, id);
  PLAN_TRY_VOID(drop.run());
  PLAN_TRY(reset, database_.prepare(
                      "UPDATE plan_item SET state = 0, target_id = NULL, target_mailbox = NULL, "
                      "target_keywords = NULL, is_proved = 0 WHERE id = ?"));
  reset.bind(1, id);
  return reset.run();
}

Outcome take_back(ArchiveFile& archive, const TargetAccount& target) {
  PLAN_TRY(bound, archive.fact("target-account"));
  if (bound != target.account_id()) return {};  // nothing of ours is there
  PLAN_TRY_VOID(resolve_imports(archive, target));
  const PushOptions options;
  PushReport report;
  PLAN_TRY_VOID(PushChanges(archive, target, options, report)
                    .destroy_gone("p.state = 2 AND p.target_id IS NOT NULL"));
  PLAN_TRY(left, archive.database().query_integer(
                     "SELECT count(*) FROM plan_item WHERE target_id IS NOT NULL"));
  if (left.value_or(0) > 0)
    return Error(step::errors::changed_since,
                 fmt::format(
                     "{} messages that plan imported were changed at the target by somebody else",
                     *left))
        .with_blame(Blame::target);
  PLAN_TRY(scripts, archive.database().prepare(
                        "SELECT target_id FROM plan_target_script WHERE is_ours = 1 AND target_id "
                        "IS NOT NULL"));
  std::vector<std::string> destroy;
  while (true) {
    PLAN_TRY(has_row, scripts.step());
    if (!has_row) break;
    destroy.emplace_back(scripts.text(0));
  }
  if (!destroy.empty()) {
    PLAN_TRY(calm, target.client().call_one("SieveScript/set",
                                            Value::map({{"accountId", target.account_id()},
                                                        {"onSuccessDeactivateScript", true}}),
                                            {.capabilities = {std::string(jmap::kSieve)}}));
    (void)calm;
    PLAN_TRY(gone, target.client().set({.type = "SieveScript",
                                        .account_id = target.account_id(),
                                        .destroy = destroy,
                                        .capability = std::string(jmap::kSieve)}));
    (void)gone;
    PLAN_TRY_VOID(archive.database().execute("DELETE FROM plan_target_script"));
  }
  return destroy_vanished_mailboxes(archive, target, true);
}

}  // namespace plan::archive
