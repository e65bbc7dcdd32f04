#include "runtime/archive/carry_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/archive/import_imap.h"

namespace plan::archive {
namespace {

/// Lower case, without what plan's own way of expunging sets.
std::set<std::string> folded(const std::vector<std::string>& keywords) {
  std::set<std::string> set;
  for (const std::string& keyword : keywords) set.insert(lower_ascii(keyword));
  return set;
}

bool is_changed_at_source(const CarryItem& item) {
  std::set<std::string> then = folded(item.target_keywords);
  std::set<std::string> now = folded(keywords_for_target(item.keywords));
  then.erase("$deleted");
  now.erase("$deleted");
  return then != now;
}

class Decision {
 public:
  explicit Decision(const CarryView& view) : view_(view) {}

  CarryActions run() {
    std::map<std::string, std::vector<const CarryItem*>> groups;
    for (const CarryItem& item : view_.items) groups[item.target_id].push_back(&item);
    for (const auto& [target_id, items] : groups) {
      const auto email = view_.emails.find(target_id);
      if (email == view_.emails.end())
        for (const CarryItem* item : items) decide_deleted(*item);
      else
        decide_present(email->second, items);
    }
    for (const auto& [id, email] : view_.emails)
      if (!groups.contains(id))
        for (const std::string& mailbox : email.mailbox_ids) place(email, mailbox, nullptr, true);
    return std::move(actions_);
  }

 private:
  void decide_deleted(const CarryItem& item) {
    if (item.is_gone) {
      actions_.forgotten.push_back(item.id);
    } else if (is_changed_at_source(item)) {
      actions_.kept.push_back(item.id);
      actions_.conflicts.push_back(
          {item.where(), "deleted at the target, its flags changed at the source: it stays"});
    } else {
      actions_.deleted.push_back(&item);
    }
  }

  void decide_present(const TargetEmail& email, const std::vector<const CarryItem*>& items) {
    const CarryItem* some = nullptr;  // one that has bytes in the archive
    for (const CarryItem* item : items)
      if (item->email_id != 0) some = item;
    for (const std::string& mailbox : email.mailbox_ids) {
      const auto here = std::find_if(items.begin(), items.end(), [&](const CarryItem* item) {
        return item->target_mailbox == mailbox && !item->is_gone;
      });
      if (here != items.end()) {
        compare_flags(**here, email);
        continue;
      }
      const auto gone = std::find_if(items.begin(), items.end(), [&](const CarryItem* item) {
        return item->target_mailbox == mailbox && item->is_gone;
      });
      if (gone != items.end())
        actions_.conflicts.push_back(
            {(*gone)->where(), "gone at the source, still at the target: it is given back"});
      place(email, mailbox, some, false);
    }
    for (const CarryItem* item : items) {
      const bool is_wanted = std::find(email.mailbox_ids.begin(), email.mailbox_ids.end(),
                                       item->target_mailbox) != email.mailbox_ids.end();
      if (item->is_gone) {
        const bool is_replaced = std::any_of(items.begin(), items.end(), [&](const CarryItem* one) {
          return !one->is_gone && one->target_mailbox == item->target_mailbox;
        });
        if (!is_wanted || is_replaced) actions_.forgotten.push_back(item->id);
      } else if (!is_wanted) {
        const auto base = view_.wires.find(item->target_mailbox);
        if (base != view_.wires.end() && base->second != item->wire_name)
          actions_.conflicts.push_back(
              {item->where(), "moved at both sides: the target's mailbox decided"});
        actions_.moved_away.push_back(item);
      }
    }
  }

  void compare_flags(const CarryItem& item, const TargetEmail& email) {
    const std::set<std::string> base = folded(item.target_keywords);
    const std::set<std::string> there = folded(email.keywords);
    const std::set<std::string> here = folded(item.keywords);
    if (base == there) return;
    FlagChange change{.item = &item, .target_keywords = email.keywords};
    for (const std::string& keyword : email.keywords)
      if (!base.contains(lower_ascii(keyword)) && !here.contains(lower_ascii(keyword)))
        change.added.push_back(keyword);
    for (const std::string& keyword : item.target_keywords)
      if (!there.contains(lower_ascii(keyword)) && here.contains(lower_ascii(keyword)))
        change.removed.push_back(keyword);
    actions_.flags.push_back(std::move(change));
  }

  void place(const TargetEmail& email, const std::string& mailbox, const CarryItem* stored,
             bool is_new) {
    const auto wire = view_.wires.find(mailbox);
    if (wire == view_.wires.end() || view_.settled.contains({email.id, mailbox})) return;
    actions_.placements.push_back(
        {.email = email,
         .mailbox_id = mailbox,
         .wire_name = wire->second,
         .email_id = stored == nullptr ? 0 : stored->email_id,
         .received_at = stored == nullptr ? std::string() : stored->received_at,
         .is_new = is_new});
  }

  const CarryView& view_;
  CarryActions actions_;
};

}  // namespace

std::string CarryItem::where() const {
  return fmt::format("{} uid {}", printable(wire_name, 200), uid);
}

CarryActions decide_carry(const CarryView& view) { return Decision(view).run(); }

Result<std::vector<CarryItem>> load_carry_items(ArchiveFile& archive) {
  std::vector<CarryItem> items;
  PLAN_TRY(rows, archive.database().prepare(
                     "SELECT id, wire_name, uidvalidity, uid, coalesce(email_id, 0), received_at, "
                     "keywords, is_gone, target_id, target_mailbox, target_keywords FROM plan_item "
                     "WHERE state IN (2, 4) AND target_id IS NOT NULL ORDER BY id"));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) return items;
    items.push_back({.id = rows.integer(0),
                     .wire_name = std::string(rows.text(1)),
                     .uid_validity = static_cast<std::uint32_t>(rows.integer(2)),
                     .uid = static_cast<std::uint32_t>(rows.integer(3)),
                     .email_id = rows.integer(4),
                     .received_at = std::string(rows.text(5)),
                     .keywords = texts_of_json(rows.text(6)),
                     .is_gone = rows.integer(7) != 0,
                     .target_id = std::string(rows.text(8)),
                     .target_mailbox = std::string(rows.text(9)),
                     .target_keywords = keywords_for_target(texts_of_json(rows.text(10)))});
  }
}

}  // namespace plan::archive
